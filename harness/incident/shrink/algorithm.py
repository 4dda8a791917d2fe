"""Shrink: finds the smallest part of an incident that still reproduces it, by delta debugging for flaky incidents."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from chaos_harness.clusters.checkout import command_line
from chaos_harness.harness.errors import Inconclusive
from chaos_harness.harness.incident.replay.sequential import Sequential, usual_rate

__all__ = ["OutOfBudget", "ShrinkResult", "Shrinker"]

Trial = Callable[[frozenset[str]], bool | None]
"""Replays the incident without parts, by id; returns whether it reproduced, None if it cannot be run or judged."""

Conclusion = Literal["not needed", "needed", "undecided"]

_FIRST_HITS = 3
_FIRST_RUNS = 12
_HOPELESS_RUNS = 6


class OutOfBudget(Exception):
    """There is no time for another run."""


@dataclass(frozen=True)
class Removal:
    """The result of leaving out `parts`, in addition to those left out before: `hits` of `runs` reproduced."""

    parts: tuple[str, ...]
    hits: int
    runs: int
    conclusion: Conclusion

    def words(self, names: Mapping[str, str]) -> str:
        """Return a text with the names of its parts."""
        why = "not tried" if self.conclusion == "undecided" else "cannot be run or judged"
        seen = f"reproduced {self.hits} of {self.runs}" if self.runs else why
        return f"without {', '.join(names[part] for part in self.parts)}: {seen}: {self.conclusion}"


@dataclass
class ShrinkResult:
    """The parts that are left, the findings on the way, and whether the search was finished.

    `risk` bounds the probability that a part was left out without which the incident is seen a quarter as often, or
    never. The opposite error is not bounded: the usual rate is estimated from few runs, and of an incident that is seen
    in one of three runs, a part that is not needed is kept in one of five shrinks.
    """

    kept: list[str]
    usual: float = 0.0
    hits: int = 0
    runs: int = 0
    findings: list[Removal] = field(default_factory=list)
    finished: bool = False
    risk: float = 0.0


class Shrinker:
    """Leaves out parts of an incident, in ever smaller groups, and keeps those without which it is seen more rarely.

    The usual rate is estimated from every run made without parts that are not needed; a decision by an earlier, worse
    estimate is made again, with more runs if necessary.
    """

    def __init__(self, parts: Sequence[str], attempt: Trial, *, confidence: float = 0.95) -> None:
        """Prepare to shrink; with `confidence` no needed part is left out, for up to three decisions per part."""
        self._attempt = attempt
        self._risk = (1 - confidence) / (3 * max(1, len(parts)))
        self._parts = list(parts)
        self._outcomes: dict[frozenset[str], list[bool]] = {}
        self._findings: dict[frozenset[str], Removal] = {}
        self._found = ShrinkResult(list(parts))

    def run(self) -> ShrinkResult:
        """Return the result when nothing more can be left out, or when the budget is used up.

        Raises Inconclusive if the whole incident does not reproduce: there is nothing to shrink then.
        """
        shrunk = self._found
        try:
            self._measure()
            self._minimise()
            shrunk.finished = True
        except OutOfBudget:
            shrunk.finished = False
        shrunk.findings = list(self._findings.values())
        shrunk.risk = min(1.0, self._risk * sum(1 for finding in shrunk.findings if finding.runs))
        return shrunk

    def _measure(self) -> None:
        """Measure how often the whole incident reproduces."""
        shrunk = self._found
        whole = self._outcomes[frozenset()] = []
        while shrunk.hits < _FIRST_HITS and shrunk.runs < _FIRST_RUNS:
            whole.append(bool(self._attempt(frozenset())))
            shrunk.hits, shrunk.runs = sum(whole), len(whole)
            if not shrunk.hits and shrunk.runs >= _HOPELESS_RUNS:
                raise Inconclusive(
                    f"the whole incident reproduced in none of {shrunk.runs} runs: there is nothing to shrink; "
                    f"`{command_line('repro --')} FILE --times 20` measures how rare it is"
                )

    def _minimise(self) -> None:
        size = (len(self._parts) + 1) // 2
        while size and self._found.kept:
            before = list(self._found.kept)
            for group in _groups(before, size):
                if not self._needed(group):
                    self._found.kept = [part for part in self._found.kept if part not in group]
            if size > 1:
                size = (size + 1) // 2
            elif self._found.kept == before:
                return

    def _needed(self, group: Sequence[str]) -> bool:
        """Whether the incident reproduces more rarely if this group is left out, too."""
        left_out = frozenset(self._parts) - frozenset(self._found.kept) | frozenset(group)
        outcomes = self._outcomes.setdefault(left_out, [])
        conclusion: Conclusion = "undecided"
        try:
            while conclusion == "undecided":
                decided = self._test().decide(outcomes)
                if decided is None and (reproduced := self._attempt(left_out)) is not None:
                    outcomes.append(reproduced)
                    continue
                conclusion = "not needed" if decided == "as often" else "needed"
        finally:
            self._findings[left_out] = Removal(tuple(group), sum(outcomes), len(outcomes), conclusion)
        return conclusion == "needed"

    def _test(self) -> Sequential:
        """Return the test, with the usual rate by all runs in which no needed part was missing."""
        same = [key for key, finding in self._findings.items() if finding.conclusion == "not needed"]
        known = [outcome for key in (frozenset[str](), *same) for outcome in self._outcomes[key]]
        self._found.usual = usual_rate(sum(known), len(known))
        return Sequential(self._found.usual, self._risk)


def _groups(parts: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    return (parts[begin : begin + size] for begin in range(0, len(parts), size))
