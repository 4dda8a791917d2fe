"""Verdict: what a check concludes from a history, and the claim that says which outcome is expected."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, Self

from chaos_harness.harness.causes import Cause
from chaos_harness.harness.errors import CheckBroken, Inconclusive, InvariantViolated
from chaos_harness.harness.history import History
from chaos_harness.harness.versions import Versions

__all__ = ["CheckFunction", "Claim", "Expectation", "Expected", "KnownBy", "Outcome", "Verdict"]

Outcome = Literal["holds", "violated", "inconclusive"]
Expected = Literal["holds", "violated"]
KnownBy = Literal["healthy", "planted", "version"]
"""How the truth is known, so that another verdict is wrong, and no news of Gatekeeper.

Nothing was done to the cluster, or a defect was planted in it, or its version has, or has no more, a defect that others
have found.
"""

_WEIGHT: Mapping[Outcome, int] = {"holds": 0, "inconclusive": 1, "violated": 2}
_JOINT = "; "
_NO_VERSION = "v0"


@dataclass(frozen=True)
class Verdict:
    """What a check concludes from a history.

    `summary` is one line; of a verdict on several checks, it is `parts` joined. `evidence` are lines that describe what
    in the history decided; `figures` are numbers worth a trend, each named with its unit ("ready_seconds"). `at` is the
    moment of the first violation, in seconds of the history; None if there is none, or no single moment decided.
    `broken` is the error of a check that raised, or "".
    """

    outcome: Outcome
    summary: str
    evidence: tuple[str, ...] = ()
    figures: Mapping[str, float] = field(default_factory=dict, hash=False)
    at: float | None = None
    causes: tuple[Cause, ...] = ()
    broken: str = ""
    parts: tuple[str, ...] = field(default=(), compare=False)

    def __and__(self, other: "Verdict") -> "Verdict":
        """Return the verdict on both: violated beats inconclusive, which beats holds.

        The summary and the moment are of what decided, the evidence and the figures are of both; of two figures
        with the same name the right one stays.
        """
        worst = max(self.outcome, other.outcome, key=_WEIGHT.__getitem__)
        deciding = [verdict for verdict in (self, other) if verdict.outcome == worst]
        summaries = (part for verdict in deciding for part in verdict.parts or (verdict.summary,))
        parts = tuple(dict.fromkeys(summaries))
        return Verdict(
            worst,
            _JOINT.join(parts),
            tuple(dict.fromkeys((*self.evidence, *other.evidence))),
            {**self.figures, **other.figures},
            min((verdict.at for verdict in deciding if verdict.at is not None), default=None),
            tuple(dict.fromkeys(cause for verdict in deciding for cause in verdict.causes)),
            next((verdict.broken for verdict in deciding if verdict.broken), ""),
            parts,
        )

    def as_inconclusive(self, summary: str) -> "Verdict":
        """Return it with the outcome `inconclusive` and another summary; evidence, figures and causes stay."""
        return replace(self, outcome="inconclusive", summary=summary, parts=(), at=None)


CheckFunction = Callable[[History], Verdict]
"""A pure function of a history: the same file, checked again anywhere, gives the same verdict."""


@dataclass(frozen=True)
class Expectation:
    """Which outcome is expected `on` which versions of Gatekeeper; the issue ("gatekeeper#3839") says why.

    `because` are the causes that distinguish the known defect from others: at least one of them must have been seen.
    `race`: the defect does not show in every run, so that the version alone does not say what is true of one.
    """

    outcome: Expected = "holds"
    issue: str | None = None
    on: Versions = field(default_factory=Versions)
    because: tuple[Cause, ...] = ()
    race: bool = False


@dataclass(frozen=True)
class Claim:
    """A check with the outcome that is expected of it on this version.

    A known upstream defect is a claim expected `violated`, with its issue ("gatekeeper#3839") and the causes that
    distinguish it from other defects (`because`); a violation by another cause is a surprise. `known` says how the
    expected outcome is known to be true; without it, it is a prediction. `race`: the defect does not show in every run.
    """

    check: CheckFunction
    expected: Expected = "holds"
    issue: str | None = None
    because: tuple[Cause, ...] = ()
    known: KnownBy | None = None
    race: bool = False

    @classmethod
    def on(cls, check: CheckFunction, gatekeeper: str | None) -> Self:
        """Return the claim that the check makes by its own `expectations`, on this version of Gatekeeper.

        The first expectation that speaks of the version counts; if none does, the check is expected to hold.
        """
        expectations: tuple[Expectation, ...] = getattr(check, "expectations", ())
        speak = (expectation for expectation in expectations if (gatekeeper or _NO_VERSION) in expectation.on)
        first = next(speak, Expectation())
        known = any(expectation.on.text and expectation.issue for expectation in expectations) and not first.race
        return cls(check, first.outcome, first.issue, first.because, "version" if known else None, first.race)

    @property
    def id(self) -> str:
        """The check and its parameters, the same however the check words its name; its name if it has no such."""
        return getattr(self.check, "id", "") or self.name

    @property
    def name(self) -> str:
        """The check's name, in words."""
        return getattr(self.check, "__name__", type(self.check).__name__).replace("_", " ")

    def surprising(self, verdict: Verdict) -> bool:
        """Whether a violation that was expected has another cause than the known defect."""
        return (
            verdict.outcome == self.expected == "violated"
            and bool(self.because)
            and not set(self.because) & set(verdict.causes)
        )

    def judge(self, recorded: History) -> Verdict:
        """Return the check's verdict if it is the expected one.

        Raises InvariantViolated if it is the other one: the product fails, a known defect no longer reproduces, or
        something else than the known defect violated it. Raises Inconclusive if the check could not decide, CheckBroken
        if it raised.
        """
        verdict = self.check(recorded)
        self.accept(verdict)
        return verdict

    def accept(self, verdict: Verdict) -> None:
        """Raise what `judge` raises, for a verdict that is already there."""
        if verdict.outcome == self.expected and not self.surprising(verdict):
            return
        known = f" ({self.issue})" if self.issue else ""
        head = f"{self.name}: expected {self.expected}{known}, found {verdict.outcome}: {verdict.summary}"
        evidence = "".join(f"\n  {line}" for line in verdict.evidence)
        if verdict.broken:
            raise CheckBroken(f"{head}{evidence}\nThe check itself is broken; this says nothing about Gatekeeper.")
        if verdict.outcome == "inconclusive":
            raise Inconclusive(f"{head}{evidence}\nUndecided: see above which proof is missing, or what was not seen.")
        if self.surprising(verdict):
            raise InvariantViolated(
                f"{head}{evidence}\nIt is violated as expected, but not by the known cause: expected "
                f"{' or '.join(self.because)}, seen {', '.join(verdict.causes) or 'no cause'}."
            )
        if self.expected == "violated":
            gone = f"The known defect{known} no longer reproduces: expect `holds` from this version on."
            won = f"The known defect{known} is a race, and this run does not show it: run it again, or more often."
            raise InvariantViolated(f"{head}{evidence}\n{won if self.race else gone}")
        raise InvariantViolated(f"{head}{evidence}")
