"""Losses: bad answers about each policy, in streaks, from one pass over a history."""

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from math import inf
from typing import Literal

from chaos_harness.harness.history.admissions import NO_ANSWER, Admission, Answers
from chaos_harness.harness.history.following import Take
from chaos_harness.harness.history.recorded import Entry
from chaos_harness.harness.history.spans import Span
from chaos_harness.harness.history.vocabulary import EXPERIMENT, FAULT, JUDGE, POLICIES

__all__ = ["Heard", "LossKind", "Losses", "Streak"]

LossKind = Literal["bypassed", "refused", "lost"]
"""What can be wrong with an answer: see `Admission.bypassed` and `Admission.refused`.

It is "lost" if it is not what the policy demands, in any way.
"""

Decide = Callable[[Admission], Admission | None]
"""Returns the decision of a question whose answer is inconclusive; None if it is unknown."""

_KINDS: tuple[LossKind, ...] = ("bypassed", "refused", "lost")
_LAST = 20


@dataclass
class Streak:
    """Bad answers of one kind without another one in between; moments are seconds of the history.

    `before` is the moment of the last question before it with another answer, `after` that of the first such answer
    after it (None: never). A decision is made between question and answer, so the loss may have lasted all that time.
    """

    before: float
    lost: list[Admission]
    after: float | None = None

    @property
    def possible(self) -> Span:
        """The longest time that it may have lasted."""
        return self.before, inf if self.after is None else self.after


@dataclass(slots=True)
class _Good:
    """Consecutive good answers to questions of one part of time: the part, their number, and the last moments."""

    part: int
    answered: float
    asked: float
    count: int = 1


@dataclass
class _Part:
    """The questions between two moments: how many were decided, how many objects were created, the last answers."""

    decided: int = 0
    made: int = 0
    last: list[Admission] = field(default_factory=list)


class Heard:
    """The answers about one policy; of good answers only their number and the last ones are kept.

    `moments` are when a fault or a policy changed, or claims were judged; answers are counted between them. `latest` is
    the moment of the last question with any answer. Questions without a conclusive answer are `undecided`, or were
    decided `later`, by another source.
    """

    def __init__(self, policy: str, moments: list[float]) -> None:
        self.policy = policy
        self.latest = 0.0
        self.runs: dict[LossKind, list[Streak]] = {kind: [] for kind in _KINDS}
        self.later: list[Admission] = []
        self.undecided: list[Admission] = []
        self._moments = moments
        self._told: list[_Good | Admission] = []
        self._last: dict[int, deque[Admission]] = {}
        self._parts: list[_Part] = []
        self._open: dict[LossKind, Streak] = {}
        self._good = 0.0
        self._other: dict[LossKind, float] = dict.fromkeys(_KINDS, 0.0)
        self._made: dict[Admission, int] = {}
        self._all = 0

    def take(self, admission: Admission) -> None:
        """Take one more answer."""
        asked = admission.asked
        if admission.outcome != NO_ANSWER:
            self.latest = asked
        if admission.kind == "info":
            self._told.append(admission)
            return
        part = bisect_right(self._moments, asked)
        if part not in self._last:
            self._last[part] = deque(maxlen=_LAST)
        self._last[part].append(admission)
        if admission.kind != "ok":
            self._told.append(admission)
            return
        before = self._told[-1] if self._told else None
        if isinstance(before, _Good) and before.part == part:
            before.asked = asked
            before.count += 1
        else:
            self._told.append(_Good(part, admission.answered, asked))

    def settle(self, decide: Decide) -> None:
        """Finish: no more answers come, and `decide` decides the inconclusive ones, as far as it can."""
        self._parts = [_Part(last=list(self._last.get(part, ()))) for part in range(len(self._moments) + 1)]
        for answer in self._told:
            if isinstance(answer, _Good):
                self._add_good(answer)
            elif answer.kind != "info":
                self._add(answer, bisect_right(self._moments, answer.asked))
            elif (decided := decide(answer)) is None:
                self.undecided.append(answer)
            else:
                self.later.append(decided)
                part = bisect_right(self._moments, decided.asked)
                last = self._parts[part].last
                if len(last) < _LAST or last[0].asked < decided.asked:
                    self._parts[part].last = sorted([*last, decided], key=lambda admission: admission.asked)[-_LAST:]
                self._add(decided, part)

    def _add_good(self, good: _Good) -> None:
        part = self._parts[good.part]
        part.decided += good.count
        part.made += good.count
        self._all += good.count
        self._end(good.answered, *self._open)
        self._good = good.asked

    def _add(self, admission: Admission, index: int) -> None:
        if admission.kind == "ok":
            self._add_good(_Good(index, admission.answered, admission.asked))
            return
        part = self._parts[index]
        part.decided += 1
        part.made += admission.bypassed
        self._all += admission.bypassed
        self._made[admission] = self._all
        for kind, bad in zip(_KINDS, (admission.bypassed, admission.refused, True), strict=True):
            if not bad:
                self._other[kind] = admission.asked
                self._end(admission.answered, kind)
            elif kind in self._open:
                self._open[kind].lost.append(admission)
            else:
                self._open[kind] = run = Streak(max(self._good, self._other[kind]), [admission])
                self.runs[kind].append(run)

    def missed(self, kind: LossKind) -> list[Admission]:
        """Return all bad answers of one kind."""
        return [admission for run in self.runs[kind] for admission in run.lost]

    @property
    def alone(self) -> set[Admission]:
        """The bad answers between two good ones."""
        return {run.lost[0] for run in self.runs["lost"] if len(run.lost) == 1}

    def decided(self, begin: float, end: float = inf) -> int:
        """Return how many questions between two of the `moments` were decided."""
        return sum(part.decided for part in self._between(begin, end))

    def made(self, begin: float, end: float = inf) -> int:
        """Return how many objects questions between two of the `moments` created, or would have without dry run."""
        return sum(part.made for part in self._between(begin, end))

    def made_until(self, missed: Admission, begin: float) -> int:
        """Return how many objects were created from one of the `moments` up to a bad answer, including its own."""
        return self._made[missed] - self.made(-inf, begin)

    def made_before(self, moment: float, begin: float) -> int:
        """Return how many objects were created from one of the `moments` up to the last bad answer until `moment`."""
        made = max((number for miss, number in self._made.items() if miss.asked <= moment), default=0)
        return max(0, made - self.made(-inf, begin))

    def last(self, begin: float, end: float = inf) -> list[Admission]:
        """Return the last answers to the questions between two of the `moments`, up to about twenty."""
        return [admission for part in self._between(begin, end) for admission in part.last]

    def _between(self, begin: float, end: float) -> Iterator[_Part]:
        first = bisect_left(self._moments, begin)
        first += first < len(self._moments) and self._moments[first] == begin
        yield from self._parts[first : bisect_left(self._moments, end) + 1]

    def _end(self, answered: float, *kinds: LossKind) -> None:
        for kind in kinds:
            run = self._open.pop(kind, None)
            if run is not None:
                run.after = answered


class Losses:
    """The answers about each policy; a reader (see `following`).

    `decide` is called, at the end, for each question without a conclusive answer. It must have all it needs by then:
    the readers that it uses must come before this one.
    """

    def __init__(self, decide: Decide = lambda _: None) -> None:
        self.heard: dict[str, Heard] = {}
        self._decide = decide
        self._moments: list[float] = []
        self._answers = Answers(self._give, all_=True)

    def of(self, policy: str) -> Heard:
        """Return the answers about a policy: none, if no question was asked about it."""
        return self.heard.get(policy) or Heard(policy, self._moments)

    def takes(self, process: str) -> Take | None:
        """Return the function that takes the entries of a process, or None."""
        if process == POLICIES or process.startswith(f"{FAULT} "):
            return self._note
        if process == EXPERIMENT:
            return self._note_mark
        return self._answers.takes(process)

    def close(self, end: float) -> None:
        """Finish reading; `end` is the last moment that is recorded, in seconds."""
        self._answers.close(end)
        for heard in self.heard.values():
            heard.settle(self._decide)

    def _note(self, entry: Entry) -> None:
        self._moments.append(entry.at)

    def _note_mark(self, entry: Entry) -> None:
        if entry.f == JUDGE:
            self._note(entry)

    def _give(self, admission: Admission) -> None:
        heard = self.heard.get(admission.policy)
        if heard is None:
            heard = self.heard[admission.policy] = Heard(admission.policy, self._moments)
        heard.take(admission)
