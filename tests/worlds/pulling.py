"""Pulling: what is true of claims on what the registry was asked, and when."""

from chaos_harness.harness.history.vocabulary import REGISTRY, REQUEST, WATCH_EVENTS
from tests.worlds.claimed import Drawn, Truth
from tests.worlds.dice import Dice
from tests.worlds.faulty import TrueFault, written
from tests.worlds.stage import Log
from tests.worlds.webhooks import Scene, State, drawn_scene

__all__ = ["asked_no_registry", "asked_registry", "no_request_during"]

_CUT, _GATEKEEPER, _OTHER = "cut registry", "openpolicyagent/gatekeeper", "library/busybox"


def _scene(dice: Dice) -> tuple[Scene, list[TrueFault], list[tuple[float, str]]]:
    """Return a world, its cuts, and when the registry was asked for the manifest of what."""
    scene = drawn_scene(dice, dice.between(90, 160), audit=dice.chance(0.5))
    stage = scene.stage
    faults: list[TrueFault] = []
    at = dice.between(25, 45)
    for number in range(dice.pick(1, 1, 2, 3)):
        healing = at + dice.between(8, 25)
        if healing > stage.judge - 4:
            break
        proved = None if dice.chance(0.05) else at + dice.between(0.3, 1)
        faults.append(TrueFault(f"fault {number + 1}", _CUT, at, proved, healing, healing + dice.between(0.2, 1)))
        at = healing + dice.between(6, 20)
    written(stage, faults)
    stage.judged()
    asked: list[tuple[float, str]] = []
    for repository in (_GATEKEEPER, _OTHER):
        if dice.chance(0.6):
            asked += [(dice.between(-60, stage.judge), repository) for _ in range(dice.randint(1, 3))]
    return scene, faults, asked


def _log(dice: Dice, scene: Scene, asked: list[tuple[float, str]]) -> None:
    lines = []
    for at, repository in asked:
        path = f"/v2/{repository}/manifests/v3.23.1"
        value = {"method": dice.pick("HEAD", "GET"), "path": path, "status": 200, "remote": "172.18.0.3"}
        lines.append((at, value))
        if repository == _OTHER and dice.chance(0.3):
            lines.append((at + 0.1, {**value, "path": f"/v2/{_GATEKEEPER}/blobs/sha256:1"}))
    scene.stage.logs[REGISTRY] = Log(REQUEST, dice.pick(1.0, 3.0), lines)
    scene.stage.say(f"asked: {', '.join(f'{at:.1f} s {repository}' for at, repository in sorted(asked))}")


def _before(dice: Dice, *, wanted: bool) -> Drawn:
    scene, faults, asked = _scene(dice)
    begin = faults[0].injected
    asked = [request for request in asked if abs(request[0] - begin) > 3]
    if dice.chance(0.9):
        pod = scene.pods[0]
        at = dice.between(2, begin - 5)
        pod.states += [State(at, "", "Error"), State(at + 1, f"{pod.name}1")]
        started = True
    else:
        started = False
        for pod in scene.pods:
            pod.states[0] = pod.states[0]._replace(at=-4000.0)
    scene.finish()
    if not started:
        events = scene.stage.lists[WATCH_EVENTS]
        events[:] = [event._replace(at=begin + 5) for event in events[: dice.randint(0, 1)]]
    _log(dice, scene, asked)
    there = any(at < begin and repository == _GATEKEEPER for at, repository in asked)
    truth: Truth = "holds" if there == wanted else "violated"
    if not started or faults[0].proved is None:
        truth = "borderline" if there and faults[0].proved is not None else "inconclusive"
    if any(fault.proved is None for fault in faults) and faults[0].proved is not None:
        truth = "borderline"
    needs = {REGISTRY, WATCH_EVENTS}
    places = {stream: [(begin - 10, begin)] for stream in needs}
    return Drawn(scene.stage, {"repository": _GATEKEEPER}, truth, needs, (0.0, begin), "", places=places)


def asked_registry(dice: Dice) -> Drawn:
    """Draw a claim that the registry was asked for an image before it was cut off."""
    return _before(dice, wanted=True)


def asked_no_registry(dice: Dice) -> Drawn:
    """Draw a claim that it was not."""
    return _before(dice, wanted=False)


def no_request_during(dice: Dice) -> Drawn:
    """Draw a claim that a cut registry answers nothing."""
    scene, faults, asked = _scene(dice)
    for fault in faults:
        asked = [request for request in asked if not fault.injected - 2 < request[0] < fault.healing + 2]
    hit = [fault for fault in faults if dice.chance(0.5 / len(faults))]
    asked += [(dice.between(fault.injected + 2, fault.healing - 1), dice.pick(_GATEKEEPER, _OTHER)) for fault in hit]
    scene.finish()
    _log(dice, scene, asked)
    truth: Truth = "violated" if hit else "holds"
    unproved = [fault for fault in faults if fault.proved is None]
    if unproved:
        truth = "inconclusive" if not [fault for fault in hit if fault not in unproved] else "borderline"
    window = (faults[0].injected, faults[-1].healing)
    places = {REGISTRY: [(fault.injected, fault.healing) for fault in faults]}
    return Drawn(scene.stage, {"fault": _CUT}, truth, {REGISTRY}, window, "", places=places)
