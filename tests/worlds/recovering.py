"""Recovering: what is true of claims that harmed pods serve again, and that the others are undisturbed."""

from math import inf

from chaos_harness.harness.history.vocabulary import WATCH_EVENTS, WATCH_PODS, WATCH_SLICES
from tests.worlds.claimed import Drawn, Truth, proof
from tests.worlds.dice import Dice, Stretch, clipped
from tests.worlds.faulty import TrueFault, written
from tests.worlds.webhooks import BLOWS, FORBIDDEN, Pod, Scene, State, drawn_scene, replica

__all__ = ["recovers", "recovers_after", "recovers_within", "undisturbed"]

_SLACK = 3.0
_STABLE_SECONDS = 30.0
_CUT = "cut registry"
_WATCHES = {WATCH_PODS, WATCH_SLICES, WATCH_EVENTS, f"asked {FORBIDDEN}"}


def _fault(dice: Dice, scene: Scene, lasts: float) -> TrueFault:
    """Return a cut of the registry, proved or not, with another fault long before or after it now and then."""
    begin = dice.between(20, 30)
    proved = None if dice.chance(0.04) else begin + dice.between(0.3, 1)
    healing = begin + lasts
    return TrueFault("fault 1", _CUT, begin, proved, healing, healing + dice.between(0.3, 2))


def _come_back(  # noqa: PLR0911 - one for each way
    dice: Dice, scene: Scene, pod: Pod, harm: float, limit: float, healing: float
) -> float:
    """Let a pod come back in some way after it was harmed; return when it serves for good (infinite: never)."""
    number = 0

    def run(at: float) -> float:
        nonlocal number
        number += 1
        pod.states.append(State(at, f"{pod.name}{number}{int(at)}"))
        return at + 2.0

    pulls = dice.chance(0.5)
    down = "ImagePullBackOff" if pulls else "CrashLoopBackOff"
    ways = ("quick", "quick", "slow", "late", "never", "flaps", "flaps", "steadies", "barred", "mute")
    way = dice.pick(*ways)
    if not pod.webhook and way in {"barred", "mute"}:
        way = "never"
    scene.stage.say(f"{pod.name} comes back: {way}")
    if way == "barred":
        pod.barred = True
        run(harm + dice.between(2, 10))
        return inf
    if way in {"quick", "mute"}:
        at = run(harm + dice.between(2, max(3, (limit - harm) * 0.6)))
        if way == "mute":
            pod.mute.append((harm, inf))
            return inf
        return at
    if way == "slow":
        return run(limit + dice.between(5, 40))
    if way == "late":
        return run(max(healing, limit) + dice.between(4, 50))
    if way == "never":
        return inf
    at = harm + dice.between(2, 8)
    until = min(harm + (limit - harm) * 0.5, limit) if way == "steadies" else scene.stage.end
    while at < until:
        run(at)
        crash = at + 1.9 + dice.between(0.5, 3)
        pod.states.append(State(crash, "", "CrashLoopBackOff"))
        at = crash + dice.between(8, 25)
    del down
    return run(max(at, until - 1)) if way == "steadies" else inf


def _harmed(
    dice: Dice, scene: Scene, how: str, at: float, limit: float, healing: float, *, proved: bool = True
) -> tuple[list[float], bool, set[str]]:
    """Harm a pod or two; return when each serves for good, whether one came to the node it was on, and who is asked."""
    serving, same, asked = [], False, set()
    any_pod = how == "killed" and dice.chance(0.4)
    pods = dice.some([pod for pod in scene.pods if pod.webhook or any_pod], 1, 1 if how == "rescheduled" else 2)
    scene.harm(at, how, *pods, proved=proved)
    for pod in pods:
        if how == "rescheduled":
            pod.states += [State(at + 0.1, pod.states[-1].container, deleting=True), State(at + 3, "", gone=True)]
            if dice.chance(0.1):
                serving.append(inf)
                scene.stage.say(f"{pod.name} is not replaced")
                continue
            stays = dice.chance(0.2)
            node = pod.node if stays else f"other-{pod.name}"
            same = same or stays
            new = Pod(f"{pod.name}-new", node, [State(at + 0.5, "", "ContainerCreating")])
            scene.pods.append(new)
        else:
            new = pod
            pod.states.append(State(at + 0.2, "", dice.pick("Error", "ImagePullBackOff")))
        serving.append(_come_back(dice, scene, new, at, limit, healing))
        asked |= {replica(new)} if new.webhook else set()
        at += 0.01
    return serving, same, asked


def recovers_within(dice: Dice) -> Drawn:
    """Draw a claim that harmed pods serve again while the fault lasts."""
    seconds = dice.pick(30.0, 60.0, 90.0)
    lasts = seconds + dice.between(15, 60) if dice.chance(0.9) else seconds * 0.4
    scene = drawn_scene(dice, 60 + lasts + dice.between(40, 90))
    fault = _fault(dice, scene, lasts)
    how = dice.pick("killed", "rescheduled")
    harm = fault.injected + dice.between(3, 8)
    limit = harm + seconds
    written(scene.stage, [fault])
    scene.stage.judged()
    serving, same, asked = _harmed(dice, scene, how, harm, limit, fault.healing)
    scene.finish()
    last = max(serving)
    truth: Truth = "borderline"
    if last <= min(limit, fault.healing) - _SLACK:
        truth = "holds"
    elif limit > fault.healing:
        truth = "inconclusive" if last > fault.healing + _SLACK else "borderline"
    elif last > limit + _SLACK:
        truth = "violated"
    if fault.proved is None or same:
        truth = "inconclusive"
    if same and len(serving) > 1:
        truth = "borderline"
    _ways(scene, serving)
    window = (fault.injected, max(min(limit, fault.healing) + _STABLE_SECONDS, fault.healing))
    places = {stream: [(harm, limit)] for stream in {WATCH_PODS, WATCH_SLICES, *asked}}
    return Drawn(scene.stage, {"seconds": seconds, "how": how}, truth, _WATCHES | asked, window, "", places=places)


def recovers_after(dice: Dice) -> Drawn:
    """Draw a claim that harmed pods serve again some time after the fault."""
    seconds = dice.pick(30.0, 60.0)
    lasts = dice.between(30, 70)
    rest = dice.between(40, 90) if dice.chance(0.9) else 0.3 * seconds
    scene = drawn_scene(dice, 40 + lasts + seconds + rest)
    fault = _fault(dice, scene, lasts)
    how = dice.pick("killed", "rescheduled")
    harm = fault.injected + dice.between(3, 8)
    limit = fault.healing + seconds
    written(scene.stage, [fault])
    scene.stage.judged()
    serving, same, asked = _harmed(dice, scene, how, harm, limit, fault.healing)
    scene.finish()
    last = max(serving)
    truth: Truth = "borderline"
    if last <= min(limit, scene.stage.judge) - _SLACK:
        truth = "holds"
    elif last > min(limit, scene.stage.judge) + _SLACK:
        truth = "violated" if limit < scene.stage.judge - _SLACK else "inconclusive"
    if fault.proved is None:
        truth = "inconclusive"
    del same
    _ways(scene, serving)
    window = (harm - 2, min(limit + _STABLE_SECONDS, scene.stage.judge))
    places = {stream: [(fault.healing, limit)] for stream in {WATCH_PODS, WATCH_SLICES, *asked}}
    short = "little was recorded after it" if limit > scene.stage.judge - 1 else ""
    return Drawn(scene.stage, {"seconds": seconds, "how": how}, truth, _WATCHES | asked, window, short, places=places)


def recovers(dice: Dice) -> Drawn:
    """Draw a claim that harmed pods serve again some time after the harm, whatever else is done."""
    seconds = dice.pick(30.0, 60.0)
    rest = dice.between(40, 90) if dice.chance(0.9) else -0.6 * seconds
    scene = drawn_scene(dice, 40 + seconds + rest)
    how = dice.pick("killed", "rescheduled")
    harm = dice.between(25, 33)
    limit = harm + seconds
    named = dice.chance(0.4)
    cut = _fault(dice, scene, dice.between(10, 40))
    if dice.chance(0.4) and abs(cut.injected - harm) > 1.5:  # faults are injected one after the other
        written(scene.stage, [cut])
    if named and dice.chance(0.6):
        _lose_another(scene, how, harm - dice.between(3, 15))
    scene.stage.judged()
    proved = dice.chance(0.95)
    serving, _, asked = _harmed(dice, scene, how, harm, limit, limit, proved=proved)
    scene.finish()
    last = max(serving)
    truth: Truth = "borderline"
    if last <= min(limit, scene.stage.judge) - _SLACK:
        truth = "holds"
    elif last > min(limit, scene.stage.judge) + _SLACK:
        truth = "violated" if limit < scene.stage.judge - _SLACK else "inconclusive"
    if not proved:
        truth = "inconclusive"
    _ways(scene, serving)
    window = (harm - 2, min(limit + _STABLE_SECONDS, scene.stage.judge))
    places = {stream: [(harm, limit)] for stream in {WATCH_PODS, WATCH_SLICES, *asked}}
    short = "little was recorded after it" if limit > scene.stage.judge - 1 else ""
    more = {
        WATCH_PODS: ((0.0, scene.stage.judge), inf)
    }  # a line that is lost may have recorded the harm of another pod
    claim = {"seconds": seconds, "how": how, **({"fault": BLOWS[how]} if named else {})}
    return Drawn(scene.stage, claim, truth, _WATCHES | asked, window, short, also=more, places=places)


def _lose_another(scene: Scene, how: str, at: float) -> None:
    """Let another fault harm a pod of its own in the same way, which never serves again."""
    lost = Pod("bystander", "worker9", [State(-100.0, "bystander0")])
    scene.harm(at, how, lost, by="strike another")
    gone = [State(at + 0.1, "bystander0", deleting=True), State(at + 3, "", gone=True)]
    lost.states += gone if how == "rescheduled" else [State(at + 0.2, "", "Error")]
    scene.pods.append(lost)
    scene.stage.say(f"bystander is {how} by another fault, and lost")


def _ways(scene: Scene, serving: list[float]) -> None:
    scene.stage.say(f"serve for good from {', '.join(f'{moment:.1f}' for moment in serving)} s on")


def undisturbed(dice: Dice) -> Drawn:
    """Draw a claim that pods that were left alone stay as they are while a fault lasts."""
    scene = drawn_scene(dice, dice.between(110, 180))
    stage = scene.stage
    faults = [_fault(dice, scene, dice.between(25, 60))]
    if dice.chance(0.3) and faults[0].healed + 20 < stage.judge:
        begin = faults[0].healed + dice.between(5, 12)
        healing = min(begin + dice.between(10, 30), stage.judge + 1)
        proved = None if dice.chance(0.1) else begin + 0.5
        faults.append(TrueFault("fault 2", _CUT, begin, proved, healing, healing + 0.5))
    written(stage, faults)
    stage.judged()
    windows = [(fault.injected, min(fault.healing, stage.judge)) for fault in faults]
    truths: list[Truth] = ["holds"]
    alone = list(scene.pods)
    if dice.chance(0.6):
        harmed = alone.pop(0)
        at = faults[0].injected + dice.between(2, 10)
        scene.harm(at, "killed", harmed)
        harmed.states += [State(at + 0.2, "", "Error"), State(at + dice.between(3, 30), f"{harmed.name}1")]
    truths += [_disturb(dice, scene, pod, windows) for pod in alone if dice.chance(0.45)]
    scene.finish()
    truth: Truth = "holds"
    for worst in ("violated", "borderline"):
        if worst in truths:
            truth = worst
            break
    truth = proof(truth, faults)
    asked = {replica(pod) for pod in (scene.pods if len(faults) > 1 else alone) if pod.webhook}
    deaf = any(pod.deaf and pod.mute for pod in alone)
    unsure = "one gives no answer, as if it was not seen" if deaf and "violated" in truths else ""
    window = (min(begin for begin, _ in windows), max(end for _, end in windows))
    places = dict.fromkeys({WATCH_PODS, *asked}, windows)
    return Drawn(
        stage, {"during": _CUT}, truth, {WATCH_PODS, f"asked {FORBIDDEN}", *asked}, window, unsure, places=places
    )


def _disturb(dice: Dice, scene: Scene, pod: Pod, windows: list[Stretch]) -> Truth:
    """Do something to a pod that was left alone, in a window or out of it; return what that means."""
    stage = scene.stage
    way = dice.pick("restart", "unready", "deleted", "mute", "mute", "short")
    at = dice.between(5, stage.judge - 5)
    if dice.chance(0.6):
        begin, end = dice.choice(windows)
        at = dice.between(begin + 1, end - 1)
    length = dice.between(1.5, 6) if way == "short" else dice.between(14, 40)
    stage.say(f"{pod.name}: {way} at {at:.1f} s for {length:.1f} s")
    if way in ("mute", "short") and pod.webhook:
        pod.mute.append((at, at + length))
        pod.deaf = dice.chance(0.5)
        inside = max(sum(end - begin for begin, end in clipped([(at, at + length)], *window)) for window in windows)
        return "violated" if inside > 10 + 2 * _SLACK else "holds" if inside < 10 - 2 * _SLACK else "borderline"
    if way == "restart":
        pod.states += [State(at, "", "Error"), State(at + dice.between(1, 8), f"{pod.name}9")]
        until = pod.states[-1].at + 2
    elif way == "deleted":
        pod.states += [State(at, pod.states[-1].container, deleting=True), State(at + 2, "", gone=True)]
        until = at + 2
    else:
        pod.unready.append((at, at + length))
        until = at + length
    for begin, end in windows:
        if begin + 0.5 < at < end - 0.5:
            return "violated"
        if (at <= begin + 0.5 and until > begin - 0.5) or end - 0.5 <= at <= end + 0.5:
            return "borderline"
    return "holds"
