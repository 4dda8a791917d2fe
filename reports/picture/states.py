"""States: the states of pods, nodes and leases over time, as the watches of a history saw them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from chaos_harness.harness.history.objects import condition, is_ready, is_terminating

__all__ = ["Lifeline", "Sort", "lease_state", "node_state", "pod_state"]

LifeState = Literal["ready", "running", "starting", "waiting", "leaving", "gone", "unready", "held", "unheld"]
"""The states that a reader must distinguish at a glance; the reason is written beside each."""

Sort = Literal["webhook", "gatekeeper", "workload", "node", "lease"]

_MOST_STRETCHES = 200
_NO_REASON = ("ContainerCreating", "PodInitializing", "Completed")


@dataclass
class Stretch:
    """A state from `at` until the next stretch."""

    at: float
    state: LifeState
    why: str = ""


@dataclass
class Lifeline:
    """One object from the first to the last time that it was seen; `left_out` short stretches were too many."""

    name: str
    sort: Sort
    where: str = ""
    stretches: list[Stretch] = field(default_factory=list)
    left_out: int = 0

    def see(self, at: float, state: LifeState, why: str = "") -> bool:
        """Record the object's state; return whether it has changed."""
        if self.stretches and (self.stretches[-1].state, self.stretches[-1].why) == (state, why):
            return False
        self.stretches.append(Stretch(at, state, why))
        if len(self.stretches) > _MOST_STRETCHES:
            self._thin()
        return True

    def _thin(self) -> None:
        """Leave out the shorter half of the past stretches, so that an object without rest stays readable and small."""
        *past, last = self.stretches
        lengths = [later.at - stretch.at for stretch, later in zip(past, self.stretches[1:], strict=True)]
        limit = sorted(lengths)[len(lengths) // 2]
        kept = [stretch for stretch, lasts in zip(past, lengths, strict=True) if lasts > limit][: _MOST_STRETCHES // 2]
        self.left_out += len(past) - len(kept)
        self.stretches = [*kept, last]


def pod_state(pod: Mapping[str, Any]) -> tuple[LifeState, str]:
    """Return a pod's state and its reason, by its status."""
    status = pod.get("status") or {}
    if is_terminating(pod):
        return "leaving", "is being deleted"
    if status.get("phase") in ("Failed", "Succeeded"):
        return "gone", str(status.get("reason") or status["phase"])
    if is_ready(pod):
        return "ready", ""
    return _unready_state(pod, status)


def _unready_state(pod: Mapping[str, Any], status: Mapping[str, Any]) -> tuple[LifeState, str]:
    containers = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    states = [container.get("state") or {} for container in containers]
    waiting = next((state["waiting"].get("reason", "") for state in states if "waiting" in state), "")
    ended = next((state["terminated"].get("reason", "Terminated") for state in states if "terminated" in state), "")
    reason = next((candidate for candidate in (waiting, ended) if candidate and candidate not in _NO_REASON), "")
    if reason:
        return "waiting", reason
    if any("running" in state for state in states):
        return "running", "runs, is not Ready"
    return "starting", waiting or ("Scheduled" if pod.get("spec", {}).get("nodeName") else "not scheduled")


def node_state(node: Mapping[str, Any]) -> tuple[LifeState, str]:
    """Return a node's state and its reason, by conditions and taints; a status without a live writer is stale."""
    ready = condition(node, "Ready") or "Unknown"
    if ready != "True":
        return "unready", f"Ready is {ready}"
    return ("leaving", "cordoned") if (node.get("spec") or {}).get("unschedulable") else ("ready", "")


def lease_state(lease: Mapping[str, Any]) -> tuple[LifeState, str]:
    """Return the holder of a lease as its state."""
    holder = str((lease.get("spec") or {}).get("holderIdentity") or "")
    return ("held", holder) if holder else ("unheld", "nobody")
