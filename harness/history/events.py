"""Events: Kubernetes Events that components reported about objects, mostly a kubelet about its pods."""

from dataclasses import dataclass

from chaos_harness.harness.history.following import Reader, Take
from chaos_harness.harness.history.recorded import Entry
from chaos_harness.harness.history.vocabulary import ADDED, MODIFIED, WATCH_EVENTS

__all__ = ["FAILED", "PULLING", "STARTED", "Events"]

PULLING, FAILED, STARTED = "Pulling", "Failed", "Started"
"""Reasons of a kubelet: it pulls an image, something with a container failed, a container runs."""


@dataclass(frozen=True)
class Event:
    """An Event about the object `uid`; `at` is in seconds of the history."""

    at: float
    uid: str
    reason: str
    message: str


class Events(Reader):
    """The Events that were reported while they were watched, in order; a reader (see `following`)."""

    def __init__(self, process: str = WATCH_EVENTS) -> None:
        self.all: list[Event] = []
        self._process = process

    def first(self, reason: str, uid: str, since: float) -> Event | None:
        """Return the first Event with this reason about an object at or after `since`; None if there is none."""
        fitting = (event for event in self.all if event.uid == uid and event.reason == reason and event.at >= since)
        return next(fitting, None)

    def takes(self, process: str) -> Take | None:
        """Return the function that takes the entries of a process, or None."""
        return self._take if process == self._process else None

    def _take(self, entry: Entry) -> None:
        thing = (entry.value or {}).get("object")
        if thing is not None and entry.f in (ADDED, MODIFIED):
            uid = (thing.get("involvedObject") or {}).get("uid", "")
            self.all.append(Event(entry.at, uid, thing.get("reason") or "", thing.get("message") or ""))
