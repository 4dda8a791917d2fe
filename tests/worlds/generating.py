"""Generating: what is true of claims on generated policies: that they match, in time, and leave no orphan."""

from math import inf

from chaos_harness.harness.history.vocabulary import (
    CONSTRAINTS,
    DECIDED,
    RACE,
    WATCH_BINDINGS,
    WATCH_DEPLOYMENTS,
    WATCH_POLICIES,
    WATCH_TEMPLATES,
)
from tests.worlds.claimed import Drawn, Truth, staged
from tests.worlds.dice import Dice, Stretch, clipped, joined, longest, without
from tests.worlds.hiding import SIGN_SECONDS
from tests.worlds.templates import Made, World, drawn_world

__all__ = ["generated_within", "has_generator", "never_orphaned", "no_orphan_stays", "policies_match"]

_SLACK = 1.0
_VERSION = "v3.23.1"


def _parameters(dice: Dice, late: float) -> dict[str, object]:
    return {"late": late, **({"gatekeeper": _VERSION} if dice.chance(0.6) else {})}


def _needs(world: World, parameters: dict[str, object]) -> set[str]:
    lists = {WATCH_TEMPLATES, WATCH_POLICIES, WATCH_BINDINGS, *(f"{CONSTRAINTS}{name}" for name in world.templates)}
    return lists if "gatekeeper" in parameters else lists | {WATCH_DEPLOYMENTS}


def _differ(dice: Dice, world: World, made: Made, length: float) -> None:
    """Let something be missing, or an orphan, for a while; the place is chosen where that is possible."""
    stage = world.stage
    begin = dice.between(2, max(3, stage.judge - length - 3))
    span = (begin, begin + length)
    if clipped(made.asked, *span) == [span]:
        made.there = without(made.there, [span])
        world.stage.say(f"{made.name} is missing from {span[0]:.1f} to {span[1]:.1f} s")
        return
    made.there = joined([*made.there, span])
    world.stage.say(f"{made.name} is there from {span[0]:.1f} to {span[1]:.1f} s")


def policies_match(dice: Dice) -> Drawn:
    """Draw a claim that what is generated is what is asked for."""
    late = dice.pick(10.0, 30.0, 60.0)
    stage = staged(dice, late + dice.between(60, 130))
    stage.judged()
    world = drawn_world(dice, stage, prompt=min(3.0, 0.3 * late))
    for _ in range(dice.pick(0, 1, 1, 2)):
        length = dice.pick(
            dice.between(1, late * 0.8), dice.between(late + 2, late + 45), inf if dice.chance(0.3) else 3.0
        )
        _differ(dice, world, dice.choice(world.made), min(length, stage.judge - 5))
    world.write()
    differences = list(world.differences(0.7, stage.judge))
    standing = [stretch for stretch in differences if stretch[1] >= stage.judge]
    truth: Truth = "borderline"
    if longest(differences) > late + _SLACK:
        truth = "violated"
    elif standing:
        young = all(stage.judge - begin < late - _SLACK and stage.judge - begin > 0.5 for begin, _ in standing)
        truth = "inconclusive" if young and longest(differences) < late - _SLACK else "borderline"
    elif longest(differences) < late - _SLACK and not any(stage.judge - 1 < stretch[1] for stretch in differences):
        truth = "holds"
    if not any(made.asked for made in world.made):
        truth = "borderline"
    parameters = _parameters(dice, late)
    places = {
        stream: [stretch for stretch in differences if stretch[1] - stretch[0] > 1]
        for stream in (WATCH_POLICIES, WATCH_BINDINGS)
    }
    unsure = "a difference is young" if standing else ""
    if any(
        begin < away.begin < end + SIGN_SECONDS
        for away in world.away
        for begin, end in differences
        if end - begin > late
    ):
        unsure = "its list ended while something differed, which is not seen from its last sign of life on"
    return Drawn(
        stage, parameters, truth, _needs(world, parameters), (0.0, stage.judge), unsure, away=world.away, places=places
    )


def has_generator(dice: Dice) -> Drawn:
    """Draw a claim that somebody generates while a template asks."""
    late = dice.pick(10.0, 30.0, 60.0)
    stage = staged(dice, late + dice.between(60, 130))
    stage.judged()
    world = drawn_world(dice, stage)
    if dice.chance(0.06):
        world = World(stage)
        world.template("silent", [(-300.0, False)])
    if dice.chance(0.8):
        begin = dice.between(2, max(3, stage.judge - late - 10))
        length = dice.pick(dice.between(1, late * 0.8), dice.between(late + 2, late + 45))
        world.idle.append((begin, begin + length if dice.chance(0.8) else stage.end))
        stage.say(f"nobody generates from {begin:.1f} to {world.idle[0][1]:.1f} s")
    world.write()
    asked = joined(span for made in world.made if not made.binding for span in made.asked)
    idle = [part for span in asked for part in clipped(world.idle, *span)]
    lacking = clipped(idle, 0.7, stage.judge)
    truth: Truth = "borderline"
    if longest(lacking) > late + _SLACK:
        truth = "violated"
    elif longest(lacking) < late - _SLACK and not any(end > stage.judge - 1 for _, end in lacking):
        truth = "holds"
    if not clipped(asked, 1.5, stage.judge - 1.5):
        truth = "borderline" if asked else "inconclusive"
    needs = {WATCH_TEMPLATES, WATCH_DEPLOYMENTS}
    places = dict.fromkeys(needs, lacking)
    window = (0.0, stage.judge)
    return Drawn(stage, {"late": late}, truth, needs, window, away=world.away, places=places)


def generated_within(dice: Dice) -> Drawn:
    """Draw a claim that the binding of a constraint is generated in time, each time that it is made."""
    seconds = dice.pick(5.0, 30.0, 60.0)
    stage = staged(dice, seconds + dice.between(45, 110))
    stage.judged()
    world = drawn_world(dice, stage)
    made = dice.between(4, 25)
    world.template("asked", [(dice.pick(-300.0, made - 2), True)])
    took = dice.pick(dice.between(0.05, seconds * 0.8), dice.between(seconds + 1.5, seconds + 30), inf)
    there, lives, spans = [(made + took, inf)], [(made, took)], [(made, inf)]
    if dice.chance(0.1) and took < inf:
        gone = made + took + dice.between(1, 10)
        there = [(made + took, gone), (gone + 3, inf)]
    elif dice.chance(0.3):  # it is made anew, perhaps too late to be judged
        gone = made + min(took, seconds) + dice.between(3, 10)
        again = gone + dice.between(3, 12)
        lives.append((again, dice.pick(dice.between(0.05, seconds * 0.8), seconds + dice.between(2, 9), inf)))
        there, spans = [(made + took, gone + 1), (again + lives[1][1], inf)], [(made, gone), (again, inf)]
    binding = world.constraint("asked", "wanted", spans)
    binding.there = joined(there)
    for at, after in lives:
        stage.say(f"the constraint is made at {at:.1f} s, its binding {after:.1f} s later")
    world.write()
    truths = [_prompt(at, after, seconds, stage.judge) for at, after in lives]
    truth = truths[0] if truths[0] == "inconclusive" else _worst(truths)
    begin, end = made - 1, max(at + min(after, seconds + 1) for at, after in lives) + 0.5
    needs = {f"{CONSTRAINTS}asked", WATCH_BINDINGS}
    places = {stream: [(at, at + min(after, seconds)) for at, after in lives] for stream in needs}
    also = {f"{CONSTRAINTS}asked": ((0.0, stage.judge), seconds)}
    parameters = {"seconds": seconds, "constraint": "wanted"}
    return Drawn(
        stage, parameters, truth, needs, (begin, min(end, stage.judge)), away=world.away, also=also, places=places
    )


def _prompt(made: float, took: float, seconds: float, judge: float) -> Truth:
    """Return what is true of one time a constraint is made: whether its binding comes in time."""
    if made + took > judge - 0.5 and judge < made + seconds + 1:
        young = judge < made + seconds - 1 and made + took > judge + 0.5
        return "inconclusive" if young else "borderline"
    return "violated" if took > seconds + _SLACK else "holds" if took < seconds - _SLACK else "borderline"


def never_orphaned(dice: Dice) -> Drawn:
    """Draw a claim that no repetition of a race leaves an orphan."""
    late = dice.pick(5.0, 8.0)
    count = dice.randint(2, 5)
    stage = staged(dice, 40 + count * (late + 14))
    stage.judged()
    world = World(stage)
    states: list[tuple[float, bool | None]] = [(-300.0, False)]
    decided: list[float] = []
    at = dice.between(8, 12)
    for _ in range(count):
        states += [(at, True), (at + 3, False)]
        decided.append(at + dice.between(3.1, 5))
        at = decided[-1] + late + dice.between(4, 7)
    policy = world.template("raced", states)
    binding = world.constraint("raced", "rule", [(-290.0, inf)])
    orphans: list[Stretch] = []
    ends = [*(state[0] for state in states[3::2]), stage.judge]
    rate = dice.pick(0.0, 0.0, 0.4, 1.0)
    for number, moment in enumerate(decided):
        until = ends[number] if number < len(ends) else stage.judge
        if dice.chance(rate):
            begin = moment + dice.pick(-0.9, -0.5, 0.5, 1.5)
            long = dice.chance(0.7)
            end = min(until - 0.2, begin + dice.between(late + 3, late + 30)) if long else begin + late * 0.5
            end = inf if number == len(decided) - 1 and dice.chance(0.5) and long else end
            orphans.append((begin, end))
    for made in (policy, binding):
        made.there = joined((begin + 0.3, end + 0.02) for begin, end in made.asked)
    dice.pick(policy, binding).there += orphans
    for moment in decided:
        stage.mark(moment, "mark", RACE, DECIDED)
    world.write()
    truths: list[Truth] = []
    for number, moment in enumerate(decided):
        until = decided[number + 1] - 3 if number + 1 < len(decided) else stage.judge
        spans = [clipped(made.orphaned(), moment, until) for made in world.made]
        most = max(longest(stretches) for stretches in spans)
        truths.append("violated" if most > late + 0.4 else "holds" if most < late - 0.4 else "borderline")
    stage.say(f"decided at {', '.join(f'{moment:.1f}' for moment in decided)} s; orphans {orphans}")
    truth = _worst(truths)
    parameters = _parameters(dice, late)
    window = (0.0, stage.judge)
    places = {
        stream: orphans or [(moment, moment + late) for moment in decided]
        for stream in (WATCH_POLICIES, WATCH_BINDINGS)
    }
    return Drawn(stage, parameters, truth, _needs(world, parameters), window, "", away=world.away, places=places)


def no_orphan_stays(dice: Dice) -> Drawn:
    """Draw a claim that nothing is left of a template that refuses a policy."""
    late = dice.pick(10.0, 15.0)
    stage = staged(dice, dice.between(90, 170))
    stage.judged()
    world = drawn_world(dice, stage)
    states: list[tuple[float, bool | None]] = [(-300.0, True)]
    at = dice.between(8, 20)
    while at < stage.judge - late - 8:
        states += [(at, False), (at + late + dice.between(8, 25), True)]
        at = states[-1][0] + dice.between(6, 12)
    policy = world.template("refusing", states)
    binding = world.constraint("refusing", "rule", [(-290.0, inf)])
    for made in (policy, binding):
        made.there = joined((begin + 0.5, end + dice.between(0.1, 3)) for begin, end in made.asked)
    refusing = [(begin, min(end, stage.judge)) for begin, end in without([(0.0, stage.judge)], policy.asked)]
    refusing = [stretch for stretch in refusing if stretch[1] - stretch[0] > late + 2]
    if refusing and dice.chance(0.6):
        begin, end = dice.choice(refusing)
        stays = dice.pick(end - begin + 2, late * 0.6, late + 3, inf)
        dice.pick(policy, binding).there.append((begin + dice.pick(-0.5, 1.0), begin + stays))
        stage.say(f"an orphan stays for {stays:.1f} s from {begin:.1f} s on")
    world.write()
    truths: list[Truth] = []
    times = without([(0.7, stage.judge)], policy.asked)
    for name in world.templates:
        of_template = [made for made in world.made if made.template == name]
        asked = next(made.asked for made in of_template if not made.binding)
        for begin, end in without([(0.7, stage.judge)], asked):
            since = begin + world.seen_after
            long = max(longest(clipped(made.orphaned(), since, end)) for made in of_template)
            if end - since < late + _SLACK:
                truths.append("holds" if long < late - _SLACK else "borderline")
            else:
                truths.append("violated" if long > late + _SLACK else "holds" if long < late - _SLACK else "borderline")
    truth = _worst(truths)
    if not any(end - begin > late + world.seen_after + _SLACK for begin, end in times):
        truth = "borderline"
    parameters = _parameters(dice, late)
    places = dict.fromkeys((WATCH_POLICIES, WATCH_BINDINGS, WATCH_TEMPLATES), times)
    return Drawn(
        stage, parameters, truth, _needs(world, parameters), (0.0, stage.judge), "", away=world.away, places=places
    )


def _worst(truths: list[Truth]) -> Truth:
    return "violated" if "violated" in truths else "borderline" if "borderline" in truths else "holds"
