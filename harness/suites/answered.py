"""Answered: what the API server said of a case, as violations of its constraint, and whether the suite wants that."""

import re
from dataclasses import dataclass
from typing import Literal

from chaos_harness.clusters.api.objects import Object
from chaos_harness.clusters.terminal.escape import escape_controls
from chaos_harness.harness.suites.model import Case, SuiteTest

__all__ = ["ADMITTED", "Agreement", "CaseResult", "Told", "judged", "sorted_refusal", "validations_of"]

Agreement = Literal["as expected", "otherwise", "undecided", "cannot be asked", "skipped"]
"""How an answer compares with the suite.

It is undecided if it depends on violations that the API server did not tell, or if no policy decided.
"""

_WEBHOOK = "validation.gatekeeper.sh"
_BY_WEBHOOK = re.compile(r'admission webhook "([^"]*)" denied the request: (.*)', re.DOTALL)
_BY_POLICY = re.compile(r"ValidatingAdmissionPolicy '[^']*' with binding '([^']*)' denied request: (.*)", re.DOTALL)
_VIOLATION = re.compile(r"(?:\A|\n)\[([^\]\n]+)\] ")
_CALL_FAILED = "failed calling webhook"
_SHORT = 200
_TOO_MANY = 429
_SERVER = 500


@dataclass(frozen=True)
class Told:
    """An answer: `seen` are the messages of the constraint's violations, `unseen` how many more there may be.

    `refused`: the API server took no notice of policies, as for an object that is not valid. `unknown`: no policy
    decided.
    """

    kind: Literal["admitted", "denied", "refused", "unknown"]
    seen: tuple[str, ...] = ()
    unseen: int = 0
    by: str = ""
    said: str = ""

    @property
    def words(self) -> str:
        """The answer as a reader would say it."""
        if self.kind != "denied":
            return self.kind
        least = "at least " if self.unseen else ""
        count = f"{least}{len(self.seen)} violation{'s' if len(self.seen) != 1 else ''}"
        return f"denied by {self.by}, {count}: {'; '.join(self.seen)}"[:_SHORT]


ADMITTED = Told("admitted")


def sorted_refusal(status: int, said: str, constraint: str, validations: int) -> Told:
    """Return what a status other than 2xx says about the constraint of this name.

    Gatekeeper's webhook tells all violations of all constraints, each with the constraint's name. The API server tells
    only the first violation of a generated policy; there are at most as many as the template has `validations`.
    """
    if by_webhook := _BY_WEBHOOK.search(said):
        return _by_webhook(by_webhook[1], by_webhook[2], constraint)
    by_policy = _BY_POLICY.search(said)
    if by_policy and by_policy[1].endswith(f"-{constraint}"):
        return Told("denied", (by_policy[2],), max(validations - 1, 0), "the generated policy")
    if by_policy or _CALL_FAILED in said or status == _TOO_MANY or status >= _SERVER:
        return Told("unknown", said=said)
    return Told("refused", said=f"{status} {said}")


def _by_webhook(webhook: str, said: str, constraint: str) -> Told:
    """Return what a denial by a webhook says; violations of other constraints alone mean that this one has none."""
    _, *parts = _VIOLATION.split(said)
    violations = list(zip(parts[::2], parts[1::2], strict=True))
    seen = tuple(text for name, text in violations if name == constraint)
    if webhook != _WEBHOOK or not violations:
        return Told("unknown", said=said)
    return Told("denied", seen, by="the webhook") if seen else Told("admitted", said=said)


def validations_of(template: Object) -> int:
    """Return how many expressions of CEL a template has, each of which is one violation at most."""
    sources = [
        code.get("source") or {}
        for target in (template.get("spec") or {}).get("targets") or ()
        for code in target.get("code") or ()
    ]
    return sum(len(source.get("validations") or ()) for source in sources)


@dataclass(frozen=True)
class CaseResult:
    """One case: what the suite expects, what the cluster answered, and how the two compare; `why` it could not."""

    suite: str
    test: str
    case: str
    place: str
    expected: str
    agreement: Agreement
    answered: str = ""
    why: str = ""

    @classmethod
    def of(cls, test: SuiteTest, case: Case, agreement: Agreement, answered: str = "", why: str = "") -> "CaseResult":
        """Return the result of a case."""
        short = escape_controls(why, most=_SHORT)
        name = str(test.suite)
        return cls(name, test.name, case.name, case.place, case.wanted, agreement, escape_controls(answered), short)


def judged(test: SuiteTest, case: Case, told: Told) -> CaseResult:
    """Return how an answer compares with what the suite expects of the case."""
    if told.kind == "refused":
        return CaseResult.of(
            test, case, "cannot be asked", "", f"the API server refuses the request itself: {told.said}"
        )
    if told.kind == "unknown":
        return CaseResult.of(test, case, "undecided", told.words, told.said)
    verdicts = {assertion.judge(list(told.seen), told.unseen) for assertion in case.assertions}
    if False in verdicts:
        return CaseResult.of(test, case, "otherwise", told.words)
    if None in verdicts:
        why = "the API server tells the first violation of a generated policy alone"
        return CaseResult.of(test, case, "undecided", told.words, why)
    return CaseResult.of(test, case, "as expected", told.words)
