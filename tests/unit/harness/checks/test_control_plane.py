"""Control plane: what the checks say of leases, containers, nodes and denials."""

import pytest

from chaos_harness.clusters.api import leader_election
from chaos_harness.harness.checks.control_plane import (
    control_plane_unharmed,
    leases_admitted,
    leases_renewed,
    leases_renewed_again,
)
from chaos_harness.harness.history import control_plane
from chaos_harness.harness.history.vocabulary import WATCH_LEASES, WATCH_NODES, WATCH_SYSTEM_PODS
from chaos_harness.harness.probes import objects
from tests.fakes.control_plane import PlaneHistory

WATCHES = (WATCH_LEASES, WATCH_SYSTEM_PODS, WATCH_NODES)
RESTART = "restart API server"
SPARE = ("kube-apiserver", "kube-scheduler")


def steady(until: int = 20, **late: float) -> PlaneHistory:
    """Return a history in which all leases are renewed every 2 s, and nothing happens."""
    history = PlaneHistory().container(0, "kube-apiserver", "a").container(0, "etcd", "e").node(0)
    for name in ("kube-controller-manager", "kube-scheduler", "worker"):
        for at in range(0, until, 2):
            if not 4 < at < late.get(name.replace("-", "_"), 0):
                history.lease(at, name)
    return history


def test_names_are_those_of_others() -> None:
    """The model reads what the probes write, and knows as leaders those whom clusters wait for."""
    assert set(WATCHES) <= {f"watch {watched.name}" for watched in (*objects.CONTROL_PLANE, *objects.USUAL)}
    assert control_plane.LEADERS == leader_election.LEADERS
    assert control_plane.STREAMS == WATCHES


def test_unharmed() -> None:
    """Nothing changes: it holds."""
    verdict = control_plane_unharmed()(steady().recorded())
    assert verdict.outcome == "holds"
    assert verdict.summary == "2 leases, 2 containers, 1 nodes stayed as they were"


@pytest.mark.parametrize(
    ("history", "evidence"),
    [
        (
            steady().lease(21, "kube-scheduler", holder="other"),
            "the lease kube-scheduler: me (transition 0), then",
        ),
        (steady().lease(21, "kube-scheduler", transitions=2), "then me (transition 2)"),
        (
            steady().container(21, "kube-apiserver", "b", 1),
            "container kube-apiserver of kube-apiserver-w: a",
        ),
        (
            steady().node(21, ready=False, since="now"),
            "Ready=True since before, then Ready=False since now",
        ),
        (steady().node(21, since="now"), "then Ready=True since now"),
    ],
    ids=["holder", "back-and-forth", "restart", "not-ready", "flapped"],
)
def test_harmed(history: PlaneHistory, evidence: str) -> None:
    """A leader that lost its lease, a container that was replaced, a node that was not Ready: each is told."""
    verdict = control_plane_unharmed()(history.recorded())
    assert (verdict.outcome, verdict.at) == ("violated", 21)
    assert evidence in verdict.evidence[0]
    assert verdict.figures == {"control_plane_changes": 1.0}


def test_what_the_fault_forbids_is_spared() -> None:
    """What is named may change; what is not named still may not."""
    history = steady().container(21, "kube-apiserver", "b", 1).lease(21, "kube-scheduler", holder="other")
    assert control_plane_unharmed(spare=SPARE)(history.recorded()).outcome == "holds"
    assert control_plane_unharmed(spare=SPARE)(history.container(22, "etcd", "f").recorded()).outcome == "violated"
    assert control_plane_unharmed(spare=SPARE).__name__.endswith("unharmed but for kube-apiserver, kube-scheduler")


def test_container_that_waits_is_not_replaced_yet() -> None:
    """A container without an identity, and one that runs on after a gap, is no other container."""
    history = steady().container(21, "etcd", "").container(22, "etcd", "e")
    assert control_plane_unharmed()(history.recorded()).outcome == "holds"


def test_too_little_seen() -> None:
    """Leaders that were not seen to renew, and nodes and pods that were not watched, decide nothing."""
    verdict = control_plane_unharmed()(PlaneHistory().lease(1, "kube-scheduler").recorded())
    assert verdict.outcome == "inconclusive"
    assert verdict.summary == "too little was seen of kube-controller-manager, kube-scheduler, pods, nodes"
    assert leases_renewed(10)(PlaneHistory().recorded()).outcome == "inconclusive"


def test_renewed() -> None:
    """The longest silence of all leases is told, and holds if it is short enough."""
    verdict = leases_renewed(10)(steady(kube_scheduler=12).recorded())
    assert verdict.outcome == "holds"
    assert verdict.figures == {"lease_silence_seconds": 8.0}
    assert verdict.summary.startswith("kube-scheduler did not renew its lease for 8.0 s")


def test_not_renewed() -> None:
    """A silence that is too long is a violation, also of a node, and also one that lasts to the end."""
    assert leases_renewed(5)(steady(worker=12).recorded()).evidence == ("worker did not renew for 8.0 s",)
    silent_to_the_end = steady().add(40, "mark", "experiment", "end")
    verdict = leases_renewed(5)(silent_to_the_end.recorded())
    assert verdict.outcome == "violated"
    assert verdict.at == pytest.approx(25, abs=3)


def test_who_is_spared() -> None:
    """A leader that the fault ends may be silent, but nobody else; if nobody is left, nothing is decided."""
    late = steady(kube_scheduler=12).recorded()
    assert leases_renewed(5)(late).outcome == "violated"
    assert leases_renewed(5, spare=("kube-scheduler",))(late).outcome == "holds"
    both = steady(kube_scheduler=12, worker=12).recorded()
    assert leases_renewed(5, spare=("kube-scheduler",))(both).evidence == ("worker did not renew for 8.0 s",)
    alone = PlaneHistory().lease(1, "kube-scheduler").lease(2, "kube-scheduler").recorded()
    everybody = ("kube-controller-manager", "kube-scheduler")
    assert leases_renewed(5, spare=everybody)(alone).outcome == "inconclusive"


def test_renewals_are_counted_when_they_are_seen() -> None:
    """A lease that the watch tells of late was renewed late, but if it did not see; its own times do not matter."""
    history = steady(10).lease(20, "kube-scheduler", renewed=10).lease(20.1, "kube-controller-manager", renewed=10)
    history.lease(20.1, "worker", renewed=10)
    assert leases_renewed(11)(history.today(21)).outcome == "violated"
    assert leases_renewed(11)(history.blind(9, 20.1, WATCH_LEASES).today(21)).outcome == "inconclusive"


def test_leases_admitted() -> None:
    """Leases that are admitted, and a server that does not know us yet, deny nothing; before a fault nothing counts."""
    history = PlaneHistory().asks(0, 5).fault(5, 6, 8, name=RESTART).asks(5, 7, "info", said="refused").asks(7, 20)
    history.asks(20, 21, "fail", status=403, said="User cannot create", seconds=0.1).asks(21, 30.1)
    verdict = leases_admitted()(history.today(30))
    assert (verdict.outcome, verdict.figures) == ("holds", {"leases_admitted": 44.0, "leases_denied": 0.0})
    assert leases_admitted(fault=RESTART)(history.today(30)).outcome == "holds"
    assert leases_admitted(fault="fault 1")(history.today(30)).outcome == "holds"
    assert leases_admitted(least=45)(history.today(30)).outcome == "inconclusive"
    assert leases_admitted(fault="another")(history.today(30)).summary == "there was no another"
    assert leases_admitted(fault=[RESTART]).__name__ == f"no policy denies a lease after {RESTART}"


def test_a_server_that_answers_while_it_dies_is_not_back() -> None:
    """What it answered before the fault was proved does not begin the time in which each Lease must be answered."""
    history = PlaneHistory().asks(0, 10).fault(10, 12, 15, name=RESTART).asks(10, 11)
    history.asks(11, 13, "info", said="refused").asks(13, 60)
    assert leases_admitted()(history.today(60)).outcome == "holds"


DENIED = "ValidatingAdmissionPolicy 'a' with binding 'b' denied request: failed to configure binding: not yet synced"


def restarted(name: str = RESTART, *, proved: bool = True, end: float = 60) -> PlaneHistory:
    """Return a history in which Leases are asked for, from before a restart of the API server at 10 s to the end."""
    history = PlaneHistory().asks(0, 10).fault(10, 12 if proved else None, 15, name=name)
    return history.asks(10, 13, "info", said="refused").asks(13, end)


def test_a_connection_that_is_refused_is_no_answer() -> None:
    """An API server that does not listen yet is not back: what is not answered after that is still its restart."""
    refused = PlaneHistory().asks(0, 10).fault(10, 12, 20).asks(10, 14, "fail", status=0, said="None")
    history = refused.asks(14, 17, "info", said="connection reset").asks(17, 60)
    assert leases_admitted()(history.today(60)).outcome == "holds"


def test_leases_denied() -> None:
    """A Lease that a policy denies after the fault is told with what was said, and how long it went on."""
    history = restarted(end=20).asks(20, 22, "fail", status=422, said=DENIED, seconds=0.01).asks(22, 60)
    verdict = leases_admitted()(history.today(60))
    assert (verdict.outcome, verdict.summary) == ("violated", "4 of 94 leases were denied")
    assert verdict.at == 20.01
    assert verdict.evidence[0] == f"20.0 s: 422 {DENIED}"
    assert verdict.figures["denial_seconds"] == 1.5
    assert leases_admitted()(history.today(60, ended=False)).outcome == "violated"
    early = restarted().asks(9.7, 9.8, "fail", status=422, said=DENIED)
    assert leases_admitted()(early.today(60)).outcome == "holds"


@pytest.mark.parametrize(
    ("history", "why"),
    [
        (PlaneHistory().asks(0, 30), "there was no fault"),
        (restarted(proved=False), "restart API server was not proved"),
        (restarted(end=13).asks(13, 60, "info", said="timed out"), "0 answers after restart API server, 20 are needed"),
        (restarted(end=40).asks(40, 43, "info", said="timed out").asks(43, 60), "answered from 40.0 to"),
        (restarted(end=40).asks(43, 60), "answered from 39.5 to 43.0 s"),
        (restarted(end=40), "answered from 39.5 to 60.0 s"),
        (restarted().add(14.4, "invoke", "api server", "write lease", {"servers": 3}), "which of 3 API servers"),
        (
            restarted(end=20)
            .asks(20, 22, "fail", status=500, said=DENIED)
            .asks(22, 60)
            .fault(14, 16, 30, name="cut webhook", process="fault 2"),
            "4 of 94 leases were denied, and restart API server, cut webhook overlap",
        ),
    ],
    ids=["none", "unproved", "before", "unanswered", "unasked", "stopped", "servers", "overlap"],
)
def test_unknown_whether_leases_are_admitted(history: PlaneHistory, why: str) -> None:
    """What was asked before the fault, or not answered after it, says nothing; nor does one API server of several."""
    fault = "restart API server" if "overlap" in why else ""
    verdict = leases_admitted(fault=fault or ())(history.today(60))
    assert verdict.outcome == "inconclusive"
    assert why in verdict.summary


def blocked(back: float | None, *, proved: bool = True, end: float = 90) -> PlaneHistory:
    """Return a history with a fault from 8 to 20 s, in which no lease is renewed; the worker's is from `back` on."""
    history = PlaneHistory()
    for at in range(0, 8, 2):
        for name in ("kube-controller-manager", "kube-scheduler", "worker"):
            history.lease(at, name)
    history.add(8, "invoke", "fault 1", "inject", {"name": "stop node"})
    if proved:
        history.add(10, "ok", "fault 1", "observed", {"name": "stop node", "proof": "seen"})
    history.add(20, "invoke", "fault 1", "heal", {"name": "stop node"})
    for at in range(22, int(end), 2):
        for name in ("kube-controller-manager", "kube-scheduler", "worker"):
            if name != "worker" or (back is not None and at >= back):
                history.lease(at, name)
    history.add(end, "mark", "experiment", "end")
    return history


def test_renewed_again() -> None:
    """All renew again in time: it holds, and tells when the last one began."""
    verdict = leases_renewed_again(60, fault="stop node")(blocked(40).recorded())
    assert (verdict.outcome, verdict.figures) == ("holds", {"control_plane_back_seconds": 20.0})


@pytest.mark.parametrize("back", [None, 84])
def test_not_renewed_again(back: float | None) -> None:
    """One that never renews again, or only later, is a deadlock, with when it renewed last."""
    verdict = leases_renewed_again(60, fault="stop node")(blocked(back).recorded())
    assert verdict.outcome == "violated"
    assert verdict.evidence == ("worker renewed last -14.0 s from the start of the healing",)
    assert verdict.at == 80


@pytest.mark.parametrize(
    "history",
    [
        blocked(40, proved=False),
        blocked(40, end=70),
        PlaneHistory().add(1, "ok", "fault 1", "observed", {"name": "stop node"}),
        PlaneHistory()
        .add(1, "invoke", "fault 1", "inject", {"name": "stop node"})
        .add(1, "ok", "fault 1", "observed", {"name": "stop node", "proof": "seen"})
        .add(2, "invoke", "fault 1", "heal", {"name": "stop node"})
        .add(99, "mark", "experiment", "end"),
    ],
    ids=["unproved", "brief", "unhealed", "leaderless"],
)
def test_unknown_whether_renewed_again(history: PlaneHistory) -> None:
    """A fault that was not proved and healed, and a history that ends too early, decide nothing."""
    assert leases_renewed_again(60, fault="stop node")(history.recorded()).outcome == "inconclusive"
