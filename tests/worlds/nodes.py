"""Nodes: worlds in which nodes are lost with pods of workloads on them, and what is true of who replaces those.

A pod on a lost node may be replaced in time, late, by one that is never Ready, by several one after the other, or by
nobody; or outlive it, in place. What the API server says of it is stale: Ready until its node is known to be lost.
"""

from dataclasses import dataclass, field
from math import inf
from typing import Any

from chaos_harness.harness.history.vocabulary import HARM, WATCH_NODES, WATCH_PODS, WATCH_SLICES, WATCH_WORKLOAD
from chaos_harness.harness.policies import LEVEL
from tests.worlds.claimed import Drawn, Truth, proof, staged
from tests.worlds.dice import Dice
from tests.worlds.faulty import TrueFault, written
from tests.worlds.stage import Stage

__all__ = ["never_replaced", "replaced_within", "replacements_mutated"]

_HOW, _OTHER_HOW = "killed node", "drained node"
_DETECTED_SECONDS, _SLACK = 40.0, 3.0
_KINDS = ("ReplicaSet", "StatefulSet", "DaemonSet")

Object = dict[str, Any]


@dataclass
class _World:
    """A world of lost nodes; `harmed` is when each fault hit its node."""

    stage: Stage
    faults: list[TrueFault]
    harmed: list[tuple[float, str]]
    names: int = 0
    fates: list[str] = field(default_factory=list)

    def pod(
        self,
        owner: tuple[str, str, str],
        node: str,
        *,
        born: float,
        ready: float,
        mutated: bool = True,
        deleted: float = inf,
        gone: float = inf,
        unready: tuple[tuple[float, float], ...] = (),
        name: str = "",
    ) -> str:
        """Put a pod into the world; return its name. `owner` is kind, namespace and name of its controller."""
        self.names += 1
        kind, namespace, whose = owner
        name = name or f"{whose}-{self.names}"
        key, uid = f"{namespace}/{name}", f"uid-{self.names}"

        def put(at: float, *, is_ready: bool) -> None:
            metadata: Object = {"name": name, "namespace": namespace, "uid": uid}
            metadata["ownerReferences"] = [{"uid": f"uid-{whose}", "kind": kind, "name": whose, "controller": True}]
            if at >= deleted:
                metadata["deletionTimestamp"] = "2027-01-15T08:01:00Z"
            spec: Object = {"nodeName": node} if at > born or born < 0 else {}
            if mutated:
                spec["securityContext"] = {"seLinuxOptions": {"level": LEVEL}}
            status = {
                "conditions": [{"type": "Ready", "status": str(is_ready)}],
                "containerStatuses": [{"name": "main", "state": {"running": {}} if is_ready else {"waiting": {}}}],
            }
            self.stage.put(WATCH_WORKLOAD, at, key, {"metadata": metadata, "spec": spec, "status": status})

        moments = {
            born,
            ready,
            deleted,
            *(born + 0.3 for _ in [0] if born >= 0),
            *(edge for span in unready for edge in span),
        }
        for at in sorted(moment for moment in moments if moment < min(gone, self.stage.end)):
            down = any(begin <= at < end for begin, end in unready)
            put(at, is_ready=ready <= at and not down)
        if gone < self.stage.end:
            self.stage.put(WATCH_WORKLOAD, gone, key, None)
        return name


def _drawn(dice: Dice, seconds: float, *, lasts: float, one: bool = False) -> _World:
    """Return a world in which a node is lost, or two one after the other or at once, with nothing on them yet."""
    first = dice.between(15, 25)
    watch = dice.between(15, 40) if dice.chance(0.93) else -0.5 * seconds
    stage = staged(dice, first + 15 + max(seconds + watch, 12) + (20 if lasts < inf else 0))
    stage.policies(4.0, stage.judge + 2, "mutate pods", "mutate templates")
    faults, harmed = [], []
    for number in range(1 if one or dice.chance(0.75) else 2):
        at = first + number * dice.between(1, 15)
        proved = None if dice.chance(0.04) else at + dice.between(2, 12)
        healing = at + lasts if lasts < inf else stage.judge + 1.2
        faults.append(
            TrueFault(f"fault {number + 1}", "kill node", at, proved, healing, healing + dice.between(0.5, 2))
        )
        harmed.append((at + dice.between(0.2, 0.8), f"worker{number + 1}"))
    written(stage, faults)
    stage.judged()
    for at, node in harmed:
        stage.mark(at, "info", HARM, _HOW, {"node": node})
        stage.say(f"{node} is harmed at {at:.1f} s")
    for number, (at, node) in enumerate([*harmed, (inf, "worker9")]):
        back = faults[number].healed + 3 if at < inf else inf
        for moment, ready in ((-50.0, True), (at + _DETECTED_SECONDS, False), (back, True)):
            if moment < stage.end and not (moment == at + _DETECTED_SECONDS and back < moment):
                stage.put(WATCH_NODES, moment, node, _node(node, ready=ready))
    for process in (WATCH_WORKLOAD, WATCH_PODS, WATCH_SLICES):
        stage.watch(process)
    stage.put(WATCH_SLICES, -5.0, "slice", _slice("a", "b"))
    for number, name in enumerate(("a", "b")):
        stage.put(WATCH_PODS, -50.0, name, _webhook(name, f"worker{number + 8}"))
    return _World(stage, faults, harmed)


def _node(name: str, *, ready: bool) -> Object:
    taints = [] if ready else [{"key": "node.kubernetes.io/unreachable", "effect": "NoExecute"}]
    status = {"conditions": [{"type": "Ready", "status": "True" if ready else "Unknown"}]}
    return {"metadata": {"name": name, "uid": f"uid-{name}"}, "spec": {"taints": taints}, "status": status}


def _webhook(name: str, node: str) -> Object:
    metadata = {"name": name, "uid": f"uid-{name}", "labels": {"gatekeeper.sh/operation": "webhook"}}
    state = {"containerID": f"containerd://{name}0", "restartCount": 0, "state": {"running": {}}, "name": "manager"}
    status = {"conditions": [{"type": "Ready", "status": "True"}], "containerStatuses": [state]}
    return {"metadata": metadata, "spec": {"nodeName": node}, "status": status}


def _slice(*names: str) -> Object:
    endpoints = [{"conditions": {"ready": True}, "targetRef": {"name": name, "uid": f"uid-{name}"}} for name in names]
    return {"metadata": {"name": "slice", "uid": "uid-slice"}, "endpoints": endpoints}


def _owners(dice: Dice, kinds: tuple[str, ...]) -> tuple[list[tuple[str, str, str]], str, tuple[str, ...]]:
    """Return controllers with pods, and the namespace and the kinds that a claim names."""
    owners = [
        (dice.choice(kinds), f"chaos-{dice.pick('one', 'two')}", f"set{number}") for number in range(dice.randint(1, 3))
    ]
    kind, namespace, _ = owners[0]
    return owners, namespace if dice.chance(0.4) else "", (kind,) if dice.chance(0.5) or kind == "DaemonSet" else ()


def _counts(owner: tuple[str, str, str], namespace: str, kinds: tuple[str, ...]) -> bool:
    chosen = owner[0] in kinds if kinds else owner[0] != "DaemonSet"
    return chosen and namespace in ("", owner[1])


def _finish(world: _World, parameters: dict[str, Any], truth: Truth, end: float, unsure: str = "") -> Drawn:
    for fate in world.fates:
        world.stage.say(fate)
    truth = proof(truth, world.faults)
    begin = world.harmed[0][0]
    window = (0.0 if begin < 1 else begin - 5, end)
    places = {WATCH_WORKLOAD: [(begin, end), (begin + 30, begin + 60)]}
    return Drawn(world.stage, parameters, truth, {WATCH_WORKLOAD}, window, unsure, places=places)


def replaced_within(dice: Dice) -> Drawn:
    """Draw a claim that pods of a lost node are replaced by Ready ones in time."""
    seconds = dice.pick(60.0, 90.0, 120.0)
    world = _drawn(dice, seconds, lasts=inf)
    owners, namespace, kinds = _owners(dice, _KINDS[:2])
    recorded = world.stage.judge
    late, short, full = False, False, True
    whose: dict[str, list[tuple[float, float]]] = {}
    for at, node in world.harmed:
        for owner in owners:
            for _ in range(dice.randint(1, 2)):
                limit = at + seconds
                fate = dice.pick(*["soon"] * 8, "slow", "never", "unready", "second")
                taken = at + dice.between(5, seconds * 0.7) if fate != "slow" else limit + dice.between(-20, 30)
                ready = taken + dice.between(2, 8)
                name = f"{owner[2]}-{world.names}" if owner[0] == "StatefulSet" else ""
                old = world.pod(
                    owner, node, born=-40, ready=-30, deleted=taken - 1 if fate != "never" else inf,
                    gone=taken - 0.5 if owner[0] == "StatefulSet" and fate != "never" else taken + 60,
                    unready=((at + _DETECTED_SECONDS, inf),), name=name,
                )  # fmt: skip
                if fate != "never":
                    first = inf if fate in ("unready", "second") else ready
                    gone = ready + 6 if fate == "second" else inf
                    world.pod(owner, "worker9", born=taken, ready=first, name=name, deleted=gone - 1, gone=gone)
                if fate == "second":
                    ready += dice.between(10, 20)
                    world.pod(owner, "worker9", born=ready - 3, ready=ready, name=name)
                done = inf if fate in ("never", "unready") else ready
                world.fates.append(f"{old} of {owner} on {node}: {fate}, Ready after {done - at:.1f} s")
                if _counts(owner, namespace, kinds):
                    whose.setdefault(name or owner[2], []).append((limit, done))
                    late = late or (done > limit + _SLACK)
                    short = short or (limit - _SLACK < done <= limit + _SLACK)
                    full = full and (done < recorded - _SLACK or limit < recorded - _SLACK)
    truth: Truth = "violated" if late else "borderline" if short else "holds"
    if late and not any(
        _short_of(pods) for pods in whose.values()
    ):  # one that came early may stand for one that did not
        truth = "borderline"
    if late and not full:
        truth = "inconclusive" if recorded < min(at for at, _ in world.harmed) + seconds - 1 else "borderline"
    parameters = {"seconds": seconds, "how": _HOW, "namespace": namespace, "kinds": kinds}
    last = max(at for at, _ in world.harmed) + seconds
    unsure = "it was not watched for so long" if last > recorded else ""
    return _finish(world, parameters, truth, min(last, recorded), unsure)


def _short_of(pods: list[tuple[float, float]]) -> bool:
    """Whether, whoever is taken for whose replacement, one came too late; of each pod its limit, and when one came."""
    limits, done = (sorted(moments) for moments in zip(*pods, strict=True))
    return any(came > limit + _SLACK for limit, came in zip(limits, done, strict=True))


def replacements_mutated(dice: Dice) -> Drawn:
    """Draw a claim that what replaces pods of a lost node carries the mutation."""
    world = _drawn(dice, 60.0, lasts=inf)
    owners, namespace, kinds = _owners(dice, _KINDS[:2])
    bare, missing = False, False
    unlucky = dice.chance(0.15)
    for at, node in world.harmed:
        for owner in owners:
            for _ in range(dice.randint(1, 2)):
                fate = dice.pick(*["mutated"] * 9, "bare", "bare", "never", "second bare")
                taken = at + dice.between(8, 45)
                name = f"{owner[2]}-{world.names}" if owner[0] == "StatefulSet" else ""
                old = world.pod(
                    owner, node, born=-40, ready=-30, deleted=taken - 1 if fate != "never" else inf,
                    gone=taken - 0.5 if owner[0] == "StatefulSet" and fate != "never" else taken + 60, name=name,
                    unready=((at + _DETECTED_SECONDS, inf),),
                )  # fmt: skip
                if fate == "never" or taken > world.stage.judge - 15:
                    missing = missing or _counts(owner, namespace, kinds)
                    world.fates.append(f"{old} of {owner} on {node}: not replaced")
                    continue
                second = fate == "second bare"
                gone = taken + 5 if second else inf
                world.pod(
                    owner,
                    "worker9",
                    born=taken,
                    ready=taken + 3,
                    mutated=fate != "bare",
                    name=name,
                    deleted=gone - 1,
                    gone=gone,
                )
                if second:
                    world.pod(owner, "worker9", born=taken + 6, ready=taken + 9, mutated=False, name=name)
                world.fates.append(f"{old} of {owner} on {node}: {fate} after {taken - at:.1f} s")
                bare = bare or (fate != "mutated" and _counts(owner, namespace, kinds))
    excused = ("nobody in rotation",) if dice.chance(0.3) else ()
    truth: Truth = "violated" if bare else "borderline" if missing else "holds"
    if unlucky:
        world.stage.put(WATCH_SLICES, world.harmed[0][0], "slice", _slice())
        world.fates.append("nobody is in rotation from then on")
        truth = truth if not (bare and excused) else "borderline" if missing else "holds"
    parameters = {"how": _HOW, "namespace": namespace, "kinds": kinds, "excused": excused}
    drawing = _finish(world, parameters, truth, world.stage.judge, "one is not replaced" if missing else "")
    if excused:
        drawing.streams |= {WATCH_SLICES, WATCH_PODS}
    return drawing


def never_replaced(dice: Dice) -> Drawn:
    """Draw a claim that pods outlive the loss of their node: the same, Ready again, still mutated."""
    lasts = dice.between(8, 60)
    world = _drawn(dice, lasts + 20, lasts=lasts)
    owners, namespace, kinds = _owners(dice, _KINDS)
    hurt, young = False, False
    for number, (at, node) in enumerate(world.harmed):
        back = world.faults[number].healed + dice.between(2, 8)
        down = min(at + _DETECTED_SECONDS, back)
        for owner in owners:
            fate = dice.pick(*["stays"] * 9, "deleted", "replaced", "unready", "replaced")
            again = back + dice.between(1, 4)
            moved = at + dice.between(4, max(5, min(50, world.stage.judge - at - 12)))
            counts = _counts(owner, namespace, kinds)
            if fate in ("deleted", "replaced"):
                old = world.pod(owner, node, born=-40, ready=-30, deleted=moved, gone=moved + 2, unready=((down, inf),))
                if fate == "replaced":
                    world.pod(owner, "worker9", born=moved + 1, ready=moved + 5)
                hurt = hurt or counts
            else:
                unready = ((down, again if fate == "stays" else inf),)
                old = world.pod(owner, node, born=-40, ready=-30, unready=unready)
                young = young or (counts and (fate == "unready" or again > world.stage.judge - 2))
            world.fates.append(f"{old} of {owner} on {node}: {fate}; the node is back at {back:.1f} s")
    truth: Truth = "violated" if hurt or young else "holds"
    if young and not hurt:
        early = any(fault.healed + 15 > world.stage.judge for fault in world.faults)
        truth = "inconclusive" if early else "violated"
    if young and truth == "inconclusive":
        truth = "borderline"
    parameters = {"how": _HOW, "namespace": namespace, "kinds": kinds}
    unsure = "one is not Ready again yet" if young else ""
    drawing = _finish(world, parameters, truth, world.stage.judge, unsure)
    drawing.streams.add(WATCH_NODES)
    return drawing
