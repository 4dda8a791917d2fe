"""Readying: what is true of claims that webhook pods in service answer as policies demand."""

from chaos_harness.harness.history.vocabulary import FAULT, WATCH_PODS, WATCH_SLICES
from tests.worlds.claimed import Drawn, Truth
from tests.worlds.dice import Dice, Stretch, clipped, joined, longest, without
from tests.worlds.faulty import TrueFault, written
from tests.worlds.webhooks import Pod, Scene, State, drawn_scene

__all__ = ["ready_means_enforcing"]

_QUESTION = "deny by rego"
_SURELY = 2.2
"""A pod that answers wrongly for so many seconds is asked meanwhile."""

_UP_SECONDS, _ROUTED_SECONDS = 1.5, 0.3
_NOTICED_SECONDS, _LAG_SECONDS = 3.3, 1.4


def ready_means_enforcing(dice: Dice) -> Drawn:
    """Draw a claim that pods in service answer as a policy demands."""
    late, unasked = dice.pick(5.0, 10.0, 20.0), dice.pick(0.0, 0.0, 0.0, 5.0)
    scene = drawn_scene(dice, dice.between(115, 150))
    stage, scene.question = scene.stage, _QUESTION
    webhooks = [pod for pod in scene.pods if pod.webhook]
    one, other = webhooks[0], webhooks[-1]
    sure, maybe = _demanded(dice, scene, webhooks)
    changed: list[Stretch] = []
    if dice.chance(0.3):
        changed = [_changed(dice, scene, webhooks, late)]
    stage.judged()
    if dice.chance(0.8):
        _restart(dice, scene, one)
    if dice.chance(0.3):
        _away(dice, scene, other)
    if dice.chance(0.2):
        begin = dice.between(20, stage.judge - 20)
        other.astray.append((begin, begin + dice.between(1, 6)))
    mute = dice.chance(0.2)
    if mute:
        begin = dice.between(15, stage.judge - 25)
        other.mute.append((begin, begin + dice.between(4, 12)))
        other.deaf = dice.chance(0.4)
    if dice.chance(0.2):
        scene.pods.append(Pod("barred", "worker7", [*other.states], barred=True, astray=[(0.0, stage.end)]))
    scene.finish()
    served = [(pod, _served(pod, stage.judge)) for pod in webhooks]
    wrong = [(part, *_margins(served_by, sure, maybe)) for pod, served_by in served for part in _astray(pod)]
    stage.say(f"wrong answers {[(pod.name, pod.astray) for pod in webhooks]}")
    stage.say(f"in service {[part for _, part in served]}")
    pods = {scene.asked(pod) for pod in scene.pods if pod.webhook}
    streams = {WATCH_PODS, WATCH_SLICES, *pods}
    return Drawn(
        stage,
        {"late": late, "policies": dice.pick([], [_QUESTION]), "unasked": unasked},
        _truth(wrong, changed, unasked),
        streams,
        (0.0, stage.judge),
        "a pod in service does not answer" if mute and other.deaf else "",
        places=dict.fromkeys(streams, joined(part for part, *_ in wrong)),
    )


def _demanded(dice: Dice, scene: Scene, webhooks: list[Pod]) -> tuple[Stretch, Stretch]:
    """Return when the policy is demanded, for certain and perhaps; before and after it all pods admit."""
    stage = scene.stage
    if dice.chance(0.5):
        return (0.0, stage.judge), (0.0, stage.judge)
    since, until = stage.policies(dice.between(6, 12), stage.judge + dice.pick(2.0, -15.0), _QUESTION)
    for pod in webhooks:
        pod.astray += [(0.0, since - 2.2), (until + 0.7, stage.end)]
    return (since, min(until, stage.judge)), (since - 2.1, until + 0.6)


def _changed(dice: Dice, scene: Scene, webhooks: list[Pod], late: float) -> Stretch:
    """Let a fault take the policy's objects away; return when they may be away, and pods may not have learnt of it."""
    begin = dice.between(14, 20)
    healed = begin + dice.between(5, 10)
    written(scene.stage, [TrueFault(f"{FAULT} 9", "delete object", begin, begin + 1, healed - 1, healed)])
    learnt = healed + dice.pick(dice.between(0.5, late - 2), dice.between(0.5, late - 2), late + dice.between(3, 6))
    for pod in webhooks:
        pod.astray.append((begin + dice.between(1, 2), learnt))
    return begin, healed + late


def _restart(dice: Dice, scene: Scene, pod: Pod) -> None:
    """Let a pod be killed and come back: it is Ready when it has learnt the policy, or some seconds before."""
    at = dice.between(52, 65)
    up = at + dice.between(2, 6)
    scene.harm(at - 0.2, "killed", pod)
    pod.states += [State(at, "", "Error"), State(up, f"{pod.name}1")]
    ready = up + _UP_SECONDS
    if dice.chance(0.5):  # it is asked before it is Ready
        ready = up + dice.between(4, 9)
        pod.unready.append((up, ready))
    learnt = ready + dice.pick(-2.5, -2.5, -1.2, dice.between(0.2, 1.5), dice.between(4, 9))
    if learnt > up:
        pod.astray.append((up, learnt))
    scene.stage.say(f"{pod.name} is back at {up:.1f} s, Ready at {ready:.1f} s, and has learnt at {learnt:.1f} s")


def _away(dice: Dice, scene: Scene, pod: Pod) -> None:
    """Let a pod be not Ready for a while, and answer wrongly meanwhile."""
    at = dice.between(75, 80)
    pod.unready.append((at, at + 7))
    pod.astray.append((at + 0.6, at + 5.4))
    scene.stage.say(f"{pod.name} is not Ready from {at:.1f} to {at + 7:.1f} s")


def _astray(pod: Pod) -> list[Stretch]:
    return joined(pod.astray)


def _served(pod: Pod, until: float) -> list[Stretch]:
    """Return when a pod was Ready and in rotation."""
    edges = [*(state.at for state in pod.states[1:]), until]
    runs = [
        (max(0.0, state.at + _UP_SECONDS + _ROUTED_SECONDS), end)
        for state, end in zip(pod.states, edges, strict=True)
        if state.container
    ]
    return without(runs, [(begin, end + _ROUTED_SECONDS) for begin, end in pod.unready])


def _margins(served: list[Stretch], sure: Stretch, maybe: Stretch) -> tuple[list[Stretch], list[Stretch]]:
    """Return when a wrong answer certainly counts, and when it perhaps does."""
    certain = joined((begin + 0.1, end - _NOTICED_SECONDS) for begin, end in served)
    possible = joined((begin - _LAG_SECONDS, end + 0.5) for begin, end in served)
    return clipped(certain, *sure), clipped(possible, *maybe)


def _truth(wrong: list[tuple[Stretch, list[Stretch], list[Stretch]]], changed: list[Stretch], unasked: float) -> Truth:
    counts = [part for stretch, certain, _ in wrong for part in clipped(certain, *stretch)]
    if longest(without(counts, [(begin - 0.1, end + 0.1) for begin, end in changed])) > _SURELY + unasked:
        return "violated"
    perhaps = [part for stretch, _, possible in wrong for part in clipped(possible, *stretch)]
    if not perhaps:
        return "holds"
    inside = [part for span in changed for part in clipped(counts, *span)]
    return "inconclusive" if longest(inside) > _SURELY and not without(perhaps, changed) else "borderline"
