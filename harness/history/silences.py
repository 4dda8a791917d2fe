"""Silences: how long nothing happened, at least and at most, although some of that time was not seen."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, pairwise
from math import inf

from chaos_harness.harness.history.coverage import Coverage
from chaos_harness.harness.history.spans import Spans, lasting

__all__ = ["DatedEvent", "Moments", "Silence"]


@dataclass(frozen=True)
class DatedEvent:
    """When something happened: not before `least`, and not after `most`, when it was reported."""

    least: float
    most: float


@dataclass(frozen=True)
class Silence:
    """How long nothing happened, in seconds: at `least`, from `since` on, and at `most`, with all time not seen.

    Time in which this machine was starved counts for `most` only.
    """

    least: float
    most: float
    since: float


_NEVER = Spans()


class Moments:
    """Dates what watches reported: a change reported after an unseen time may have happened at any moment of it.

    `unseen` is when not all of the streams were seen as it happened, `unknown` when something of them may be missing
    altogether, `end` where judging stops: a history without its end may be silent for ever.
    `blind` is when this machine was starved: what does not come in that time is no silence.
    """

    def __init__(self, coverage: Coverage, streams: Iterable[str], begin: float) -> None:
        streams = tuple(streams)
        self.unseen = coverage.unseen(streams, begin, coverage.end)
        self.unknown = coverage.unknown(streams, begin, inf)
        self.blind = coverage.blind
        self.end = DatedEvent(coverage.until, coverage.until if coverage.ended else inf)
        self._delayed = coverage.delayed(streams).within(begin, inf).parts
        self._begins = [begin for begin, _ in self._delayed]

    def of(self, at: float) -> DatedEvent:
        """Return when that happened which was reported at `at`."""
        before = bisect_left(self._begins, at) - 1
        hidden = before >= 0 and at <= self._delayed[before][1]
        return DatedEvent(self._begins[before] if hidden else at, at)

    def ends(self, at: float | None) -> DatedEvent:
        """Return when that happened which was reported at `at` (None: never), or the end, if that came first."""
        moment = self.end if at is None else self.of(at)
        return moment if moment.most <= self.end.least else DatedEvent(min(moment.least, self.end.least), self.end.most)

    def between(self, begin: DatedEvent, end: DatedEvent, sure: Spans = _NEVER, unsure: Spans = _NEVER) -> Silence:
        """Return the silence between two moments; `sure` time does not count, and `unsure` time perhaps does not."""
        least = Spans.of([(begin.most, end.least)]) - self.unknown - sure - unsure
        most = Spans.of([(begin.least, end.most)]) - sure
        lasted = ((seconds, -first) for (first, _), seconds in lasting(least, self.blind))
        longest, since = max(lasted, default=(0.0, -begin.most))
        return Silence(longest, most.longest, -since)

    def silences(
        self,
        first: DatedEvent | None,
        seen: Iterable[float],
        longer: float,
        sure: Spans = _NEVER,
        unsure: Spans = _NEVER,
    ) -> Iterator[Silence]:
        """Yield the silences from `first` to the end, between moments `seen`: the longest, and all `longer` ones."""
        longest = 0.0
        for before, after in pairwise(chain([first] if first else (), map(self.ends, seen), [self.end])):
            if before.most > self.end.least:
                return
            if after.most - before.least > min(longest, longer):
                silence = self.between(before, after, sure, unsure)
                longest = max(longest, silence.least)
                yield silence
