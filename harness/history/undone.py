"""Undone: when the undos of a fault were done, and until when the proof of its healing was requested in vain."""

from dataclasses import dataclass
from math import inf

from chaos_harness.harness.history.faults import FaultSpan
from chaos_harness.harness.history.following import Take
from chaos_harness.harness.history.recorded import Entry
from chaos_harness.harness.history.vocabulary import FAULT, HEAL, NOT_HEALED, UNDONE

__all__ = ["Undone"]


@dataclass
class Undoing:
    """How one fault was undone; moments are seconds of the history (None: not recorded).

    `began` is when its undos began, `done` when all of them were done, `given_up` until when the proof of its healing
    was requested without success, and `said` the last answer. `within` is the deadline in seconds.
    """

    began: float | None = None
    done: float | None = None
    given_up: float | None = None
    said: str = ""
    within: float = inf


class Undone:
    """How the faults of a history were undone; a reader (see `following`)."""

    def __init__(self) -> None:
        self._by_id: dict[str, Undoing] = {}

    def of(self, fault: FaultSpan) -> Undoing:
        """Return how a fault was undone."""
        return self._by_id.get(fault.id) or Undoing()

    def takes(self, process: str) -> Take | None:
        """Return the function that takes the entries of a process, or None."""
        return self._take if process.startswith(f"{FAULT} ") else None

    def close(self, end: float) -> None:
        """Finish reading; `end` is the last moment that is recorded, in seconds."""

    def _take(self, entry: Entry) -> None:
        if entry.f not in (HEAL, UNDONE, NOT_HEALED):
            return
        undoing = self._by_id.setdefault(entry.process, Undoing())
        if entry.f == HEAL:
            undoing.began = entry.at
        elif entry.f == UNDONE:
            undoing.done, undoing.within = entry.at, entry.value["within"]
        else:
            undoing.given_up, undoing.said = entry.at, entry.value["said"]
