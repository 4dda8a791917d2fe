"""Other requests: updates, deletes and requests in another's name, of a real API server, are judged as creates are."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from kubernetes.client import ApiClient

from chaos_harness.clusters.api.rest import apply, list_objects, list_path
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.harness.policies import CANARIES, AsUser, Question, WantedParts
from chaos_harness.harness.probes.answers import Answer, ask
from tests.live_api.webhook import Webhook, denial

_PATH = f"/api/v1/namespaces/{CANARIES}/pods"
_SPEC = {"containers": [{"name": "main", "image": "registry.invalid/none"}]}
_POD: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "kept", "namespace": CANARIES},
    "spec": _SPEC,
}
_LABELLED = {**_POD, "metadata": {"name": "kept", "labels": {"owner": "me"}}}
_MEMBERS = ("system:masters",)


@pytest.fixture
def kept(api: ApiClient, webhook: Webhook) -> Webhook:
    """Give the webhook that hears of all changes, once the API server asks it, and a pod that is there."""
    apply(api, [_POD], Deadline.after(10, "a pod"))
    webhook.decide = lambda _: denial("[nobody] no")
    webhook.configure(api, operations=("CREATE", "UPDATE", "DELETE"))
    question = Question("f", "p", "denied", _PATH, _POD, verb="delete")
    for _ in Deadline.after(10, "the webhook").attempts(0.05, 0.2):
        if ask(api, question, "x").kind == "ok":
            break
    webhook.reviewed.clear()
    return webhook


def _decide(operation: str, words: str, name: str = "") -> Any:
    def decide(request: Mapping[str, Any]) -> Mapping[str, Any]:
        denied = request["operation"] == operation and (not name or request["userInfo"]["username"] == name)
        return denial(words) if denied else {"allowed": True}

    return decide


@pytest.mark.parametrize(
    ("question", "operation", "kind", "outcome"),
    [
        (Question("f", "p", "denied", _PATH, _LABELLED, verb="update"), "UPDATE", "ok", "denied by webhook"),
        (Question("f", "p", "denied", _PATH, _LABELLED, verb="update"), "DELETE", "fail", "admitted"),
        (Question("f", "p", "admitted", _PATH, _LABELLED, verb="update"), "UPDATE", "fail", "denied by webhook"),
        (Question("f", "p", "denied by webhook", _PATH, _POD, verb="delete"), "DELETE", "ok", "denied by webhook"),
        (Question("f", "p", "denied by policy", _PATH, _POD, verb="delete"), "DELETE", "fail", "denied by webhook"),
        (Question("f", "p", "admitted", _PATH, _POD, verb="delete"), "UPDATE", "ok", "admitted"),
    ],
)
def test_verbs(api: ApiClient, kept: Webhook, question: Question, operation: str, kind: str, outcome: str) -> None:
    """A dry run of an update or a delete asks about the object that is there, and leaves it as it is."""
    kept.decide = _decide(operation, "[mine] no")
    answer = ask(api, question, "x")
    assert (answer.kind, answer.outcome) == (kind, outcome)
    there = {pod["metadata"]["name"]: pod["metadata"].get("labels") for pod in list_objects(api, _PATH, "items")}
    assert there["kept"] is None
    assert kept.reviewed[-1]["dryRun"] is True


@pytest.mark.parametrize(
    ("pattern", "names", "kind", "outcome"),
    [
        ("label .* missing", "mine", "ok", "denied by webhook"),
        ("label .* there", "mine", "fail", "other"),
        ("missing", "another", "fail", "other"),
    ],
)
def test_which_denial_counts(api: ApiClient, kept: Webhook, pattern: str, names: str, kind: str, outcome: str) -> None:
    """It must mention the constraint, and match the pattern of its message."""
    kept.decide = _decide("UPDATE", "[mine] the label owner is missing")
    question = Question("f", "p", "denied", _PATH, _LABELLED, verb="update", names=names, pattern=pattern)
    answer = ask(api, question, "x")
    assert (answer.kind, answer.outcome) == (kind, outcome)


def test_in_whose_name(api: ApiClient, kept: Webhook) -> None:
    """The webhook hears of the user and all groups; another user is another matter."""
    kept.decide = _decide("DELETE", "[mine] no", "jane")
    jane = Question("f", "p", "denied", _PATH, _POD, verb="delete", asker=AsUser("jane", ("developers", *_MEMBERS)))
    assert ask(api, jane, "x").outcome == "denied by webhook"
    assert {"developers", *_MEMBERS} <= set(kept.reviewed[-1]["userInfo"]["groups"])
    assert ask(api, replace(jane, asker=AsUser("joe", _MEMBERS)), "x").outcome == "admitted"


def test_a_real_one_has_an_object_of_its_own(api: ApiClient, kept: Webhook) -> None:
    """It is created first, and then really deleted, or not; without it nothing is known of the policy."""
    body = {**_POD, "metadata": {"generateName": "team-"}}
    question = Question("f", "p", "denied", _PATH, body, verb="delete", dry_run=False)
    kept.decide = _decide("DELETE", "[mine] no")
    assert ask(api, question, "canary-1").kind == "ok"
    assert "team-canary-1" in {pod["metadata"]["name"] for pod in list_objects(api, _PATH, "items")}
    kept.decide = lambda _: {"allowed": True}
    assert ask(api, question, "canary-2").outcome == "admitted"
    kept.decide = _decide("CREATE", "[mine] no")
    answer = ask(api, question, "canary-3")
    assert (answer.kind, answer.outcome) == ("info", "other")
    assert answer.said.startswith("the object to delete was not created: ")


@pytest.mark.parametrize(("value", "outcome"), [("me", "mutated"), ("you", "unmutated")])
def test_any_path_may_be_mutated(api: ApiClient, webhook: Webhook, value: str, outcome: str) -> None:
    """The value that the policy writes is looked for at its path."""
    body = {**_POD, "metadata": {"labels": {"owner": "me"}}}
    parts = WantedParts({"metadata.labels.owner": value, "spec.containers[name: *].image": "registry.invalid/none"})
    answer: Answer = ask(api, Question("f", "p", "mutated", _PATH, body, parts=parts), "x")
    assert answer.outcome == outcome


@pytest.mark.parametrize(
    ("version", "kind", "namespace", "path"),
    [
        ("v1", "ConfigMap", None, f"/api/v1/namespaces/{CANARIES}/configmaps"),
        ("v1", "ConfigMap", "own", "/api/v1/namespaces/own/configmaps"),
        ("networking.k8s.io/v1", "Ingress", None, f"/apis/networking.k8s.io/v1/namespaces/{CANARIES}/ingresses"),
        ("v1", "Namespace", None, "/api/v1/namespaces"),
        ("networking.k8s.io/v1", "IngressClass", None, "/apis/networking.k8s.io/v1/ingressclasses"),
    ],
)
def test_discovery_knows_the_path(api: ApiClient, version: str, kind: str, namespace: str | None, path: str) -> None:
    """The plural, and whether the kind has namespaces, are the server's to say."""
    manifest = {"apiVersion": version, "kind": kind, "metadata": {"namespace": namespace} if namespace else {}}
    assert list_path(api, manifest, Deadline.after(10, "discovery"), namespace=CANARIES) == path
