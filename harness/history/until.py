"""Until: the part of a history that ends at a moment, with what later entries say of the time before it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from harness.history.recorded import Entry, Recorded
from harness.history.vocabulary import BOOKMARK, GAP, is_watch

__all__ = ["Until"]

_ENDED = "ended"
_PATIENCE_SECONDS = 120.0
"""Longer than any watch that still sees gives no sign of life."""


@dataclass(frozen=True)
class Until:
    """The entries of a history up to a moment; they may be iterated again and again.

    A watch that was alive then, as its next entry shows, gives a sign of life at the very moment: else what came since
    its last one before would look as if nobody had seen it.
    """

    recorded: Recorded
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
