"""Cases become questions, and what cannot be asked says why."""

from pathlib import Path
from typing import Any

import pytest

from chaos_harness.harness.policies import AsUser
from chaos_harness.harness.suites.model import Assertion, Case, SuiteTest
from chaos_harness.harness.suites.questions import namespaces_of, policy_of, question_of, rights_of, why_not
from chaos_harness.harness.suites.read import read_suites

_SUITES = Path(__file__).parents[3] / "suites"
_CONFIG: dict[str, Any] = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "labels": {"a": "1"}}}


def _suite(name: str) -> SuiteTest:
    (suite,) = read_suites([_SUITES / name])
    return suite.tests[0]


def _test(**spec: Any) -> SuiteTest:
    return SuiteTest(Path("s.yaml"), "one", "s.yaml:1", {}, {"kind": "A", "metadata": {"name": "mine"}, "spec": spec})


def _review(operation: str, **request: Any) -> Case:
    review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}
    return Case("a", "s.yaml:2", {**review, "request": {"operation": operation, **request}})


def _asked(case: Case) -> Any:
    question = question_of(_test(), case)
    assert question is not None
    return question


def test_an_object_is_created() -> None:
    """A case with an object is a dry run of its creation; a denial must be by the test's constraint."""
    question = _asked(Case("a", "s.yaml:2", _CONFIG, assertions=(Assertion(2),)))
    assert (question.verb, question.body, question.dry_run) == ("create", _CONFIG, True)
    assert (question.policy, question.wanted, question.names) == ("s.yaml: one: a", "denied", "mine")
    allowed = _asked(Case("a", "s.yaml:2", _CONFIG, assertions=(Assertion("no"),)))
    assert (allowed.wanted, allowed.names) == ("admitted", "")


def test_an_update_is_what_changed() -> None:
    """An AdmissionReview for UPDATE is the merge patch from the old object to the new one."""
    new = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "labels": {"b": "2"}}}
    question = _asked(_review("UPDATE", object=new, oldObject=_CONFIG))
    assert (question.verb, question.base) == ("update", _CONFIG)
    assert question.body == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"labels": {"a": None, "b": "2"}},
    }


def test_a_delete_is_of_the_old_object() -> None:
    """An AdmissionReview for DELETE is about an object like the old one, with what the request says of it."""
    kind = {"group": "apps", "version": "v1", "kind": "Deployment"}
    question = _asked(_review("DELETE", kind=kind, name="d", namespace="shop", oldObject={"spec": {}}))
    assert (question.verb, question.base["apiVersion"], question.base["kind"]) == ("delete", "apps/v1", "Deployment")
    assert question.base["metadata"] == {"name": "d", "namespace": "shop"}


def test_who_asks() -> None:
    """The user of an AdmissionReview asks, with the rights of an administrator: policies decide, nothing else."""
    who = {"username": "alice", "groups": ["developers", "system:authenticated"]}
    question = _asked(_review("CREATE", object=_CONFIG, userInfo=who))
    assert question.asker == AsUser("alice", ("developers",))
    assert [right["subjects"][0]["name"] for right in rights_of([question, question])] == ["alice"]


@pytest.mark.parametrize(
    ("case", "why"),
    [
        (Case("a", "p", {"apiVersion": "v1", "kind": "Pod"}), "the object has no metadata.name"),
        (Case("a", "p", {"apiVersion": "v1", "kind": "Pod", "metadata": {"generateName": "a-"}}), ""),
        (Case("a", "p", skip=True), "it is skipped"),
        (_review("CONNECT", object=_CONFIG), "an AdmissionReview for CONNECT: only requests to create, update"),
        (
            _review("DELETE", oldObject=_CONFIG),
            "an AdmissionReview for DELETE: Gatekeeper's webhook is called",
        ),
        (_review("UPDATE", object=_CONFIG), "an AdmissionReview to update without its oldObject"),
        (_review("CREATE", object={"metadata": {"name": "a"}}), "the object has no apiVersion, kind"),
        (_review("CREATE", object=_CONFIG, subResource="status"), "an AdmissionReview for the subresource status"),
    ],
)
def test_what_cannot_be_asked(case: Case, why: str) -> None:
    """The reason is told, and there is no question; a webhook that is not called for deletes decides none."""
    reason = why_not(_test(), case, ("CREATE", "UPDATE"))
    assert reason.startswith(why)
    assert bool(reason) == bool(why)
    assert "DELETE" in why or (question_of(_test(), case) is None) == bool(why)


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ({}, ""),
        ({"enforcementAction": "deny"}, ""),
        ({"enforcementAction": "warn"}, "enforcementAction warn: what violates it is admitted with a warning"),
        (
            {"enforcementAction": "dryrun"},
            "enforcementAction dryrun: what violates it is admitted, and audit alone tells",
        ),
        (
            {
                "enforcementAction": "scoped",
                "scopedEnforcementActions": [
                    {"action": "deny", "enforcementPoints": [{"name": "audit.gatekeeper.sh"}]},
                    {"action": "warn", "enforcementPoints": [{"name": "validation.gatekeeper.sh"}]},
                ],
            },
            "enforcementAction scoped: no enforcement point at admission denies",
        ),
        (
            {
                "enforcementAction": "scoped",
                "scopedEnforcementActions": [{"action": "deny", "enforcementPoints": [{"name": "*"}]}],
            },
            "",
        ),
    ],
)
def test_a_constraint_that_denies_nothing(spec: dict[str, Any], why: str) -> None:
    """Only what denies at admission can be asked."""
    assert why_not(_test(**spec), Case("a", "p", _CONFIG)) == why


def test_a_policy_of_a_test() -> None:
    """Namespaces, rights, template and constraint are its objects, in this order; each case is a question."""
    policy = policy_of(_suite("review-create"), "v3.23.1")
    kinds = ["Namespace", "ClusterRoleBinding", "ClusterRoleBinding", "ConstraintTemplate", "SuiteOnlyRobots"]
    assert [thing["kind"] for thing in policy.objects] == kinds
    assert [question.policy.rpartition(": ")[2] for question in policy.questions] == ["robot", "human"]


def test_cases_with_an_inventory_are_no_questions_of_a_policy() -> None:
    """What is in data.inventory differs from case to case, so only cases without are asked all the time."""
    policy = policy_of(_suite("unique-ingress-host"), "v3.23.1")
    assert [question.policy.rpartition(": ")[2] for question in policy.questions] == ["nothing-there"]


def test_a_binding_is_waited_for() -> None:
    """A template in CEL whose policy is generated is in force when its binding is there."""
    test = _suite("cel-requests")
    source = test.template["spec"]["targets"][0]["code"][0]["source"]
    assert policy_of(test, "v3.23.1").generated == ()
    source["generateVAP"] = True
    assert policy_of(test, "v3.23.1").generated == ("requests-are-set",)


def test_namespaces() -> None:
    """Each namespace is made once; not those of every cluster, nor those that the inventory brings."""
    cases = _suite("namespace-selector").cases
    assert namespaces_of(cases) == []
    placed = {**_CONFIG, "metadata": {"name": "c", "namespace": "shop"}}
    system = {**_CONFIG, "metadata": {"name": "c", "namespace": "kube-system"}}
    found = namespaces_of([Case("a", "p", placed), Case("b", "p", placed), Case("c", "p", system)])
    assert [thing["metadata"]["name"] for thing in found] == ["shop"]
