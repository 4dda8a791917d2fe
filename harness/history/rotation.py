"""Rotation: to which webhook pods Gatekeeper's Service led, as a recorded history says, and where they were."""

from bisect import bisect_right

from harness.history.following import Take
from harness.history.recorded import Entry
from harness.history.vocabulary import DELETED, WATCH_PODS, WATCH_SLICES

__all__ = ["Rotation"]

_OPERATION, _WEBHOOK = "gatekeeper.sh/operation", "webhook"


class Rotation:
    """Which pods, by uid, were endpoints that are ready, and when that changed; a reader (see `following`)."""

    def __init__(self) -> None:
        self.nodes: dict[str, str] = {}
        self._slices: dict[str, frozenset[str]] = {}
        self._moments: list[float] = []
        self._ready: list[frozenset[str]] = []
        self._webhooks: dict[str, tuple[float, float]] = {}

    def at(self, moment: float) -> frozenset[str] | None:
        """Return the uids of those in rotation at a moment; None if nothing was told of it until then."""
        before = bisect_right(self._moments, moment)
        return self._ready[before - 1] if before else None

    def between(self, begin: float, end: float) -> list[frozenset[str]]:
        """Return all that was so from one moment to another, each as the uids of those in rotation."""
        first = self.at(begin)
        later = self._ready[bisect_right(self._moments, begin) : bisect_right(self._moments, end)]
        return [*([] if first is None else [first]), *later]

    def webhooks(self, moment: float) -> list[str]:
        """Return the uids of the webhook pods that were there, and not about to go, at a moment."""
        return [uid for uid, (seen, leaving) in self._webhooks.items() if seen <= moment < leaving]

    def takes(self, process: str) -> Take | None:
        """Return what takes the entries of a process."""
        return {WATCH_SLICES: self._take_slice, WATCH_PODS: self._take_pod}.get(process)

    def close(self, end: float) -> None:
        """Take notice of the end."""

    def _take_slice(self, entry: Entry) -> None:
        item = (entry.value or {}).get("object")
        if not item:
            return
        ready = set()
        for endpoint in (item.get("endpoints") or ()) if entry.f != DELETED else ():
            uid = (endpoint.get("targetRef") or {}).get("uid")
            if uid and (endpoint.get("conditions") or {}).get("ready") is not False:  # null is "unknown", and served
                ready.add(uid)
                self.nodes.setdefault(uid, endpoint.get("nodeName") or "")
        self._slices[item["metadata"]["name"]] = frozenset(ready)
        now = frozenset().union(*self._slices.values())
        if now != (self._ready[-1] if self._ready else None):
            self._moments.append(entry.at)
            self._ready.append(now)

    def _take_pod(self, entry: Entry) -> None:
        item = (entry.value or {}).get("object")
        if not item:
            return
        metadata = item["metadata"]
        uid = metadata["uid"]
        self.nodes[uid] = (item.get("spec") or {}).get("nodeName") or self.nodes.get(uid, "")
        if (metadata.get("labels") or {}).get(_OPERATION) == _WEBHOOK:
            seen, leaving = self._webhooks.get(uid, (entry.at, float("inf")))
            gone = entry.f == DELETED or "deletionTimestamp" in metadata
            self._webhooks[uid] = seen, min(leaving, entry.at) if gone else leaving
