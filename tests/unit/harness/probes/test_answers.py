"""Answers: each thing that an API server says is sorted by what it means for enforcement."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes.client import ApiClient

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.harness.policies import Question, deny_pods, deny_pods_by_cel, mutate_pods, mutate_templates
from chaos_harness.harness.probes.admission import FORBIDDEN
from chaos_harness.harness.probes.answers import ask
from tests.fakes.policy_server import PolicyServer

MUTABLE = mutate_pods().questions[0]
VIOLATING, COMPLIANT = deny_pods().questions
WEBHOOK, VAP, _ = deny_pods_by_cel().questions
DENIED = 'admission webhook "validation.gatekeeper.sh" denied the request: '
UNCALLED = (
    'Internal error occurred: failed calling webhook "check-ignore-label.gatekeeper.sh": failed to call webhook: '
)
BOUND = "pods \"x\" is forbidden: ValidatingAdmissionPolicy 'gatekeeper-x' with binding 'gatekeeper-chaos-cel-vap' "


@pytest.fixture
def cluster(policy_server: PolicyServer, tmp_path: Path) -> Iterator[Cluster]:
    with policy_server.cluster(tmp_path) as cluster:
        yield cluster


@pytest.fixture
def api(cluster: Cluster) -> Iterator[ApiClient]:
    with cluster.client() as api:
        yield api


@pytest.mark.parametrize(
    ("question", "status", "said", "kind", "outcome"),
    [
        (VIOLATING, 403, f"{DENIED}[chaos-rego] no", "ok", "denied by webhook"),
        (VIOLATING, 403, f"{DENIED}[another] no", "fail", "other"),
        (VIOLATING, 500, f"{DENIED}failed to review", "fail", "denied by configuration error"),
        (COMPLIANT, 403, f"{DENIED}[chaos-rego] no", "fail", "denied by webhook"),
        (WEBHOOK, 403, f"{DENIED}[chaos-cel-webhook] no", "ok", "denied by webhook"),
        (WEBHOOK, 422, f"{BOUND}denied request: no", "fail", "other"),
        (VAP, 422, f"{BOUND}denied request: no", "ok", "denied by policy"),
        (VAP, 403, f"{BOUND}denied request: failed to configure binding: x", "fail", "denied by configuration error"),
        (
            VAP,
            422,
            f"{BOUND}denied request: expression 'x' resulted in error: y",
            "fail",
            "denied by configuration error",
        ),
        (VIOLATING, 403, f"{DENIED}{'[another] no ' * 50}[chaos-rego] no", "ok", "denied by webhook"),
        (VIOLATING, 403, f"{DENIED}[chaos-rego] no params, resulted in error", "ok", "denied by webhook"),
        (VIOLATING, 418, f"{DENIED}[chaos-rego] no", "ok", "denied by webhook"),
        (VAP, 413, f"{BOUND}denied request: too large, which resulted in error", "ok", "denied by policy"),
        (VAP, 401, f"{BOUND}denied request: no", "ok", "denied by policy"),
        (
            VAP,
            403,
            f"{BOUND}denied request: failed to configure policy: failed to find resource referenced by paramKind: x",
            "fail",
            "denied by configuration error",
        ),
        (COMPLIANT, 400, 'admission webhook "x" does not support dry run', "info", "other"),
        (FORBIDDEN, 403, 'admission webhook "check-ignore-label.gatekeeper.sh" denied', "ok", "denied by webhook"),
        (
            FORBIDDEN,
            500,
            f'{UNCALLED}Post "https://x/v1/admit?timeout=3s": context deadline exceeded',
            "fail",
            "timed out",
        ),
        (FORBIDDEN, 500, f'{UNCALLED}Post "https://x?timeout=3s": connection refused', "fail", "refused"),
        (FORBIDDEN, 500, f"{UNCALLED}dial tcp: connect: connection refused", "fail", "refused"),
        (FORBIDDEN, 500, f'{UNCALLED}no endpoints available for service "x"', "fail", "refused"),
        (FORBIDDEN, 500, f"{UNCALLED}x509: certificate signed by unknown authority", "fail", "other"),
        (MUTABLE, 429, "too many requests", "info", "refused"),
        (MUTABLE, 500, "etcdserver: request timed out", "info", "other"),
        (MUTABLE, 409, "already exists", "info", "other"),
        (MUTABLE, 403, "namespace is being terminated", "info", "other"),
    ],
)
def test_refusals(
    api: ApiClient, policy_server: PolicyServer, question: Question, status: int, said: str, kind: str, outcome: str
) -> None:
    """A denial counts for the policy that it names; a call that failed is no denial; the rest says nothing."""
    policy_server.answers = lambda *_: (status, {"message": said})
    answer = ask(api, question, "x")
    assert (answer.kind, answer.outcome) == (kind, outcome)
    assert answer.said == f"{status} {said}"[:404]


@pytest.mark.parametrize(
    ("question", "kind", "outcome"),
    [
        (MUTABLE, "fail", "unmutated"),
        (mutate_templates().questions[0], "fail", "unmutated"),
        (VIOLATING, "fail", "admitted"),
        (COMPLIANT, "ok", "admitted"),
    ],
)
def test_admitted_as_it_was(
    api: ApiClient, policy_server: PolicyServer, question: Question, kind: str, outcome: str
) -> None:
    """What is admitted without a policy's doing is right only if the policy demands nothing."""
    policy_server.answers = lambda _, item: (201, item)
    answer = ask(api, question, "x")
    assert (answer.kind, answer.outcome) == (kind, outcome)


@pytest.mark.parametrize("question", [MUTABLE, mutate_templates().questions[0]])
def test_mutated(api: ApiClient, policy_server: PolicyServer, question: Question) -> None:
    """A pod, or a pod template, that carries the level is mutated."""
    policy_server.objects = {name: {"metadata": {"name": name}} for name in ("chaos-pods", "chaos-templates")}
    answer = ask(api, question, "x")
    assert (answer.kind, answer.outcome, answer.uid) == ("ok", "mutated", "new")


def test_dry_run_creates_nothing(api: ApiClient, policy_server: PolicyServer) -> None:
    """A question that is asked by a real create is asked by a dry run if one says so."""
    ask(api, MUTABLE, "trial", dry_run=True)
    assert policy_server.created == []
    ask(api, MUTABLE, "real")
    assert policy_server.created == ["real"]


def test_no_server(policy_server: PolicyServer, tmp_path: Path) -> None:
    """An API server that is away leaves open what a policy does."""
    with policy_server.cluster(tmp_path) as cluster:
        pass
    with cluster.client() as api:
        answer = ask(api, MUTABLE, "x")
    assert (answer.kind, answer.outcome) == ("info", "refused")


def test_slow_server(api: ApiClient, policy_server: PolicyServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that does not come in time is told from one that is refused."""
    monkeypatch.setattr("chaos_harness.harness.probes.answers.TIMEOUT", (1.0, 0.05))

    def slow(_path: str, item: Any) -> tuple[int, Any]:
        threading.Event().wait(0.3)
        return 201, item

    policy_server.answers = slow
    answer = ask(api, MUTABLE, "x")
    assert (answer.kind, answer.outcome) == ("info", "timed out")
