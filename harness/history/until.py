"""Until: the part of a history up to a moment, with what later entries say about the time before it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import inf

from chaos_harness.harness.history.following import Take
from chaos_harness.harness.history.recorded import Entry, History
from chaos_harness.harness.history.vocabulary import BOOKMARK, EXPERIMENT, GAP, JUDGE, is_watch

__all__ = ["Extent", "Until"]

_ENDED = "ended"
_PATIENCE_SECONDS = 120.0
"""More than the longest pause between two signs of life of a working watch."""


@dataclass(frozen=True)
class Until:
    """The entries of a history up to a moment; they may be iterated again and again.

    A watch that was alive then, as its next entry shows, gets a sign of life at that very moment: otherwise the time
    since its last entry would count as not seen.
    """

    recorded: History
    moment: float

    def __iter__(self) -> Iterator[Entry]:
        """Iterate over the entries."""
        waiting: dict[str, None] = {}
        index = -1
        for entry in self.recorded.entries:
            if entry.at <= self.moment:
                index = entry.index
                if is_watch(entry.process):
                    waiting[entry.process] = None
                yield entry
            elif not waiting or entry.at > self.moment + _PATIENCE_SECONDS:
                return
            elif entry.process in waiting:
                del waiting[entry.process]
                if entry.f != GAP or entry.value.get("why") == _ENDED:
                    index += 1
                    wall = entry.wall - entry.at + self.moment
                    yield replace(entry, index=index, f=BOOKMARK, value={}, at=self.moment, wall=wall)


class Extent:
    """Until when a history was recorded, and from when on lines are missing, in seconds; a reader, and a quick one."""

    def __init__(self) -> None:
        self.until = 0.0
        self.lost = inf
        self._judged: float | None = None
        self._next = 0

    def takes(self, process: str) -> Take | None:
        """Return the function that takes the entries of a process, or None."""
        return self._take_mark if process == EXPERIMENT else self._take

    def close(self, end: float) -> None:
        """Finish reading: at the end, or at the moment up to which claims were judged."""
        self.until = end if self._judged is None else self._judged

    def _take(self, entry: Entry) -> None:
        if entry.index != self._next:
            self.lost = min(self.lost, self.until)
        self._next, self.until = entry.index + 1, entry.at

    def _take_mark(self, entry: Entry) -> None:
        self._take(entry)
        if entry.f == JUDGE:
            self._judged = entry.at
