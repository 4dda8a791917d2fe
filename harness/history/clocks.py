"""Clocks: how far each node's clock is from this machine's, how well that is known, and when this one was set."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf
from typing import NamedTuple

from chaos_harness.harness.history.recorded import Entry
from chaos_harness.harness.history.spans import Span
from chaos_harness.harness.history.vocabulary import CLOCK, READ

__all__ = ["Clocks", "Offset"]

_PREFIX = f"{CLOCK} "


@dataclass(frozen=True, slots=True)
class Offset:
    """How many seconds a clock is ahead of this machine's, give or take `unsure` seconds."""

    seconds: float = 0.0
    unsure: float = 0.0

    @classmethod
    def around(cls, offsets: Iterable["Offset"]) -> "Offset":
        """Return the offset that covers all of these; without any, both clocks count as the same."""
        edges = [offset.seconds + sign * offset.unsure for offset in offsets for sign in (-1, 1)]
        if not edges:
            return cls()
        return cls((min(edges) + max(edges)) / 2, (max(edges) - min(edges)) / 2)


class _Step(NamedTuple):
    """That this machine's clock was set by some `seconds`, between two entries of the history."""

    before: float
    after: float
    seconds: float


class Clocks:
    """The readings of the nodes' clocks so far; fed by readers of a history, and no reader itself.

    A node without a reading, as in old histories, is assumed to have this machine's clock. A newer reading replaces an
    older one, and what was placed before is not placed again, so that a claim is judged the same during the experiment
    and afterwards.
    """

    def __init__(self) -> None:
        self._read: dict[str, Offset] = {}
        self._own: set[str] = set()
        self._steps: list[_Step] = []

    def of(self, node: str = "") -> Offset:
        """Return the offset of one node; without a name, or with an unknown one, an offset that covers all readings.

        The registry runs on the nodes' engine, and has their clock.
        """
        return self._read.get(node) or Offset.around(self._read.values())

    def take(self, entry: Entry) -> None:
        """Take one reading of a clock."""
        if entry.f == READ and entry.kind == "ok":
            node, value = entry.process.removeprefix(_PREFIX), entry.value
            self._read[node] = Offset(value["offset"], value["uncertainty"])
            if not value["same"]:
                self._own.add(node)

    def step(self, before: float, after: float, seconds: float) -> None:
        """Take into account that this machine's clock was set by `seconds` between two moments of the history.

        Whether another clock was set, too, is unknown.
        """
        self._steps.append(_Step(before, after, seconds))
        for node in self._own:
            was = self._read[node]
            self._read[node] = Offset.around((was, Offset(was.seconds - seconds, was.unsure)))

    def place(self, entry: Entry, moment: float, node: str = "") -> Span:
        """Return from when to when, in seconds of the history, a moment in unix seconds of a node's clock may be.

        It is placed by both clocks of the entry that reports it. If the wall clock was set before that entry, it may be
        a moment from before, on the clock of that time.
        """
        offset = self.of(node)
        return self._spread(entry, moment - offset.seconds, offset.unsure, own=node in self._own)

    def place_own(self, entry: Entry, moment: float) -> Span:
        """Return from when to when, in seconds of the history, a moment of this machine's clock may be."""
        return self._spread(entry, moment, 0.0, own=False)

    def _spread(self, entry: Entry, moment: float, unsure: float, *, own: bool) -> Span:
        """Return the span of all moments before an entry at which a clock may have shown this, as it was set then.

        `own`: of a clock that may not have been set with this machine's.
        """
        fits, candidates = list[float](), list[float]()
        at, latest = entry.at - entry.wall + moment, entry.at
        for before, after, seconds in (*reversed(self._steps), _Step(-inf, -inf, 0.0)):
            candidates.append(at)
            if at <= latest + unsure and (own or at >= before - unsure):
                fits.append(at)
            at, latest = at + seconds, after
        fits = fits or candidates
        return min(fits) - unsure, max(fits) + unsure
