"""Control plane: what the checks say of leases that are renewed late, again, or while nobody sees."""

from dataclasses import replace

import pytest

from chaos_harness.harness.checks.control_plane import (
    control_plane_unharmed,
    leases_admitted,
    leases_renewed,
    leases_renewed_again,
)
from chaos_harness.harness.history.vocabulary import API_SERVER, HARM, WATCH_LEASES, WRITE_LEASE
from tests.fakes.control_plane import PlaneHistory, plane

MANAGER, SCHEDULER = "kube-controller-manager", "kube-scheduler"
KILL = "kill node"


@pytest.mark.parametrize(("end", "outcome"), [(36, "holds"), (60, "inconclusive")])
def test_a_lease_may_be_renewed_while_nobody_sees(end: float, outcome: str) -> None:
    """A blind watch counts as the worst: it matters if it is so for longer than is allowed."""
    gap = plane(100).blind(30, end, WATCH_LEASES)
    for name in (MANAGER, SCHEDULER, "w", "worker"):
        gap.lease(end, name, holder="w_uuid" if name.startswith("kube-") else name, gap=True)
    verdict = leases_renewed(20)(gap.today(100))
    assert verdict.outcome == outcome
    assert outcome == "holds" or f"watch leases was not seen from 30.0 to {end:.1f} s" in verdict.summary


def test_what_a_starved_machine_tells_late() -> None:
    """A renewal that is told just after this machine could go on may have come while it could not."""
    late = plane(100, silent={SCHEDULER: (40, 101)}).lease(48.001, SCHEDULER, holder="w_uuid")
    late.add(48, "info", "metronome", "late", {"seconds": 8.0})
    assert leases_renewed(55)(late.today(100)).outcome == "inconclusive"
    assert leases_renewed(51)(late.today(100)).outcome == "violated"


def lost_by_scheduler(fault: float) -> PlaneHistory:
    """Return one whose scheduler renewed last at 18 s, and whose lease another one has since 34 s."""
    led = plane(100, silent={SCHEDULER: (19, 101)}).fault(fault, fault + 1, fault + 2)
    for at in range(34, 100, 2):
        led.lease(at, SCHEDULER, holder="w_other", transitions=1)
    return led


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [(18.5, "holds"), (20.5, "holds"), (22, "inconclusive"), (27, "inconclusive"), (29, "violated"), (33, "violated")],
)
def test_a_loss_is_as_old_as_the_first_missing_renewal(fault: float, outcome: str) -> None:
    """Who renewed nothing for 10 s had given up before the fault; whose renewal was late at that moment may have."""
    verdict = control_plane_unharmed(spare=(SCHEDULER,))(lost_by_scheduler(fault).today(100))
    assert verdict.outcome == outcome
    assert outcome == "holds" or "w_uuid (transition 0), then w_other (transition 1)" in str(verdict)


def test_a_loss_may_be_older_where_nobody_saw_renewals() -> None:
    """If the watch was blind shortly before the fault, the last renewals may have been missing."""
    blind = lost_by_scheduler(20.5).blind(10, 20.4, WATCH_LEASES).lease(20.4, SCHEDULER, holder="w_uuid", gap=True)
    assert control_plane_unharmed(spare=(SCHEDULER,))(blind.today(100)).outcome == "inconclusive"


@pytest.mark.parametrize(
    ("fault", "outcome"), [(18.5, "holds"), (22, "inconclusive"), (27, "inconclusive"), (29, "violated")]
)
def test_who_had_given_up_is_not_spared_for_going_on(fault: float, outcome: str) -> None:
    """A leader that renews nothing for over a minute is as lost as one whose lease another one takes."""
    silent = plane(100, silent={SCHEDULER: (19, 101)}).fault(fault, fault + 1, fault + 2)
    assert control_plane_unharmed(spare=(SCHEDULER,))(silent.today(100)).outcome == outcome


def test_a_renewal_told_after_a_gap_may_have_come_before_the_fault() -> None:
    """A leader that was silent then, or since the start of the gap, is perhaps one that had given up."""
    silent = plane(100, silent={SCHEDULER: (13, 101)}).fault(26, 27, 28).blind(10, 29, WATCH_LEASES)
    silent.lease(29, SCHEDULER, holder="w_uuid", gap=True)
    assert control_plane_unharmed(spare=(SCHEDULER,))(silent.today(100)).outcome == "inconclusive"


@pytest.mark.parametrize(("fault", "outcome"), [(24, "holds"), (40, "inconclusive"), (65, "violated")])
def test_a_node_is_not_ready_long_after_its_last_renewal(fault: float, outcome: str) -> None:
    """A node that renewed nothing for 40 s before the fault that harms it was lost before it."""
    history = plane(140, silent={"worker": (21, 141)}).fault(fault, fault + 1, 120, name="kill node")
    history.add(fault + 0.1, "info", HARM, "killed node", {"node": "worker"}).node(70, ready=False, since="now")
    assert control_plane_unharmed(seconds=130)(history.today(140)).outcome == outcome


def test_a_silence_that_was_seen_is_one() -> None:
    """A gap beside it changes nothing, and the begin and the end are not outside."""
    assert leases_renewed(20)(plane(100, silent={SCHEDULER: (60, 90)}).today(100)).at == 78
    seen = plane(200, silent={SCHEDULER: (60, 90)}).blind(110, 120, WATCH_LEASES)
    assert leases_renewed(20)(seen.today(200)).outcome == "violated"
    assert leases_renewed(20)(plane(100, silent={"w": (80, 101)}).today(100)).outcome == "violated"
    late = plane(100, silent={"w": (0, 30)})
    assert leases_renewed(20)(late.today(100)).outcome == "violated"


@pytest.mark.parametrize("step", [600.0, 90.0, -0.5])
def test_the_wall_clock_does_not_matter(step: float) -> None:
    """A clock that is set, or a machine that slept, is no silence, and hides none."""
    for until, outcome in ((50.0, "holds"), (90.0, "violated")):
        history = plane(50).add(50.5, "info", "history", "clock-jump", {"seconds": step})
        for at in range(52, 101, 2):
            for name in (MANAGER, SCHEDULER, "w", "worker"):
                if at > until or until == 50.0:
                    history.lease(at, name, holder="w_uuid" if name.startswith("kube-") else name, renewed=at + step)
        assert leases_renewed(20)(history.today(100)).outcome == outcome
        assert control_plane_unharmed(seconds=20)(history.today(100)).outcome == outcome


def healed(*, back: float = 30, until: float = 100) -> PlaneHistory:
    """Return a history with a fault from 10 to 20 s, after which the worker's lease is renewed from `back` on."""
    return plane(until, silent={"worker": (11, back)}).fault(10, 12, 20, name=KILL)


@pytest.mark.parametrize(
    ("history", "outcome", "words"),
    [
        (healed(), "holds", "all of 4 leases are renewed again, the last one after 10.0 s"),
        (healed(back=90), "violated", "1 of 4 leases are not renewed 40 s after the healing of kill node began"),
        (healed().blind(45, 70, WATCH_LEASES), "inconclusive", "watch leases was not seen from 45.0 to 70.0 s"),
        (healed(back=90).blind(50, 52, WATCH_LEASES), "inconclusive", "worker renewed is not known"),
        (
            healed(back=90).fault(40, 41, 50, name="other", process="fault 2"),
            "inconclusive",
            "but other lasted at the same time",
        ),
        (healed(back=90).fault(0, 1, 9, name="other", process="fault 0"), "violated", "1 of 4"),
        (healed().fault(40, None, 50, name=KILL, process="fault 2"), "inconclusive", "was not proved, or not healed"),
        (healed().fault(70, 71, 80, name=KILL, process="fault 2"), "inconclusive", "the history ends, 20.0 of 40 s"),
    ],
    ids=["again", "not", "blind", "gap", "other", "earlier", "unproved", "second"],
)
def test_renewed_again(history: PlaneHistory, outcome: str, words: str) -> None:
    """At one moment after each fault of the name every lease is renewed, or not, or nobody saw."""
    verdict = leases_renewed_again(40, fault=KILL)(history.today(100))
    assert verdict.outcome == outcome
    assert words in verdict.summary


def test_faults_are_named() -> None:
    """Of two faults of one kind one can be meant, or both."""
    history = healed().fault(70, 71, 80, name=KILL, process="fault 2")
    assert leases_renewed_again(40, fault="fault 1")(history.today(100)).outcome == "holds"
    assert leases_renewed_again(15, fault=["fault 1", "fault 2"])(history.today(100)).outcome == "holds"


def test_what_was_in_flight_is_no_answer_since() -> None:
    """A Lease that was asked for before the fault, and admitted after it, does not say that the API server serves."""
    history = (
        PlaneHistory().asks(0, 9.5).add(9.6, "invoke", API_SERVER, WRITE_LEASE).add(10.1, "ok", API_SERVER, WRITE_LEASE)
    )
    history.fault(10, 11, 14).asks(10.2, 13.2, "info").asks(13.2, 60)
    assert leases_admitted()(history.today(60)).outcome == "holds"
    cut = [entry for entry in history.today(60).entries if entry.at < 49.9]
    assert cut[-1].kind == "ok"
    assert leases_admitted()(replace(history.today(60), entries=cut, ended=False)).outcome == "inconclusive"
