"""Losses by hand: histories of a node that is lost with pods of workloads on it."""

from typing import Any, Self

from harness.policies import LEVEL
from tests.fakes.histories import Told

__all__ = ["HOW", "NODE", "OTHER", "ToldLoss"]

NODE, OTHER, HOW = "worker2", "worker", "killed node"


class ToldLoss(Told):
    """A history in which the workload is watched from the begin."""

    def __init__(self) -> None:
        super().__init__()
        self.add(0.5, "change", "watch workload", "LISTED", {"resource_version": "1"})

    def lose(self, at: float, *, proved: bool = True) -> Self:
        """Add that the node is killed; the fault begins a second before and is proved 15 s later."""
        self.fault(at - 1, at + 15 if proved else None, None, name="kill node")
        return self.add(at, "info", "harm", HOW, {"node": NODE})

    def node(self, at: float, ready: str, *taints: str, f: str = "MODIFIED") -> Self:
        """Add what the API server told of the node."""
        found = {
            "metadata": {"name": NODE},
            "spec": {"taints": [{"key": f"node.kubernetes.io/{key}"} for key in taints]},
            "status": {"conditions": [{"type": "Ready", "status": ready}]},
        }
        return self.add(at, "change", "watch nodes", f, {"object": found})

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
        f: str = "MODIFIED",
    ) -> Self:
        """Add what the watch saw of a workload's pod; its owner is one for each kind and namespace."""
        owner = {"uid": f"{kind} {namespace}", "kind": kind, "controller": True}
        metadata = {"name": name, "namespace": namespace, "uid": uid or f"uid-{name}", "ownerReferences": [owner]}
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
            at, "change", "watch workload", f, {"object": {"metadata": metadata, "spec": spec, "status": status}}
        )

    def pulled(self, at: float, name: str) -> Self:
        """Add that the kubelet told that the image is there."""
        found = {"involvedObject": {"uid": f"uid-{name}"}, "reason": "Pulled"}
        return self.add(at, "change", "watch workload events", "ADDED", {"object": found})

    def gap(self, at: float, until: float | None) -> Self:
        """Add that the workload was not watched."""
        self.add(at, "change", "watch workload", "GAP", {"resource_version": "", "why": "refused", "detail": ""})
        return (
            self if until is None else self.add(until, "change", "watch workload", "LISTED", {"resource_version": "9"})
        )
