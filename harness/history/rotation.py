"""Rotation: which webhook pods were endpoints of Gatekeeper's Service, by its EndpointSlices, and on which nodes."""

from bisect import bisect_right
from math import inf

from chaos_harness.harness.history.following import Reader, Take
from chaos_harness.harness.history.objects import endpoints, is_terminating, labels, name_of, node_of, uid_of
from chaos_harness.harness.history.recorded import Entry
from chaos_harness.harness.history.spans import Spans
from chaos_harness.harness.history.vocabulary import DELETED, WATCH_PODS, WATCH_SLICES

__all__ = ["Rotation"]

_OPERATION, _WEBHOOK = "gatekeeper.sh/operation", "webhook"


class Rotation(Reader):
    """Which webhook pods were in rotation; a reader (see `following`).

    `changes` has, for each change, its moment and the uids of all pods in rotation from then on; `nodes` is the node of
    each pod, by uid.
    """

    def __init__(self) -> None:
        self.changes: list[tuple[float, frozenset[str]]] = []
        self.nodes: dict[str, str] = {}
        self._slices: dict[str, frozenset[str]] = {}
        self._webhooks: dict[str, tuple[float, float]] = {}

    @property
    def moments(self) -> list[float]:
        """When it changed."""
        return [at for at, _ in self.changes]

    def when(self, uid: str) -> Spans:
        """Return when a pod was in rotation, as reported."""
        ends = [at for at, _ in self.changes[1:]] + [inf]
        return Spans.of((at, end) for (at, uids), end in zip(self.changes, ends, strict=False) if uid in uids)

    def at(self, moment: float) -> frozenset[str] | None:
        """Return the uids of the pods in rotation at a moment; None if nothing was reported until then."""
        before = bisect_right(self.moments, moment)
        return self.changes[before - 1][1] if before else None

    def between(self, begin: float, end: float) -> list[frozenset[str]]:
        """Return all sets of uids that were in rotation at some time between two moments."""
        first = self.at(begin)
        later = [uids for at, uids in self.changes if begin < at <= end]
        return [*([] if first is None else [first]), *later]

    def webhooks(self, moment: float) -> list[str]:
        """Return the uids of the webhook pods that existed at a moment and were not terminating."""
        return [uid for uid, (seen, leaving) in self._webhooks.items() if seen <= moment < leaving]

    def never_serves(self, uid: str) -> bool:
        """Whether this is a pod of Gatekeeper that the Service can never route to."""
        return uid in self.nodes and uid not in self._webhooks and not any(uid in uids for _, uids in self.changes)

    def takes(self, process: str) -> Take | None:
        """Return the function that takes the entries of a process, or None."""
        return {WATCH_SLICES: self._take_slice, WATCH_PODS: self._take_pod}.get(process)

    def _take_slice(self, entry: Entry) -> None:
        thing = (entry.value or {}).get("object")
        if thing is None:
            return
        self._slices[name_of(thing)] = frozenset(() if entry.f == DELETED else endpoints(thing))
        for endpoint in thing.get("endpoints") or ():
            self.nodes.setdefault(uid_of({"metadata": endpoint.get("targetRef")}), endpoint.get("nodeName") or "")
        uids = frozenset[str]().union(*self._slices.values())
        if not self.changes or self.changes[-1][1] != uids:
            self.changes.append((entry.at, uids))

    def _take_pod(self, entry: Entry) -> None:
        pod = (entry.value or {}).get("object")
        if pod is None:
            return
        uid = uid_of(pod)
        self.nodes[uid] = node_of(pod) or self.nodes.get(uid, "")
        if labels(pod).get(_OPERATION) == _WEBHOOK:
            seen, leaving = self._webhooks.get(uid, (entry.at, inf))
            gone = entry.f == DELETED or is_terminating(pod)
            self._webhooks[uid] = seen, min(leaving, entry.at) if gone else leaving
