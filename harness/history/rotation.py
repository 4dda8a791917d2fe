"""Rotation: to which webhook pods the Service sent requests, as its EndpointSlices told."""

from math import inf

from harness.history.following import Take
from harness.history.objects import endpoints, name_of
from harness.history.recorded import Entry
from harness.history.spans import Spans
from harness.history.vocabulary import DELETED, WATCH_SLICES

__all__ = ["Rotation"]


class Rotation:
    """Who was in rotation; a reader (see `following`).

    `changes` has, for each change, its moment and the uids of all that are in rotation from then on.
    """

    def __init__(self) -> None:
        self.changes: list[tuple[float, frozenset[str]]] = []
        self._slices: dict[str, frozenset[str]] = {}

    def when(self, uid: str) -> Spans:
        """Return when a pod was in rotation, as far as was told."""
        ends = [at for at, _ in self.changes[1:]] + [inf]
        return Spans.of((at, end) for (at, uids), end in zip(self.changes, ends, strict=False) if uid in uids)

    @property
    def moments(self) -> list[float]:
        """When it changed."""
        return [at for at, _ in self.changes]

    def takes(self, process: str) -> Take | None:
        """Return what takes the entries of a process."""
        return self._take if process == WATCH_SLICES else None

    def close(self, end: float) -> None:
        """Take notice of the end."""

    def _take(self, entry: Entry) -> None:
        thing = (entry.value or {}).get("object")
        if thing is None:
            return
        self._slices[name_of(thing)] = frozenset(() if entry.f == DELETED else endpoints(thing))
        uids = frozenset[str]().union(*self._slices.values())
        if not self.changes or self.changes[-1][1] != uids:
            self.changes.append((entry.at, uids))
