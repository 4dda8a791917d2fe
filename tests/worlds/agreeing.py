"""Agreeing: what is true of claims that webhook pods in service decide alike."""

from itertools import combinations

from chaos_harness.harness.history.vocabulary import WATCH_PODS, WATCH_SLICES
from tests.worlds.claimed import Drawn, Truth
from tests.worlds.dice import Dice, Stretch, clipped, joined, longest, without
from tests.worlds.faulty import TrueFault, written
from tests.worlds.webhooks import Pod, drawn_scene

__all__ = ["replicas_agree"]

_SLACK = 2.2
_ROUTED_SECONDS = 0.3
QUESTION = "deny by rego"


def replicas_agree(dice: Dice) -> Drawn:
    """Draw a claim that pods in service decide alike but for some seconds after a change."""
    seconds = dice.pick(5.0, 10.0, 20.0)
    begin = dice.between(25, 30) + seconds
    healed = begin + dice.between(15, 25)
    calm = healed + seconds
    scene = drawn_scene(dice, calm + 2 * seconds + 80)
    stage, scene.question = scene.stage, QUESTION
    changes: list[Stretch] = [(0.0, 0.0)]
    if dice.chance(0.7):
        written(stage, [TrueFault("fault 1", "throttle", begin, begin + 1, healed - 1, healed)])
        changes.append((begin, healed))
    if dice.chance(0.3):
        since = healed + dice.between(0.1, 1)
        stage.policies(since, stage.judge + 2, QUESTION)
        changes.append((since - 2, since))
    stage.judged()
    webhooks = [pod for pod in scene.pods if pod.webhook]
    one, other = webhooks[0], webhooks[-1]
    away = calm + seconds + dice.between(30, 34)
    if dice.chance(0.5):
        other.unready.append((away, away + 6))
        stage.say(f"{other.name} is not Ready from {away:.1f} s on")
        changes += [(away, away + _ROUTED_SECONDS), (away + 6, away + 6 + _ROUTED_SECONDS)]
        if dice.chance(0.5):
            other.astray.append((away + 0.5, away + 5))
    for _ in range(dice.pick(0, 1, 1, 2)):
        one.astray.append(_astray(dice, seconds, (begin, healed), calm, away))
    if dice.chance(0.25):
        scene.pods.append(Pod("barred", "worker7", [*one.states], barred=True, astray=[(0.0, stage.end)]))
    scene.finish()
    differ = joined(span for pair in combinations(webhooks, 2) for span in _differ(*pair, stage.judge))
    stage.say(f"they differ {[(round(since, 1), round(until, 1)) for since, until in differ]}")
    pods = {scene.asked(pod) for pod in scene.pods if pod.webhook}
    places = dict.fromkeys({WATCH_PODS, WATCH_SLICES, *pods}, differ)
    return Drawn(
        stage,
        {"seconds": seconds, "policies": dice.pick([], [QUESTION])},
        _truth(differ, changes, seconds, stage.judge),
        {WATCH_PODS, WATCH_SLICES, *pods},
        (0.0, stage.judge),
        places=places,
    )


def _astray(dice: Dice, seconds: float, fault: Stretch, calm: float, away: float) -> Stretch:
    """Return when a pod decides otherwise: soon after a change, again when all had settled, or for too long."""
    begin, healed = fault
    short = dice.between(2, max(2.1, min(seconds - 2.5, 6)))
    since = dice.pick(
        begin + dice.between(1, 5),
        healed + dice.between(1.2, 1.5),
        calm + dice.between(4, 20),
        away + dice.between(7, 8),
    )
    return since, since + (dice.between(seconds + 3, seconds + 12) if dice.chance(0.3) else short)


def _served(pod: Pod, until: float) -> list[Stretch]:
    """Return when a pod was Ready and in rotation."""
    away = [(begin, end + _ROUTED_SECONDS) for begin, end in pod.unready]
    return without([(0.0, until)], [*away, *([(0.0, until)] if pod.barred else [])])


def _differ(one: Pod, other: Pod, until: float) -> list[Stretch]:
    both = [part for span in _served(one, until) for part in clipped(_served(other, until), *span)]
    apart = [*without(one.astray, other.astray), *without(other.astray, one.astray)]
    return joined(part for span in both for part in clipped(apart, *span))


def _truth(differ: list[Stretch], changes: list[Stretch], seconds: float, judge: float) -> Truth:
    most = longest(differ)
    strict = without([(0.0, judge)], [(begin - _SLACK, end + seconds + _SLACK) for begin, end in changes])
    loose = without(
        [(0.0, judge)], [(begin + _SLACK, max(begin + _SLACK, end + seconds - _SLACK)) for begin, end in changes]
    )
    agreed = [part for span in strict for part in clipped(differ, *span) if part[0] - span[0] > _SLACK]
    if most > seconds + _SLACK or longest(agreed) > _SLACK:
        return "violated"
    again = [part for span in loose for part in clipped(differ, *span)]
    return "holds" if most < seconds - _SLACK and not again else "borderline"
