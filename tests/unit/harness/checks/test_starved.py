"""Starved: what goes wrong while this machine lets nobody run is no fault's doing, whichever check reads of it."""

from copy import deepcopy
from dataclasses import replace
from typing import NamedTuple

import pytest

from chaos_harness.harness.checks import Check
from chaos_harness.harness.checks.control_plane import (
    control_plane_unharmed,
    leases_admitted,
    leases_renewed,
    leases_renewed_again,
)
from chaos_harness.harness.checks.fail_open import fail_open_window, refused_for_at_most
from chaos_harness.harness.checks.generation import generated_within
from chaos_harness.harness.checks.heals import heals
from chaos_harness.harness.checks.node_loss import never_replaced, replaced_within, replacements_mutated
from chaos_harness.harness.checks.outage import comes_back, outlasts
from chaos_harness.harness.checks.parity import enforcement_parity
from chaos_harness.harness.checks.policies import policies_match
from chaos_harness.harness.checks.races import never_orphaned, no_orphan_stays
from chaos_harness.harness.checks.recovery import recovers_after, recovers_within
from chaos_harness.harness.checks.undisturbed import undisturbed
from chaos_harness.harness.checks.unmutated import never_unmutated
from chaos_harness.harness.history import EntryKind, History
from chaos_harness.harness.history.vocabulary import DECIDED, HEAL, HEALED, LATE, METRONOME, RACE, UNDONE
from tests.fakes.canary_histories import CanaryHistory
from tests.fakes.control_plane import PlaneHistory, plane
from tests.fakes.generated import Generating, new
from tests.fakes.histories import HistoryBuilder
from tests.fakes.losses import HOW, NODE, OTHER, ToldLoss
from tests.fakes.replica_histories import ReplicaHistory, cut, killed_and_back

NAME = "restart"
VERSION = "v3.23.1"


def asked(begin: float, end: float, outcome: str = "") -> CanaryHistory:
    """Return 60 s of good answers but for those of a stretch, with a fault from 10 to 40 s."""
    history = CanaryHistory().in_force(0, "mutate pods").watched(0, 30, 61).fault(10, 11, 40, name=NAME)
    return history.asks(0.1, begin).asks(begin, end, "fail", outcome=outcome).asks(end, 60.2)


def silent() -> ReplicaHistory:
    """Return a webhook pod that nobody reaches from 30 to 45 s, in a cut."""
    history = cut().pod(1, "a").rotation(1, "a").asked(0, 30, "a").asked(45, 85, "a")
    return history.asked(30, 45, "a", "fail", status=503, said="error trying to reach service: i/o timeout")


def lost(ready: float) -> ToldLoss:
    """Return a node that is lost at 20 s, and that what replaces its pod is Ready at a moment."""
    story = ToldLoss().lose(20).workload(5, "a", node=NODE, ready=True).workload(76, "a", node=NODE, leaving=True)
    return story.workload(77, "b", node=OTHER).workload(ready, "b", node=OTHER, ready=True)


def kept(ready: float) -> ToldLoss:
    """Return a node that is lost from 20 to 100 s, and that its pod is Ready again at a moment."""
    story = ToldLoss().lose(20, healed=100).workload(5, "d", node=NODE, ready=True, kind="DaemonSet")
    story.workload(70, "d", node=NODE, kind="DaemonSet")
    return story.workload(ready, "d", node=NODE, ready=True, kind="DaemonSet")


def unhealed(healed: float) -> HistoryBuilder:
    """Return a fault that is undone at 20 s and healed at a moment."""
    history = HistoryBuilder().fault(10, 11, None, name=NAME).add(19, "invoke", "fault 1", HEAL, {"name": NAME})
    history.add(20, "ok", "fault 1", UNDONE, {"name": NAME, "within": 40.0})
    return history.add(healed, "ok", "fault 1", HEALED, {"name": NAME, "proof": "it is back"})


def generated(binding: float) -> Generating:
    """Return a template with its policy, its constraint at 2 s, and a binding that comes at a moment."""
    return Generating().begin().template(1, generate=True, f="ADDED").policy(2).constraint(2).binding(binding)


def orphaned(until: float) -> Generating:
    """Return a template that refuses its policy from 20 s on, which was decided then; the policy goes at a moment."""
    history = Generating().begin().template(1, generate=True, f="ADDED").policy(2).template(20, generate=False)
    return history.add(20, "mark", RACE, DECIDED, {}).policy(until, "DELETED")


def written(history: HistoryBuilder) -> History:
    """Return a history as it is written today."""
    if isinstance(history, PlaneHistory):
        return history.today(100)
    if isinstance(history, ToldLoss):
        return history.seen(300)
    if isinstance(history, ReplicaHistory):
        return history.recorded()
    if isinstance(history, CanaryHistory):
        return history.add(61, "mark", "history", "end").written()
    return new(history, 100)


CASES: dict[str, tuple[HistoryBuilder, Check, tuple[float, float]]] = {
    "bypassed": (asked(20, 22), fail_open_window(1, fault=NAME), (19.9, 22.1)),
    "bypassed once": (asked(20, 20.1), fail_open_window(0, fault=NAME), (19.9, 20.2)),
    "refused": (asked(20, 22, "refused"), refused_for_at_most(1, fault=NAME), (19.9, 22.1)),
    "lost early": (asked(12, 14), outlasts(8, fault=NAME), (11.9, 14.1)),
    "lost at the end": (asked(58, 60.2), comes_back(fault=NAME), (57.9, 60.5)),
    "lost while it lasts": (asked(37, 41), comes_back(fault=NAME, before_healing=True), (36.9, 41.1)),
    "unmutated": (asked(20, 22), never_unmutated(), (19.9, 22.1)),
    "unmutated during it": (asked(20, 22), never_unmutated(during=NAME), (19.9, 22.1)),
    "too many unmutated": (asked(20, 39), never_unmutated(during=NAME, at_most=0.3), (19.9, 39.1)),
    "a bare pod": (
        asked(60.2, 60.2).workload(20, "a", mutated=False),
        never_unmutated(during=NAME),
        (19, 20.5),
    ),
    "not renewed": (plane(100, silent={"kube-scheduler": (40, 70)}), leases_renewed(20), (50, 70)),
    "not there": (plane(100, silent={"kube-scheduler": (40, 70)}), control_plane_unharmed(seconds=20), (50, 70)),
    "not renewed again": (
        plane(100, silent={"worker": (11, 70)}).fault(10, 12, 20, name=NAME),
        leases_renewed_again(40, fault=NAME),
        (45, 70),
    ),
    "does not answer": (silent(), undisturbed(), (29, 46)),
    "serves late": (killed_and_back(76), recovers_within(60, "killed"), (70, 78)),
    "serves late afterwards": (
        killed_and_back(100, history=cut(heal=50.0, end=130), until=130),
        recovers_after(45, "killed"),
        (90, 102),
    ),
    "replaced late": (lost(141), replaced_within(120, HOW), (138, 141)),
    "ready late": (kept(221), never_replaced(HOW, kinds=("DaemonSet",)), (218, 221)),
    "bound late": (generated(70), policies_match(60, gatekeeper=VERSION), (58, 70)),
    "healed late": (unhealed(70), heals(40, fault=NAME), (58, 70)),
    "generated late": (generated(34), generated_within(30, "c"), (28, 34)),
    "left behind": (orphaned(30), never_orphaned(gatekeeper=VERSION), (22, 30)),
    "left behind for good": (orphaned(37), no_orphan_stays(gatekeeper=VERSION), (22, 37)),
}
"""Histories in which something went wrong, the claim that it does not, and when this machine may have been starved."""


@pytest.mark.parametrize("name", CASES)
def test_no_fault_starves_this_machine(name: str) -> None:
    """What was lost, or told late, while nobody ran is held against nobody, but is without the mark that says so."""
    history, check, (begin, end) = CASES[name]
    assert check(written(deepcopy(history))).outcome == "violated"
    marked = deepcopy(history).add(end, "info", METRONOME, LATE, {"seconds": end - begin})
    assert check(written(marked)).outcome == "inconclusive"


TIMED_OUT = 'failed calling webhook "validation.gatekeeper.sh": context deadline exceeded'
SCHEDULER = "kube-scheduler"


def denied() -> PlaneHistory:
    """Return an API server that is restarted at 20 s, and denies Leases from 40 to 43 s."""
    history = plane(90).fault(20, 22, 24, name=NAME).asks(0, 40).asks(43, 110)
    return history.asks(40, 43, "fail", status=500, said=TIMED_OUT)


def replaced() -> ToldLoss:
    """Return a node that is lost at 20 s, and that what replaces its two pods at 80 and 81 s lacks the mutation."""
    story = ToldLoss().lose(20)
    for name in "ab":
        story.workload(5, name, node=NODE, ready=True).workload(76, name, node=NODE, leaving=True)
    return story.workload(80, "x", mutated=False).workload(81, "y", mutated=False)


def differing() -> CanaryHistory:
    """Return 60 s of rounds in which the policy denies, and the webhook does not from 20 to 22 s."""
    history = CanaryHistory()
    for number in range(600):
        history.ask(number / 10, policy="deny by cel (vap)", round_=number)
        kind: EntryKind = "fail" if 200 <= number < 220 else "ok"
        history.ask(number / 10 + 0.02, kind, policy="deny by cel (webhook)", round_=number)
    return history


def away(*, container: str = "c1") -> ReplicaHistory:
    """Return a webhook pod to which nothing is done, and that is not Ready from 43 to 46 s, and what runs then."""
    history = cut().pod(1, "a").asked(0, 85, "a").pod(43, "a", ready=False, container="")
    return history.pod(44, "a", ready=False, container=container).pod(46, "a", container=container)


def led() -> PlaneHistory:
    """Return a scheduler whose lease is not renewed from 40 s on, and is another one's from 80 s on."""
    history = plane(100, silent={SCHEDULER: (40, 101)})
    for at in range(80, 101, 2):
        history.lease(at, SCHEDULER, holder="w_new", transitions=1)
    return history


def ending(*moments: float) -> PlaneHistory:
    """Return a scheduler whose container ends, and is followed by the next one, at some moments."""
    history = plane(100)
    for number, at in enumerate(moments, 2):
        identity = f"{SCHEDULER}-{number}"
        history.container(at, SCHEDULER, identity, number - 1, state="running", ready=True, mirror=True)
    return history


def unready() -> PlaneHistory:
    """Return a node that is not Ready from 60 to 62 s."""
    return plane(100).node(60, ready=False, since="then").node(62, since="later")


class Miss(NamedTuple):
    """What went wrong, the claim that it does not, and when this machine may be starved.

    That is meanwhile, at another time, and when it began, but for less time than it went on.
    """

    history: HistoryBuilder
    check: Check
    meanwhile: tuple[float, float]
    elsewhere: tuple[float, float]
    shorter: tuple[float, float]


MISSES = {
    "denied": Miss(denied(), leases_admitted(), (39.9, 43.1), (50, 54), (39.9, 41.1)),
    "replaced": Miss(replaced(), replacements_mutated(HOW), (79, 81), (70, 74), (79, 79.9)),
    "told just after": Miss(replaced(), replacements_mutated(HOW), (75, 80.2), (82.1, 86), (76, 79.1)),
    "differs": Miss(differing(), enforcement_parity(0), (19.9, 22.1), (30, 33), (19.9, 21)),
    "differs for a second": Miss(differing(), enforcement_parity(0.5), (19.9, 22.1), (30, 33), (19.9, 21)),
    "not Ready": Miss(away(), undisturbed(), (39, 43), (50, 55), (42, 43)),
    "restarted": Miss(away(container="c2"), undisturbed(), (39, 43), (50, 55), (42, 43)),
    "lease lost": Miss(led(), control_plane_unharmed(), (45, 70), (10, 15), (70, 79)),
    "container ended": Miss(ending(60), control_plane_unharmed(), (50, 60), (61, 65), (50, 58.9)),
    "ended again": Miss(ending(60, 70), control_plane_unharmed(), (50, 70), (30, 40), (50, 60)),
    "node not Ready": Miss(unready(), control_plane_unharmed(), (50, 60), (10, 15), (59.5, 60.5)),
}


def outcome(history: HistoryBuilder, check: Check, *span: float) -> str:
    """Return what is said if this machine was starved between two moments (none: it was not); no check raises."""
    verdict = check(starved(history, *span) if span else written(deepcopy(history)))
    assert not verdict.broken
    return verdict.outcome


def starved(history: HistoryBuilder, begin: float, end: float) -> History:
    """Return a history as it is written today, in which this machine was starved between two moments."""
    return written(deepcopy(history).add(end, "info", METRONOME, LATE, {"seconds": end - begin}))


@pytest.mark.parametrize("name", MISSES)
def test_what_went_wrong_meanwhile_is_held_against_nobody(name: str) -> None:
    """It is, if this machine was starved at another time, or when it began, but for less time than it went on."""
    history, check, meanwhile, *others = MISSES[name]
    outcomes = [outcome(history, check, *span) for span in ((), meanwhile, *others)]
    assert outcomes == ["violated", "inconclusive", "violated", "violated"]


def test_no_starved_machine_deletes() -> None:
    """That something is not there any more, or is to go, has another reason."""
    gone = cut().pod(1, "a").asked(0, 85, "a").pod(43, "a", deleting=True)
    assert undisturbed()(starved(gone, 39, 43)).outcome == "violated"
    deleted = plane(100).container(60, "coredns", "c1", pod="coredns-a", node="worker", state="running", f="DELETED")
    assert control_plane_unharmed()(starved(deleted, 50, 60)).outcome == "violated"


def test_what_goes_wrong_later_is_another_miss() -> None:
    """What a starved machine may have done to a pod excuses nothing of what comes once the pod is Ready again."""
    assert undisturbed()(starved(away().pod(60, "a", container="c2"), 39, 43)).outcome == "violated"
    silent_later = away().without("replica", 60, 75)
    silent_later.asked(60, 75, "a", "fail", status=503, said="error trying to reach service: i/o timeout")
    assert undisturbed()(starved(silent_later, 39, 43)).outcome == "violated"


def test_whether_a_pod_was_soon_ready_again_may_be_missing() -> None:
    """Without the line that tells it, it is not known that it was not away for longer than this machine was starved."""
    recorded = starved(away(), 39, 43)
    entries = list(recorded.entries)
    ready = next(index for index, entry in enumerate(entries) if entry.process == "watch pods" and entry.at == 46)
    for index in range(ready, len(entries)):
        missing = replace(recorded, entries=entries[:index] + entries[index + 1 :])
        assert undisturbed()(missing).outcome == "inconclusive"


class Lateness(NamedTuple):
    """What came too late, the claim that it comes in time, and for how long this machine may be starved before it.

    That is as long as it came too late, at least, and for less.
    """

    history: HistoryBuilder
    check: Check
    meanwhile: tuple[float, float]
    shorter: tuple[float, float]


AFTER_HEALING = killed_and_back(100, history=cut(heal=50.0, end=130), until=130)
AGAIN = plane(100, silent={"worker": (11, 70)}).fault(10, 12, 20, name=NAME)
LATE_RENEWED = plane(100, silent={SCHEDULER: (40, 62)})

LATENESSES = {
    "renewed": Lateness(LATE_RENEWED, leases_renewed(20), (45, 55), (45, 46)),
    "there": Lateness(LATE_RENEWED, control_plane_unharmed(seconds=20), (45, 55), (45, 46)),
    "renewed again": Lateness(AGAIN, leases_renewed_again(40, fault=NAME), (20, 56), (20, 30)),
    "serves": Lateness(killed_and_back(76), recovers_within(60, "killed"), (40, 45), (40, 40.3)),
    "serves afterwards": Lateness(AFTER_HEALING, recovers_after(45, "killed"), (60, 67), (60, 61)),
    "replaced": Lateness(lost(141), replaced_within(120, HOW), (100, 102), (100, 100.5)),
    "Ready": Lateness(kept(221), never_replaced(HOW, kinds=("DaemonSet",)), (150, 152), (150, 150.5)),
    "bound": Lateness(generated(70), policies_match(60, gatekeeper=VERSION), (20, 30), (20, 21)),
    "generated": Lateness(generated(34), generated_within(30, "c"), (20, 24), (20, 21)),
    "taken away": Lateness(orphaned(30), never_orphaned(gatekeeper=VERSION), (22, 28), (22, 24)),
    "taken away for good": Lateness(orphaned(37), no_orphan_stays(gatekeeper=VERSION), (22, 28), (22, 23)),
}


@pytest.mark.parametrize("name", LATENESSES)
def test_starved_seconds_are_not_counted(name: str) -> None:
    """What is late by no longer than this machine was starved before it is late through nobody's fault."""
    history, check, meanwhile, shorter = LATENESSES[name]
    outcomes = [outcome(history, check, *span) for span in ((), meanwhile, shorter)]
    assert outcomes == ["violated", "inconclusive", "violated"]
