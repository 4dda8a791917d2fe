"""Clocks: how far each node's clock is from this machine's, and how well that is known."""

from collections.abc import Iterable
from dataclasses import dataclass

from chaos_harness.harness.history.recorded import Entry
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


class Clocks:
    """The readings of the nodes' clocks so far; fed by readers of a history, and no reader itself.

    A node without a reading, as in old histories, is assumed to have this machine's clock. A newer reading replaces an
    older one, and what was placed before is not placed again, so that a claim is judged the same during the experiment
    and afterwards.
    """

    def __init__(self) -> None:
        self._read: dict[str, Offset] = {}
        self._own: set[str] = set()

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

    def step(self, seconds: float) -> None:
        """Take into account that this machine's clock was set: whether another clock was set, too, is unknown."""
        for node in self._own:
            was = self._read[node]
            self._read[node] = Offset.around((was, Offset(was.seconds - seconds, was.unsure)))

    def place(self, entry: Entry, moment: float, node: str = "") -> float:
        """Return the moment of the history, in seconds, for one in unix seconds of a node's clock.

        It uses both clocks of the entry that reports it, since this machine's wall clock may have been set since the
        start.
        """
        return moment - self.of(node).seconds - entry.wall + entry.at
