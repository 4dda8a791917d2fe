"""Losses by hand: histories of a node that is lost with pods of workloads on it."""

from dataclasses import replace
from typing import Any, Self

from chaos_harness.harness.history import History
from chaos_harness.harness.history.vocabulary import (
    BOOKMARK,
    GAP,
    HARM,
    IN_FORCE,
    LISTED,
    POLICIES,
    WATCH_NODES,
    WATCH_PODS,
    WATCH_SLICES,
    WATCH_WORKLOAD,
    WATCH_WORKLOAD_EVENTS,
)
from chaos_harness.harness.policies import LEVEL, mutate_pods
from tests.fakes.histories import HistoryBuilder

__all__ = ["HOW", "NODE", "OTHER", "ToldLoss"]

NODE, OTHER, HOW = "worker2", "worker", "killed node"


class ToldLoss(HistoryBuilder):
    """A history in which the workload, and who is in rotation, is watched from the begin, and a policy is in force."""

    def __init__(self) -> None:
        super().__init__()
        for process in (WATCH_WORKLOAD, WATCH_SLICES, WATCH_PODS):
            self.add(0.5, "change", process, LISTED, {"resource_version": "1"})
        self.add(0.5, "ok", POLICIES, IN_FORCE, {"policies": [mutate_pods().name], "proof": "seen"})

    def seen(self, end: float, *, ended: bool = True) -> History:
        """Return the history as it is written today, in which each watch has its last sign of life at `end`."""
        for process in (WATCH_WORKLOAD, WATCH_SLICES, WATCH_PODS):
            self.add(end, "change", process, BOOKMARK, {"resource_version": "99"})
        recorded = self.recorded()
        return replace(recorded, header=replace(recorded.header, schema=2), ended=ended)

    def lose(
        self,
        at: float,
        *,
        proved: bool = True,
        healed: float | None = None,
        node: str = NODE,
        how: str = HOW,
        name: str = "kill node",
        process: str = "fault 1",
    ) -> Self:
        """Add that the node is lost; the fault begins a second before and is proved 15 s later."""
        self.fault(at - 1, at + 15 if proved else None, healed, name=name, process=process)
        return self.add(at, "info", HARM, how, {"node": node})

    def node(self, at: float, ready: str, *taints: str, f: str = "MODIFIED") -> Self:
        """Add what the API server told of the node."""
        node = {
            "metadata": {"name": NODE},
            "spec": {"taints": [{"key": f"node.kubernetes.io/{key}"} for key in taints]},
            "status": {"conditions": [{"type": "Ready", "status": ready}]},
        }
        return self.add(at, "change", WATCH_NODES, f, {"object": node})

    def workload(
        self,
        at: float,
        name: str,
        *,
        node: str = "",
        ready: bool = False,
        mutated: bool = True,
        leaving: bool = False,
        uid: str = "",
        kind: str = "ReplicaSet",
        namespace: str = "chaos-pods",
        revision: str = "",
        f: str = "MODIFIED",
    ) -> Self:
        """Add what the watch saw of a workload's pod; its owner is one for each kind, namespace and `revision`."""
        owner = {"uid": f"{kind} {namespace} {revision}", "kind": kind, "controller": True, "name": f"app-{revision}"}
        metadata: dict[str, Any] = {
            "name": name,
            "namespace": namespace,
            "uid": uid or f"uid-{name}",
            "ownerReferences": [owner],
        }
        if revision:
            metadata["labels"] = {"pod-template-hash": revision}
        if leaving:
            metadata["deletionTimestamp"] = "2026-11-24T00:00:00Z"
        spec: dict[str, Any] = {"nodeName": node} if node else {}
        if mutated:
            spec["securityContext"] = {"seLinuxOptions": {"level": LEVEL}}
        status = {
            "conditions": [{"type": "Ready", "status": str(ready)}],
            "containerStatuses": [{"state": {"running": {}} if ready else {"waiting": {}}}],
        }
        return self.add(
            at, "change", WATCH_WORKLOAD, f, {"object": {"metadata": metadata, "spec": spec, "status": status}}
        )

    def pulled(self, at: float, name: str) -> Self:
        """Add that the kubelet told that the image is there."""
        event = {"involvedObject": {"uid": f"uid-{name}"}, "reason": "Pulled"}
        return self.add(at, "change", WATCH_WORKLOAD_EVENTS, "ADDED", {"object": event})

    def gap(self, at: float, until: float | None, *, process: str = WATCH_WORKLOAD, end: str = LISTED) -> Self:
        """Add that the workload, or what another watch is on, was not watched."""
        self.add(at, "change", process, GAP, {"resource_version": "", "why": "refused", "detail": ""})
        return self if until is None else self.add(until, "change", process, end, {"resource_version": "9"})
