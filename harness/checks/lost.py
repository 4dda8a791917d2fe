"""Lost: what a recorded history says of a node that was lost, and of the pods that replaced those on it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from harness.history import Entry, Recorded
from harness.policies import CANARIES, mutated

__all__ = ["PHASES", "Life", "Losses", "NodeLoss", "Replacement"]

PHASES = ("detected", "tainted", "evicted", "admitted", "scheduled", "pull", "started", "ready")
"""The phases of a replacement, in the order in which they come about when all goes well."""

_CHAOS, _FAULT = "chaos-", "fault "
_REMOVING = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable", "node.kubernetes.io/unschedulable")


@dataclass
class NodeLoss:
    """Harm done to a node: when and how, and when the API server told that it is lost, or closed to pods."""

    at: float
    how: str
    node: str
    fault: str = ""
    proved: float | None = None
    detected: float | None = None
    tainted: float | None = None


@dataclass
class Life:
    """What was seen of a pod of a workload, as moments of the history (None: never); `mutated` as it was first seen."""

    uid: str
    namespace: str
    name: str
    owner: str
    kind: str
    seen: float
    mutated: bool
    listed: bool
    node: str = ""
    scheduled: float | None = None
    started: float | None = None
    ready: float | None = None
    leaving: float | None = None
    gone: float | None = None


@dataclass(frozen=True)
class Replacement:
    """A pod that was lost with its node and the one that came in its place, if any did; the phases are moments."""

    loss: NodeLoss
    lost: Life
    by: Life | None
    pull: float | None

    def phases(self) -> dict[str, float]:
        """Return the phases that were seen, in seconds since the harm."""
        by = self.by
        moments = {
            "detected": self.loss.detected,
            "tainted": self.loss.tainted,
            "evicted": self.lost.leaving,
            "admitted": by.seen if by else None,
            "scheduled": by.scheduled if by else None,
            "pull": self.pull,
            "started": by.started if by else None,
            "ready": by.ready if by else None,
        }
        return {name: round(at - self.loss.at, 3) for name, at in moments.items() if at is not None}

    def __str__(self) -> str:
        """Return it in words."""
        phases = self.phases()
        told = ", ".join(f"{name} {phases[name]:.1f} s" if name in phases else f"{name} never" for name in PHASES)
        how = "no replacement" if self.by is None else f"{self.by.name} on {self.by.node or 'no node'}"
        sign = "" if self.by is None else f", {'mutated' if self.by.mutated else 'NOT mutated'}"
        return f"{self.lost.namespace}/{self.lost.name} on {self.loss.node} → {how}{sign}: {told}"


@dataclass
class Losses:
    """A history, read once for lost nodes and workloads; the canary's own pods are left out."""

    recorded: Recorded
    losses: list[NodeLoss] = field(default_factory=list)
    pods: dict[str, Life] = field(default_factory=dict)
    pulls: dict[str, float] = field(default_factory=dict)
    blind: list[tuple[float, float | None]] = field(default_factory=list)
    """From when to when the workload was not watched."""
    watched: bool = False
    end: float = 0.0
    _injected: str = ""

    def __post_init__(self) -> None:
        """Read."""
        takes: dict[str, Callable[[Entry], None]] = {
            "harm": self._take_harm,
            "watch nodes": self._take_node,
            "watch workload": self._take_pod,
            "watch workload events": self._take_event,
        }
        for entry in self.recorded.entries:
            self.end = entry.at
            take = self._take_fault if entry.process.startswith(_FAULT) else takes.get(entry.process)
            if take:
                take(entry)

    def replacements(self, how: str, *, namespace: str = "", kinds: tuple[str, ...] = ()) -> list[Replacement]:
        """Return who replaced each pod that was on a node when it was harmed in the way `how`.

        Only pods of controllers of these `kinds` (none: all but DaemonSets) and in this `namespace` ("": any).
        """
        found = []
        for loss in (each for each in self.losses if each.how == how):
            taken: set[str] = set()
            lost = [each for each in self.pods.values() if self._lost(each, loss, namespace, kinds)]
            for life in sorted(lost, key=lambda each: each.leaving or self.end):
                by = next(iter(self._successors(life, loss, taken)), None)
                taken.add(by.uid if by else "")
                found.append(Replacement(loss, life, by, self.pulls.get(by.uid) if by else None))
        return found

    def _lost(self, life: Life, loss: NodeLoss, namespace: str, kinds: tuple[str, ...]) -> bool:
        chosen = life.kind in kinds if kinds else life.kind != "DaemonSet"
        there = life.node == loss.node and life.seen <= loss.at and (life.leaving is None or life.leaving > loss.at)
        return chosen and there and namespace in ("", life.namespace)

    def _successors(self, life: Life, loss: NodeLoss, taken: set[str]) -> Iterator[Life]:
        for each in sorted(self.pods.values(), key=lambda each: each.seen):
            named = life.kind != "StatefulSet" or each.name == life.name
            if each.owner == life.owner and each.seen > loss.at and each.uid not in taken and named:
                yield each

    def _take_fault(self, entry: Entry) -> None:
        if entry.f == "inject":
            self._injected = entry.process
        elif entry.f == "observed":
            for loss in self.losses:
                if loss.fault == entry.process and loss.proved is None:
                    loss.proved = entry.at

    def _take_harm(self, entry: Entry) -> None:
        if "pod" not in entry.value:
            self.losses.append(NodeLoss(entry.at, entry.f, entry.value["node"], self._injected))

    def _take_node(self, entry: Entry) -> None:
        if "object" not in entry.value:
            return
        found = entry.value["object"]
        gone = entry.f == "DELETED"
        conditions = found.get("status", {}).get("conditions") or ()
        ready = any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
        tainted = any(each["key"] in _REMOVING for each in found["spec"].get("taints") or ())
        for loss in self.losses:
            if loss.node == found["metadata"]["name"]:
                loss.detected = entry.at if loss.detected is None and (gone or not ready) else loss.detected
                loss.tainted = entry.at if loss.tainted is None and (gone or tainted) else loss.tainted

    def _take_pod(self, entry: Entry) -> None:
        if entry.f == "GAP":
            self.blind.append((entry.at, None))
        if "object" not in entry.value:
            if entry.f == "LISTED":
                self.watched = True
                self.blind = [(begin, entry.at if end is None else end) for begin, end in self.blind]
            return
        found = entry.value["object"]
        metadata = found["metadata"]
        if not metadata["namespace"].startswith(_CHAOS) or metadata["namespace"] == CANARIES:
            return
        life = self.pods.get(metadata["uid"])
        if life is None:
            life = self.pods[metadata["uid"]] = _born(entry, found)
        life.node = found["spec"].get("nodeName", life.node)
        status = found.get("status", {})
        ready = any(each["type"] == "Ready" and each["status"] == "True" for each in status.get("conditions") or ())
        running = any("running" in each["state"] for each in status.get("containerStatuses") or ())
        reached = {
            "scheduled": bool(life.node),
            "started": running,
            "ready": ready,
            "leaving": "deletionTimestamp" in metadata or entry.f == "DELETED",
            "gone": entry.f == "DELETED",
        }
        for name, now in reached.items():
            if now and getattr(life, name) is None:
                setattr(life, name, entry.at)

    def _take_event(self, entry: Entry) -> None:
        found: dict[str, Any] = entry.value.get("object", {})
        if found.get("reason") in ("Pulling", "Pulled"):
            self.pulls.setdefault(found.get("involvedObject", {}).get("uid", ""), entry.at)


def _born(entry: Entry, found: dict[str, Any]) -> Life:
    metadata = found["metadata"]
    owner: dict[str, Any] = next((each for each in metadata.get("ownerReferences") or () if each.get("controller")), {})
    return Life(
        uid=metadata["uid"],
        namespace=metadata["namespace"],
        name=metadata["name"],
        owner=owner.get("uid", ""),
        kind=owner.get("kind", ""),
        seen=entry.at,
        mutated=mutated(found),
        listed=entry.f == "LISTED",
    )
