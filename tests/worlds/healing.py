"""Healing: what is true of claims that the cluster comes back once a fault is undone."""

from math import inf

from chaos_harness.harness.history.vocabulary import FAULT
from tests.worlds.claimed import Drawn, Truth, proof
from tests.worlds.dice import Dice, total, without
from tests.worlds.faulty import TrueFault, harm_of_others, written
from tests.worlds.webhooks import drawn_scene

__all__ = ["heals"]

_SLACK = 0.05
_NAMES = ("kill node", "restart API server")


def heals(dice: Dice) -> Drawn:
    """Draw a claim that faults are healed some time after they are undone."""
    scene = drawn_scene(dice, dice.between(180, 260))
    stage = scene.stage
    seconds = dice.pick(15.0, 20.0, 30.0)
    faults = _faults(dice, stage.judge, seconds)
    chosen = [fault for fault in faults if fault.name == _NAMES[0]]
    written(stage, faults)
    stage.judged()
    scene.finish()
    truths = [_truth(fault, faults, seconds) for fault in chosen]
    truth = proof(_worst(truths), chosen)
    end = max(fault.healed if fault.healed < inf else fault.given_up or fault.healing for fault in chosen)
    return Drawn(stage, {"seconds": seconds, "fault": _NAMES[0]}, truth, set(), (0.0, end), "")


def _faults(dice: Dice, last: float, seconds: float) -> list[TrueFault]:
    """Return faults one after the other, the first of which is claimed to heal; now and then one within another."""
    faults: list[TrueFault] = []
    at = dice.between(10, 20)
    for number in range(dice.pick(1, 1, 2, 2, 3)):
        fault = _fault(dice, number, at, seconds)
        if faults and _over(fault) > last - 2:
            break
        faults.append(fault)
        within = dice.chance(0.35)
        at = fault.healing + dice.between(1, seconds / 2) if within else _over(fault) + dice.between(3, 15)
    return faults


def _fault(dice: Dice, number: int, at: float, seconds: float) -> TrueFault:
    name = dice.choice(_NAMES) if number else _NAMES[0]
    proved = None if dice.chance(0.03) else at + dice.between(0.3, 1)
    healing = at + dice.between(3, 10)
    undone = healing + dice.between(0.1, 12)
    ways = ("soon", "soon", "soon", "late", "late", "never", "never", "stopped", "not undone", "old", "one-shot")
    way = dice.choice(ways)
    took = dice.between(0.2, seconds - 0.2) if way in ("soon", "old") else seconds + dice.between(0.2, 15)
    healed, given_up = undone + took, None
    if way in ("never", "stopped", "not undone"):
        healed, given_up = inf, undone + took if way == "never" else None
    if way == "stopped":
        given_up = undone + dice.between(0.1, seconds - 0.2)
    if way == "one-shot":
        healed = healing + dice.between(0.01, 0.5)
    told = None if way in ("not undone", "old", "one-shot") else undone
    one_shot = way == "one-shot"
    return TrueFault(f"{FAULT} {number + 1}", name, at, proved, healing, healed, one_shot, told, given_up)


def _over(fault: TrueFault) -> float:
    return fault.healed if fault.healed < inf else fault.given_up or fault.healing + 1


def _truth(fault: TrueFault, faults: list[TrueFault], seconds: float) -> Truth:
    """Return what is true of one: what lasted too long without those seconds in which another fault was there."""
    if fault.one_shot or (fault.undone is None and fault.healed == inf):
        return "inconclusive"
    begin = fault.healing if fault.undone is None else fault.undone
    end = fault.healed if fault.healed < inf else fault.given_up or begin
    mine = total(without([(begin, end)], harm_of_others([fault], faults, (begin, end))))
    if fault.healed < inf and end - begin <= seconds:
        return "holds" if end - begin < seconds - _SLACK else "borderline"
    if abs(mine - seconds) < _SLACK:
        return "borderline"
    return "violated" if mine > seconds and fault.undone is not None else "inconclusive"


def _worst(truths: list[Truth]) -> Truth:
    order: tuple[Truth, ...] = ("violated", "borderline", "inconclusive", "holds")
    return min(truths, key=order.index)
