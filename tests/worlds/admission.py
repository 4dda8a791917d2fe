"""Admission: worlds in which policies are asked about, and truly lost for a while, in whichever way."""

from dataclasses import dataclass, field
from math import ceil, inf
from typing import Any

from chaos_harness.harness.history.vocabulary import CALL, FAIL_OPEN, WATCH_WORKLOAD
from chaos_harness.harness.policies import LEVEL
from tests.worlds.auditing import MUTATION, VALIDATION, audit, decided
from tests.worlds.claimed import staged
from tests.worlds.dice import Dice, Stretch, unit
from tests.worlds.faulty import TrueFault, drawn_faults, written
from tests.worlds.stage import Answer, Canary, Log, Question, Stage

__all__ = ["LEADING", "MUTATE", "QUESTIONS", "Losing", "Scene", "drawn_scene"]

MUTATE = "mutate pods"
_VAP, _WEBHOOK, _REGO = "deny by cel (vap)", "deny by cel (webhook)", "deny by rego"
QUESTIONS = {
    MUTATE: (Question(MUTATE, "create mutable pod", False), Question(MUTATE, "create mutable pod", True)),
    _WEBHOOK: (Question(_WEBHOOK, "create violating pod", True),),
    _VAP: (Question(_VAP, "create violating pod", True),),
    _REGO: (Question(_REGO, "create violating pod", True),),
}
_HOOK = {MUTATE: MUTATION, _WEBHOOK: VALIDATION, _REGO: VALIDATION}
_GOOD = {MUTATE: "mutated", _VAP: "denied by policy", _WEBHOOK: "denied by webhook", _REGO: "denied by webhook"}
_SLOW_SECONDS = 1.05
_LOST_AFTER = 0.1
LEADING = 8.0
"""When policies are in force."""

_SAID = {"down": "connect: connection refused", "slow": "context deadline exceeded"}


@dataclass(frozen=True)
class Losing:
    """A stretch in which requests about a policy are lost: how, and which share of them.

    "down": the call fails at once. "slow": it times out. "bare": who is asked answers, but does not enforce.
    "refused": the call fails, and fails closed: nothing is admitted that must not be.
    """

    policy: str
    begin: float
    end: float
    how: str = "down"
    share: float = 1.0

    @property
    def bypass(self) -> bool:
        """Whether what must not be is admitted."""
        return self.how != "refused"

    @property
    def span(self) -> Stretch:
        """From when to when."""
        return self.begin, self.end

    def __str__(self) -> str:
        """Return it in words."""
        return f"{self.policy}: {self.how}, {self.share:.0%} lost from {self.begin:.1f} to {self.end:.1f} s"


@dataclass
class Scene:
    """A world of admissions; `removed` is when policies are no longer in force, `alone` time-outs of single calls."""

    stage: Stage
    faults: list[TrueFault]
    policies: list[str]
    rate: float
    removed: float
    losing: list[Losing] = field(default_factory=list)
    alone: list[float] = field(default_factory=list)

    @property
    def canary(self) -> Canary:
        """Who asks."""
        return self.stage.canaries[0]

    @property
    def interval(self) -> float:
        """How many seconds there are between two questions about one policy."""
        return self.canary.interval

    def lost(self, policy: str, at: float, number: int) -> Losing | None:
        """Return how a request that is decided at a moment is truly lost, if it is; `number` is its own."""
        for losing in (*self.losing, *self._after):
            if losing.policy == policy and losing.begin <= at < losing.end:
                if losing.share >= 1 or unit(self.stage.seed, number) < losing.share:
                    return losing
                return None
        return None

    @property
    def _after(self) -> list[Losing]:
        """What is lost in the second after it is judged, in one world of ten: all policies, or one alone."""
        later, drawn = self.stage.judge + 0.1 + unit(self.stage.seed, 1), unit(self.stage.seed, 2) / _LOST_AFTER
        lost = self.policies if drawn < 1 / 2 else self.policies[:1] if drawn < 1 else []
        return [Losing(policy, later, inf) for policy in lost]

    def late(self, policy: str, seq: int) -> bool:
        """Whether the call for a request of this number times out by itself: the first since such a moment, alone."""
        begin, rate = self.canary.begin, self.canary.rate
        return policy != _VAP and any(seq == ceil((moment - begin) * rate) for moment in self.alone)

    def answer(self, question: Question, at: float, seq: int) -> Answer:
        """Return the true answer to a question; one single call in a while times out, whatever it asks."""
        policy = question.policy
        losing = self.lost(policy, at, seq) or (
            Losing(policy, self.removed, inf, "bare") if at >= self.removed else None
        )
        late = losing is None and self.late(policy, seq)
        how = losing.how if losing else "slow" if late else ""
        mutates = policy == MUTATE
        written_down = decided(_HOOK.get(policy, ""), how, denied=not mutates, mutates=mutates)
        if not how:
            return Answer("ok", 0.02, {"outcome": _GOOD[policy], "said": "as it must"}, None, written_down)
        took = _SLOW_SECONDS if how == "slow" else 0.02
        if how == "refused":
            said = f'500 Internal error occurred: failed calling webhook "{_HOOK.get(policy)}": {_SAID["down"]}'
            return Answer("fail", took, {"outcome": "refused", "said": said}, None, written_down)
        logged = (at + took - 0.005, _logged(policy, how)) if how != "bare" and policy in _HOOK else None
        outcome = "unmutated" if policy == MUTATE else "admitted"
        return Answer("fail", took, {"outcome": outcome, "said": "admitted"}, logged, written_down)


def _logged(policy: str, how: str) -> dict[str, str]:
    said = f'failed calling webhook "{_HOOK[policy]}": failed to call webhook: Post "https://x": {_SAID[how]}'
    return {"webhook": _HOOK[policy], "said": said}


def drawn_scene(dice: Dice, policies: list[str], *, rate: float = 4.0, faults: bool = True) -> Scene:
    """Return a world with faults, in which policies are asked about and nothing is lost yet."""
    stage = staged(dice, dice.between(90, 200))
    early = dice.chance(0.1)
    removed = stage.judge - dice.between(5, 20) if early else stage.judge + 2
    stage.policies(LEADING, removed, *policies)
    true_faults = drawn_faults(dice, stage, dice.between(14, 35)) if faults else []
    written(stage, true_faults)
    stage.judged()
    scene = Scene(stage, true_faults, policies, rate, removed)
    questions = tuple(question for policy in policies for question in QUESTIONS[policy])
    end = stage.judge + 1.5
    stage.canaries.append(Canary(LEADING + 0.1, end, rate * len(questions), questions, scene.answer))
    leases = [(dice.between(1, end), _logged(dice.pick(*_HOOK), "slow")) for _ in range(dice.pick(0, 0, 3, 40))]
    stage.logs[FAIL_OPEN] = Log(CALL, 3.0, leases)
    audit(stage)
    return scene


def lose(dice: Dice, scene: Scene, policy: str, *, cruel: bool) -> None:
    """Let a policy be lost for a while or two: around faults and across their edges, or whenever."""
    stage = scene.stage
    for _ in range(dice.pick(1, 1, 2)):
        length = dice.between(6, 60) if cruel else dice.between(0.4, 6)
        edges = [edge for fault in scene.faults for edge in (fault.injected, fault.healing) if edge < stage.judge]
        if edges and dice.chance(0.85):
            edge = dice.choice(edges)
            begin = edge + dice.pick(dice.between(-length, 0), dice.between(0.1, 3), 0.0, dice.between(-1, 1))
        else:
            begin = dice.between(LEADING + 1, stage.judge - 3)
        begin = max(LEADING + 0.5, begin)
        end = inf if dice.chance(0.1) else begin + length
        how = dice.pick("down", "down", "down", "slow", "bare")
        share = dice.pick(0.125, 0.5) if dice.chance(0.12) else 1.0
        losing = Losing(policy, begin, min(end, stage.end), "bare" if policy == _VAP and how == "slow" else how, share)
        if not any(
            other.policy == policy and other.begin < losing.end and losing.begin < other.end for other in scene.losing
        ):
            scene.losing.append(losing)
            stage.say(str(losing))


def refuse(dice: Dice, scene: Scene, policy: str) -> None:
    """Let requests be refused for a while, because the webhook fails closed."""
    begin = dice.between(LEADING + 1, scene.stage.judge - 10)
    losing = Losing(policy, begin, min(begin + dice.between(3, 60), scene.stage.judge - 3), "refused")
    if policy != _VAP and not any(other.policy == policy for other in scene.losing):
        scene.losing.append(losing)
        scene.stage.say(str(losing))


def be_late(dice: Dice, scene: Scene) -> None:
    """Let single calls time out, far from each other, as they do on a busy machine."""
    at = LEADING + dice.between(3, 15)
    while at < scene.stage.judge - 5:
        if not any(losing.begin - 4 < at < losing.end + 4 for losing in scene.losing):
            scene.alone.append(at)
        at += dice.between(12, 40)
    scene.stage.say(f"single calls time out at {', '.join(f'{moment:.1f}' for moment in scene.alone)} s")


def born(dice: Dice, scene: Scene) -> list[tuple[float, bool]]:
    """Let pods of a workload be born now and then; return when each was, and whether it is mutated."""
    births = []
    at, number = dice.between(1, 4), 0
    every = dice.between(1.5, 6)
    scene.stage.watch(WATCH_WORKLOAD)
    while at < scene.stage.judge - 1:
        number += 1
        losing = scene.lost(MUTATE, at, 100_000 + number) if at >= LEADING else None
        births.append((at, losing is None and at >= LEADING))
        spec = {"securityContext": {"seLinuxOptions": {"level": LEVEL}}} if births[-1][1] else {}
        owner = {"kind": "ReplicaSet", "name": "load", "uid": "uid-load", "controller": True}
        name = f"load-{number}"
        metadata = {"namespace": "chaos-load", "name": name, "uid": f"uid-{name}", "ownerReferences": [owner]}
        scene.stage.put(WATCH_WORKLOAD, at, name, {"metadata": metadata, "spec": spec, "status": {}})
        how = losing.how if losing else "" if births[-1][1] else "bare"
        _created(scene, at, metadata, how)
        if dice.chance(0.3):
            scene.stage.put(WATCH_WORKLOAD, at + dice.between(0.5, 20), name, None)
        at += dice.between(0.2 * every, 1.8 * every)
    return births


def _created(scene: Scene, at: float, metadata: dict[str, Any], how: str) -> None:
    """Write down that a pod of a workload was created, and that a call failed, if one did."""
    stage, took = scene.stage, _SLOW_SECONDS if how == "slow" else 0.03
    of = {"uid": metadata["uid"], "name": metadata["name"], "namespace": metadata["namespace"]}
    value = decided(MUTATION, how, denied=False, mutates=True)
    stage.decisions.append(
        (at - took, at - 0.005, {**value, **of, "audit_id": of["uid"], "who": "replicaset-controller"})
    )
    if how in _SAID:
        stage.logs[FAIL_OPEN].lines.append((at - 0.01, _logged(MUTATE, how)))
