"""Spans: sets of moments, as stretches from a start to an end, with union, intersection and difference."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import inf
from typing import Self

__all__ = ["Span", "Spans", "lasting", "longer_than", "when_passed"]

Span = tuple[float, float]
"""From when to when, in seconds of a history; the end may be infinite."""


@dataclass(frozen=True)
class Spans:
    """Stretches that neither touch nor overlap, in order of time; empty ones are left out."""

    parts: tuple[Span, ...] = ()

    @classmethod
    def of(cls, spans: Iterable[Span]) -> Self:
        """Return the moments that lie in at least one of these spans, which may overlap and stand in any order."""
        joined: list[Span] = []
        for begin, end in sorted(span for span in spans if span[0] < span[1]):
            if joined and begin <= joined[-1][1]:
                joined[-1] = joined[-1][0], max(joined[-1][1], end)
            else:
                joined.append((begin, end))
        return cls(tuple(joined))

    def __iter__(self) -> Iterator[Span]:
        """Iterate over the stretches."""
        return iter(self.parts)

    def __bool__(self) -> bool:
        """Whether there is any moment in it."""
        return bool(self.parts)

    def __contains__(self, moment: float) -> bool:
        """Whether a moment lies in it: a stretch includes its start, and not its end."""
        return any(begin <= moment < end for begin, end in self.parts)

    def __or__(self, other: "Spans") -> "Spans":
        """Return what lies in either."""
        return Spans.of((*self.parts, *other.parts))

    def __and__(self, other: "Spans") -> "Spans":
        """Return what lies in both."""
        both: list[Span] = []
        mine, others = iter(self.parts), iter(other.parts)
        one, two = next(mine, None), next(others, None)
        while one and two:
            begin, end = max(one[0], two[0]), min(one[1], two[1])
            if begin < end:
                both.append((begin, end))
            if one[1] < two[1]:
                one = next(mine, None)
            else:
                two = next(others, None)
        return Spans(tuple(both))

    def __sub__(self, other: "Spans") -> "Spans":
        """Return what lies in this one and not in the other."""
        edges = (-inf, *(edge for part in other.parts for edge in part), inf)
        return self & Spans(tuple(zip(edges[::2], edges[1::2], strict=True)))

    def within(self, begin: float, end: float) -> "Spans":
        """Return what lies between two moments."""
        return Spans.of((max(a, begin), min(b, end)) for a, b in self.parts)

    @property
    def total(self) -> float:
        """The length of all stretches together, in seconds."""
        return sum(end - begin for begin, end in self.parts)

    @property
    def longest(self) -> float:
        """The length of the longest stretch, in seconds; 0 if there is none."""
        return max((end - begin for begin, end in self.parts), default=0.0)

    def longer_than(self, seconds: float) -> "Spans":
        """Return the stretches that are longer than a tolerance of some seconds."""
        return Spans(tuple((begin, end) for begin, end in self.parts if end - begin > seconds))

    def __str__(self) -> str:
        """Return it in words: "12.0 to 15.5 s, 20.0 s to the end"."""
        return ", ".join(
            f"{begin:.1f} s to the end" if end == inf else f"{begin:.1f} to {end:.1f} s" for begin, end in self.parts
        )


def lasting(spans: Spans, busy: Spans) -> Iterator[tuple[Span, float]]:
    """Yield each stretch, and its length in seconds without those that are `busy`."""
    return (((begin, end), end - begin - busy.within(begin, end).total) for begin, end in spans)


def longer_than(spans: Spans, seconds: float, busy: Spans) -> Spans:
    """Return the stretches that are longer than a tolerance of some seconds, without those that are `busy`."""
    return Spans(tuple(span for span, lasted in lasting(spans.longer_than(seconds), busy) if lasted > seconds))


def when_passed(begin: float, seconds: float, busy: Spans) -> float:
    """Return when so many seconds will have passed since a moment, without those that are `busy`."""
    left = seconds
    for first, last in busy.within(begin, inf):
        if first - begin >= left:
            break
        left, begin = left - (first - begin), last
    return begin + left
