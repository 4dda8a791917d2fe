"""Plane: worlds of a control plane: leases that are renewed or not, containers that run or crash, nodes."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from math import inf
from typing import Any

from chaos_harness.harness.history.vocabulary import HARM, WATCH_LEASES, WATCH_NODES, WATCH_SYSTEM_PODS
from tests.worlds.claimed import Drawn, Truth, staged
from tests.worlds.dice import Dice, Stretch
from tests.worlds.faulty import TrueFault, written
from tests.worlds.stage import Stage

__all__ = ["LEADERS", "Lease", "Plane", "control_plane_unharmed", "drawn_plane"]

LEADERS = ("kube-controller-manager", "kube-scheduler")
_EVERY = {"leader": 2.5, "node": 10.0}
_LEADER_GIVES_UP, _NODE_GIVES_UP = 10.0, 40.0
_SLACK = 0.5
_MOST, _PAUSE_SLACK = 60.0, 3.0

Object = dict[str, Any]


@dataclass
class Lease:
    """A lease: when nobody renews it, and when another holder takes it."""

    name: str
    node: bool
    silent: list[Stretch] = field(default_factory=list)
    moved: list[float] = field(default_factory=list)

    @property
    def every(self) -> float:
        """How often it is renewed, in seconds."""
        return _EVERY["node" if self.node else "leader"]

    def is_silent(self, at: float) -> bool:
        """Whether nobody renews it at a moment."""
        return any(begin <= at < end for begin, end in self.silent)

    def renewals(self, end: float) -> list[float]:
        """Return when it is truly renewed."""
        phase = 0.7 + len(self.name) % 5 / 3
        count = int((end + 20) / self.every) + 1
        moments = [phase - 20 + number * self.every for number in range(count)]
        moments += [stop for _, stop in self.silent if stop < end]
        return sorted(at for at in moments if at < end and not self.is_silent(at))


@dataclass
class Plane:
    """A world of a control plane; `write` lets the watches see it."""

    stage: Stage
    leases: list[Lease]
    nodes: list[str]

    def write(self) -> None:
        """Write leases, nodes and pods that are as they were."""
        stage = self.stage
        for process in (WATCH_LEASES, WATCH_NODES, WATCH_SYSTEM_PODS):
            stage.watch(process)
        for lease in self.leases:
            for at in lease.renewals(stage.end):
                stage.put(WATCH_LEASES, at, lease.name, self._lease(lease, at))

    def _lease(self, lease: Lease, at: float) -> Object:
        namespace = "kube-node-lease" if lease.node else "kube-system"
        moment = (
            datetime.fromtimestamp(self.stage.wall(at), UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        )
        term = 1 + sum(moved <= at for moved in lease.moved)
        holder = lease.name if lease.node else f"control-plane_{term}"
        spec: Object = {"holderIdentity": holder, "renewTime": moment, "leaseDurationSeconds": 40 if lease.node else 15}
        if not lease.node:
            spec["leaseTransitions"] = term
        return {"metadata": {"name": lease.name, "namespace": namespace, "uid": f"uid-{lease.name}"}, "spec": spec}

    def pod(
        self, at: float, name: str, container: str, *, restarts: int = 0, node: str = "control-plane", uid: str = ""
    ) -> None:
        """Let a pod of kube-system run a container from a moment on ("!x": container x is dead and waits)."""
        dead = container.startswith("!")
        state = {"waiting": {"reason": "CrashLoopBackOff"}} if dead else {"running": {}}
        status = {
            "name": _container(name),
            "containerID": f"containerd://{container.lstrip('!')}",
            "restartCount": restarts,
            "ready": not dead,
            "state": state,
        }
        pod = {
            "metadata": {"name": name, "namespace": "kube-system", "uid": uid or f"uid-{name}"},
            "spec": {"nodeName": node},
            "status": {"containerStatuses": [status], "conditions": [{"type": "Ready", "status": str(not dead)}]},
        }
        self.stage.put(WATCH_SYSTEM_PODS, at, name, pod)

    def node(self, at: float, name: str, *, ready: bool) -> None:
        """Let a node be Ready or not from a moment on."""
        changed = datetime.fromtimestamp(self.stage.wall(max(at, -900)), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        condition = {"type": "Ready", "status": "True" if ready else "Unknown", "lastTransitionTime": changed}
        node = {"metadata": {"name": name, "uid": f"uid-{name}"}, "spec": {}, "status": {"conditions": [condition]}}
        self.stage.put(WATCH_NODES, at, name, node)


def drawn_plane(dice: Dice, low: float = 90, high: float = 180) -> Plane:
    stage = staged(dice, dice.between(low, high))
    stage.judged()
    nodes = ["control-plane", "worker1", "worker2"][: dice.randint(2, 3)]
    leases = [Lease(name, node=False) for name in LEADERS] + [Lease(name, node=True) for name in nodes]
    return Plane(stage, leases, nodes)


def control_plane_unharmed(dice: Dice) -> Drawn:
    """Draw a claim that nothing of the control plane was harmed."""
    plane = drawn_plane(dice)
    stage = plane.stage
    pods = {f"{name}-control-plane": f"{name[:6]}0" for name in ("etcd", "kube-apiserver", *LEADERS)}
    pods["coredns-x7"] = "core0"
    for name, container in pods.items():
        plane.pod(-500.0, name, container, restarts=1)
    for node in plane.nodes:
        plane.node(-900.0, node, ready=True)
    spare = dice.pick((), (), ("kube-scheduler",))
    place, since = _lose(dice, plane) if dice.chance(0.25) else ("", inf)
    if spare and not place:
        written(stage, [TrueFault("fault 1", "restart API server", 4.0, 5.0, 7.0, 7.5, one_shot=True)])
    spared = dict.fromkeys((*spare, place), since if place else 0.0)
    moments = sorted(dice.between(8, stage.judge - 40) for _ in range(dice.pick(0, 0, 1, 1, 2)))
    places = {}
    if place and dice.chance(0.5):
        shortly_before = since - dice.between(0.5, 14)
        places[WATCH_LEASES] = [(shortly_before, since)]
        moments = sorted([shortly_before, *moments[:1]])
    truths = [_harm(dice, plane, pods, spared, at) for at in moments]
    truths += [_paused(lease, stage.judge, spared.get(lease.name, inf)) for lease in plane.leases]
    truths += [_lost(lease, since) for lease in plane.leases if lease.name == place]
    plane.write()
    needs = {WATCH_LEASES, WATCH_NODES, WATCH_SYSTEM_PODS}
    order: tuple[Truth, ...] = ("violated", "borderline", "inconclusive", "holds")
    truth = next(truth for truth in order if truth in (*truths, "holds"))
    return Drawn(stage, {"spare": list(spare)}, truth, needs, (0.0, stage.judge), places=places)


def _lose(dice: Dice, plane: Plane) -> tuple[str, float]:
    """Lose a worker by a fault, with what runs there: that is no harm; return its name, and since when."""
    stage, node = plane.stage, "worker1"
    at = dice.between(15, 30) if dice.chance(0.7) else dice.between(50, 60)
    healing = at + dice.between(10, 25)
    written(stage, [TrueFault("fault 1", "kill node", at, at + 2, healing, healing + 1)])
    stage.mark(at + 0.3, "info", HARM, "killed node", {"node": node})
    name = "kube-proxy-w1"
    plane.pod(-500.0, name, "proxy0", restarts=0, node=node)
    plane.pod(healing + 2, name, "proxy1", restarts=1, node=node)
    plane.node(at + 8, node, ready=False)
    plane.node(healing + 3, node, ready=True)
    next(lease for lease in plane.leases if lease.name == node).silent.append((at, healing + 2))
    stage.say(f"{node} is lost at {at:.1f} s and back at {healing + 2:.1f} s")
    return node, at


def _harm(dice: Dice, plane: Plane, pods: dict[str, str], spared: dict[str, float], at: float) -> Truth:
    """Harm something; return what is true of it if names are spared from moments on."""
    stage = plane.stage
    way = _way(dice, spared, at)
    if way == "idle":
        _idle(dice, plane, spared, at)
        return "holds"  # whole pauses are judged when all silences are drawn: see `_paused`
    name = dice.choice(sorted(pods))
    whose = _container(name)
    late: Lease | None = None
    if way in ("moved", "dead"):
        leaders = [lease for lease in plane.leases[:2] if not lease.is_silent(at)]  # one of both at least
        lease = dice.choice([*leaders, *[leader for leader in leaders if leader.name in spared] * 3])
        whose = lease.name
        lease.silent.append((at, at + dice.between(16, 20) if way == "moved" else inf))
        if way == "dead":
            plane.pod(at, f"{whose}-control-plane", f"!{whose[:6]}0", restarts=1)
            pods.pop(f"{whose}-control-plane", None)
        else:
            lease.moved.append(at + 15)
            late = lease
    elif way in ("node", "late node"):
        whose = dice.choice([*plane.nodes, *[name for name in plane.nodes if name in spared] * 3])
        silent = _NODE_GIVES_UP if way == "late node" else 0.0
        plane.node(at + silent, whose, ready=False)
        plane.node(at + silent + dice.between(5, 20), whose, ready=True)
        if way == "late node":
            lease = next(lease for lease in plane.leases if lease.name == whose)
            lease.silent.append((at, at + silent + 1))
            late = lease
    elif way == "node removed":
        whose = plane.nodes[-1]
        stage.put(WATCH_NODES, at, whose, None)
        plane.leases[-1].silent.append((at, inf))
    elif way in ("restart", "crash loop"):
        container, restarts = (f"{whose[:6]}{int(at)}", 2) if way == "restart" else (f"!{whose[:6]}0", 1)
        plane.pod(at, name, container, restarts=restarts)
    else:
        stage.put(WATCH_SYSTEM_PODS, at, name, None)
        if way == "renamed":
            plane.pod(at + 2, f"{whose}-y9", f"{whose[:6]}9", uid=f"uid-{name}-2")
        pods.pop(name, None)
    stage.say(f"{way}: {whose} at {at:.1f} s")
    if at > spared.get(whose, inf):
        return "holds"
    return _older(late, late.renewals(at)[-1], spared.get(whose, inf)) if late else "violated"


def _idle(dice: Dice, plane: Plane, spared: dict[str, float], at: float) -> None:
    """Let a lease be renewed by nobody for some time, while nothing else changes."""
    renewed = [lease for lease in plane.leases if not lease.is_silent(at)]
    lease = dice.choice([*renewed, *[lease for lease in renewed if at < spared.get(lease.name, 0.0)] * 3])
    length = dice.pick(dice.between(20, 50), dice.between(64, 80))
    lease.silent.append((at, at + length))
    plane.stage.say(f"{lease.name} is not renewed for {length:.1f} s from {at:.1f} s on")


def _paused(lease: Lease, judge: float, since: float) -> Truth:
    """Return whether too long a time lies between two renewals, or between the last one and the end.

    If it is spared `since` some moment, a pause that begins before counts if its holder had given up by then.
    """
    truths: list[Truth] = ["holds"]
    for before, after in pairwise([*lease.renewals(judge), judge]):
        if after - before > _MOST - _PAUSE_SLACK and before < since:
            certain = after - before > _MOST + _PAUSE_SLACK
            truth = _older(lease, before, since) if since < after else "violated"
            truths.append(truth if certain else "borderline")
    order: tuple[Truth, ...] = ("violated", "borderline", "inconclusive", "holds")
    return min(truths, key=order.index)


def _lost(lease: Lease, since: float) -> Truth:
    """Return whether the loss of a node by a fault is older than the fault."""
    last = lease.renewals(since)[-1]
    return "holds" if since - last < 1.5 * lease.every - _SLACK else _older(lease, last, since)


def _way(dice: Dice, spared: dict[str, float], at: float) -> str:
    """Return how something is harmed; shortly before a fault often by a loss whose age decides."""
    late = ("moved", "late node")
    ways = (*late, "restart", "crash loop", "node", "deleted", "renamed", "node removed", "dead", "idle")
    return dice.pick(*ways, *late * 4) if _is_spared_later(spared, at) else dice.pick(*ways)


def _is_spared_later(spared: dict[str, float], at: float) -> bool:
    return any(at < since < at + _NODE_GIVES_UP for since in spared.values())


def _older(lease: Lease, last: float, since: float) -> Truth:
    """Return whether a loss that comes some time after the last renewal is older than the fault that spares it.

    It is if the holder had given up before; that a renewal was missing says that it may be.
    """
    silence, gives_up = since - last, _NODE_GIVES_UP if lease.node else _LEADER_GIVES_UP
    if silence > gives_up + _SLACK:
        return "violated"
    return "inconclusive" if 1.5 * lease.every + _SLACK < silence < gives_up - _SLACK else "borderline"


def _container(pod: str) -> str:
    """Return what the container of a pod of kube-system is called, and what a claim spares it by."""
    return pod.removesuffix("-control-plane").removesuffix("-x7").removesuffix("-y9")
