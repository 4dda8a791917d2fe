"""Control plane: what the checks say of leases, containers, nodes and denials."""

from datetime import UTC, datetime
from typing import Any, Self

import pytest

from harness import experiment
from harness.checks import control_plane
from harness.checks.control_plane import (
    control_plane_unharmed,
    leases_admitted,
    leases_renewed,
    leases_renewed_again,
)
from harness.history import Kind
from harness.probes import control_plane as probes
from harness.probes import objects
from tests.fakes.histories import STARTED, Told

LEASES, PODS = (f"watch {each.name}" for each in objects.CONTROL_PLANE)
SPARE = ("kube-apiserver", "kube-scheduler")


class History(Told):
    """A history of a small control plane."""

    def lease(self, at: float, name: str, *, holder: str = "me", transitions: int = 0, renewed: float = -1) -> Self:
        """Add a renewal, by default at the moment when it is seen."""
        moment = datetime.fromtimestamp(STARTED + (at if renewed < 0 else renewed), UTC)
        namespace = "kube-node-lease" if name == "worker" else "kube-system"
        spec = {"holderIdentity": holder, "leaseTransitions": transitions, "renewTime": moment.isoformat()}
        return self._change(at, LEASES, {"metadata": {"name": name, "namespace": namespace}, "spec": spec})

    def container(self, at: float, name: str, identity: str, restarts: int = 0) -> Self:
        """Add what a pod of kube-system says of its container."""
        status = {"name": name, "containerID": identity and f"containerd://{identity}", "restartCount": restarts}
        return self._change(at, PODS, {"metadata": {"name": f"{name}-w"}, "status": {"containerStatuses": [status]}})

    def node(self, at: float, *, ready: bool = True, since: str = "before") -> Self:
        """Add what a node says."""
        condition = {"type": "Ready", "status": str(ready), "lastTransitionTime": since}
        return self._change(at, "watch nodes", {"metadata": {"name": "worker"}, "status": {"conditions": [condition]}})

    def asked(self, at: float, kind: Kind, **value: Any) -> Self:
        """Add what came of creating a Lease."""
        self.add(at, kind, "api server", "write lease", value)
        return self

    def _change(self, at: float, process: str, found: Any) -> Self:
        self.add(at, "change", process, "MODIFIED", {"resource_version": "1", "object": found})
        return self


def steady(until: int = 20, **late: float) -> History:
    """Return a history in which all leases are renewed every 2 s, and nothing happens."""
    history = History().container(0, "kube-apiserver", "a").container(0, "etcd", "e").node(0)
    for name in ("kube-controller-manager", "kube-scheduler", "worker"):
        for at in range(0, until, 2):
            if not 4 < at < late.get(name.replace("-", "_"), 0):
                history.lease(at, name)
    return history


def test_names_are_those_of_the_probes() -> None:
    """The checks read what the probes write."""
    assert (control_plane._LEASES, control_plane._PODS) == (LEASES, PODS)
    assert control_plane._NODES in {f"watch {each.name}" for each in objects.USUAL}
    assert control_plane._API_SERVER == probes.API_SERVER
    assert f"{experiment.FAULT} " == control_plane._FAULT


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
def test_harmed(history: History, evidence: str) -> None:
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
    verdict = control_plane_unharmed()(History().lease(1, "kube-scheduler").recorded())
    assert verdict.outcome == "inconclusive"
    assert verdict.summary == "too little was seen of kube-controller-manager, kube-scheduler, pods, nodes"
    assert leases_renewed(10)(History().recorded()).outcome == "inconclusive"


def test_renewed() -> None:
    """The longest silence of all leases is told, and holds if it is short enough."""
    verdict = leases_renewed(10)(steady(kube_scheduler=12).recorded())
    assert verdict.outcome == "holds"
    assert verdict.figures == {"lease_silence_seconds": 8.0}
    assert verdict.summary.startswith("kube-scheduler let 8.0 s pass")


def test_not_renewed() -> None:
    """A silence that is too long is a violation, also of a node, and also one that lasts to the end."""
    assert leases_renewed(5)(steady(worker=12).recorded()).evidence == ("worker let 8.0 s pass",)
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
    assert leases_renewed(5, spare=("kube-scheduler",))(both).evidence == ("worker let 8.0 s pass",)
    alone = History().lease(1, "kube-scheduler").lease(2, "kube-scheduler").recorded()
    everybody = ("kube-controller-manager", "kube-scheduler")
    assert leases_renewed(5, spare=everybody)(alone).outcome == "inconclusive"


def test_renewals_are_counted_by_their_own_clock() -> None:
    """A lease that is seen late was not renewed late."""
    history = steady(10).lease(20, "kube-scheduler", renewed=10).lease(20.1, "kube-controller-manager", renewed=10)
    history.lease(20.2, "worker", renewed=18).lease(20.3, "kube-scheduler", renewed=18)
    verdict = leases_renewed(11)(history.lease(20.4, "kube-controller-manager", renewed=18).recorded())
    assert verdict.figures["lease_silence_seconds"] == pytest.approx(10, abs=0.1)


def test_leases_admitted() -> None:
    """Leases that are admitted, questions without an answer, and a server that does not know us yet, deny nothing."""
    history = History()
    for at in range(20):
        history.asked(at, "ok", seconds=0.01)
    history.asked(21, "info", said="refused").asked(22, "fail", status=403, said="User cannot create", seconds=0.1)
    verdict = leases_admitted()(history.recorded())
    assert (verdict.outcome, verdict.figures) == ("holds", {"leases_admitted": 20.0, "leases_denied": 0.0})
    assert leases_admitted(least=21)(history.recorded()).outcome == "inconclusive"


def test_leases_denied() -> None:
    """A Lease that a policy denies is told with what was said, and how long it went on."""
    history = History()
    for at in range(20):
        history.asked(at, "ok", seconds=0.01)
    said = "ValidatingAdmissionPolicy 'a' with binding 'b' denied request: failed to configure binding: not yet synced"
    for moment in (5.5, 7.0):
        history.asked(moment, "fail", status=422, said=said, seconds=0.01)
    verdict = leases_admitted()(history.recorded())
    assert (verdict.outcome, verdict.summary) == ("violated", "2 of 22 leases were denied")
    assert verdict.at == 5.5
    assert verdict.evidence[0] == f"5.5 s: 422 {said}"
    assert verdict.figures["denial_seconds"] == 1.5


def blocked(back: float | None, *, proved: bool = True, end: float = 90) -> History:
    """Return a history with a fault from 8 to 20 s, in which no lease is renewed; the worker's is from `back` on."""
    history = History()
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
    assert verdict.evidence == ("worker renewed last -14.0 s from then",)
    assert verdict.at == 80


@pytest.mark.parametrize(
    "history",
    [
        blocked(40, proved=False),
        blocked(40, end=70),
        History().add(1, "ok", "fault 1", "observed", {"name": "stop node"}),
        History()
        .add(1, "invoke", "fault 1", "inject", {"name": "stop node"})
        .add(1, "ok", "fault 1", "observed", {"name": "stop node"})
        .add(2, "invoke", "fault 1", "heal", {"name": "stop node"})
        .add(99, "mark", "experiment", "end"),
    ],
    ids=["unproved", "brief", "unhealed", "leaderless"],
)
def test_unknown_whether_renewed_again(history: History) -> None:
    """A fault that was not proved and healed, and a history that ends too early, decide nothing."""
    assert leases_renewed_again(60, fault="stop node")(history.recorded()).outcome == "inconclusive"
