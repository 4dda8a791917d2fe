"""Unmutated: what is true of the claim that nothing comes into being without its mutation: event by event."""

from chaos_harness.harness.history.vocabulary import FAIL_OPEN, WATCH_WORKLOAD, watch
from tests.worlds.admission import LEADING, MUTATE, Scene, be_late, born, drawn_scene, lose
from tests.worlds.claimed import Drawn, Truth, proof
from tests.worlds.dice import Dice, Stretch
from tests.worlds.faulty import TrueFault, harm_of_others, time_of

__all__ = ["never_unmutated"]

_EDGE_SECONDS = 1.5
_ENOUGH = 130


def never_unmutated(dice: Dice) -> Drawn:
    """Draw a claim on pods that were created, by the canary and in a workload."""
    scene = drawn_scene(dice, [MUTATE, *(["deny by rego"] if dice.chance(0.2) else [])])
    if dice.chance(0.7):
        lose(dice, scene, MUTATE, cruel=dice.chance(0.5))
    excused = ["timed out"] if dice.chance(0.4) else []
    if dice.chance(0.5 if excused else 0.05):
        be_late(dice, scene)
    pods = born(dice, scene) if dice.chance(0.8) else []
    if dice.chance(0.5):
        _watch_canaries(scene)
    chosen: list[TrueFault] = []
    name = ""
    if dice.chance(0.6):
        name = dice.choice(scene.faults).name
        chosen = [fault for fault in scene.faults if fault.name == name]
    asked = _events(scene, excused)
    windows = [_window(scene, fault) for fault in chosen] or [(LEADING, min(scene.removed, scene.stage.judge))]
    others = [
        part
        for fault, window in zip(chosen, windows, strict=False)
        for part in harm_of_others(chosen, scene.faults, window)
    ]
    bad = [at for at, lost in asked if lost] + [at for at, there in pods if not there and at >= LEADING - _EDGE_SECONDS]
    every = [at for at, _ in asked] + [at for at, _ in pods if at >= LEADING]
    at_most = dice.pick(0.0, 0.0, 0.0, 0.05, 0.3)
    truth = _share(scene, bad, every, at_most, windows, chosen, others) if at_most else _none(bad, windows, others)
    truth = proof(truth, chosen)
    count = min(sum(_in(at, [window], 0.0) for at, _ in asked) for window in windows)  # of each fault by itself
    unsure = "few were asked" if count < _ENOUGH else ""
    if (
        any(losing.how == "slow" and (losing.share < 1 or losing.end - losing.begin < 4) for losing in scene.losing)
        and excused
    ):
        truth, unsure = "borderline", "short runs of time-outs"
    parameters = {"policy": MUTATE, "during": name, "at_most": at_most, "excused": excused}
    needs = {
        f"asked {MUTATE}",
        *([WATCH_WORKLOAD] if pods else []),
        *([FAIL_OPEN, *scene.stage.audits] if excused else []),
    }
    needs |= {process for process in scene.stage.lists if process == watch("canaries")}
    reach = (min(begin for begin, _ in windows), max(end for _, end in windows))
    spans = [losing.span for losing in scene.losing if losing.policy == MUTATE] or windows
    places = dict.fromkeys(needs, spans)
    helps = set(scene.stage.audits)
    return Drawn(scene.stage, parameters, truth, needs, reach, unsure, helps=helps, places=places)


def _events(scene: Scene, excused: list[str]) -> list[tuple[float, bool]]:
    """Return when each pod was asked for, and whether it was lost in a way that counts."""
    asked: list[tuple[float, bool]] = []
    canary, seq = scene.canary, 0
    count = len(canary.questions)
    while (at := canary.begin + seq / canary.rate) < scene.stage.judge:
        if canary.questions[seq % count].policy == MUTATE:
            losing = scene.lost(MUTATE, at, seq)
            late = losing is None and not excused and scene.late(MUTATE, seq)
            asked.append((at, bool(losing) or late))
        seq += 1
    return asked


def _watch_canaries(scene: Scene) -> None:
    """Let what the admission probe really creates be watched; it is deleted as soon as the answer is there."""
    canary, count = scene.canary, len(scene.canary.questions)
    process = watch("canaries")
    scene.stage.watch(process)
    seq = 0
    while (at := canary.begin + seq / canary.rate) < canary.end:
        question = canary.questions[seq % count]
        if question.policy == MUTATE and not question.dry_run:
            answer = scene.answer(question, at, seq)
            name = f"canary-{seq}"
            pod = {"kind": "Pod", "metadata": {"name": name, "uid": f"uid-{name}"}, "mutated": answer.kind == "ok"}
            scene.stage.put(process, at + answer.took, name, pod)
            scene.stage.put(process, at + answer.took + 0.3, name, None)
        seq += 1


def _window(scene: Scene, fault: TrueFault) -> Stretch:
    begin, end = time_of(fault, scene.faults, scene.stage.judge)
    return max(begin, LEADING), min(end, scene.removed)


def _in(at: float, spans: list[Stretch], slack: float) -> bool:
    return any(begin + slack <= at <= end - slack for begin, end in spans)


def _none(bad: list[float], windows: list[Stretch], others: list[Stretch]) -> Truth:
    sure = [at for at in bad if _in(at, windows, _EDGE_SECONDS)]
    alone = [at for at in sure if not _in(at, others, -_EDGE_SECONDS)]
    if len(alone) > 2:
        return "violated"
    if not any(_in(at, windows, -_EDGE_SECONDS) for at in bad):
        return "holds"
    maybe = [at for at in bad if _in(at, windows, -_EDGE_SECONDS) and not _in(at, others, _EDGE_SECONDS)]
    return "inconclusive" if len(sure) > 2 and not maybe else "borderline"


def _share(
    scene: Scene,
    bad: list[float],
    every: list[float],
    at_most: float,
    windows: list[Stretch],
    chosen: list[TrueFault],
    others: list[Stretch],
) -> Truth:
    """Say whether the share is far above, or far below, in the whole window and while harm was done.

    Of several faults each has a share of its own, the worst of which counts: none is said to be low for all together.
    And what was lost after the healing is a share of all up to then, whatever rest came later.
    """
    shares: list[float] = []
    harms = [(fault.injected, min(fault.healed, scene.stage.judge)) for fault in chosen] or windows
    for spans in (windows, harms):
        seen = [at for at in every if _in(at, spans, 0.0)]
        lost = [at for at in bad if _in(at, spans, 0.0)]
        if len(seen) < 40:
            return "borderline"
        shares.append(len(lost) / len(seen))
    mine = [at for at in every if _in(at, windows, 0.0)]
    ends = [fault.injected if fault.one_shot else end for fault, (_, end) in zip(chosen, harms, strict=False)]
    late = [at for at in bad if _in(at, windows, 0.0) and at > max(ends, default=harms[0][1])]
    worst = [
        sum(one <= at for one in bad if one >= windows[0][0]) / max(1, sum(one <= at for one in mine)) for at in late
    ]
    if max(shares) and others:
        return "borderline"
    if min(shares) > 1.6 * at_most + 0.04:
        return "violated"
    low = max([*shares, *worst]) < 0.6 * at_most - 0.02 and len(chosen) == 1
    return "holds" if low or not max(shares) else "borderline"
