"""Streams: computes when a stream was really seen, for watches, questions and logs."""

import heapq
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import pairwise
from math import inf, isfinite

from chaos_harness.harness.history.clocks import Clocks
from chaos_harness.harness.history.recorded import Entry
from chaos_harness.harness.history.spans import Span, Spans
from chaos_harness.harness.history.vocabulary import GAP, LISTED, READ, RESUMED

__all__ = ["JITTER", "Log", "Parts", "Questions", "WatchStream"]

_HALF_OPEN_SECONDS = 35.0
"""How long a watch waits on a silent stream: in old histories its "silent" gap started that much earlier."""

_SILENT, _ENDED = "silent", "ended"
_ANSWER_SECONDS = 15.0
"""More than any question waits for its answer."""

_BLOCK = 50
_USUAL = 0.8
"""The quantile of the times between two questions that counts as usual: a probe may ask two in a row."""

JITTER = 1.5
"""By which factor the time between two observations may exceed the usual one before it counts as unseen."""


class WatchStream:
    """A list of objects: seen from a complete list up to the last sign of life before a gap.

    `gap` is since when it is no longer seen, as far as is read; None: it is seen, or never was.
    """

    interval = 0.0

    def __init__(self, *, signs: bool) -> None:
        self.gap: float | None = None
        self._signs = signs
        self._spans: list[Span] = []
        self._resumed: list[Span] = []
        self._open: float | None = None
        self._last = 0.0

    def take(self, entry: Entry) -> None:
        """Take one entry of the watch."""
        if entry.f == GAP:
            self._break(entry)
            return
        whole = entry.f in (LISTED, RESUMED) and "object" not in entry.value
        if self._open is not None and (whole or "in_gap" in entry.value):  # the line of the gap itself is missing
            self._spans.append((self._open, self._last))
            self._open = None
        if whole:
            if entry.f == RESUMED and self.gap is not None:
                self._resumed.append((self.gap, entry.at))
            self._open, self.gap = entry.at, None
        self._last = entry.at

    def close(self, end: float) -> None:
        """End what is open at the last sign of life, if watches record these."""
        if self._open is not None:
            self._spans.append((self._open, self._last if self._signs else end))

    def seen(self) -> Spans:
        """Return when it was seen as it happened."""
        return Spans.of(self._spans)

    def known(self) -> Spans:
        """Return when nothing of it can be missing."""
        return Spans.of((*self._spans, *self._resumed))

    def _break(self, entry: Entry) -> None:
        if self._open is None:
            return
        until = entry.at
        if entry.value["why"] != _ENDED and self._signs:
            until = self._last
        elif entry.value["why"] == _SILENT:
            until = max(self._last, entry.at - _HALF_OPEN_SECONDS)
        self._spans.append((self._open, until))
        self._open, self.gap = None, until


class Questions:
    """Questions of one kind: seen from one that was answered to the next one, if that came in time."""

    def __init__(self, *, open_loop: bool) -> None:
        self._open_loop = open_loop
        self._apart: list[float] = []
        self._usual: list[float] = []
        self._asked: float | None = None
        self._waiting: list[float] = []
        self._first: float | None = None
        self._last = 0.0
        self._holes: list[Span] = []

    @property
    def interval(self) -> float:
        """The usual time between two questions, in seconds.

        A probe with a fixed rate asks each question more rarely when it gets more of them; a probe that waits for its
        answers is slower only while something is wrong.
        """
        usual = self._usual or [_usual(self._apart)]
        return max(usual) if self._open_loop else min(usual)

    def ask(self, at: float) -> None:
        """Take a question."""
        if self._asked is not None:
            self._apart.append(at - self._asked)
            if len(self._apart) == _BLOCK:
                self._usual.append(_usual(self._apart))
                if len(self._usual) == _BLOCK:
                    self._usual = [max(self._usual) if self._open_loop else min(self._usual)]
                self._apart.clear()
        self._asked = at

    def answer(self, begun: float, at: float) -> None:
        """Take a conclusive answer; a slow one may come after those to later questions."""
        heapq.heappush(self._waiting, begun)
        while self._waiting and self._waiting[0] < at - _ANSWER_SECONDS:
            self._sort_in(heapq.heappop(self._waiting))

    def close(self) -> None:
        """Finish: no more answers come."""
        while self._waiting:
            self._sort_in(heapq.heappop(self._waiting))

    def fill(self, moments: Sequence[float]) -> None:
        """Count the questions at these moments (in order) as answered, after the end: another source decided them."""
        holes = [] if self._first is None else [(-inf, self._first), *self._holes, (self._last, inf)]
        self._holes = []
        for begin, end in holes or [(-inf, inf)]:
            inside = moments[bisect_right(moments, begin) : bisect_left(moments, end)]
            if inside and begin == -inf:
                self._first = inside[0]
            if inside and end == inf:
                self._last = inside[-1]
            apart = pairwise(moment for moment in (begin, *inside, end) if isfinite(moment))
            self._holes += [(one, other) for one, other in apart if other - one > self._shortest()]

    def seen(self) -> Spans:
        """Return when it was seen, at the usual rate of questions."""
        if self._first is None:
            return Spans()
        longest = self.interval * JITTER
        holes = Spans.of(hole for hole in self._holes if hole[1] - hole[0] > longest)
        return Spans.of([(self._first, self._last)]) - holes

    known = seen

    def _sort_in(self, begun: float) -> None:
        if self._first is None:
            self._first = begun
        elif begun - self._last > self._shortest():
            self._holes.append((self._last, begun))
        self._last = begun

    def _shortest(self) -> float:
        """Return the shortest time that may count as unseen; more questions may make it longer."""
        return min(self._usual or [_usual(self._apart)])


def _usual(apart: Sequence[float]) -> float:
    """Return the usual time between questions, also if those of one policy come two or three at a time."""
    return sorted(apart)[int(_USUAL * len(apart))] if apart else 0.0


class Log:
    """A log that is copied: each reading records up to when; the first one covers nothing before it.

    If a reading records a start that is not the end of the reading before, the time between them is lost. Moments are
    wall clock time. Where the clock was set in between, as little as possible counts as copied.
    """

    interval = 0.0

    def __init__(self, clocks: Clocks, *, whole: bool) -> None:
        self._clocks = clocks
        self._parts: list[Span] = []
        self._first: float | None = -inf if whole else None
        self._until: float | None = None
        self._told: float | None = None

    def take(self, entry: Entry) -> None:
        """Take one entry of the log."""
        if entry.kind != "ok" or entry.f != READ:
            return
        until = min(entry.at, self._clocks.place_own(entry, entry.value["until"])[0])
        since = entry.value.get("since", self._told)
        if since != self._told:
            self._parts += self._open()
            self._first = self._clocks.place_own(entry, since)[1]
        self._first = until if self._first is None else self._first
        self._until, self._told = until, entry.value["until"]

    def seen(self) -> Spans:
        """Return which moments are copied."""
        return Spans.of((*self._parts, *self._open()))

    known = seen

    def _open(self) -> list[Span]:
        return [] if self._first is None or self._until is None else [(self._first, self._until)]


class Parts:
    """A log of which each reading records from when to when it is copied, so that lost time stays unseen.

    Moments of the log are unix seconds. Where the clock was set in between, as little as possible counts as copied.
    """

    interval = 0.0

    def __init__(self, clocks: Clocks) -> None:
        self._clocks = clocks
        self._parts: list[tuple[Span, Span]] = []
        self._until = 0.0
        self._last = 0.0

    def take(self, entry: Entry) -> None:
        """Take one entry of the log."""
        if entry.f != READ:
            return
        if entry.kind == "ok":
            until = self._clocks.place_own(entry, entry.value["until"])[0]
            since = self._clocks.place_own(entry, entry.value["since"])[1]
            if entry.value["since"] == self._until and self._parts:  # though the clock may have been set since
                since = max(self._parts[-1][0])
            self._parts.append(((since, until), (self._last, entry.at)))
            self._until = entry.value["until"]
        self._last = entry.at

    def close(self, lost: Spans) -> None:
        """Leave out the time in which entries of the history were lost: they may have been lines of this log."""
        self._parts = [part for part in self._parts if not lost.within(*part[1])]

    def seen(self) -> Spans:
        """Return which moments are copied."""
        return Spans.of(span for span, _ in self._parts)

    known = seen
