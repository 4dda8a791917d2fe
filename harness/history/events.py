"""Events: what was told of objects by those who look after them, mostly of a pod by its kubelet."""

from dataclasses import dataclass

from chaos_harness.harness.history.following import Take
from chaos_harness.harness.history.recorded import Entry
from chaos_harness.harness.history.vocabulary import ADDED, MODIFIED, WATCH_EVENTS

__all__ = ["FAILED", "PULLING", "STARTED", "Events"]

PULLING, FAILED, STARTED = "Pulling", "Failed", "Started"
"""Reasons of a kubelet: it pulls an image, something with a container failed, a container runs."""


@dataclass(frozen=True)
class Event:
    """What was told of the object `uid`, and when (seconds)."""

    at: float
    uid: str
    reason: str
    message: str


class Events:
    """The events that came while they were watched, in their order; a reader (see `following`)."""

    def __init__(self, process: str = WATCH_EVENTS) -> None:
        self.all: list[Event] = []
        self._process = process

    def first(self, reason: str, uid: str, since: float) -> Event | None:
        """Return what was first told for this reason of an object, `since` then."""
        fitting = (event for event in self.all if event.uid == uid and event.reason == reason and event.at >= since)
        return next(fitting, None)

    def takes(self, process: str) -> Take | None:
        """Return what takes the entries of a process."""
        return self._take if process == self._process else None

    def close(self, end: float) -> None:
        """Take notice of the end."""

    def _take(self, entry: Entry) -> None:
        thing = (entry.value or {}).get("object")
        if thing is not None and entry.f in (ADDED, MODIFIED):
            uid = (thing.get("involvedObject") or {}).get("uid", "")
            self.all.append(Event(entry.at, uid, thing.get("reason") or "", thing.get("message") or ""))
