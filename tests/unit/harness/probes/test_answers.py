"""Answers: words of API servers that a test cannot make them say are sorted, too; for the others see tests/api."""

import pytest

from chaos_harness.harness.policies import Question, deny_pods, deny_pods_by_cel, mutate_pods
from chaos_harness.harness.probes.admission import FORBIDDEN
from chaos_harness.harness.probes.answers import _sort_refusal

MUTABLE = mutate_pods().questions[0]
VIOLATING, COMPLIANT = deny_pods().questions
WEBHOOK, VAP, _ = deny_pods_by_cel().questions
DENIED = 'admission webhook "validation.gatekeeper.sh" denied the request: '
UNCALLED = (
    'Internal error occurred: failed calling webhook "check-ignore-label.gatekeeper.sh": failed to call webhook: '
)
UNBOUND = "pods \"x\" is forbidden: ValidatingAdmissionPolicy 'gatekeeper-x' "
BOUND = "pods \"x\" is forbidden: ValidatingAdmissionPolicy 'gatekeeper-x' with binding 'gatekeeper-chaos-cel-vap' "


@pytest.mark.parametrize(
    ("question", "status", "said", "kind", "outcome"),
    [
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
        (VIOLATING, 403, f"{DENIED}[other] {'x' * 400} [chaos-rego] no", "ok", "denied by webhook"),
        (VAP, 413, f"{BOUND}denied request: too large, which resulted in error", "ok", "denied by policy"),
        (VAP, 401, f"{BOUND}denied request: no", "ok", "denied by policy"),
        (
            VAP,
            403,
            f"{UNBOUND}denied request: failed to configure policy: failed to find resource referenced by paramKind: x",
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
def test_refusals(question: Question, status: int, said: str, kind: str, outcome: str) -> None:
    """A denial counts for the policy that it names; a call that failed is no denial; the rest says nothing."""
    answer = _sort_refusal(question, status, said)
    assert (answer.kind, answer.outcome) == (kind, outcome)
    assert answer.said == f"{status} {said}"[:404]
