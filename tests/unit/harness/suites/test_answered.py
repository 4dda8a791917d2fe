"""Answers of the API server are read as violations of one constraint, and compared with what the suite expects."""

from pathlib import Path

import pytest

from chaos_harness.harness.suites.answered import ADMITTED, Told, judged, sorted_refusal, validations_of
from chaos_harness.harness.suites.model import Assertion, Case, SuiteTest

_DENIED = 'admission webhook "validation.gatekeeper.sh" denied the request: '
_VAP = "pods \"a\" is forbidden: ValidatingAdmissionPolicy 'a' with binding 'gatekeeper-{}' denied request: "


@pytest.mark.parametrize(
    ("status", "said", "told"),
    [
        (403, f"{_DENIED}[mine] one\n[mine] two", Told("denied", ("one", "two"), by="the webhook")),
        (403, f"{_DENIED}[other] one\n[mine] two\nlines", Told("denied", ("two\nlines",), by="the webhook")),
        (403, f"{_DENIED}[mine] [Implied by x] one", Told("denied", ("[Implied by x] one",), by="the webhook")),
        (403, f"{_VAP.format('kind-mine')}one", Told("denied", ("one",), 1, "the generated policy")),
    ],
)
def test_a_denial_by_the_constraint(status: int, said: str, told: Told) -> None:
    """The webhook tells all violations of all constraints, a generated policy the first of up to two."""
    assert sorted_refusal(status, said, "mine", 2) == told


@pytest.mark.parametrize(
    ("status", "said", "kind"),
    [
        (403, f"{_DENIED}[other] one", "admitted"),
        (403, f"{_VAP.format('kind-other')}one", "unknown"),
        (403, 'admission webhook "other.example.com" denied the request: [mine] one', "unknown"),
        (500, f"{_DENIED.replace(' denied the request: ', '')}: failed calling webhook", "unknown"),
        (500, "Internal error occurred: failed calling webhook", "unknown"),
        (429, "too many requests", "unknown"),
        (422, 'Pod "a" is invalid: spec.containers[0].image: Required value', "refused"),
        (403, 'pods is forbidden: User "alice" cannot create resource "pods"', "refused"),
        (409, 'namespaces "a" already exists', "refused"),
    ],
)
def test_what_is_no_denial_by_the_constraint(status: int, said: str, kind: str) -> None:
    """Another constraint's denial shows that this one has no violation; what no policy decided shows nothing."""
    assert sorted_refusal(status, said, "mine", 2).kind == kind


def _judged(told: Told, *assertions: Assertion) -> str:
    test = SuiteTest(Path("suite.yaml"), "one", "suite.yaml:3")
    return judged(test, Case("a", "suite.yaml:5", assertions=assertions), told).agreement


@pytest.mark.parametrize(
    ("told", "assertions", "agreement"),
    [
        (ADMITTED, [Assertion("no")], "as expected"),
        (ADMITTED, [Assertion("yes")], "otherwise"),
        (Told("denied", ("a",)), [Assertion("no")], "otherwise"),
        (Told("denied", ("a", "b")), [Assertion(2), Assertion(1, "^b")], "as expected"),
        (Told("denied", ("a",)), [Assertion("yes"), Assertion("no", "b")], "as expected"),
        (Told("denied", ("a",), 1), [Assertion("yes"), Assertion(2)], "undecided"),
        (Told("denied", ("a",), 1), [Assertion("no"), Assertion(2)], "otherwise"),
        (Told("unknown", said="timed out"), [Assertion("no")], "undecided"),
        (Told("refused", said="422"), [Assertion("no")], "cannot be asked"),
    ],
)
def test_agreement(told: Told, assertions: list[Assertion], agreement: str) -> None:
    """All assertions must be satisfied; what was not told, or not decided by a policy, is no disagreement."""
    assert _judged(told, *assertions) == agreement


def test_validations_are_counted() -> None:
    """A template in CEL has as many violations as expressions, at most; one in Rego tells nothing of that."""
    source = {"validations": [{"expression": "a"}, {"expression": "b"}]}
    assert validations_of({"spec": {"targets": [{"code": [{"source": source}]}]}}) == 2
    assert validations_of({"spec": {"targets": [{"rego": "package a"}]}}) == 0
