"""Losing: what is true of claims on how long policies were lost: the window, its end, its begin, and parity."""

import itertools
from dataclasses import dataclass

from chaos_harness.harness.history.vocabulary import FAIL_OPEN
from tests.worlds.admission import LEADING, MUTATE, QUESTIONS, Scene, be_late, drawn_scene, lose, refuse
from tests.worlds.claimed import Drawn, Truth, proof
from tests.worlds.dice import Dice, Stretch, clipped, joined, longest, total, without
from tests.worlds.faulty import TrueFault, harm_of_others, time_of

__all__ = [
    "comes_back",
    "enforcement_parity",
    "fail_open_window",
    "loses_no_longer_than",
    "outlasts",
    "refused_for_at_most",
]

_SLOW_SECONDS = 1.3
_SHORT_SLOW_SECONDS = 4.0
_LAST = 10
_PAUSE_SECONDS = 8.0


@dataclass(frozen=True)
class _Lost:
    """How long something was lost in a window: at least and at most, and so outside of what overlaps with others."""

    least: float
    most: float
    least_alone: float
    most_alone: float
    slack: float


def _scene(
    dice: Dice, *, cruel: bool, losing: float = 0.75, refusing: float = 0.0
) -> tuple[Scene, list[str], list[str]]:
    """Return a scene, the policies that a claim names, and the causes that it excuses."""
    policies = dice.some(list(QUESTIONS), 1, 2)
    scene = drawn_scene(dice, policies)
    for policy in policies:
        if dice.chance(losing):
            lose(dice, scene, policy, cruel=cruel)
        elif refusing and dice.chance(refusing):
            refuse(dice, scene, policy)
    excused = ["timed out"] if dice.chance(0.4) else []
    if dice.chance(0.5 if excused else 0.1):
        be_late(dice, scene)
    return scene, dice.some(policies, 1, 2), excused


def _lost(
    scene: Scene, policy: str, window: Stretch, others: list[Stretch], excused: list[str], *, bypass: bool = True
) -> _Lost:
    least: list[Stretch] = []
    most: list[Stretch] = []
    partly, slack = 0.0, 0.3 + 2 * scene.interval
    losings = [losing for losing in scene.losing if losing.policy == policy and losing.bypass == bypass]
    for losing in losings:
        (span,) = clipped([losing.span], *window) or [(0.0, 0.0)]
        if not total([span]):
            continue
        slow = losing.how == "slow"
        slack += 2 * scene.interval + (_SLOW_SECONDS if slow else 0.0)
        lasts = span[1] == scene.stage.judge  # then it may last longer, for all that is known at the mark
        end = min(losing.span[1], scene.stage.end) if lasts else span[1]
        most.append((span[0], end + (_SLOW_SECONDS if slow else 0.0)))
        if losing.share < 1 and slow and excused:
            continue  # single time-outs, or runs of them: nobody can tell
        if losing.share < 1:
            partly += losing.share * total([span])
        elif not (slow and excused and losing.end - losing.begin < _SHORT_SLOW_SECONDS):
            least.append(span)
    if bypass and not excused and policy != "deny by cel (vap)":
        width = scene.interval * 2 + _SLOW_SECONDS
        most += [(at - width / 2, at + width) for at in scene.alone if window[0] - 1 <= at <= window[1]]
    alone = [without(stretches, others) for stretches in (joined(least), joined(most))]
    outside = partly if not others else 0.0
    return _Lost(total(joined(least)) + partly, total(joined(most)), total(alone[0]) + outside, total(alone[1]), slack)


def _chosen(dice: Dice, scene: Scene) -> tuple[str, list[TrueFault]]:
    name = dice.choice(scene.faults).name
    return name, [fault for fault in scene.faults if fault.name == name]


def _window(scene: Scene, fault: TrueFault) -> Stretch:
    begin, end = time_of(fault, scene.faults, scene.stage.judge)
    return max(begin, LEADING), min(end, scene.removed)


def _needs(policies: list[str], excused: list[str], audits: list[str]) -> set[str]:
    return {*(f"asked {policy}" for policy in policies), *([FAIL_OPEN, *audits] if excused else [])}


def _places(scene: Scene) -> dict[str, list[Stretch]]:
    places: dict[str, list[Stretch]] = {}
    for losing in scene.losing:
        places.setdefault(f"asked {losing.policy}", []).append(losing.span)
        for log in (FAIL_OPEN, *scene.stage.audits):
            places.setdefault(log, []).append(losing.span)
    return places


def fail_open_window(dice: Dice) -> Drawn:
    """Draw a claim on how long enforcement is lost after a fault."""
    return _for_at_most(dice, *_scene(dice, cruel=dice.chance(0.6), refusing=0.4), bypass=True)


def refused_for_at_most(dice: Dice) -> Drawn:
    """Draw a claim on how long requests are refused after a fault, because what cannot be asked fails closed."""
    return _for_at_most(dice, *_scene(dice, cruel=dice.chance(0.6), losing=0.25, refusing=0.85), bypass=False)


def _for_at_most(dice: Dice, scene: Scene, policies: list[str], excused: list[str], *, bypass: bool) -> Drawn:
    name, chosen = _chosen(dice, scene)
    losses: list[_Lost] = []
    for fault in chosen:
        window = _window(scene, fault)
        others = harm_of_others(chosen, scene.faults, window)
        losses += [_lost(scene, policy, window, others, excused, bypass=bypass) for policy in policies]
    worst = max(loss.least for loss in losses)
    most = max(loss.most for loss in losses)
    seconds = dice.pick(0.0, 1.0, 5.0, 20.0, round(0.6 * worst), round(1.3 * most + 3))
    hit = [loss for loss in losses if (loss.least_alone > seconds + loss.slack)]
    union = sum(loss.most for loss in losses) if len(chosen) > 1 else most
    truth: Truth = "borderline"
    if hit:
        truth = "violated"
    elif all(loss.most <= (seconds - loss.slack if loss.most else seconds) for loss in losses) and (
        len(chosen) == 1 or not union or union + 3 < seconds
    ):
        truth = "holds"
    elif all(loss.most_alone <= (seconds - loss.slack if loss.most_alone else seconds) for loss in losses) and any(
        loss.least > seconds + loss.slack for loss in losses
    ):
        truth = "inconclusive"
    truth = proof(truth, chosen)
    windows = [_window(scene, fault) for fault in chosen]
    short = any(end - begin < 5 * scene.interval for begin, end in windows)
    partial = any(losing.share < 1 for losing in scene.losing)
    unsure = "some of many are lost" if partial else "the window is short" if short else ""
    if short and truth != "inconclusive":
        truth = "borderline"
    parameters = {"seconds": seconds, "fault": name, "policies": policies, "excused": excused}
    needs = _needs(policies, excused, scene.stage.audits)
    reach = (min(begin for begin, _ in windows), max(end for _, end in windows))
    helps = set(scene.stage.audits)
    return Drawn(scene.stage, parameters, truth, needs, reach, unsure, helps=helps, places=_places(scene))


def comes_back(dice: Dice) -> Drawn:
    """Draw a claim that enforcement is there again in the end."""
    scene, policies, excused = _scene(dice, cruel=True)
    name, chosen = _chosen(dice, scene)
    before = dice.chance(0.4)
    truths: list[Truth] = []
    ends: list[Stretch] = []
    for fault in chosen:
        begin, end = _window(scene, fault)
        end = min(end, fault.healing) if before else end
        tail = (_LAST + 2) * scene.interval + _SLOW_SECONDS
        ends.append((end - tail, end))
        others = harm_of_others(chosen, scene.faults, (begin, end))
        truths += [_tail(scene, policy, (begin, end), tail, others, excused) for policy in policies]
    truth = proof(_worst(truths), chosen)
    parameters = {"fault": name, "policies": policies, "excused": excused, "before_healing": before}
    reach = (min(begin for begin, _ in ends), max(end for _, end in ends))
    places = {f"asked {policy}": ends for policy in policies}
    unsure = "the window is short" if "borderline" in truths else ""
    needs, helps = _needs(policies, excused, scene.stage.audits), set(scene.stage.audits)
    return Drawn(scene.stage, parameters, truth, needs, reach, unsure, helps=helps, places=places)


def _tail(scene: Scene, policy: str, window: Stretch, tail: float, others: list[Stretch], excused: list[str]) -> Truth:
    begin, end = window
    if end - begin < tail + 2:
        return "borderline"
    losings = [
        losing
        for losing in scene.losing
        if losing.policy == policy and losing.end > end - tail - 2 and losing.begin < end + 1
    ]
    late = not excused and any(end - tail - 2 < at < end + 1 for at in scene.alone)
    if not losings and not late:
        return "holds"
    last = (end - (_LAST - 2) * scene.interval, end)
    for losing in losings:
        lost = clipped([losing.span], *last)
        enough = 4 * scene.interval + (_SLOW_SECONDS if losing.how == "slow" else 0.0)
        short = losing.how == "slow" and losing.end - losing.begin < _SHORT_SLOW_SECONDS
        if losing.share == 1 and total(lost) > enough and not (excused and short):
            alone = without([losing.span], others)
            if total(without(lost, others)) > enough:
                return "violated"
            return "inconclusive" if not total(clipped(alone, begin, end)) else "borderline"
    return "borderline"


def _worst(truths: list[Truth]) -> Truth:
    for truth in ("violated", "borderline", "inconclusive"):
        if truth in truths:
            return truth
    return "holds"


def outlasts(dice: Dice) -> Drawn:
    """Draw a claim that nothing is lost in the first seconds of a fault."""
    scene, policies, excused = _scene(dice, cruel=True)
    name, chosen = _chosen(dice, scene)
    seconds = dice.pick(3.0, 8.0, 15.0)
    truths: list[Truth] = []
    windows: list[Stretch] = []
    for fault in chosen:
        begin, end = _window(scene, fault)
        window = begin, min(end, fault.injected + seconds)
        windows.append(window)
        others = harm_of_others(chosen, scene.faults, window)
        truths += [_early(scene, policy, window, others, excused) for policy in policies]
        if end < fault.injected + seconds:
            truths.append("borderline")
    truth = proof(_worst(truths), chosen)
    parameters = {"seconds": seconds, "fault": name, "policies": policies, "excused": excused}
    reach = (min(begin for begin, _ in windows), max(end for _, end in windows))
    places = {f"asked {policy}": windows for policy in policies}
    unsure = "the window is short" if "borderline" in truths else ""
    needs, helps = _needs(policies, excused, scene.stage.audits), set(scene.stage.audits)
    return Drawn(scene.stage, parameters, truth, needs, reach, unsure, helps=helps, places=places)


def _early(scene: Scene, policy: str, window: Stretch, others: list[Stretch], excused: list[str]) -> Truth:
    begin, end = window
    near = [
        losing
        for losing in scene.losing
        if losing.policy == policy and losing.begin < end + 2 and losing.end > begin - 2
    ]
    late = not excused and any(begin - 2 < at < end + 2 for at in scene.alone)
    if not near and not late:
        return "holds"
    for losing in near:
        lost = clipped([losing.span], begin, end - _SLOW_SECONDS)
        enough = 3 * scene.interval + (_SLOW_SECONDS if losing.how == "slow" else 0.0)
        short = losing.how == "slow" and losing.end - losing.begin < _SHORT_SLOW_SECONDS
        if losing.share == 1 and total(lost) > enough and not (excused and short):
            if total(without(lost, others)) > enough:
                return "violated"
            wide = clipped([losing.span], begin, end + _SLOW_SECONDS)
            return "inconclusive" if not total(without(wide, others)) else "borderline"
    return "borderline"


def enforcement_parity(dice: Dice) -> Drawn:
    """Draw a claim that webhook and generated policy decide alike."""
    policies = ["deny by cel (webhook)", "deny by cel (vap)", *([MUTATE] if dice.chance(0.3) else [])]
    scene = drawn_scene(dice, policies, faults=dice.chance(0.7))
    for policy in policies:
        if dice.chance(0.5):
            lose(dice, scene, policy, cruel=dice.chance(0.5))
    of_webhook, of_policy = ([losing for losing in scene.losing if losing.policy == policy] for policy in policies[:2])
    differ = joined(
        [
            *without([a.span for a in of_webhook], [b.span for b in of_policy]),
            *without([b.span for b in of_policy], [a.span for a in of_webhook]),
        ]
    )
    differ = clipped(differ, LEADING, min(scene.removed, scene.stage.judge))
    seconds = dice.pick(0.0, 0.0, 2.0, 10.0, round(0.5 * longest(differ)))
    slack = 3 * scene.interval + _SLOW_SECONDS + 0.5
    truth: Truth = "borderline"
    partial = any(losing.share < 1 for losing in [*of_webhook, *of_policy])
    apart = all(b[0] - a[1] > 4 * scene.interval + 2 for a, b in itertools.pairwise(differ))
    if not differ and not scene.alone:
        truth = "holds"
    elif longest(differ) > seconds + slack and not partial:
        truth = "violated"
    elif seconds and longest(differ) < seconds - slack and apart and not partial:
        truth = "holds"
    parameters = {"seconds": seconds}
    needs = {f"asked {policy}" for policy in policies[:2]}
    window = (LEADING, scene.stage.judge)
    return Drawn(
        scene.stage, parameters, truth, needs, window, "some of many" if partial else "", places=_places(scene)
    )


def loses_no_longer_than(dice: Dice) -> Drawn:
    """Draw a claim that one fault costs no more enforcement than another one."""
    scene, policies, excused = _scene(dice, cruel=dice.chance(0.7), losing=1.0)
    for policy in policies:
        lose(dice, scene, policy, cruel=dice.chance(0.5))
    one = dice.choice(scene.faults)
    rest = [fault for fault in scene.faults if fault.name != one.name]
    other = dice.choice(rest) if rest else one
    sides = [[fault for fault in scene.faults if fault.name == name] for name in (one.name, other.name)]
    worst = [_worst_of(scene, policies, chosen, excused) for chosen in sides]
    seconds = dice.pick(1.0, 5.0, round(abs(worst[0][0] - worst[1][0]) + 4))
    truths: list[Truth] = []
    for policy in policies:
        mine, theirs = (_lost_after(scene, policy, chosen, excused) for chosen in sides)
        truths.append(_longer(mine, theirs, seconds))
    windows = [_window(scene, fault) for chosen in sides for fault in chosen]
    short = any(end - begin < 2 + 4 * scene.interval for begin, end in windows)
    truth = proof(_worst(truths), [fault for chosen in sides for fault in chosen])
    if truth == "violated" and not all(fault.proved for chosen in sides for fault in chosen):
        truth = "borderline"
    if (short or one is other or _near(scene)) and truth != "inconclusive":
        truth = "borderline"
    partial = any(losing.share < 1 for losing in scene.losing)
    shared = any(harm_of_others([fault], scene.faults, _window(scene, fault)) for chosen in sides for fault in chosen)
    unsure = "some of many are lost" if partial else "the window is short" if short else ""
    unsure = unsure or ("another fault may have caused it" if shared else "")
    parameters = {
        "than": other.name,
        "fault": one.name,
        "seconds": seconds,
        "policies": policies,
        "excused": excused,
    }
    needs = _needs(policies, excused, scene.stage.audits)
    reach = (min(begin for begin, _ in windows), max(end for _, end in windows))
    return Drawn(
        scene.stage, parameters, truth, needs, reach, unsure, helps=set(scene.stage.audits), places=_places(scene)
    )


def _near(scene: Scene) -> bool:
    """Whether something is lost again so soon that the pause may count as lost, too."""
    pairs = itertools.permutations(scene.losing, 2)
    return any(one.policy == other.policy and 0 <= other.begin - one.end < _PAUSE_SECONDS for one, other in pairs)


def _lost_after(scene: Scene, policy: str, chosen: list[TrueFault], excused: list[str]) -> _Lost:
    """Return the longest loss after one of some faults: each alone, since others of its name may share its time."""
    losses = []
    for fault in chosen:
        window = _window(scene, fault)
        losses.append(_lost(scene, policy, window, harm_of_others([fault], scene.faults, window), excused))
    return _Lost(
        max(loss.least for loss in losses),
        max(loss.most for loss in losses),
        max(loss.least_alone for loss in losses),
        max(loss.most_alone for loss in losses),
        max(loss.slack for loss in losses),
    )


def _worst_of(scene: Scene, policies: list[str], chosen: list[TrueFault], excused: list[str]) -> Stretch:
    losses = [_lost_after(scene, policy, chosen, excused) for policy in policies]
    return max(loss.least for loss in losses), max(loss.most for loss in losses)


def _longer(one: _Lost, other: _Lost, seconds: float) -> Truth:
    """Return whether one loss is longer than another one, by more than some seconds."""
    slack = one.slack + other.slack
    if one.least_alone > other.most + seconds + slack:
        return "violated"
    if one.most < other.least_alone + seconds - slack:
        return "holds"
    return "borderline"
