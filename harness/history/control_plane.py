"""Control plane: leaders and their leases, containers and pods of kube-system, nodes, and what faults ended."""

from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Any, Literal

from chaos_harness.harness.history.coverage import Coverage
from chaos_harness.harness.history.faults import Faults
from chaos_harness.harness.history.following import Reader, Take
from chaos_harness.harness.history.recorded import Entry
from chaos_harness.harness.history.spans import Span, Spans
from chaos_harness.harness.history.vocabulary import (
    ADDED,
    DELETED,
    GAP,
    HARM,
    LISTED,
    RESUMED,
    WATCH_LEASES,
    WATCH_NODES,
    WATCH_SYSTEM_PODS,
)

__all__ = ["LEADERS", "STREAMS", "ControlPlane", "ControlPlanePart", "PlaneChange"]

LEADERS = ("kube-controller-manager", "kube-scheduler")
"""The leaders, whose leases show that they lead; nodes have leases, too."""

STREAMS = (WATCH_LEASES, WATCH_SYSTEM_PODS, WATCH_NODES)
"""The streams by which a control plane is judged."""

_OF_NODES = "kube-node-lease"
_MIRROR = "kubernetes.io/config.mirror"
_RECOVERS_SECONDS = 60.0
"""For how many seconds after its healing a fault still owns what it harmed, even if another fault has begun."""

_RUNNING: Mapping[str, Any] = {"running": {}}
_GONE = "gone"

Object = Mapping[str, Any]


@dataclass(frozen=True)
class ControlPlanePart:
    """A leader's or a node's `lease`, a `container`, a `pod` or a `node`, by name, and where it is.

    `node` is the one that it is on; for a leader's lease, that of the holder. `pod` is the pod whose status reports it,
    `container` the id of the container that ran.
    """

    kind: Literal["lease", "container", "pod", "node"]
    name: str
    node: str
    pod: str = ""
    container: str = ""


@dataclass(frozen=True)
class PlaneChange:
    """A change of something that should have stayed as it was; `at` is when it was reported, in seconds.

    `since` is when a lease was last seen to be renewed, or when a node that is Ready again stopped being so; else `at`.
    `gone`: it was deleted.
    """

    part: ControlPlanePart
    at: float
    words: str
    since: float
    gone: bool


@dataclass
class Down:
    """A pod or a node that was reported as not Ready, from `since` to `until` (None: to the end), in seconds.

    Its duration is 0 if both lie in a gap of the watch.
    """

    part: ControlPlanePart
    since: float
    until: float | None = None


@dataclass
class Lease:
    """The moments at which renewals of a lease were seen; `new`: its creation was seen, so none was late before.

    `holder` is the leader with its number of transitions; "" for a node. Times written in a lease are compared only
    with each other: they are by another clock, which may be set.
    """

    part: ControlPlanePart
    new: bool
    seen: "array[float]" = field(default_factory=lambda: array("d"))
    renewed: str = ""
    holder: str = ""


@dataclass
class _Pod:
    """The last report of a pod: its containers (id, in words, whether it was counted as ended), its readiness."""

    containers: dict[str, tuple[str, str, bool]] = field(default_factory=dict)
    down: Down | None = None
    since: str | None = None


@dataclass(frozen=True)
class _Harm:
    at: float
    node: str
    pod: str
    containers: frozenset[str]

    def hits(self, part: ControlPlanePart) -> bool:
        """Whether it harmed a part: a container is compared by its id, anything else by its pod or node."""
        if not self.pod:
            return self.node == part.node
        if part.kind == "container":
            return part.container in self.containers
        return self.pod == part.pod


class ControlPlane(Reader):
    """What the watches saw of the control plane; a reader (see `following`).

    `began` is when each watch started, `listed` the moments of its complete lists; a watch in `late` had none at its
    start. A gap that ends with a new list hides no change: leases and containers count their changes, conditions date
    them, an object that is created again has another uid, and the list reports each object that differs.
    """

    def __init__(self) -> None:
        self.began: dict[str, float] = {}
        self.late: set[str] = set()
        self.listed: dict[str, set[float]] = {}
        self.leases: dict[str, Lease] = {}
        self.changes: list[PlaneChange] = []
        self.downs: list[Down] = []
        self.containers: set[str] = set()
        self.nodes: set[str] = set()
        self._harms: list[_Harm] = []
        self._pods: dict[str, _Pod] = {}
        self._nodes: dict[str, tuple[str, Down | None]] = {}

    def takes(self, process: str) -> Take | None:
        """Return the function that takes the entries of a process, or None."""
        take = {WATCH_LEASES: self._take_lease, WATCH_SYSTEM_PODS: self._take_pod, WATCH_NODES: self._take_node}
        if process == HARM:
            return self._take_harm
        if process not in take:
            return None

        def watched(entry: Entry) -> None:
            if process not in self.began:
                self.began[process], self.listed[process] = entry.at, set()
                if entry.f == GAP:
                    self.late.add(process)
            watched_object = (entry.value or {}).get("object")
            if watched_object is None and entry.f in (LISTED, RESUMED):
                self.listed[process].add(entry.at)
            elif watched_object and (watched_object.get("metadata") or {}).get("name"):
                take[process](entry, watched_object)

        return watched

    def spared(self, part: ControlPlanePart, faults: Faults) -> tuple[Spans, Spans]:
        """Return when changes of a part are caused by a fault itself, and when by a fault that was not proved.

        They are if a fault harmed the part's node, its pod, or exactly this container, until that fault's time is over
        (see `Faults.window`) and the harmed part had time to recover. A harmed container ran until the harm, so its end
        is caused by it, however late it was reported.
        """
        sure: list[Span] = []
        unsure: list[Span] = []
        for harm in (harm for harm in self._harms if harm.hits(part)):
            fault = next((fault for fault in reversed(faults.all) if fault.injected <= harm.at), None)
            begin = 0.0 if part.container in harm.containers else harm.at
            if fault is None:
                sure.append((begin, inf))
                continue
            recovered = inf if fault.healed is None else fault.healed + _RECOVERS_SECONDS
            over = max(faults.window(fault)[1], recovered)
            (unsure if fault.proved is None else sure).append((begin, over))
        return Spans.of(sure), Spans.of(unsure)

    def missing(self, stream: str, coverage: Coverage) -> Spans:
        """Return when a change in one of the streams may have happened that was never reported."""
        began, listed = self.began.get(stream, 0.0), self.listed.get(stream, set())
        begin = self.begin(stream, coverage)
        gaps = coverage.unknown([stream], begin, inf)
        late = stream in self.late or begin < began
        listed_anew = [(a, b) for a, b in gaps if b in listed and not (late and a <= began)]
        return (gaps - Spans.of(listed_anew)) | coverage.lost.within(begin, coverage.until)

    def begin(self, stream: str, coverage: Coverage) -> float:
        """Return since when a stream is judged: from the start of its watch, if that line is not missing."""
        return min([self.began.get(stream, 0.0), *(begin for begin, _ in coverage.lost)])

    def _take_harm(self, entry: Entry) -> None:
        value = entry.value or {}
        node, pod = value.get("node", ""), value.get("pod", "")
        if node or pod:
            self._harms.append(_Harm(entry.at, node, pod, frozenset(value.get("containers") or ())))

    def _take_lease(self, entry: Entry, lease_object: Object) -> None:
        name, spec = lease_object["metadata"]["name"], lease_object.get("spec") or {}
        of_node = lease_object["metadata"].get("namespace") == _OF_NODES
        if not of_node and name not in LEADERS:
            return
        fresh = entry.f == ADDED and not entry.value.get("in_gap")
        lease = self.leases.setdefault(name, Lease(ControlPlanePart("lease", name, name if of_node else ""), fresh))
        if not of_node:
            holder = f"{spec.get('holderIdentity') or 'nobody'} (transition {spec.get('leaseTransitions', 0)})"
            now, since = _GONE if entry.f == DELETED else holder, lease.seen[-1] if lease.seen else entry.at
            self._changed(lease.part, entry, "the lease", name, lease.holder, now, since)
            lease.holder = holder
            if host := (spec.get("holderIdentity") or "").rpartition("_")[0]:
                lease.part = ControlPlanePart("lease", name, host, f"{name}-{host}")
        if entry.f != DELETED and spec.get("renewTime") and spec["renewTime"] != lease.renewed:
            lease.renewed = spec["renewTime"]
            lease.seen.append(entry.at)

    def _take_pod(self, entry: Entry, pod_object: Object) -> None:
        name, status = pod_object["metadata"]["name"], pod_object.get("status") or {}
        part = ControlPlanePart("pod", name, (pod_object.get("spec") or {}).get("nodeName", ""), name)
        pod = self._pods.setdefault(name, _Pod())
        if entry.f == DELETED:
            if _MIRROR in (pod_object["metadata"].get("annotations") or {}):  # the pod behind it may run on
                pod.down = self._ready(part, entry, pod.down, ready=False)
                return
            self._changed(part, entry, "pod", name, "there" if pod.containers else "", _GONE)
            self._ready(part, entry, pod.down, ready=True)
            del self._pods[name]
        elif status.get("phase") != "Succeeded":
            statuses = status.get("containerStatuses") or ()
            for one in statuses:
                self._take_container(part, entry, pod, one)
            condition = _condition(status)
            ready = condition.get("status") == "True" if condition else not any(map(_dead, statuses))
            since = condition.get("lastTransitionTime", "")
            if entry.value.get("in_gap") and ready and pod.down is None and pod.since not in (None, since):
                self.downs.append(Down(part, entry.at, entry.at))
            pod.down, pod.since = self._ready(part, entry, pod.down, ready=ready), since

    def _take_container(self, pod: ControlPlanePart, entry: Entry, known: _Pod, status: Object) -> None:
        """Take a container's status from its pod; while it waits for a restart, its id is that of the ended one."""
        identity, name = (status.get("containerID") or "").rpartition("/")[2], str(status.get("name"))
        if not identity:
            return
        words = f"{identity[:12]} (restart {status.get('restartCount', 0)})"
        before, words_before, ended = known.containers.get(name, (identity, "", False))
        part = ControlPlanePart("container", name, pod.node, pod.name, before)
        dies = bool(words_before) and not ended and before == identity and _dead(status)
        if not ended:
            after = f"{identity[:12]} ended" if dies else words
            self._changed(part, entry, "container", f"{name} of {pod.name}", words_before, after)
        known.containers[name] = identity, words, dies or (ended and before == identity)
        self.containers.add(f"{name} of {pod.name}")

    def _take_node(self, entry: Entry, node_object: Object) -> None:
        name, condition = node_object["metadata"]["name"], _condition(node_object.get("status") or {})
        part = ControlPlanePart("node", name, name)
        words_before, down = self._nodes.get(name, ("", None))
        if entry.f == DELETED:
            self._changed(part, entry, "node", name, words_before, _GONE)
            self._ready(part, entry, down, ready=True)
            self._nodes.pop(name, None)
        elif condition:
            words = f"Ready={condition.get('status')} since {condition.get('lastTransitionTime', 'ever')}"
            self._changed(part, entry, "node", name, words_before, words, down.since if down else entry.at)
            self._nodes[name] = words, self._ready(part, entry, down, ready=condition.get("status") == "True")
            self.nodes.add(name)

    def _changed(
        self, part: ControlPlanePart, entry: Entry, what: str, name: str, before: str, after: str, since: float = inf
    ) -> None:
        if before and before != after:
            words, begin = f"{what} {name}: {before}, then {after}", min(since, entry.at)
            self.changes.append(PlaneChange(part, entry.at, words, begin, after == _GONE))

    def _ready(self, part: ControlPlanePart, entry: Entry, down: Down | None, *, ready: bool) -> Down | None:
        """Return the time in which a part is not Ready, if it still is not."""
        if ready and down is not None:
            down.until = entry.at
        elif not ready and down is None:
            down = Down(part, entry.at)
            self.downs.append(down)
        return None if ready else down


def _condition(status: Object) -> Object:
    """Return the condition Ready, or an empty one."""
    return next((one for one in status.get("conditions") or () if one.get("type") == "Ready"), {})


def _dead(status: Object) -> bool:
    return "running" not in (status.get("state") or _RUNNING)
