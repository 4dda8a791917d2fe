"""Resting: what is true of claims that nobody writes while nothing is asked for."""

from dataclasses import dataclass, field
from typing import Any

from chaos_harness.harness.history.vocabulary import (
    CONSTRAINTS,
    FAULT,
    WATCH_BINDINGS,
    WATCH_PODS,
    WATCH_POLICIES,
    WATCH_TEMPLATES,
    watch,
)
from tests.worlds.claimed import Drawn, Truth, staged
from tests.worlds.dice import Dice, Stretch, total, without
from tests.worlds.faulty import TrueFault, written
from tests.worlds.stage import Stage

__all__ = ["nobody_writes_at_rest"]

_CONSTRAINTS = f"{CONSTRAINTS}denied"
_WEBHOOKS = [watch("validatingwebhookconfigurations"), watch("mutatingwebhookconfigurations")]
_MINUTE = 60.0
_SLACK = 1.3
_LEAST_REST_SECONDS = 10.0

Object = dict[str, Any]


@dataclass
class _Thing:
    """An object: when it was written, by whom ("": nobody signed), and what its audit reports by then."""

    process: str
    name: str
    writes: list[tuple[float, str]] = field(default_factory=list)
    audits: list[float] = field(default_factory=list)

    def put(self, stage: Stage) -> None:
        """Let the watch see all of it."""
        moments = sorted([(-900.0, "gatekeeper"), *self.writes, *((at, "audit") for at in self.audits)])
        generation, audited = 1, "never"
        for number, (at, writer) in enumerate(moments):
            audited = f"audit {number}" if writer == "audit" else audited
            generation += writer != "audit"
            metadata = {"name": self.name, "uid": f"uid-{self.name}", "resourceVersion": str(number)}
            status = {"auditTimestamp": audited, "totalViolations": number, "byPod": []}
            body = {"metadata": {**metadata, "generation": generation}, "status": status}
            signed = {"writers": [writer]} if writer else {}
            stage.put(self.process, at, self.name, {**body, **signed})


def nobody_writes_at_rest(dice: Dice) -> Drawn:
    """Draw a claim that at rest nobody writes an object more often than that."""
    seconds, at_most = dice.pick(10.0, 20.0, 30.0), dice.pick(0, 0, 2, 5)
    stage = staged(dice, 3 * seconds + dice.between(70, 110))
    stage.judged()
    active = _activity(dice, stage)
    things = [
        _Thing(WATCH_TEMPLATES, "denied"),
        _Thing(WATCH_POLICIES, "gatekeeper-denied"),
        _Thing(WATCH_BINDINGS, "gatekeeper-denied-rule"),
        _Thing(_CONSTRAINTS, "rule"),
        *(_Thing(process, "gatekeeper") for process in _WEBHOOKS),
    ]
    things[3].audits = [dice.between(1, 5) + 15 * number for number in range(int(stage.end // 15))]
    for begin, _ in active:  # what was asked for has things written
        dice.choice(things).writes.append((begin + dice.between(0.5, 4), "gatekeeper"))
    if dice.chance(0.3):
        at = dice.between(10, stage.judge - 10)
        things[0].writes.append((at, "kubectl-patch"))
        active.append((at, at + 0.01))
    busy, series, signed = dice.choice(things[1:]), _series(dice, stage, seconds), dice.chance(0.85)
    writer = dice.pick("argocd-controller", "gatekeeper (status)") if signed else ""
    busy.writes += [(at, writer) for at in series]
    stage.say(f"active {active}; {busy.name} is written by {writer or 'nobody who signs'} at {series}")
    for thing in things:
        thing.put(stage)
    streams = {WATCH_PODS, *(thing.process for thing in things)}
    return Drawn(
        stage,
        {"seconds": seconds, "at_most": at_most},
        _truth(active, series, seconds, at_most, stage.judge, signed=signed),
        streams,
        (0.0, stage.judge),
        places={busy.process: [(series[0], series[-1] + 0.1)]} if series else {},
    )


def _activity(dice: Dice, stage: Stage) -> list[Stretch]:
    """Return when something was done: a fault, a policy, a pod that was not Ready, or nothing but the beginning."""
    active: list[Stretch] = [(0.0, 0.01)]
    if dice.chance(0.7):
        begin = dice.between(5, 12)
        healed = begin + dice.between(4, 12)
        written(stage, [TrueFault(f"{FAULT} 1", "throttle", begin, begin + 1, healed - 1, healed)])
        active.append((begin, healed))
    if dice.chance(0.3):
        since = dice.between(8, 40)
        stage.policies(since, stage.judge + 2, "deny by rego")
        active.append((since - 2, since))
    away = dice.between(20, stage.judge - 10) if dice.chance(0.4) else 0.0
    for name in ("a", "b"):
        stage.put(WATCH_PODS, -900.0, name, _pod(name, ready=True))
    if away:
        stage.put(WATCH_PODS, away, "a", _pod("a", ready=False))
        stage.put(WATCH_PODS, away + 4, "a", _pod("a", ready=True))
        active.append((away, away + 4))
    return active


def _series(dice: Dice, stage: Stage, seconds: float) -> list[float]:
    """Return when one object is written again and again: at rest, while something is done, or never."""
    number = dice.pick(0, 1, 3, 8)
    every = dice.pick(0.7, 3.0, 12.0, 25.0)
    begin = dice.pick(dice.between(1, seconds), dice.between(seconds, stage.judge - 5), dice.between(60, stage.judge))
    return [round(begin + every * index, 3) for index in range(number) if begin + every * index < stage.judge + 2]


def _truth(
    active: list[Stretch], series: list[float], seconds: float, at_most: int, judge: float, *, signed: bool
) -> Truth:
    strict = without([(0.0, judge)], [(begin - 0.3, end + seconds + _SLACK) for begin, end in active])
    loose = without([(0.0, judge)], [(begin + 0.3, end + seconds - 0.3) for begin, end in active])
    surely = [at for at in series if any(begin + _SLACK <= at < end - 0.3 for begin, end in strict)]
    perhaps = [at for at in series if any(begin - 0.3 <= at <= end + _SLACK for begin, end in loose)]
    if _most(surely, _MINUTE - _SLACK - 0.2) > at_most:
        return "violated" if signed else "inconclusive"
    if _most(perhaps, _MINUTE + _SLACK + 0.2) > at_most:
        return "borderline"
    doubted = [] if signed else [(at - _SLACK, at + seconds + _SLACK) for at in series]
    if total(without(strict, doubted)) < _LEAST_REST_SECONDS + 2:
        return "inconclusive" if total(loose) < _LEAST_REST_SECONDS - 2 else "borderline"
    return "holds"


def _most(moments: list[float], seconds: float) -> int:
    """Return how many of these moments lie in a stretch of so many seconds, at most."""
    return max((sum(0 <= other - one <= seconds for other in moments) for one in moments), default=0)


def _pod(name: str, *, ready: bool) -> Object:
    metadata = {"name": name, "namespace": "gatekeeper-system", "uid": f"uid-{name}"}
    labels = {"gatekeeper.sh/operation": "webhook"}
    return {
        "metadata": {**metadata, "labels": labels},
        "spec": {"nodeName": "worker0"},
        "status": {"conditions": [{"type": "Ready", "status": str(ready)}], "containerStatuses": []},
    }
