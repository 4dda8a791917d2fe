"""Workload: the pods of an experiment's own controllers in a history, and which pod replaced which."""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Any

from chaos_harness.harness.history.following import Reader, Take
from chaos_harness.harness.history.objects import is_ready, is_terminating, running
from chaos_harness.harness.history.pod_mutations import PodMutations
from chaos_harness.harness.history.recorded import Entry
from chaos_harness.harness.history.vocabulary import DELETED, POLICIES, WATCH_WORKLOAD, WATCH_WORKLOAD_EVENTS
from chaos_harness.harness.policies import CANARIES

__all__ = ["ListedAt", "Workload", "WorkloadPod"]

_CHAOS = "chaos-"
_OVER = ("Failed", "Succeeded")
_HASH = "pod-template-hash"

ListedAt = Callable[[float], float]
"""Returns the earliest moment at which a change may have happened that was reported at the given one (seconds)."""


@dataclass
class WorkloadPod:
    """A pod of a workload; moments are seconds of the history (None: never).

    `mutated` is its state in the first report, with what all policies demand that change pods; `bared` is when it was
    first reported without that.
    `owner` is its controller's uid, `family` is the same for all ReplicaSets of one Deployment. `ready` is when it was
    first Ready, `turns` are all moments at which it became Ready or stopped being Ready. From `leaving` on its
    controller no longer counts it: it is deleted, or has ended. `came` and `went` are the numbers of the entries that
    first reported it, and that it leaves: after a gap many have the same moment, and these give their order.
    """

    uid: str
    namespace: str
    name: str
    owner: str
    family: str
    kind: str
    seen: float
    mutated: bool
    node: str = ""
    scheduled: float | None = None
    started: float | None = None
    ready: float | None = None
    leaving: float | None = None
    bared: float | None = None
    turns: list[tuple[float, bool]] = field(default_factory=list)
    came: int = 0
    went: int = 0

    def is_ready(self, moment: float, since: float = -inf) -> bool:
        """Whether it existed and was Ready at a moment, by the last report until then and after `since`."""
        if self.leaving is not None and self.leaving <= moment:
            return False
        return next((ready for at, ready in reversed(self.turns) if since < at <= moment), False)

    @property
    def place(self) -> tuple[str, str]:
        """What its replacement has in common with it: a StatefulSet keeps names, a DaemonSet keeps nodes."""
        return self.owner, {"StatefulSet": self.name, "DaemonSet": self.node}.get(self.kind, "")


class Workload(Reader):
    """The pods of the namespaces chaos-*, except those of the canary, by uid; a reader (see `following`).

    `pulls` is when the kubelet first reported that it pulls an image for a pod, by uid.
    """

    def __init__(self) -> None:
        self.pods: dict[str, WorkloadPod] = {}
        self.pulls: dict[str, float] = {}
        self.doubtful: set[str] = set()
        self._names: dict[tuple[str, str], WorkloadPod] = {}
        self._number = 0
        self._mutations = PodMutations()

    def successors(self, listed: ListedAt) -> Mapping[str, WorkloadPod]:
        """Return which pod replaced which one, by the uid of the one that left.

        A controller creates a pod after one has left, and fills the oldest vacancy first; only in the rollout of a
        Deployment may a pod of the next ReplicaSet come before. `listed` returns the earliest moment of a change that a
        list after a gap reported, in any order; if that leaves open which pod was replaced, the new one is in
        `doubtful`.
        """
        owned = [pod for pod in self.pods.values() if pod.owner]
        left = [(max(pod.seen, listed(pod.leaving)), pod) for pod in owned if pod.leaving is not None]
        # A pod that leaves makes room for one that the same entry reports, but not for itself.
        events = [
            *((pod.seen, pod.came, 1, pod) for pod in owned),
            *((at, pod.went, 2 * (pod.went == pod.came), pod) for at, pod in left),
        ]
        vacant: dict[tuple[str, str], deque[WorkloadPod]] = {}
        after: dict[str, WorkloadPod] = {}
        extra: list[WorkloadPod] = []
        for _, _, order, pod in sorted(events, key=lambda event: event[:3]):
            waiting = vacant.setdefault(pod.place, deque())
            if order != 1:
                waiting.append(pod)
            elif waiting:
                if len(waiting) > 1 and any(listed(one.leaving or 0) != one.leaving for one in waiting):
                    self.doubtful.add(pod.uid)
                after[waiting.popleft().uid] = pod
            else:
                extra.append(pod)
        for _, pod in sorted((one for one in left if one[1].uid not in after), key=lambda one: one[0]):
            rolled = (
                new for new in extra if new.family == pod.family and new.owner != pod.owner and new.seen > pod.seen
            )
            new = next(rolled, None)
            if new is not None:
                after[pod.uid] = new
                extra.remove(new)
        return after

    def takes(self, process: str) -> Take | None:
        """Return the function that takes the entries of a process, or None."""
        takes: Mapping[str, Take] = {
            WATCH_WORKLOAD: self._take_pod,
            WATCH_WORKLOAD_EVENTS: self._take_event,
            POLICIES: self._mutations.take,
        }
        return takes.get(process)

    def _take_pod(self, entry: Entry) -> None:
        item = (entry.value or {}).get("object")
        if not item:
            return
        metadata, status = item["metadata"], item.get("status") or {}
        if not metadata["namespace"].startswith(_CHAOS) or metadata["namespace"] == CANARIES:
            return
        self._number += 1
        pod = self.pods.get(metadata["uid"]) or self._born(entry, item)
        pod.node = (item.get("spec") or {}).get("nodeName") or pod.node
        ready = is_ready(item) and entry.f != DELETED
        reached = {
            "scheduled": bool(pod.node),
            "started": bool(running(item)),
            "ready": ready,
            "leaving": is_terminating(item) or entry.f == DELETED or status.get("phase") in _OVER,
            "bared": pod.mutated and not self._mutations.all_in(item),
        }
        for name, now in reached.items():
            if now and getattr(pod, name) is None:
                setattr(pod, name, entry.at)
                pod.went = self._number if name == "leaving" else pod.went
        if not pod.turns or pod.turns[-1][1] != ready:
            pod.turns.append((entry.at, ready))

    def _born(self, entry: Entry, item: Mapping[str, Any]) -> WorkloadPod:
        pod = self.pods[item["metadata"]["uid"]] = _pod(entry.at, item, mutated=self._mutations.all_in(item))
        pod.came = self._number
        before = self._names.get((pod.namespace, pod.name))
        if before and before.leaving is None:  # two of one name cannot be there at once
            before.leaving, before.went = entry.at, self._number
        self._names[pod.namespace, pod.name] = pod
        return pod

    def _take_event(self, entry: Entry) -> None:
        event: dict[str, Any] = (entry.value or {}).get("object") or {}
        if event.get("reason") in ("Pulling", "Pulled"):
            self.pulls.setdefault(event.get("involvedObject", {}).get("uid", ""), entry.at)


def _pod(at: float, item: Mapping[str, Any], *, mutated: bool) -> WorkloadPod:
    metadata = item["metadata"]
    owner: dict[str, Any] = next((one for one in metadata.get("ownerReferences") or () if one.get("controller")), {})
    uid, name, kind = owner.get("uid", ""), owner.get("name", ""), owner.get("kind", "")
    revision = f"-{(metadata.get('labels') or {}).get(_HASH)}"
    return WorkloadPod(
        uid=metadata["uid"],
        namespace=metadata["namespace"],
        name=metadata["name"],
        owner=uid,
        family=f"{metadata['namespace']}/{name.removesuffix(revision)}" if name.endswith(revision) else uid,
        kind=kind,
        seen=at,
        mutated=mutated,
    )
