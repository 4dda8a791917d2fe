"""Leasing: what is true of claims on leases: that they are renewed, renewed again after a fault, and admitted."""

from itertools import pairwise
from math import inf

from chaos_harness.harness.history.vocabulary import API_SERVER, READ, WATCH_LEASES, WRITE_LEASE
from tests.worlds.claimed import Drawn, Truth
from tests.worlds.dice import Dice, Stretch, clipped, total, without
from tests.worlds.faulty import TrueFault, written
from tests.worlds.plane import LEADERS, drawn_plane
from tests.worlds.stage import Answer, Asking

__all__ = ["leases_admitted", "leases_renewed", "leases_renewed_again"]

_SLACK = 3.0
_DENIALS = (
    "ValidatingAdmissionPolicy 'gatekeeper-x' with binding 'y' denied request",
    'admission webhook "validation.gatekeeper.sh" denied the request',
)


def leases_renewed(dice: Dice) -> Drawn:
    """Draw a claim that leases are renewed often enough."""
    plane = drawn_plane(dice)
    stage = plane.stage
    seconds = dice.pick(25.0, 40.0, 60.0)
    spare = dice.pick((), (), ("kube-scheduler",), LEADERS)
    truths: list[Truth] = ["holds"]
    for lease in plane.leases:
        if dice.chance(0.3):
            begin = dice.between(3, stage.judge - 15)
            length = dice.pick(dice.between(2, seconds - 12), dice.between(seconds + 5, seconds + 40))
            end = begin + length if begin + length < stage.judge - 1 and dice.chance(0.8) else inf
            lease.silent.append((begin, end))
            stage.say(f"{lease.name} is not renewed from {begin:.1f} to {end:.1f} s")
        if lease.name not in spare:
            moments = [*lease.renewals(stage.judge), stage.judge]
            pause = max(later - earlier for earlier, later in pairwise(moments))
            truths.append(
                "violated" if pause > seconds + _SLACK else "holds" if pause < seconds - _SLACK else "borderline"
            )
    plane.write()
    for node in plane.nodes:
        plane.node(-900.0, node, ready=True)
    truth = _worst(truths)
    places = {WATCH_LEASES: [stretch for lease in plane.leases for stretch in lease.silent]}
    parameters = {"seconds": seconds, "spare": list(spare)}
    return Drawn(stage, parameters, truth, {WATCH_LEASES}, (0.0, stage.judge), "", places=places)


def leases_renewed_again(dice: Dice) -> Drawn:
    """Draw a claim that leases are renewed again some time after a fault."""
    plane = drawn_plane(dice, 120, 200)
    stage = plane.stage
    seconds = dice.pick(20.0, 30.0)
    begin = dice.between(25, 35)
    proved = None if dice.chance(0.04) else begin + 1
    healing = begin + dice.between(10, 25)
    fault = TrueFault("fault 1", "pause nodes", begin, proved, healing, healing + 1)
    written(stage, [fault])
    limit = healing + seconds
    truths: list[Truth] = ["holds"]
    for lease in plane.leases:
        way = dice.pick("back", "back", "back", "late", "never", "unharmed")
        until = {"back": healing + dice.between(0.5, seconds * 0.6), "late": limit + dice.between(1, 20), "never": inf}
        if way != "unharmed":
            lease.silent.append((begin + 0.2, until[way]))
        elif dice.chance(0.3):
            lease.silent.append((limit + 16, inf))
        moments = [at for at in lease.renewals(stage.end) if at <= limit]
        last = limit - max(moments)
        truths.append("violated" if last > 15 + _SLACK else "holds" if last < 15 - _SLACK else "borderline")
        stage.say(f"{lease.name}: {way}")
    plane.write()
    truth = _worst(truths)
    recorded = stage.judge > limit + 1
    if fault.proved is None or not recorded:
        truth = "inconclusive"
    window = (0.0, limit)
    places = {WATCH_LEASES: [(healing, limit)]}
    parameters = {"seconds": seconds, "fault": "pause nodes"}
    return Drawn(stage, parameters, truth, {WATCH_LEASES}, window, "" if recorded else "it ends before", places=places)


def leases_admitted(dice: Dice) -> Drawn:
    """Draw a claim that no policy denied a lease since a fault began, such as a restart of the API server."""
    plane = drawn_plane(dice)
    stage = plane.stage
    begin = dice.between(12, 30)
    down = begin, begin + dice.pick(0.0, dice.between(2, 20))
    proved = None if dice.chance(0.04) else begin + 0.5
    healing = down[1] + dice.between(1, 10)
    written(stage, [TrueFault("fault 1", "restart API server", begin, proved, healing, healing + 1)])
    spans: list[Stretch] = []
    if dice.chance(0.6):
        since = dice.between(3, stage.judge - 10)
        spans.append((since, since + dice.between(4, 60)))
        stage.say(f"leases are denied from {since:.1f} to {spans[0][1]:.1f} s")
    busy = (dice.between(3, stage.judge - 10), dice.between(1, 12)) if dice.chance(0.3) else (inf, 0.0)
    by = dice.pick(*_DENIALS)
    listens = dice.between(*down) if dice.chance(0.5) else down[0]

    def answer(at: float) -> Answer:
        if down[0] <= at < listens:
            return Answer("fail", 0.01, {"status": 0, "said": "connection refused", "seconds": 0.01})
        if down[0] <= at < down[1]:
            return Answer("info", 0.01, {"said": "connection reset by peer"})
        if busy[0] <= at < sum(busy):
            return Answer("fail", 0.01, {"status": 429, "said": "storage is (re)initializing", "seconds": 0.01})
        if any(one <= at < other for one, other in spans):
            return Answer("fail", 0.02, {"status": 422, "said": by, "seconds": 0.02})
        return Answer("ok", 0.02, {"seconds": 0.02})

    def read(at: float) -> Answer:
        if down[0] <= at < down[1]:
            return Answer("info", 0.01, {"said": "connection refused"})
        return Answer("ok", 0.01, {"seconds": 0.01})

    last = stage.judge + 1.5
    stage.askings.append(Asking(f"{API_SERVER} {READ}", API_SERVER, READ, 0.8, last, 1.0, read))
    stage.askings.append(Asking(f"{API_SERVER} {WRITE_LEASE}", API_SERVER, WRITE_LEASE, 0.85, last, 1.0, answer))
    plane.write()
    stream = f"{API_SERVER} {WRITE_LEASE}"
    seen = without(clipped(spans, begin, stage.judge), [down, (busy[0], sum(busy))])
    truth: Truth = (
        "violated" if total(seen) > 4 else "borderline" if clipped(spans, begin - 2, stage.judge) else "holds"
    )
    if proved is None:
        truth = "borderline" if spans else "inconclusive"
    return Drawn(stage, {}, truth, {stream}, (begin, stage.judge), "", places={stream: spans})


def _worst(truths: list[Truth]) -> Truth:
    return "violated" if "violated" in truths else "borderline" if "borderline" in truths else "holds"
