"""Plane: worlds of a control plane: leases that are renewed or not, containers that run or crash, nodes, denials."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import inf
from typing import Any

from harness.history.vocabulary import API_SERVER, HARM, READ, WATCH_LEASES, WATCH_NODES, WATCH_SYSTEM_PODS, WRITE_LEASE
from tests.worlds.claimed import Drawn, Truth, staged
from tests.worlds.dice import Dice, Stretch, clipped, total, without
from tests.worlds.faulty import TrueFault, written
from tests.worlds.stage import Answer, Asking, Stage

__all__ = ["control_plane_unharmed", "leases_admitted", "leases_renewed", "leases_renewed_again"]

_LEADERS = ("kube-controller-manager", "kube-scheduler")
_EVERY = {"leader": 2.5, "node": 10.0}
_SLACK = 3.0

_DENIALS = (
    "ValidatingAdmissionPolicy 'gatekeeper-x' with binding 'y' denied request",
    'admission webhook "validation.gatekeeper.sh" denied the request',
)

Object = dict[str, Any]


@dataclass
class _Lease:
    """A lease: when nobody renews it, and when another holder takes it."""

    name: str
    node: bool
    silent: list[Stretch] = field(default_factory=list)
    moved: float = inf

    @property
    def every(self) -> float:
        """How often it is renewed, in seconds."""
        return _EVERY["node" if self.node else "leader"]

    def renewals(self, end: float) -> list[float]:
        """Return when it is truly renewed."""
        phase = 0.7 + len(self.name) % 5 / 3
        count = int((end + 20) / self.every) + 1
        moments = [phase - 20 + number * self.every for number in range(count)]
        moments += [stop for _, stop in self.silent if stop < end]
        return sorted(at for at in moments if at < end and not any(one <= at < other for one, other in self.silent))


@dataclass
class _Plane:
    """A world of a control plane; `write` lets the watches see it."""

    stage: Stage
    leases: list[_Lease]
    nodes: list[str]

    def write(self) -> None:
        """Write leases, nodes and pods that are as they were."""
        stage = self.stage
        for process in (WATCH_LEASES, WATCH_NODES, WATCH_SYSTEM_PODS):
            stage.watch(process)
        for lease in self.leases:
            for at in lease.renewals(stage.end):
                stage.put(WATCH_LEASES, at, lease.name, self._lease(lease, at))

    def _lease(self, lease: _Lease, at: float) -> Object:
        namespace = "kube-node-lease" if lease.node else "kube-system"
        moment = (
            datetime.fromtimestamp(self.stage.wall(at), UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        )
        moved = at >= lease.moved
        holder = lease.name if lease.node else f"control-plane_{'2' if moved else '1'}"
        spec: Object = {"holderIdentity": holder, "renewTime": moment, "leaseDurationSeconds": 40 if lease.node else 15}
        if not lease.node:
            spec["leaseTransitions"] = 2 if moved else 1
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
        found = {
            "metadata": {"name": name, "namespace": "kube-system", "uid": uid or f"uid-{name}"},
            "spec": {"nodeName": node},
            "status": {"containerStatuses": [status], "conditions": [{"type": "Ready", "status": str(not dead)}]},
        }
        self.stage.put(WATCH_SYSTEM_PODS, at, name, found)

    def node(self, at: float, name: str, *, ready: bool) -> None:
        """Let a node be Ready or not from a moment on."""
        changed = datetime.fromtimestamp(self.stage.wall(max(at, -900)), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        condition = {"type": "Ready", "status": "True" if ready else "Unknown", "lastTransitionTime": changed}
        found = {"metadata": {"name": name, "uid": f"uid-{name}"}, "spec": {}, "status": {"conditions": [condition]}}
        self.stage.put(WATCH_NODES, at, name, found)


def _plane(dice: Dice, low: float = 90, high: float = 180) -> _Plane:
    stage = staged(dice, dice.between(low, high))
    stage.judged()
    nodes = ["control-plane", "worker1", "worker2"][: dice.randint(2, 3)]
    leases = [_Lease(name, node=False) for name in _LEADERS] + [_Lease(name, node=True) for name in nodes]
    return _Plane(stage, leases, nodes)


def control_plane_unharmed(dice: Dice) -> Drawn:
    """Draw a claim that nothing of the control plane was harmed."""
    plane = _plane(dice)
    stage = plane.stage
    pods = {f"{name}-control-plane": f"{name[:6]}0" for name in ("etcd", "kube-apiserver", *_LEADERS)}
    pods["coredns-x7"] = "core0"
    for name, container in pods.items():
        plane.pod(-500.0, name, container, restarts=1)
    for node in plane.nodes:
        plane.node(-900.0, node, ready=True)
    spare = dice.pick((), (), ("kube-scheduler",))
    place, since = _lose(dice, plane) if dice.chance(0.25) else ("", inf)
    if spare and not place:
        written(stage, [TrueFault("fault 1", "restart API server", 4.0, 5.0, 7.0, 7.5, one_shot=True)])
    harmed = False
    for at in sorted(dice.between(8, stage.judge - 40) for _ in range(dice.pick(0, 0, 1, 1, 2))):
        harmed = _harm(dice, plane, pods, (*spare, place) if at > since else spare, at) or harmed
    plane.write()
    needs = {WATCH_LEASES, WATCH_NODES, WATCH_SYSTEM_PODS}
    truth: Truth = "violated" if harmed else "holds"
    return Drawn(stage, {"spare": list(spare)}, truth, needs, (0.0, stage.judge), "")


def _lose(dice: Dice, plane: _Plane) -> tuple[str, float]:
    """Lose a worker by a fault, with what runs there: that is no harm; return its name, and since when."""
    stage, node = plane.stage, "worker1"
    at = dice.between(15, 30)
    healing = at + dice.between(10, 25)
    written(stage, [TrueFault("fault 1", "kill node", at, at + 2, healing, healing + 1)])
    stage.mark(at + 0.3, "info", HARM, "killed node", {"node": node})
    name = "kube-proxy-w1"
    plane.pod(-500.0, name, "proxy0", restarts=0, node=node)
    plane.pod(healing + 2, name, "proxy1", restarts=1, node=node)
    plane.node(at + 8, node, ready=False)
    plane.node(healing + 3, node, ready=True)
    next(each for each in plane.leases if each.name == node).silent.append((at, healing + 2))
    stage.say(f"{node} is lost at {at:.1f} s and back at {healing + 2:.1f} s")
    return node, at


def _harm(dice: Dice, plane: _Plane, pods: dict[str, str], spare: tuple[str, ...], at: float) -> bool:
    """Harm something; return whether that counts."""
    stage = plane.stage
    way = dice.pick("restart", "crash loop", "moved", "node", "deleted", "renamed", "node removed", "dead")
    name = dice.choice(sorted(pods))
    whose = _container(name)
    if way in ("moved", "dead"):
        lease = dice.choice(plane.leases[:2])
        whose = lease.name
        lease.silent.append((at, at + dice.between(16, 20) if way == "moved" else inf))
        lease.moved = at + 15 if way == "moved" else inf
        if way == "dead":
            plane.pod(at, f"{whose}-control-plane", f"!{whose[:6]}0", restarts=1)
            pods.pop(f"{whose}-control-plane", None)
    elif way == "node":
        whose = dice.choice(plane.nodes)
        plane.node(at, whose, ready=False)
        plane.node(at + dice.between(5, 20), whose, ready=True)
    elif way == "node removed":
        whose = plane.nodes[-1]
        stage.put(WATCH_NODES, at, whose, None)
        plane.leases[-1].silent.append((at, inf))
    elif way == "restart":
        plane.pod(at, name, f"{whose[:6]}{int(at)}", restarts=2)
    elif way == "crash loop":
        plane.pod(at, name, f"!{whose[:6]}0", restarts=1)
    else:
        stage.put(WATCH_SYSTEM_PODS, at, name, None)
        if way == "renamed":
            plane.pod(at + 2, f"{whose}-y9", f"{whose[:6]}9", uid=f"uid-{name}-2")
        pods.pop(name, None)
    stage.say(f"{way}: {whose} at {at:.1f} s")
    return whose not in spare


def _container(pod: str) -> str:
    """Return what the container of a pod of kube-system is called, and what a claim spares it by."""
    return pod.removesuffix("-control-plane").removesuffix("-x7").removesuffix("-y9")


def leases_renewed(dice: Dice) -> Drawn:
    """Draw a claim that leases are renewed often enough."""
    plane = _plane(dice)
    stage = plane.stage
    seconds = dice.pick(25.0, 40.0, 60.0)
    spare = dice.pick((), (), ("kube-scheduler",), _LEADERS)
    truths: list[Truth] = ["holds"]
    for lease in plane.leases:
        if dice.chance(0.3):
            begin = dice.between(3, stage.judge - 15)
            length = dice.pick(dice.between(2, seconds - 12), dice.between(seconds + 5, seconds + 40))
            end = begin + length if begin + length < stage.judge - 1 and dice.chance(0.8) else inf
            lease.silent.append((begin, end))
            stage.say(f"{lease.name} is not renewed from {begin:.1f} to {end:.1f} s")
        if lease.name not in spare:
            moments = [*lease.renewals(stage.judge), stage.judge]
            pause = max(later - earlier for earlier, later in zip(moments, moments[1:], strict=False))
            truths.append(
                "violated" if pause > seconds + _SLACK else "holds" if pause < seconds - _SLACK else "borderline"
            )
    plane.write()
    for node in plane.nodes:
        plane.node(-900.0, node, ready=True)
    truth = _worst(truths)
    places = {WATCH_LEASES: [each for lease in plane.leases for each in lease.silent]}
    parameters = {"seconds": seconds, "spare": list(spare)}
    return Drawn(stage, parameters, truth, {WATCH_LEASES}, (0.0, stage.judge), "", places=places)


def leases_renewed_again(dice: Dice) -> Drawn:
    """Draw a claim that leases are renewed again some time after a fault."""
    plane = _plane(dice, 120, 200)
    stage = plane.stage
    seconds = dice.pick(20.0, 30.0)
    begin = dice.between(25, 35)
    proved = None if dice.chance(0.04) else begin + 1
    healing = begin + dice.between(10, 25)
    fault = TrueFault("fault 1", "pause nodes", begin, proved, healing, healing + 1)
    written(stage, [fault])
    limit = healing + seconds
    truths: list[Truth] = ["holds"]
    for lease in plane.leases:
        way = dice.pick("back", "back", "back", "late", "never", "unharmed")
        until = {"back": healing + dice.between(0.5, seconds * 0.6), "late": limit + dice.between(1, 20), "never": inf}
        if way != "unharmed":
            lease.silent.append((begin + 0.2, until[way]))
        elif dice.chance(0.3):
            lease.silent.append((limit + 16, inf))
        moments = [at for at in lease.renewals(stage.end) if at <= limit]
        last = limit - max(moments)
        truths.append("violated" if last > 15 + _SLACK else "holds" if last < 15 - _SLACK else "borderline")
        stage.say(f"{lease.name}: {way}")
    plane.write()
    truth = _worst(truths)
    recorded = stage.judge > limit + 1
    if fault.proved is None or not recorded:
        truth = "inconclusive"
    window = (0.0, limit)
    places = {WATCH_LEASES: [(healing, limit)]}
    parameters = {"seconds": seconds, "fault": "pause nodes"}
    return Drawn(stage, parameters, truth, {WATCH_LEASES}, window, "" if recorded else "it ends before", places=places)


def leases_admitted(dice: Dice) -> Drawn:
    """Draw a claim that no policy denied a lease since a fault began, such as a restart of the API server."""
    plane = _plane(dice)
    stage = plane.stage
    begin = dice.between(12, 30)
    down = begin, begin + dice.pick(0.0, dice.between(2, 20))
    proved = None if dice.chance(0.04) else begin + 0.5
    healing = down[1] + dice.between(1, 10)
    written(stage, [TrueFault("fault 1", "restart API server", begin, proved, healing, healing + 1)])
    spans: list[Stretch] = []
    if dice.chance(0.6):
        since = dice.between(3, stage.judge - 10)
        spans.append((since, since + dice.between(4, 60)))
        stage.say(f"leases are denied from {since:.1f} to {spans[0][1]:.1f} s")
    busy = (dice.between(3, stage.judge - 10), dice.between(1, 12)) if dice.chance(0.3) else (inf, 0.0)
    by = dice.pick(*_DENIALS)

    def answer(at: float) -> Answer:
        if down[0] <= at < down[1]:
            return Answer("info", 0.01, {"said": "connection refused"})
        if busy[0] <= at < sum(busy):
            return Answer("fail", 0.01, {"status": 429, "said": "storage is (re)initializing", "seconds": 0.01})
        if any(one <= at < other for one, other in spans):
            return Answer("fail", 0.02, {"status": 422, "said": by, "seconds": 0.02})
        return Answer("ok", 0.02, {"seconds": 0.02})

    def read(at: float) -> Answer:
        if down[0] <= at < down[1]:
            return Answer("info", 0.01, {"said": "connection refused"})
        return Answer("ok", 0.01, {"seconds": 0.01})

    last = stage.judge + 1.5
    stage.askings.append(Asking(f"{API_SERVER} {READ}", API_SERVER, READ, 0.8, last, 1.0, read))
    stage.askings.append(Asking(f"{API_SERVER} {WRITE_LEASE}", API_SERVER, WRITE_LEASE, 0.85, last, 1.0, answer))
    plane.write()
    stream = f"{API_SERVER} {WRITE_LEASE}"
    seen = without(clipped(spans, begin, stage.judge), [down, (busy[0], sum(busy))])
    truth: Truth = (
        "violated" if total(seen) > 4 else "borderline" if clipped(spans, begin - 2, stage.judge) else "holds"
    )
    if proved is None:
        truth = "borderline" if spans else "inconclusive"
    return Drawn(stage, {}, truth, {stream}, (begin, stage.judge), "", places={stream: spans})


def _worst(truths: list[Truth]) -> Truth:
    return "violated" if "violated" in truths else "borderline" if "borderline" in truths else "holds"
