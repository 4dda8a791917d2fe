"""Bundled: what is true of claims on Gatekeeper's invariants, of which two parts read what pods answer."""

from chaos_harness.harness.history.vocabulary import WATCH_PODS, WATCH_SLICES
from tests.worlds.claimed import Drawn
from tests.worlds.dice import Dice
from tests.worlds.webhooks import Pod, drawn_scene

__all__ = ["gatekeeper_invariants"]

_QUESTION = "deny by rego"
_LEFT_OUT = ["has_generator", "leases_admitted", "nobody_writes_at_rest", "policies_match"]


def gatekeeper_invariants(dice: Dice) -> Drawn:
    """Draw a claim on two invariants: pods in service answer as a policy demands, and they decide alike."""
    scene = drawn_scene(dice, dice.between(110, 130))
    stage, scene.question = scene.stage, _QUESTION
    webhooks = [pod for pod in scene.pods if pod.webhook]
    since = dice.between(58, 62)
    in_force = dice.chance(0.5)
    if in_force:  # before that all pods admit
        stage.policies(since, stage.judge + 2, _QUESTION)
        for pod in webhooks:
            pod.astray.append((0.0, since - 2.2))
    stage.judged()
    way = dice.pick("", "", "one", "all", "before" if in_force else "one")
    begin = dice.between(75, 80)
    for pod in {"": [], "one": webhooks[:1], "all": webhooks, "before": []}[way]:
        pod.astray.append((begin, begin + dice.pick(14.0, 18.0)) if way == "one" else (begin, begin + 15))
    if way == "before":  # one of them knows the policy long before it is in force
        webhooks[0].astray = [(0.0, since - 2.2 - dice.between(14, 20))]
    stage.say(f"who answers wrongly: {way or 'nobody'} from {begin:.1f} s on")
    scene.finish()
    pods = {scene.asked(pod) for pod in webhooks}
    streams = {WATCH_PODS, WATCH_SLICES, *pods}
    return Drawn(
        stage,
        {"without": _LEFT_OUT},
        "violated" if way else "holds",
        streams,
        (0.0, stage.judge),
        places={stream: _wrong(webhooks[0]) for stream in streams},
    )


def _wrong(pod: Pod) -> list[tuple[float, float]]:
    return [stretch for stretch in pod.astray if stretch[0] > 0]
