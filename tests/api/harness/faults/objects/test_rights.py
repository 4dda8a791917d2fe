"""Rights that are revoked: the API server itself says who is denied, before, meanwhile and afterwards."""

from http import HTTPStatus
from typing import Any

import pytest
from kubernetes.client import ApiClient

from chaos_harness.clusters.api.rest import apply, merge_patch, request
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.harness.errors import ApiRefused, BadScenario, FaultNotApplied
from chaos_harness.harness.faults import Fault
from chaos_harness.harness.faults.objects import rights
from chaos_harness.harness.faults.objects.rights import revoke_binding, revoke_rule
from chaos_harness.harness.undo import journal
from tests.fakes.bench import Bench
from tests.live_api.server import NOBODY, ApiServer

RBAC = "/apis/rbac.authorization.k8s.io/v1"
V1 = "rbac.authorization.k8s.io/v1"
RULES = [
    {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list"]},
    {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["*"]},
    {"nonResourceURLs": ["/metrics"], "verbs": ["get"]},
]
USER = {"kind": "User", "name": NOBODY, "apiGroup": "rbac.authorization.k8s.io"}
ACCOUNT = {"kind": "ServiceAccount", "name": "s", "namespace": "default"}


def bound(kind: str, name: str, role: str, *subjects: Any, **metadata: Any) -> dict[str, Any]:
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role}
    named = {"name": name, **metadata}
    return {"apiVersion": V1, "kind": kind, "metadata": named, "roleRef": reference, "subjects": list(subjects)}


@pytest.fixture(autouse=True)
def role(server: ApiServer, api: ApiClient) -> None:
    """Give a role of three rules, bound to a user everywhere, and to an account in one namespace; both have it."""
    made = {"apiVersion": V1, "kind": "ClusterRole", "metadata": {"name": "r"}, "rules": RULES}
    anywhere = bound("ClusterRoleBinding", "b", "r", USER)
    there = bound("RoleBinding", "b", "r", ACCOUNT, namespace="default")
    deadline = Deadline.after(10, "the role")
    apply(api, [made, anywhere, there], deadline)
    attributes = {"namespace": "default", "verb": "list", "resource": "configmaps"}
    review = {"spec": {"user": "system:serviceaccount:default:s", "resourceAttributes": attributes}}
    for _ in deadline.attempts():
        said = request(api, "POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", body=review)
        if may_list(server) and said["status"]["allowed"]:
            return
    pytest.fail("the role gives no rights")


def may_list(server: ApiServer) -> bool:
    """Whether the user is let in, without asking anybody what would be."""
    with server.client(NOBODY) as client:
        try:
            request(client, "GET", "/api/v1/configmaps")
        except ApiRefused as error:
            return error.status != HTTPStatus.FORBIDDEN
        return True


FAULTS = [
    (revoke_rule("r", "list", "configmaps"), "/clusterroles/r", "the rule"),
    (revoke_binding("b"), "/clusterrolebindings/b", "the binding"),
]


@pytest.mark.parametrize(("fault", "path"), [one[:2] for one in FAULTS], ids=[one[2] for one in FAULTS])
def test_life(server: ApiServer, api: ApiClient, bench: Bench, fault: Fault, path: str) -> None:
    """Who was allowed is denied, by a review and in fact, and allowed again by the journal alone."""
    before = request(api, "GET", f"{RBAC}{path}")
    assert may_list(server)
    bench.inject(fault)
    proof = bench.observed(fault)
    assert proof.startswith("allowed before, denied now by SubjectAccessReview: ")
    assert f"{NOBODY} " in proof
    assert ("system:serviceaccount:default:s list configmaps in default" in proof) == (fault.name == "revoke rule")
    assert not may_list(server)
    with pytest.raises(FaultNotApplied, match=r"expected that what '.' allowed is allowed again, denied is "):
        bench.healed(fault)
    (undo,) = bench.pending()
    for _ in range(2):
        journal.replay(bench.journal.path, bench.cluster.engine)
        bench.journal.record(undo)
    after = request(api, "GET", f"{RBAC}{path}")
    assert [after.get(name) for name in ("rules", "subjects")] == [before.get(name) for name in ("rules", "subjects")]
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    for _ in Deadline.after(10, "the rights to be back").attempts():
        if may_list(server):
            break
    assert bench.healed(fault).startswith("allowed again by SubjectAccessReview: ")


def test_another_role_that_allows_it(api: ApiClient, bench: Bench) -> None:
    """Who may do it in another way has lost nothing, and the fault is not applied; healing leaves what there was."""
    made = {"apiVersion": V1, "kind": "ClusterRole", "metadata": {"name": "other"}, "rules": RULES}
    apply(api, [made, bound("ClusterRoleBinding", "other", "other", USER)], Deadline.after(10, "another role"))
    fault = revoke_rule("r", "list", "configmaps")
    bench.inject(fault)
    with pytest.raises(FaultNotApplied, match=f"still allowed is {NOBODY} list configmaps; another role may allow"):
        bench.observed(fault, 5)
    bench.heal(fault)
    assert request(api, "GET", f"{RBAC}/clusterroles/r")["rules"] == RULES


def test_an_edit_that_does_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is found out by the reviews."""
    monkeypatch.setattr(rights, "edit", lambda *_: None)
    fault = revoke_binding("b", namespace="default")
    bench.inject(fault)
    with pytest.raises(FaultNotApplied, match="still allowed is system:serviceaccount:default:s get configmaps"):
        bench.observed(fault, 0.1)


def test_what_is_refused(api: ApiClient, bench: Bench) -> None:
    """What is not there, allows nothing, or would come back by itself is not touched, and nothing is promised."""
    apply(api, [bound("ClusterRoleBinding", "none", "nobody")], Deadline.after(10, "a binding"))
    merge_patch(api, f"{RBAC}/clusterrolebindings/none", {"subjects": None})
    for fault, words in (
        (revoke_rule("gone", "list", "pods"), "there is no 'gone' among clusterroles"),
        (revoke_rule("r", "list", "pods"), "no rule of 'r' allows list pods of the core"),
        (revoke_rule("view", "get", "pods"), "the rules of 'view' come from other roles"),
        (revoke_rule("system:aggregate-to-view", "get", "pods"), "nobody is allowed by 'system:aggregate-to-view'"),
        (revoke_binding("gone", namespace="default"), "there is no 'gone' among rolebindings"),
        (revoke_binding("none"), "there is no 'nobody' among clusterroles"),
    ):
        with pytest.raises(BadScenario, match=words):
            bench.inject(fault)
    assert bench.pending() == []
