"""Silences: how long something did not come, at least and at most, where not all was seen as it happened."""

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
    """When something happened: not before `least`, not after `most`, which is when it was seen."""

    least: float
    most: float


@dataclass(frozen=True)
class Silence:
    """How long nothing was seen, in seconds: `least` for certain, from `since` on, and `most` if it was not seen.

    Time in which this machine was starved counts for `most` only.
    """

    least: float
    most: float
    since: float


_NEVER = Spans()


class Moments:
    """Dates what watches told: what came to light after a time that was not seen came at any moment of it.

    `unseen` is when not all of the streams were seen as it happened, `unknown` when something of them may be missing
    altogether, `end` where is judged no more: what was not recorded to its end is silent for ever, as far as is known.
    `blind` is when this machine was starved: what does not come then is nobody's silence.
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
        """Return when that was of which was told `at` then."""
        before = bisect_left(self._begins, at) - 1
        hidden = before >= 0 and at <= self._delayed[before][1]
        return DatedEvent(self._begins[before] if hidden else at, at)

    def ends(self, at: float | None) -> DatedEvent:
        """Return when that was of which was told `at` then (None: never), or the end, if that came first."""
        moment = self.end if at is None else self.of(at)
        return moment if moment.most <= self.end.least else DatedEvent(min(moment.least, self.end.least), self.end.most)

    def between(self, begin: DatedEvent, end: DatedEvent, sure: Spans = _NEVER, unsure: Spans = _NEVER) -> Silence:
        """Return the silence between two moments; what is `sure` does not count, nor, perhaps, what is `unsure`."""
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
        """Yield the silences from `first` on, between what was `seen`, to the end: the longest and those `longer`."""
        longest = 0.0
        for before, after in pairwise(chain([first] if first else (), map(self.ends, seen), [self.end])):
            if before.most > self.end.least:
                return
            if after.most - before.least > min(longest, longer):
                silence = self.between(before, after, sure, unsure)
                longest = max(longest, silence.least)
                yield silence
