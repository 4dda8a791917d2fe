"""Control plane by hand: what watches and probes would have written of it, at chosen moments."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Self

from chaos_harness.harness.history import EntryKind, Header, History
from chaos_harness.harness.history.vocabulary import (
    API_SERVER,
    BOOKMARK,
    END,
    EXPERIMENT,
    GAP,
    HISTORY,
    LISTED,
    MODIFIED,
    WATCH_LEASES,
    WATCH_NODES,
    WATCH_SYSTEM_PODS,
    WRITE_LEASE,
)
from tests.fakes.histories import STARTED, HistoryBuilder

__all__ = ["PlaneHistory", "plane"]

_SIGNS_APART = 5
_MANAGER, _SCHEDULER = "kube-controller-manager", "kube-scheduler"


class PlaneHistory(HistoryBuilder):
    """A history of a small control plane, whose watches listed all at its begin."""

    def __init__(self) -> None:
        super().__init__()
        self._hidden: dict[str, list[tuple[float, float]]] = {}
        for process in (WATCH_LEASES, WATCH_SYSTEM_PODS, WATCH_NODES):
            self.add(0, "change", process, LISTED, {"resource_version": "1"})

    def today(self, until: float, *, ended: bool = True) -> History:
        """Return it as one that is written today: with signs of life but in gaps, judged and ended at a moment."""
        signs = PlaneHistory.__new__(PlaneHistory)
        signs._entries = list(self._entries)
        for process in (WATCH_LEASES, WATCH_SYSTEM_PODS, WATCH_NODES):
            for at in range(_SIGNS_APART, int(until) + 2 * _SIGNS_APART, _SIGNS_APART):
                if not any(begin <= at <= end for begin, end in self._hidden.get(process, ())):
                    signs.add(at, "change", process, BOOKMARK, {"resource_version": "2"})
        # What came in a gap stands in front of the line that says that it is over.
        signs._entries.sort(key=lambda one: (one[0], "in_gap" not in (one[4] or {})))
        if ended:
            signs.add(until, "mark", EXPERIMENT, "judge").add(until + 20, "mark", HISTORY, END)
        return replace(signs.recorded(), header=Header(2, "test", STARTED, "0"), ended=ended)

    def blind(self, begin: float, end: float, *processes: str, how: str = LISTED) -> Self:
        """Let watches see nothing between two moments; what is told at its end, with `gap=True`, came in it."""
        for process in processes:
            self._hidden.setdefault(process, []).append((begin, end))
            kept = [one for one in self._entries if one[2] != process or not begin < one[0] < end]
            self._entries = [one for one in kept if one[2] != process or one[0] != end or one[4].get("in_gap")]
            self.add(begin, "change", process, BOOKMARK, {"resource_version": "2"})
            self.add(begin, "change", process, GAP, {"why": "refused", "detail": ""})
            self.add(end, "change", process, how, {"resource_version": "3"})
        return self

    def lease(
        self,
        at: float,
        name: str,
        *,
        holder: str = "me",
        transitions: int = 0,
        renewed: float = -1,
        f: str = MODIFIED,
        gap: bool = False,
    ) -> Self:
        """Add a renewal, by default at the moment when it is seen; who neither leads nor schedules is a node."""
        moment = datetime.fromtimestamp(STARTED + (at if renewed < 0 else renewed), UTC)
        namespace = "kube-system" if name.startswith("kube-") else "kube-node-lease"
        spec = {"holderIdentity": holder, "leaseTransitions": transitions, "renewTime": moment.isoformat()}
        lease = {"metadata": {"name": name, "namespace": namespace}, "spec": spec}
        return self._change(at, WATCH_LEASES, lease, f=f, gap=gap)

    def container(
        self,
        at: float,
        name: str,
        identity: str,
        restarts: int = 0,
        *,
        node: str = "w",
        pod: str = "",
        state: str = "",
        ready: bool | None = None,
        since: str = "",
        mirror: bool = False,
        f: str = MODIFIED,
        gap: bool = False,
    ) -> Self:
        """Add what a pod of kube-system, by default "<name>-<node>", says of its container."""
        status: dict[str, Any] = {"name": name, "restartCount": restarts}
        status |= {"containerID": identity and f"containerd://{identity}"} | ({"state": {state: {}}} if state else {})
        pod_status: dict[str, Any] = {"containerStatuses": [status]}
        if ready is not None:
            pod_status["conditions"] = [{"type": "Ready", "status": str(ready), "lastTransitionTime": since}]
        metadata: dict[str, Any] = {"name": pod or f"{name}-{node}", "uid": f"uid-{pod or name}"}
        if mirror:
            metadata["annotations"] = {"kubernetes.io/config.mirror": "hash"}
        system_pod = {"metadata": metadata, "spec": {"nodeName": node}, "status": pod_status}
        return self._change(at, WATCH_SYSTEM_PODS, system_pod, f=f, gap=gap)

    def node(
        self,
        at: float,
        *,
        ready: bool = True,
        since: str = "before",
        name: str = "worker",
        f: str = MODIFIED,
        gap: bool = False,
    ) -> Self:
        """Add what a node says."""
        condition = {"type": "Ready", "status": str(ready), "lastTransitionTime": since}
        node = {"metadata": {"name": name}, "status": {"conditions": [condition]}}
        return self._change(at, WATCH_NODES, node, f=f, gap=gap)

    def asks(self, begin: float, end: float, kind: EntryKind = "ok", *, every: float = 0.5, **value: Any) -> Self:
        """Add requests to create a Lease, from one moment to another, and what came of each a hundredth later."""
        for number in range(int((end - begin) / every + 0.5)):
            at = begin + number * every
            self.add(at, "invoke", API_SERVER, WRITE_LEASE).add(at + 0.01, kind, API_SERVER, WRITE_LEASE, value)
        return self

    def _change(self, at: float, process: str, object_: Any, *, f: str, gap: bool) -> Self:
        value = {"resource_version": "1", "object": object_} | ({"in_gap": True} if gap else {})
        return self.add(at, "change", process, f, value)


def plane(until: float, *, silent: dict[str, tuple[float, float]] | None = None) -> PlaneHistory:
    """Return a history of two nodes, w and worker; who is `silent` renews nothing between two moments."""
    history = PlaneHistory().node(0, name="w").node(0)
    for name in ("kube-apiserver", "etcd", _MANAGER, _SCHEDULER):
        history.container(0, name, f"{name}-1", state="running", ready=True, mirror=True)
    history.container(0, "coredns", "c1", pod="coredns-a", node="worker", state="running", ready=True)
    history.container(0, "kindnet-cni", "k1", pod="kindnet-a", node="worker", state="running", ready=True)
    for name, every in ((_MANAGER, 2), (_SCHEDULER, 2), ("w", 10), ("worker", 10)):
        begin, end = (silent or {}).get(name, (0.0, 0.0))
        for at in range(0, int(until) + 1, every):
            if not begin <= at < end:
                history.lease(at, name, holder="w_uuid" if name.startswith("kube-") else name)
    return history
