"""Node loss: which nodes were harmed in a history, and which pods replaced those on them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf

from chaos_harness.harness.history.faults import Faults, FaultSpan
from chaos_harness.harness.history.following import Reader, Take
from chaos_harness.harness.history.objects import is_ready
from chaos_harness.harness.history.recorded import Entry
from chaos_harness.harness.history.vocabulary import (
    DELETED,
    EXPERIMENT,
    HARM,
    IN_FORCE,
    JUDGE,
    POLICIES,
    REMOVE,
    REMOVED,
    WATCH_NODES,
)
from chaos_harness.harness.history.workload import ListedAt, Workload, WorkloadPod
from chaos_harness.harness.policies import mutate_pods, mutate_templates

__all__ = ["PHASES", "NodeLoss", "NodeLosses", "Replacement"]

PHASES = ("detected", "tainted", "evicted", "admitted", "scheduled", "pull", "started", "ready")
"""The phases of a replacement, in their normal order."""

_REMOVING = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable", "node.kubernetes.io/unschedulable")
_MUTATING = frozenset({mutate_pods().name, mutate_templates().name})


@dataclass
class NodeLoss:
    """Harm done to a node: when (seconds), how, and by which fault; None if that is not recorded.

    `detected` is when the API server reported the node as lost, `tainted` when it reported it as closed to pods.
    """

    at: float
    how: str
    node: str
    fault: FaultSpan | None = None
    detected: float | None = None
    tainted: float | None = None

    @property
    def proved(self) -> bool:
        """Whether the fault that did it was proved to have taken effect."""
        return self.fault is not None and self.fault.proved is not None


@dataclass(frozen=True)
class Replacement:
    """A pod that was lost with its node, and the `chain` of pods that replaced it, one after the other, if any.

    `sure`: it was on the node at the moment of the harm; otherwise it may have been, because the watch did not see that
    moment. `again` is the loss of another node, or another loss of the same one, with which the last of `chain`, or the
    pod itself, was lost: later replacements belong to that loss.
    """

    loss: NodeLoss
    lost: WorkloadPod
    chain: tuple[WorkloadPod, ...]
    pull: float | None
    sure: bool = True
    again: NodeLoss | None = None

    @property
    def by(self) -> WorkloadPod | None:
        """The first replacement; None if there is none."""
        return self.chain[0] if self.chain else None

    def phases(self) -> dict[str, float]:
        """Return the phases that were seen, in seconds since the harm; Ready is when the first of the chain was so."""
        by = self.by
        moments = {
            "detected": self.loss.detected,
            "tainted": self.loss.tainted,
            "evicted": self.lost.leaving,
            "admitted": by.seen if by else None,
            "scheduled": by.scheduled if by else None,
            "pull": self.pull,
            "started": by.started if by else None,
            "ready": min((pod.ready for pod in self.chain if pod.ready is not None), default=None),
        }
        return {name: round(at - self.loss.at, 3) for name, at in moments.items() if at is not None}

    def __str__(self) -> str:
        """Return it in words."""
        phases = self.phases()
        words = ", ".join(f"{name} {phases[name]:.1f} s" if name in phases else f"{name} never" for name in PHASES)
        came = [f"{pod.name} on {pod.node or 'no node'}, {'' if pod.mutated else 'NOT '}mutated" for pod in self.chain]
        after = " → ".join(came) or "no replacement"
        return f"{self.lost.namespace}/{self.lost.name} on {self.loss.node} → {after}: {words}"


class NodeLosses(Reader):
    """The harmed nodes of a history; a reader (see `following`) that comes behind its `faults`.

    `over` is when an experiment entered its last phase, which removes the workload, if the history does not record up
    to when it is to be judged. It is infinite if it does, or if it records no phases.
    """

    def __init__(self, faults: Faults) -> None:
        self.all: list[NodeLoss] = []
        self.over = inf
        self._faults = faults
        self._forces: list[tuple[float, str, bool]] = []
        self._judged = False

    def in_force(self, begin: float, end: float) -> bool:
        """Whether all mutating policies that were in force before `begin` stayed in force until `end`."""
        states = {policy: force for at, policy, force in self._forces if at <= begin or (at <= end and not force)}
        return bool(states) and all(states.values())

    def replacements(
        self,
        workload: Workload,
        losses: Sequence[NodeLoss],
        *,
        namespace: str = "",
        kinds: tuple[str, ...] = (),
        earliest: ListedAt = lambda at: at,
        listed: ListedAt = lambda at: at,
    ) -> list[Replacement]:
        """Return the replacement of each pod that was, or may have been, on one of these nodes when it was harmed.

        Only pods of controllers of these `kinds` (none: all but DaemonSets) and in this `namespace` ("": any).
        `earliest` and `listed` return the earliest moments of changes that were not seen as they happened, or after
        which something may be missing (see `Workload.successors`).
        """
        after = workload.successors(listed)
        lost = []
        for loss in losses:
            chosen = (pod for pod in workload.pods.values() if _is_of(pod, namespace, kinds))
            there = [pod for pod in chosen if _on(pod, loss, earliest)]
            for pod in sorted(there, key=lambda pod: inf if pod.leaving is None else pod.leaving):
                sure = _on(pod, loss) and (pod.leaving is None or earliest(pod.leaving) > loss.at)
                chain, again = _chain(pod, after, loss, losses)
                pull = workload.pulls.get(chain[0].uid) if chain else None
                lost.append(Replacement(loss, pod, chain, pull, sure, again))
        return lost

    def takes(self, process: str) -> Take | None:
        """Return the function that takes the entries of a process, or None."""
        takes: Mapping[str, Take] = {
            EXPERIMENT: self._take_mark,
            HARM: self._take_harm,
            POLICIES: self._take_policies,
            WATCH_NODES: self._take_node,
        }
        return takes.get(process)

    def _take_mark(self, entry: Entry) -> None:
        self._judged = self._judged or entry.f == JUDGE
        self.over = inf if self._judged else entry.at

    def _take_harm(self, entry: Entry) -> None:
        value = entry.value or {}
        if "node" in value and "pod" not in value:
            last = self._faults.all[-1] if self._faults.all else None
            begun = last is not None and last.proved is None and last.healing is None
            self.all.append(NodeLoss(entry.at, entry.f, value["node"], last if begun else None))

    def _take_policies(self, entry: Entry) -> None:
        if entry.f in (IN_FORCE, REMOVE, REMOVED):
            policies = _MUTATING.intersection((entry.value or {}).get("policies") or ())
            self._forces += [(entry.at, policy, entry.f == IN_FORCE) for policy in policies]

    def _take_node(self, entry: Entry) -> None:
        node = (entry.value or {}).get("object") or {}
        name = node.get("metadata", {}).get("name")
        loss = next((loss for loss in reversed(self.all) if loss.node == name), None)
        if loss is None:
            return
        ready = is_ready(node) and entry.f != DELETED
        tainted = any(taint["key"] in _REMOVING for taint in (node.get("spec") or {}).get("taints") or ())
        if loss.detected is None and not ready:
            loss.detected = entry.at
        if loss.tainted is None and (tainted or entry.f == DELETED):
            loss.tainted = entry.at


def _is_of(pod: WorkloadPod, namespace: str, kinds: tuple[str, ...]) -> bool:
    chosen = pod.kind in kinds if kinds else pod.kind not in ("", "DaemonSet")
    return chosen and namespace in ("", pod.namespace)


def _on(pod: WorkloadPod, loss: NodeLoss, earliest: ListedAt = lambda at: at) -> bool:
    """Whether a pod was, or by the earliest moments may have been, on a node when it was harmed."""
    if pod.node != loss.node or pod.scheduled is None or earliest(pod.scheduled) > loss.at:
        return False
    return pod.leaving is None or pod.leaving > loss.at


def _chain(
    pod: WorkloadPod, after: Mapping[str, WorkloadPod], loss: NodeLoss, losses: Sequence[NodeLoss]
) -> tuple[tuple[WorkloadPod, ...], NodeLoss | None]:
    """Return the replacements of a pod, one after the other, up to one that was lost with a node, and that loss."""

    def lost_with(pod: WorkloadPod) -> Iterator[NodeLoss]:
        return (other for other in losses if other.at > loss.at and _on(pod, other))

    chain: list[WorkloadPod] = []
    last = pod
    while (again := next(lost_with(last), None)) is None and last.uid in after:
        last = after[last.uid]
        chain.append(last)
    return tuple(chain), again
