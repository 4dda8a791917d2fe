"""Record: a cluster is only read, by whatever its user may see, and becomes an incident file that can be read."""

from collections.abc import Callable
from pathlib import Path

import pytest
from kubernetes.client import ApiClient

from chaos_harness.clusters.api.readonly import open_readonly
from chaos_harness.clusters.api.rest import apply, list_objects, request
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.errors import BadScenario, ClusterUnavailable
from chaos_harness.clusters.known_versions import DEFAULT_GATEKEEPER, DEFAULT_KUBERNETES
from chaos_harness.clusters.shape import NAMESPACE
from chaos_harness.harness.incident.draft import draft
from chaos_harness.harness.incident.load import load
from chaos_harness.harness.policies import mutate_pods
from tests.live_api.gatekeeper import install_kinds, install_webhooks, released
from tests.live_api.server import ADMINISTRATOR, NOBODY, ApiServer, write_kubeconfig

CONSTRAINTS = "constraints.gatekeeper.sh"
_SCHEMA = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
KIND = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": f"labelsrequired.{CONSTRAINTS}"},
    "spec": {
        "group": CONSTRAINTS,
        "scope": "Cluster",
        "names": {"kind": "LabelsRequired", "plural": "labelsrequired"},
        "versions": [{"name": "v1beta1", "served": True, "storage": True, "schema": _SCHEMA}],
    },
}
TEMPLATE = {
    "apiVersion": "templates.gatekeeper.sh/v1",
    "kind": "ConstraintTemplate",
    "metadata": {"name": "labelsrequired"},
    "spec": {"crd": {"spec": {"names": {"kind": "LabelsRequired"}}}, "targets": []},
}
CONSTRAINT = {
    "apiVersion": f"{CONSTRAINTS}/v1beta1",
    "kind": "LabelsRequired",
    "metadata": {"name": "owner"},
    "spec": {"match": {}},
}


@pytest.fixture
def kubeconfig(server: ApiServer, tmp_path: Path) -> Callable[[str], Path]:
    return lambda user: write_kubeconfig(tmp_path / user, server.kubeconfig(user))


@pytest.fixture
def gatekeeper(api: ApiClient) -> None:
    """Put Gatekeeper there, two policies, a node and something that failed."""
    install_kinds(api)
    install_webhooks(api)
    objects = (*released("Namespace"), *released("Deployment"), *mutate_pods().objects, KIND, TEMPLATE, CONSTRAINT)
    apply(api, objects, Deadline.after(30, "Gatekeeper"))
    request(api, "POST", "/api/v1/nodes", body={"metadata": {"name": "live-worker"}})
    event = {
        "metadata": {"name": "e"},
        "involvedObject": {"kind": "Pod", "name": "a", "namespace": NAMESPACE},
        "type": "Warning",
        "reason": "Failed",
        "message": "Back-off pulling image, Bearer planted0123456789",
    }
    request(api, "POST", f"/api/v1/namespaces/{NAMESPACE}/events", body=event)


def view(api: ApiClient) -> None:
    """Let the user who may do nothing see Deployments and events, and nothing that is in no namespace."""
    root = "/apis/rbac.authorization.k8s.io/v1"
    rules = [{"apiGroups": ["", "apps"], "resources": ["deployments", "events"], "verbs": ["get", "list"]}]
    request(api, "POST", f"{root}/clusterroles", body={"metadata": {"name": "viewer"}, "rules": rules})
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "viewer"}
    body = {"metadata": {"name": "v"}, "roleRef": role, "subjects": [{"kind": "User", "name": NOBODY}]}
    request(api, "POST", f"{root}/clusterrolebindings", body=body)
    attributes = {"group": "apps", "resource": "deployments", "verb": "list"}
    review = {"spec": {"user": NOBODY, "resourceAttributes": attributes}}
    for _ in Deadline.after(10, "the role").attempts():
        if request(api, "POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", body=review)["status"]["allowed"]:
            return
    pytest.fail("the role gives no rights")


@pytest.mark.usefixtures("gatekeeper")
def test_what_an_administrator_sees(kubeconfig: Callable[[str], Path], tmp_path: Path) -> None:
    """The draft has the versions, the nodes, the webhooks and the policies without what the server added."""
    with open_readonly(kubeconfig(ADMINISTRATOR)) as cluster:
        text = draft(cluster)
    assert f"# Kubernetes {DEFAULT_KUBERNETES}" in text
    assert f"# Gatekeeper {DEFAULT_GATEKEEPER}, installed by its manifest" in text
    assert "# 1 nodes, 1 of them workers" in text
    assert "# webhook validation.gatekeeper.sh: failurePolicy Ignore, timeoutSeconds 3" in text
    assert "planted" not in text
    path = tmp_path / "a.yaml"
    path.write_text(text, encoding="utf-8")
    policies = [policy for objects in load(path).policies for policy in objects]
    assert CONSTRAINT in policies
    assert {"chaos-pods", "owner"} <= {policy["metadata"]["name"] for policy in policies}
    assert not any("managedFields" in policy["metadata"] for policy in policies)


@pytest.mark.usefixtures("gatekeeper")
def test_what_a_viewer_sees(api: ApiClient, kubeconfig: Callable[[str], Path], tmp_path: Path) -> None:
    """What the user may not see is none: neither nodes nor policies are an error."""
    view(api)
    with open_readonly(kubeconfig(NOBODY)) as cluster:
        assert cluster.get("/api/v1/nodes") is None
        text = draft(cluster)
    assert f"# Gatekeeper {DEFAULT_GATEKEEPER}" in text
    path = tmp_path / "a.yaml"
    path.write_text(text, encoding="utf-8")
    assert load(path).policies == ()


def test_a_user_who_sees_nothing(kubeconfig: Callable[[str], Path]) -> None:
    """It is told that there may be a Gatekeeper that he may not see."""
    with open_readonly(kubeconfig(NOBODY)) as cluster, pytest.raises(BadScenario, match="none that this user may see"):
        draft(cluster)


def test_nothing_is_written(api: ApiClient, kubeconfig: Callable[[str], Path]) -> None:
    """Objects come by GET; the kubeconfig stays as it was; Secrets are refused before the cluster is asked."""
    path = kubeconfig(ADMINISTRATOR)
    before, namespaces = path.read_bytes(), list_objects(api, "/api/v1/namespaces", "items")
    with open_readonly(path, "live") as cluster:
        assert cluster.items("/api/v1/namespaces") == namespaces
        assert cluster.get("/apis/example.com/v1") is None
        with pytest.raises(BadScenario, match="Secrets of a user's cluster are not read"):
            cluster.get("/api/v1/namespaces/default/secrets")
    assert path.read_bytes() == before


def test_failures(server: ApiServer, kubeconfig: Callable[[str], Path]) -> None:
    """A refusal, and no answer, are errors that say what was asked."""
    with open_readonly(kubeconfig(ADMINISTRATOR)) as cluster:
        with pytest.raises(ClusterUnavailable, match="GET /api/v1/pods: 400 "):
            cluster.get("/api/v1/pods", {"labelSelector": "a=b=c"})
        server.kill()
        with pytest.raises(ClusterUnavailable, match="GET /version: no answer"):
            cluster.get("/version")
