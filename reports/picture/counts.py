"""Tally: how often something was asked and how it came out, in a memory that does not grow with the history."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

__all__ = ["MOST_LOST", "Bin", "Bins", "LostRequest", "Outcome", "Tally"]

Outcome = Literal["good", "lost", "silent"]
"""`good` is the answer that is demanded, `lost` another one, `silent` none at all."""

MOST_LOST = 2000
"""So many lost requests, and as many unanswered, are kept one by one; of those beyond only the number in each bin."""

_MOST_BINS = 400
_FINEST_SECONDS = 1.0


@dataclass(frozen=True)
class LostRequest:
    """A request that did not get the demanded answer: when it was asked and answered, and what was said."""

    asked: float
    answered: float
    outcome: Outcome
    said: str = ""


@dataclass
class Bin:
    """How many requests that were asked in one stretch of time came out how."""

    good: int = 0
    lost: int = 0
    silent: int = 0

    @property
    def asked(self) -> int:
        """All of them."""
        return self.good + self.lost + self.silent

    def add(self, outcome: Outcome, number: int = 1) -> None:
        """Count `number` more."""
        setattr(self, outcome, getattr(self, outcome) + number)


@dataclass
class Bins:
    """Counts over time: at most 400 bins of one width, which doubles as often as the time needs it."""

    width: float = _FINEST_SECONDS
    bins: dict[int, Bin] = field(default_factory=dict)

    def add(self, at: float, outcome: Outcome = "good") -> None:
        """Count one request that was asked `at` this second of the history."""
        while at >= self.width * _MOST_BINS:
            self._widen()
        self.bins.setdefault(max(0, int(at / self.width)), Bin()).add(outcome)

    @property
    def busiest(self) -> int:
        """The number of requests in the bin that has most."""
        return max((interval.asked for interval in self.bins.values()), default=0)

    def _widen(self) -> None:
        joined: dict[int, Bin] = {}
        for index, half in self.bins.items():
            into = joined.setdefault(index // 2, Bin())
            into.good, into.lost, into.silent = into.good + half.good, into.lost + half.lost, into.silent + half.silent
        self.width, self.bins = self.width * 2, joined


@dataclass
class Tally:
    """All requests of one kind: the good ones counted, the others kept one by one, up to MOST_LOST of each outcome.

    `said` counts what was said of those that were lost, in the words of the probe.
    """

    total: Bin = field(default_factory=Bin)
    bins: Bins = field(default_factory=Bins)
    kept: list[LostRequest] = field(default_factory=list)
    said: Counter[str] = field(default_factory=Counter)
    first_lost: float | None = None
    last_lost: float | None = None

    def add(self, asked: float, answered: float, outcome: Outcome, said: str = "") -> None:
        """Count one request."""
        self.total.add(outcome)
        self.bins.add(asked, outcome)
        if outcome == "good":
            return
        if outcome == "lost":
            self.first_lost = asked if self.first_lost is None else min(asked, self.first_lost)
            self.last_lost = asked if self.last_lost is None else max(asked, self.last_lost)
        if len(self.said) < MOST_LOST or said in self.said:
            self.said[said] += 1
        if getattr(self.total, outcome) <= MOST_LOST:
            self.kept.append(LostRequest(asked, answered, outcome, said))

    @property
    def unkept(self) -> int:
        """How many that did not come out well stand in the bins only."""
        return self.total.lost + self.total.silent - len(self.kept)

    @property
    def words(self) -> str:
        """The counts in words."""
        parts = [f"{self.total.good:,} good"]
        parts += [f"{self.total.lost:,} lost"] if self.total.lost else []
        parts += [f"{self.total.silent:,} unanswered"] if self.total.silent else []
        return ", ".join(parts)
