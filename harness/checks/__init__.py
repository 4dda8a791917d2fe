"""Checks: pure functions from a history to a verdict, and how they are joined, limited, and expected to come out."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import takewhile

from harness.errors import BadScenario
from harness.history import Entry, Recorded
from harness.verdict import Check, Expectation, Expected, Verdict
from harness.versions import Versions

__all__ = ["Checked"]

_FAULT = "fault "


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
        """Return the verdict on a history."""
        return self._check(recorded)

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

        So a state that the check wants must be reached by then, and what happens later does not matter. Inconclusive
        if no such fault was healed, or not so much was recorded.
        """

        def check(recorded: Recorded) -> Verdict:
            healed = _healed(recorded, after)
            words = after or "a fault"
            if healed is None:
                return Verdict("inconclusive", f"{words} was not healed, or not proved to be")
            lasted = deque(recorded.entries, maxlen=1)[0].at - healed
            if lasted < seconds:
                return Verdict("inconclusive", f"only {lasted:.1f} of {seconds:g} s after {words} were recorded")
            return self(replace(recorded, entries=_Until(recorded, healed + seconds)))

        check.__name__ = f"{self.__name__} within {seconds:g} s after {after or 'the last fault'}"
        return Checked(check, self.expectations)

    def expect(self, outcome: Expected, *, issue: str | None = None, on: str = "") -> "Checked":
        """Return the same check, expected to come out like this on versions of Gatekeeper such as ">=3.18,<3.22.1".

        The first expectation that speaks of a version counts; of which none speaks, the check is expected to hold.
        """
        return Checked(self._check, (*self.expectations, Expectation(outcome, issue, Versions(on))))


@dataclass(frozen=True)
class _Until:
    """The entries of a history up to a moment; they may be iterated again and again."""

    recorded: Recorded
    moment: float

    def __iter__(self) -> Iterator[Entry]:
        return takewhile(lambda entry: entry.at <= self.moment, iter(self.recorded.entries))


def _healed(recorded: Recorded, name: str) -> float | None:
    """Return when the last fault, or the last one of a name, was proved to be healed."""
    found = [
        entry.at
        for entry in recorded.entries
        if entry.process.startswith(_FAULT) and entry.f == "healed" and name in ("", entry.value["name"])
    ]
    return found[-1] if found else None
