"""Rounds: compares what two policies decided of the same request in one round, while both were in force."""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import inf
from typing import NamedTuple, Self

from chaos_harness.harness.history.following import Take
from chaos_harness.harness.history.in_force import policy_of
from chaos_harness.harness.history.recorded import Entry
from chaos_harness.harness.history.spans import Spans
from chaos_harness.harness.history.vocabulary import CANARY, IN_FORCE, POLICIES, REMOVE

__all__ = ["Disagreement", "Rounds"]

_DENIED = ("denied by webhook", "denied by policy")
_OPEN_SECONDS = 15.0
"""More than any question waits for its answer."""


class RoundDecision(NamedTuple):
    """The decision of one policy on a request: when it was asked and answered (seconds), and the outcome."""

    asked: float
    answered: float
    policy: str
    outcome: str

    @property
    def denied(self) -> bool:
        """Whether the request was denied."""
        return self.outcome in _DENIED


@dataclass
class Disagreement:
    """A run of rounds in which the two decided differently.

    It started after the previous agreement, which was asked for at `after`, and ended before the next one, which was
    answered at `before` (infinite: none came). `times` has, for each round, when both were answered and when the first
    of them was asked: the disagreement surely lasted from the first to the last of these, as far as was seen.
    `between` is what they agreed on before and after it: to deny or not (None: they did not agree).
    """

    after: float
    said: str
    before: float
    times: list[tuple[float, float]]
    between: tuple[bool | None, bool | None]

    @property
    def within_one_mind(self) -> bool:
        """Whether both agreed on the same decision before and after it, so that they surely differed for a moment."""
        before, after = self.between
        return before is not None and before == after

    @property
    def passing(self) -> bool:
        """Whether both may have changed their decision at once, between the two questions of its only round."""
        before, after = self.between
        return len(self.times) == 1 and None not in (before, after) and before != after

    def until(self, end: float) -> Self:
        """Return it with only those rounds that were asked before a moment, which is its end if it lasted longer."""
        kept = [(answered, asked) for answered, asked in self.times if asked < end]
        between = self.between if len(kept) == len(self.times) else (self.between[0], None)
        return replace(self, times=kept, before=min(self.before, end), between=between)

    def outside(self, spans: Spans) -> Self:
        """Return it with only those rounds in which both were asked and answered outside of `spans`."""
        if not self.times:
            return self
        near = spans.within(self.times[0][1], max(answered for answered, _ in self.times))
        kept = [(answered, asked) for answered, asked in self.times if not near & Spans.of([(asked, answered)])]
        return replace(self, times=kept)

    def surely(self, apart: float) -> float:
        """Return for how many seconds it surely lasted; rounds more than `apart` seconds apart count separately."""
        longest, since, last = 0.0, inf, -inf
        for answered, asked in self.times:
            since = since if asked - last <= apart else answered
            longest, last = max(longest, asked - since), asked
        return longest


class Rounds:
    """Compares two policies, round by round; a reader (see `following`). A round without both answers is left out."""

    def __init__(self, one: str, other: str) -> None:
        self.compared = 0
        self.disagreements: list[Disagreement] = []
        self._policies = one, other
        self._asked: dict[int | str, float] = {}
        self._half: dict[int, RoundDecision] = {}
        self._ready: list[tuple[RoundDecision, RoundDecision]] = []
        self._agreed: tuple[float, bool] | None = None
        self._differs: Disagreement | None = None
        self._first: dict[str, float] = {}
        self._since: dict[str, list[tuple[float, float]]] = {one: [], other: []}

    def asked_of(self, until: float) -> Spans:
        """Return when both are to be compared, up to a moment.

        That is while both were in force; in a history that does not record that, from the first question about each.
        """
        if len(self._first) < len(self._policies):
            return Spans()
        spans = Spans.of([(max(self._first.values()), until)])
        for times in self._since.values():
            spans = spans & Spans.of(times) if times else spans
        return spans

    def takes(self, process: str) -> Take | None:
        """Return the function that takes the entries of a process, or None."""
        return self._take if process.startswith(f"{CANARY} ") else self._take_policies if process == POLICIES else None

    def close(self, end: float) -> None:
        """Finish reading: a disagreement in the last round lasted at least until the end."""
        for one, other in self._due(inf):
            self._compare(one, other)
        if self._differs:
            self._differs.before = end

    def _take_policies(self, entry: Entry) -> None:
        for name, times in self._since.items():
            names = {name, policy_of(name, entry.value.get("parts") or {})}
            if names.isdisjoint(entry.value.get("policies", ())):
                continue
            if entry.f == IN_FORCE:
                times.append((entry.at, inf))
            elif entry.f == REMOVE and times:
                times[-1] = times[-1][0], entry.at

    def _take(self, entry: Entry) -> None:
        value = entry.value or {}
        policy = value.get("policy")
        if policy not in self._policies:
            return
        which = value.get("seq", entry.process)
        if entry.kind == "invoke":
            self._asked[which] = entry.at
            self._first.setdefault(policy, entry.at)
            return
        asked = self._asked.pop(which, None)
        if asked is None or entry.kind == "info":
            return
        mine = RoundDecision(asked, entry.at, policy, value.get("outcome", ""))
        half = self._half.pop(value["round"], None)
        if half is None or half.policy == policy or asked - half.asked > _OPEN_SECONDS:
            self._half[value["round"]] = mine
            self._forget(asked - _OPEN_SECONDS)
            return
        heapq.heappush(self._ready, (min(half, mine), max(half, mine)))
        for one, other in self._due(entry.at - _OPEN_SECONDS):
            self._compare(one, other)

    def _forget(self, before: float) -> None:
        """Drop the rounds whose second answer cannot come any more."""
        while self._half[oldest := next(iter(self._half))].asked < before:
            del self._half[oldest]

    def _due(self, until: float) -> Iterator[tuple[RoundDecision, RoundDecision]]:
        while self._ready and self._ready[0][0].asked < until:
            yield heapq.heappop(self._ready)

    def _compare(self, one: RoundDecision, other: RoundDecision) -> None:
        self.compared += 1
        asked, answered = one.asked, max(one.answered, other.answered)
        if one.denied == other.denied:
            self._agreed = asked, one.denied
            if self._differs:
                self._differs.between = self._differs.between[0], one.denied
                self._differs.before, self._differs = answered, None
            return
        if self._differs is None:
            said = f"{one.policy}: {one.outcome}, {other.policy}: {other.outcome}"
            after, mind = self._agreed or (asked, None)
            self._differs = Disagreement(after, said, inf, [], (mind, None))
            self.disagreements.append(self._differs)
        self._differs.times.append((answered, asked))
