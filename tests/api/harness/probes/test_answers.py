"""Answers: what a real API server says of webhooks, policies and itself is sorted by what it means for enforcement."""

import secrets
import threading
from collections.abc import Mapping
from typing import Any

import pytest
from kubernetes.client import ApiClient

from chaos_harness.clusters.api.rest import apply, delete, list_objects, request
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.harness.policies import (
    CANARIES,
    PODS,
    Question,
    deny_pods,
    deny_pods_by_cel,
    mutate_pods,
    mutate_templates,
)
from chaos_harness.harness.probes.admission import FORBIDDEN
from chaos_harness.harness.probes.answers import Answer, AnswerOutcome, ask
from tests.live_api.server import ApiServer
from tests.live_api.webhook import Webhook, authority, denial, mutation

MUTABLE = mutate_pods().questions[0]
TEMPLATE = mutate_templates().questions[0]
VIOLATING, COMPLIANT = deny_pods().questions
ASKED_OF_WEBHOOK, ASKED_OF_POLICY, _ = deny_pods_by_cel().questions
VIOLATES = "!has(object.metadata.labels) || !('chaos-harness/violates' in object.metadata.labels)"
ABSENT = {"paramKind": {"apiVersion": "example.com/v1", "kind": "Absent"}}
MAPS = {"paramKind": {"apiVersion": "v1", "kind": "ConfigMap"}}
NAMED = {"paramRef": {"name": "absent", "namespace": "default", "parameterNotFoundAction": "Deny"}}


def validation(expression: str, **fields: str) -> dict[str, Any]:
    return {"validations": [{"expression": expression, **fields}]}


def answered(api: ApiClient, question: Question, *outcomes: AnswerOutcome, names: str = "") -> Answer:
    """Ask until the answer is one of these, and `names` it: the server hears of a webhook or a policy a little later.

    It also forgets those of an earlier test a little later: that is what a name is for.
    """
    answer = ask(api, question, "x", dry_run=True)
    for number in Deadline.after(10, f"{outcomes}").attempts(0.05, 0.2):
        answer = ask(api, question, f"x{number}", dry_run=True)
        if answer.outcome in outcomes and names in answer.said:
            break
    return answer


@pytest.mark.parametrize(
    ("question", "said", "code", "kind", "outcome"),
    [
        (VIOLATING, "[chaos-rego] no", 403, "ok", "denied by webhook"),
        (VIOLATING, "[another] no", 403, "fail", "other"),
        (VIOLATING, "failed to review", 500, "fail", "denied by configuration error"),
        (COMPLIANT, "[chaos-rego] no", 403, "fail", "denied by webhook"),
        (ASKED_OF_WEBHOOK, "[chaos-cel-webhook] no", 403, "ok", "denied by webhook"),
        (VIOLATING, f"{'[another] no ' * 50}[chaos-rego] no", 403, "ok", "denied by webhook"),
        (VIOLATING, "[chaos-rego] no params, resulted in error", 403, "ok", "denied by webhook"),
        (VIOLATING, "[chaos-rego] no", 418, "ok", "denied by webhook"),
    ],
)
def test_a_webhook_denies(
    api: ApiClient, webhook: Webhook, question: Question, said: str, code: int, kind: str, outcome: AnswerOutcome
) -> None:
    """A denial counts for the policy that it names; one with the status 500 is nobody's decision."""
    webhook.decide = lambda _: denial(said, code)
    webhook.configure(api)
    answer = answered(api, question, outcome)
    assert (answer.kind, answer.outcome) == (kind, outcome)
    assert answer.said.startswith(
        f'{code} admission webhook "validation.gatekeeper.sh" denied the request: {said[:99]}'
    )


def test_a_namespace_is_forbidden(api: ApiClient, webhook: Webhook) -> None:
    """The question that is asked of every Gatekeeper is denied by its own webhook only."""
    webhook.decide = lambda _: denial("only exempt namespaces can have the label")
    webhook.configure(api, name="check-ignore-label.gatekeeper.sh")
    assert answered(api, FORBIDDEN, "denied by webhook").kind == "ok"


def refuse(webhook: Webhook, api: ApiClient) -> None:
    webhook.configure(api, port=1)


def be_slow(webhook: Webhook, api: ApiClient) -> None:
    webhook.decide = lambda _: {"allowed": threading.Event().wait(1.5)}
    webhook.configure(api, seconds=1)


def be_a_stranger(webhook: Webhook, api: ApiClient) -> None:
    webhook.configure(api, authority=authority("127.0.0.2")[0])


def break_down(webhook: Webhook, api: ApiClient) -> None:
    webhook.status, webhook.body = 500, b"broken"
    webhook.configure(api)


def talk_nonsense(webhook: Webhook, api: ApiClient) -> None:
    webhook.body = b"{}"
    webhook.configure(api)


@pytest.mark.parametrize(
    ("fail", "outcome", "said"),
    [
        (refuse, "refused", "dial tcp 127.0.0.1:1: connect: connection refused"),
        (be_slow, "timed out", "context deadline exceeded"),
        (be_a_stranger, "other", "x509: "),
        (break_down, "other", "an error on the server"),
        (talk_nonsense, "other", "webhook response was absent"),
    ],
)
def test_a_webhook_that_cannot_be_called(
    api: ApiClient, webhook: Webhook, fail: Any, outcome: AnswerOutcome, said: str
) -> None:
    """A call that failed is no denial, and why it failed is told by the server's words."""
    fail(webhook, api)
    answer = answered(api, VIOLATING, outcome, names=said)
    assert (answer.kind, answer.outcome) == ("fail", outcome)
    assert answer.said.startswith('500 Internal error occurred: failed calling webhook "validation.gatekeeper.sh": ')
    assert said in answer.said


def test_webhooks_that_are_done_without(api: ApiClient, webhook: Webhook) -> None:
    """By failurePolicy Ignore what cannot be asked about is admitted as it was."""
    webhook.configure(api, port=1, policy="Ignore")
    webhook.configure(api, "Mutating", port=1, policy="Ignore")
    answers = [answered(api, question, "admitted", "unmutated") for question in (VIOLATING, COMPLIANT, MUTABLE)]
    assert [(answer.kind, answer.outcome) for answer in answers] == [
        ("fail", "admitted"),
        ("ok", "admitted"),
        ("fail", "unmutated"),
    ]


def admission_policy(name: str, spec: Mapping[str, Any], binding: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a policy that is asked about every pod, with a binding that is called as Gatekeeper would call it."""
    version = "admissionregistration.k8s.io/v1"
    rules = [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}]
    validations = [{"expression": VIOLATES, "message": "the label says that it violates"}]
    constraints = {"matchConstraints": {"resourceRules": rules}, "validations": validations, "failurePolicy": "Fail"}
    bound = {"policyName": name, "validationActions": ["Deny"], **binding}
    return [
        {
            "apiVersion": version,
            "kind": "ValidatingAdmissionPolicy",
            "metadata": {"name": name},
            "spec": {**constraints, **spec},
        },
        {
            "apiVersion": version,
            "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": {"name": "gatekeeper-chaos-cel-vap"},
            "spec": bound,
        },
    ]


@pytest.mark.usefixtures("ground")
@pytest.mark.parametrize(
    ("question", "spec", "binding", "kind", "outcome"),
    [
        (ASKED_OF_POLICY, {}, {}, "ok", "denied by policy"),
        (ASKED_OF_WEBHOOK, {}, {}, "fail", "other"),
        (ASKED_OF_POLICY, validation("object.spec.absent == 1"), {}, "fail", "denied by configuration error"),
        (ASKED_OF_POLICY, ABSENT, NAMED, "fail", "denied by configuration error"),
        (ASKED_OF_POLICY, MAPS, NAMED, "fail", "denied by configuration error"),
        (ASKED_OF_POLICY, validation("false", message="no params: resulted in error"), {}, "ok", "denied by policy"),
        (ASKED_OF_POLICY, validation("false", reason="RequestEntityTooLarge"), {}, "ok", "denied by policy"),
    ],
    ids=["denied", "another's", "error", "no kind", "no parameters", "words", "too large"],
)
def test_the_servers_own_policies(
    api: ApiClient, question: Question, spec: Any, binding: Any, kind: str, outcome: AnswerOutcome
) -> None:
    """A policy's denial counts for the binding that it names; one that could not decide has decided nothing."""
    name = f"gatekeeper-{secrets.token_hex(4)}"
    apply(api, admission_policy(name, spec, binding), Deadline.after(10, "a policy"))
    answer = answered(api, question, outcome, names=f"ValidatingAdmissionPolicy '{name}' ")
    assert (answer.kind, answer.outcome) == (kind, outcome), answer.said
    assert f"ValidatingAdmissionPolicy '{name}' " in answer.said


@pytest.mark.parametrize("question", [MUTABLE, TEMPLATE])
def test_mutated(api: ApiClient, webhook: Webhook, question: Question) -> None:
    """A pod, or a pod template, that carries the level is mutated."""
    webhook.mutate = mutation
    webhook.configure(api, "Mutating")
    answer = answered(api, question, "mutated")
    assert (answer.kind, answer.outcome) == ("ok", "mutated")


@pytest.mark.usefixtures("ground")
def test_dry_run_creates_nothing(api: ApiClient) -> None:
    """A question that is asked by a real create is asked by a dry run if one says so; both are given a uid."""
    assert not MUTABLE.dry_run
    assert ask(api, MUTABLE, "trial", dry_run=True).outcome == "unmutated"
    assert list_objects(api, PODS, "items") == []
    answer = ask(api, MUTABLE, "real")
    (pod,) = list_objects(api, PODS, "items")
    assert (pod["metadata"]["name"], pod["metadata"]["uid"]) == ("real", answer.uid)
    again = ask(api, MUTABLE, "real")
    assert (again.kind, again.outcome, again.said) == ("info", "other", '409 pods "real" already exists')


@pytest.mark.usefixtures("ground")
def test_what_says_nothing_of_a_policy(api: ApiClient) -> None:
    """A namespace that goes refuses what is created in it, and leaves open what a policy does."""
    assert delete(api, f"/api/v1/namespaces/{CANARIES}")
    answer = ask(api, MUTABLE, "x")
    assert (answer.kind, answer.outcome) == ("info", "other")
    assert answer.said.startswith('403 pods "x" is forbidden: ')
    assert "because it is being terminated" in answer.said


@pytest.mark.usefixtures("ground")
def test_no_server(server: ApiServer) -> None:
    """An API server that is away leaves open what a policy does."""
    server.kill()
    with server.client() as api:
        answer = ask(api, MUTABLE, "x")
    assert (answer.kind, answer.outcome) == ("info", "refused")


@pytest.mark.usefixtures("ground")
def test_slow_server(server: ApiServer, api: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that does not come in time is told from one that is refused."""
    monkeypatch.setattr("chaos_harness.harness.probes.answers.TIMEOUT", (1.0, 0.3))
    request(api, "GET", "/version")
    server.freeze()
    answer = ask(api, MUTABLE, "x")
    assert (answer.kind, answer.outcome) == ("info", "timed out")
