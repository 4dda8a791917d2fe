"""Checks: pure functions from a history to a verdict, and how they are joined, limited, and expected to come out."""

from dataclasses import replace
from math import inf

from harness.checks.starvation import starved
from harness.errors import BadScenario
from harness.history import Recorded
from harness.history.faults import Faults
from harness.history.following import follow
from harness.history.until import Extent, Until
from harness.verdict import Check, Expectation, Expected, Verdict
from harness.versions import Versions

__all__ = ["Checked"]


class Checked:
    """A check that can be joined with others, limited in time, and told how it is expected to come out.

    Usable as a decorator. Read as a sentence:
    `(policies_match() & enforced()).within(60).expect("violated", issue="gatekeeper#4441", on="<3.22.1")`.
    """

    def __init__(self, check: Check, expectations: tuple[Expectation, ...] = ()) -> None:
        self._check = check
        self.expectations = expectations
        self.__name__: str = getattr(check, "__name__", type(check).__name__)
        self.__doc__ = check.__doc__

    def __call__(self, recorded: Recorded) -> Verdict:
        """Return the verdict on a history; what looks violated while the probes starved is inconclusive."""
        verdict = self._check(recorded)
        why = starved(recorded) if verdict.outcome == "violated" else ""
        if not why:
            return verdict
        return replace(verdict, outcome="inconclusive", summary=f"{why}; {verdict.summary}", at=None)

    def __and__(self, other: Check) -> "Checked":
        """Return the check that holds if both do: all of them on the same history, `Verdict & Verdict`.

        Raises BadScenario if something is expected of one part: that is said of the whole.
        """

        def both(recorded: Recorded) -> Verdict:
            return self(recorded) & other(recorded)

        one, two = self.__name__, Checked(other).__name__
        if self.expectations or getattr(other, "expectations", ()):
            raise BadScenario(f"({one}) & ({two}): say what is expected of both together, by (a & b).expect(…)")
        both.__name__ = f"{one} and {two}"
        return Checked(both)

    def within(self, seconds: float, *, after: str = "") -> "Checked":
        """Return the check of what was recorded until `seconds` after the fault `after` was healed ("": the last one).

        `after` is a name or an id ("fault 2"). A state that the check wants must be reached by then: what a check that
        waits still misses at the end of such a part (`Recorded.until`) is missing, however young. What happens later
        does not matter. Inconclusive if one of these faults was not proved, or not healed; if not so much was recorded;
        if lines are missing, for they may have told of a fault.
        """

        def check(recorded: Recorded) -> Verdict:
            extent, faults = Extent(), Faults()
            follow(recorded, extent, faults)
            words = after or "a fault"
            chosen = faults.named(after) if after else faults.all
            healed = [fault.healed for fault in chosen if fault.healed is not None and fault.proved is not None]
            if not chosen or len(healed) < len(chosen):
                return Verdict("inconclusive", f"{words} was not healed, or not proved to be")
            moment = max(healed) + seconds
            if extent.until < moment:
                lasted = extent.until - max(healed)
                return Verdict("inconclusive", f"only {lasted:.1f} of {seconds:g} s after {words} were recorded")
            if extent.lost < inf:
                words = f"from {extent.lost:.1f} s on lines are missing, which may have told of a fault"
                return Verdict("inconclusive", words)
            return self(replace(recorded, entries=Until(recorded, moment), ended=True, until=moment))

        check.__name__ = f"{self.__name__} within {seconds:g} s after {after or 'the last fault'}"
        return Checked(check, self.expectations)

    def expect(self, outcome: Expected, *, issue: str | None = None, on: str = "") -> "Checked":
        """Return the same check, expected to come out like this on versions of Gatekeeper such as ">=3.18,<3.22.1".

        The first expectation that speaks of a version counts; of which none speaks, the check is expected to hold.
        """
        return Checked(self._check, (*self.expectations, Expectation(outcome, issue, Versions(on))))
