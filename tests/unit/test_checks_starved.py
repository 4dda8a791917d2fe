"""Starved: what goes wrong while this machine lets nobody run is no fault's doing, whichever check reads of it."""

from copy import deepcopy

import pytest

from harness.checks import Checked
from harness.checks.control_plane import control_plane_unharmed, leases_renewed, leases_renewed_again
from harness.checks.fail_open import fail_open_window, refused_for_at_most
from harness.checks.generation import generated_within
from harness.checks.node_loss import never_replaced, replaced_within
from harness.checks.outage import comes_back, outlasts
from harness.checks.policies import policies_match
from harness.checks.races import never_orphaned, no_orphan_stays
from harness.checks.recovery import recovers_after, recovers_within
from harness.checks.undisturbed import undisturbed
from harness.checks.unmutated import never_unmutated
from harness.history import Recorded
from harness.history.vocabulary import DECIDED, LATE, METRONOME, RACE
from tests.fakes.asked import Asked
from tests.fakes.control_plane import History, plane
from tests.fakes.generated import Generating, new
from tests.fakes.histories import Told
from tests.fakes.losses import HOW, NODE, OTHER, ToldLoss
from tests.fakes.podded import Podded, cut, killed_and_back

NAME = "restart"
VERSION = "v3.23.1"


def asked(begin: float, end: float, outcome: str = "") -> Asked:
    """Return 60 s of good answers but for those of a stretch, with a fault from 10 to 40 s."""
    told = Asked().in_force(0, "mutate pods").watched(0, 30, 61).fault(10, 11, 40, name=NAME)
    return told.asks(0.1, begin).asks(begin, end, "fail", outcome=outcome).asks(end, 60.2)


def silent() -> Podded:
    """Return a webhook pod that nobody reaches from 30 to 45 s, in a cut."""
    told = cut().pod(1, "a").rotation(1, "a").asked(0, 30, "a").asked(45, 85, "a")
    return told.asked(30, 45, "a", "fail", status=503, said="error trying to reach service: i/o timeout")


def lost(ready: float) -> ToldLoss:
    """Return a node that is lost at 20 s, and that what replaces its pod is Ready at a moment."""
    story = ToldLoss().lose(20).workload(5, "a", node=NODE, ready=True).workload(76, "a", node=NODE, leaving=True)
    return story.workload(77, "b", node=OTHER).workload(ready, "b", node=OTHER, ready=True)


def kept(ready: float) -> ToldLoss:
    """Return a node that is lost from 20 to 100 s, and that its pod is Ready again at a moment."""
    story = ToldLoss().lose(20, healed=100).workload(5, "d", node=NODE, ready=True, kind="DaemonSet")
    story.workload(70, "d", node=NODE, kind="DaemonSet")
    return story.workload(ready, "d", node=NODE, ready=True, kind="DaemonSet")


def generated(binding: float) -> Generating:
    """Return a template with its policy, its constraint at 2 s, and a binding that comes at a moment."""
    return Generating().begin().template(1, generate=True, f="ADDED").policy(2).constraint(2).binding(binding)


def orphaned(until: float) -> Generating:
    """Return a template that refuses its policy from 20 s on, which was decided then; the policy goes at a moment."""
    told = Generating().begin().template(1, generate=True, f="ADDED").policy(2).template(20, generate=False)
    return told.add(20, "mark", RACE, DECIDED, {}).policy(until, "DELETED")


def written(told: Told) -> Recorded:
    """Return a history as it is written today."""
    if isinstance(told, History):
        return told.today(100)
    if isinstance(told, ToldLoss):
        return told.seen(300)
    if isinstance(told, Podded):
        return told.recorded()
    if isinstance(told, Asked):
        return told.add(61, "mark", "history", "end").written()
    return new(told, 100)


CASES: dict[str, tuple[Told, Checked, tuple[float, float]]] = {
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
        killed_and_back(100, told=cut(heal=50.0, end=130), until=130),
        recovers_after(45, "killed"),
        (90, 102),
    ),
    "replaced late": (lost(141), replaced_within(120, HOW), (138, 141)),
    "ready late": (kept(221), never_replaced(HOW, kinds=("DaemonSet",)), (218, 221)),
    "bound late": (generated(70), policies_match(60, gatekeeper=VERSION), (58, 70)),
    "generated late": (generated(34), generated_within(30, "c"), (28, 34)),
    "left behind": (orphaned(30), never_orphaned(gatekeeper=VERSION), (22, 30)),
    "left behind for good": (orphaned(37), no_orphan_stays(gatekeeper=VERSION), (22, 37)),
}
"""Histories in which something went wrong, the claim that it does not, and when this machine may have been starved."""


@pytest.mark.parametrize("name", CASES)
def test_no_fault_starves_this_machine(name: str) -> None:
    """What was lost, or told late, while nobody ran is held against nobody, but is without the mark that says so."""
    told, check, (begin, end) = CASES[name]
    assert check(written(deepcopy(told))).outcome == "violated"
    marked = deepcopy(told).add(end, "info", METRONOME, LATE, {"seconds": end - begin})
    assert check(written(marked)).outcome == "inconclusive"
