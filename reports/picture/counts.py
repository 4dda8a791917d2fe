"""Counts: how many requests had which outcome, in memory that does not grow with the history."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

__all__ = ["MOST_LOST", "Bin", "Bins", "RequestOutcome", "Tally"]

RequestOutcome = Literal["good", "lost", "silent"]
"""`good`: the expected answer; `lost`: another answer; `silent`: no answer."""

MOST_LOST = 2000
"""So many lost requests, and as many unanswered, are kept one by one; more are only counted in their bin."""

_MOST_BINS = 400
_FINEST_SECONDS = 1.0


@dataclass(frozen=True)
class LostRequest:
    """A request without the expected answer: when it was sent and answered, and the message."""

    asked: float
    answered: float
    outcome: RequestOutcome
    said: str = ""


@dataclass
class Bin:
    """Numbers of requests by outcome, for requests sent in one interval."""

    good: int = 0
    lost: int = 0
    silent: int = 0

    @property
    def asked(self) -> int:
        """The number of all requests."""
        return self.good + self.lost + self.silent

    def add(self, outcome: RequestOutcome, number: int = 1) -> None:
        """Add `number` requests."""
        setattr(self, outcome, getattr(self, outcome) + number)


@dataclass
class Bins:
    """Counts over time: at most 400 bins of equal width, which doubles whenever the history gets longer."""

    width: float = _FINEST_SECONDS
    bins: dict[int, Bin] = field(default_factory=dict)

    def add(self, at: float, outcome: RequestOutcome = "good") -> None:
        """Count one request that was sent `at` this second of the history."""
        while at >= self.width * _MOST_BINS:
            self._widen()
        self.bins.setdefault(max(0, int(at / self.width)), Bin()).add(outcome)

    @property
    def busiest(self) -> int:
        """The highest number of requests in a bin."""
        return max((interval.asked for interval in self.bins.values()), default=0)

    def _widen(self) -> None:
        joined: dict[int, Bin] = {}
        for index, half in self.bins.items():
            into = joined.setdefault(index // 2, Bin())
            into.good, into.lost, into.silent = into.good + half.good, into.lost + half.lost, into.silent + half.silent
        self.width, self.bins = self.width * 2, joined


@dataclass
class Tally:
    """All requests of one kind: good ones are counted, others kept one by one, up to MOST_LOST of each outcome.

    `said` counts the messages of lost requests.
    """

    total: Bin = field(default_factory=Bin)
    bins: Bins = field(default_factory=Bins)
    kept: list[LostRequest] = field(default_factory=list)
    said: Counter[str] = field(default_factory=Counter)
    first_lost: float | None = None
    last_lost: float | None = None

    def add(self, asked: float, answered: float, outcome: RequestOutcome, said: str = "") -> None:
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
        """The number of lost and unanswered requests that are only counted in bins."""
        return self.total.lost + self.total.silent - len(self.kept)

    @property
    def words(self) -> str:
        """The counts as text."""
        parts = [f"{self.total.good:,} good"]
        parts += [f"{self.total.lost:,} lost"] if self.total.lost else []
        parts += [f"{self.total.silent:,} unanswered"] if self.total.silent else []
        return ", ".join(parts)
