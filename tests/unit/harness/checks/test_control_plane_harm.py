"""Control plane: what the checks say of a plane that is dead, of harm by place, and of what nobody saw."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from chaos_harness.harness.checks.control_plane import (
    control_plane_unharmed,
    leases_admitted,
    leases_renewed,
    leases_renewed_again,
)
from chaos_harness.harness.history.vocabulary import (
    ADDED,
    DELETED,
    RESUMED,
    WATCH_LEASES,
    WATCH_NODES,
    WATCH_SYSTEM_PODS,
)
from tests.fakes.control_plane import PlaneHistory, plane

MANAGER, SCHEDULER = "kube-controller-manager", "kube-scheduler"
WATCHES = (WATCH_LEASES, WATCH_SYSTEM_PODS, WATCH_NODES)
KILL = "kill node"


def dead_scheduler() -> PlaneHistory:
    """Return one whose scheduler is in its back-off: a dead container's id and count stay, and nobody leads."""
    history = plane(240, silent={SCHEDULER: (30, 241)})
    dead = f"{SCHEDULER}-1"
    return history.container(31, SCHEDULER, dead, state="waiting", ready=False, mirror=True)


def test_a_dead_scheduler_is_harm() -> None:
    """One in CrashLoopBackOff has ended, is not Ready, and renews nothing, though nobody else takes its lease."""
    verdict = control_plane_unharmed()(dead_scheduler().today(240))
    assert (verdict.outcome, verdict.at) == ("violated", 31)
    assert verdict.evidence == (
        f"container {SCHEDULER} of {SCHEDULER}-w: kube-schedul (restart 0), then kube-schedul ended",
        f"pod {SCHEDULER}-w was not Ready for 209.0 s",
        f"{SCHEDULER} did not renew its lease for 212.0 s",
    )
    assert verdict.summary.startswith(
        "1 changes in the control plane, 2 times a part was not Ready or renewed no lease for"
    )
    assert control_plane_unharmed(spare=(SCHEDULER,))(dead_scheduler().today(240)).outcome == "holds"


def test_one_that_was_dead_from_the_begin() -> None:
    """What never was seen to run is not there, either."""
    history = plane(100).node(0, name="third", ready=False)
    verdict = control_plane_unharmed()(history.today(100))
    assert (verdict.outcome, verdict.evidence) == ("violated", ("node third was not Ready for 100.0 s",))
    assert control_plane_unharmed(seconds=110)(history.today(100)).outcome == "holds"


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (
            lambda history: history.container(50, "coredns", "c1", pod="coredns-a", node="worker", f=DELETED),
            "coredns-a: there",
        ),
        (
            lambda history: history.container(50, "coredns", "c1", pod="coredns-a", node="worker", f=DELETED).container(
                51, "coredns", "c2", pod="coredns-b", state="running", ready=True, f=ADDED
            ),
            "pod coredns-a: there, then gone",
        ),
        (lambda history: history.node(50, f=DELETED), "node worker: Ready=True since before, then gone"),
        (lambda history: history.lease(50, SCHEDULER, holder="w_uuid", f=DELETED), "then gone"),
        (
            lambda history: history.container(30, "etcd", "etcd-1", f=DELETED, mirror=True),
            "pod etcd-w was not Ready for 70",
        ),
        (
            lambda history: history.container(30, "etcd", "etcd-1", state="running", ready=False),
            "etcd-w was not Ready for",
        ),
        (lambda history: history.container(50, "etcd", "etcd-1", state="terminated"), "container etcd of etcd-w"),
    ],
    ids=["deleted", "replaced", "node", "lease", "mirror", "unready", "ended"],
)
def test_what_is_gone_is_harm(harm: Callable[[PlaneHistory], PlaneHistory], words: str) -> None:
    """A pod, a node, or a lease that is gone is harm, whoever comes in its place; so is one that is not Ready."""
    verdict = control_plane_unharmed()(harm(plane(100)).today(100))
    assert verdict.outcome == "violated"
    assert words in verdict.evidence[0]


def test_what_is_no_harm() -> None:
    """A mirror pod that is written anew, a moment without readiness, a job that is done, and what has just come."""
    history = plane(100).container(20, "etcd", "etcd-1", f=DELETED, mirror=True)
    history.container(21, "etcd", "etcd-1", state="running", ready=True, mirror=True, f=ADDED)
    history.container(30, "coredns", "c1", pod="coredns-a", node="worker", state="running", ready=False)
    history.container(50, "coredns", "c1", pod="coredns-a", node="worker", state="running", ready=True)
    history.node(60, name="new", f=ADDED).lease(61, "new", f=ADDED).lease(71, "new").lease(91, "new")
    assert control_plane_unharmed()(history.today(100)).outcome == "holds"


def test_ended_and_started_is_one_change() -> None:
    """A container that is seen to have ended before another one runs counts once."""
    history = plane(100).container(20, "etcd", "etcd-1", state="terminated")
    history.container(21, "etcd", "etcd-1", state="waiting").container(22, "etcd", "etcd-2", 1, state="running")
    assert control_plane_unharmed()(history.today(100)).figures == {"control_plane_changes": 1.0}


def lost(how: str = "killed node", node: str = "worker", *, proved: bool = True) -> PlaneHistory:
    """Return a history in which a node is killed at 20 s and started at 60 s, and all on it ends and begins anew."""
    history = plane(200, silent={node: (20, 70)})
    history.fault(20, 32 if proved else None, 60, name=KILL).add(20.1, "info", "harm", how, {"node": node})
    history.node(55, name=node, ready=False, since="dead").node(62, name=node, since="back")
    history.container(61, "coredns", "c1", pod="coredns-a", node=node, state="running", ready=False)
    history.container(62, "coredns", "c2", 1, pod="coredns-a", node=node, state="running", ready=True)
    return history.container(63, "kindnet-cni", "k2", 1, pod="kindnet-a", node=node, state="running", ready=True)


def test_what_lies_on_a_harmed_node_is_spared() -> None:
    """Containers, the node itself and its lease are its fault's, whatever they are called; elsewhere nothing is."""
    assert control_plane_unharmed()(lost().today(200)).outcome == "holds"
    assert leases_renewed(20)(lost().today(200)).outcome == "holds"
    elsewhere = lost().container(70, "etcd", "etcd-2", 1, state="running").today(200)
    verdict = control_plane_unharmed()(elsewhere)
    assert verdict.outcome == "violated"
    assert verdict.evidence == ("container etcd of etcd-w: etcd-1 (restart 0), then etcd-2 (restart 1)",)
    early = lost().container(19, "kindnet-cni", "k0", pod="kindnet-a", node="worker").today(200)
    assert control_plane_unharmed()(early).outcome == "violated"


def test_leaders_of_a_harmed_node_are_replaced() -> None:
    """One of three control planes is killed: who led there leads elsewhere; that he moves again is harm."""
    history = lost(node="w").lease(38, SCHEDULER, holder="v_uuid", transitions=1)
    for at in range(40, 201, 2):
        history.lease(at + 0.5, SCHEDULER, holder="v_uuid", transitions=1)
    history._entries = [entry for entry in history._entries if not _of_w(entry)]
    assert control_plane_unharmed()(history.today(200)).outcome == "holds"
    moved = history.lease(150.7, SCHEDULER, holder="u_uuid", transitions=2).lease(
        151, SCHEDULER, holder="u_uuid", transitions=2
    )
    moved._entries = [entry for entry in moved._entries if not (entry[2] == WATCH_LEASES and entry[0] > 151)]
    assert "then u_uuid (transition 2)" in control_plane_unharmed()(moved.today(152)).evidence[0]


def _of_w(entry: tuple[float, str, str, str, dict[str, dict[str, dict[str, str]]]]) -> bool:
    """Whether it tells of the scheduler's lease as w's after w's death."""
    at, _, process, _, value = entry
    lease = (value or {}).get("object", {}) if process == WATCH_LEASES else {}
    return (
        bool(lease)
        and at > 20
        and lease["metadata"]["name"] == SCHEDULER
        and lease["spec"]["holderIdentity"] == "w_uuid"
    )


def killed(*, containers: tuple[str, ...] = ("kube-apiserver-1",), proved: bool = True) -> PlaneHistory:
    """Return a history in which the API server's container is killed at 20 s, as the fault tells."""
    history = plane(100).fault(20, 21 if proved else None, 25, name="restart API server")
    target = {"pod": "kube-apiserver-w", "uid": "hash", "node": "w", "containers": list(containers), "owner": ""}
    history.add(20.1, "info", "harm", "crashed", target)
    return history.container(22, "kube-apiserver", "kube-apiserver-2", 1, state="running", ready=True)


def test_what_a_fault_ended_is_spared_by_its_id() -> None:
    """The one container that a fault killed may be followed by another one, but that one must not end."""
    assert control_plane_unharmed()(killed().today(100)).outcome == "holds"
    again = killed().container(40, "kube-apiserver", "kube-apiserver-3", 2, state="running", ready=True)
    assert "(restart 1), then" in control_plane_unharmed()(again.today(100)).evidence[0]
    beside = killed().container(40, "etcd", "etcd-2", 1, state="running")
    assert control_plane_unharmed()(beside.today(100)).outcome == "violated"


def test_a_name_is_no_excuse_for_a_container() -> None:
    """That a container has a name that is spared excuses nothing, unless it is a leader's, who ends with his lease."""
    other = killed(containers=("another",))
    assert control_plane_unharmed(spare=("kube-apiserver",))(other.today(100)).outcome == "violated"
    led = plane(100).fault(20, 21, 25).container(40, SCHEDULER, "s2", 1, state="running", ready=True)
    led.lease(41, SCHEDULER, holder="w_other", transitions=1)
    led._entries = [
        entry for entry in led._entries if entry[2] != WATCH_LEASES or entry[0] <= 40 or SCHEDULER not in str(entry)
    ]
    led.lease(41, SCHEDULER, holder="w_other", transitions=1).lease(43, SCHEDULER, holder="w_other", transitions=1)
    assert control_plane_unharmed(spare=(SCHEDULER,))(led.today(44)).outcome == "holds"
    assert control_plane_unharmed()(led.today(44)).outcome == "violated"
    before = plane(100).fault(20, 21, 25).container(10, SCHEDULER, "s2", 1, state="running", ready=True)
    assert control_plane_unharmed(spare=(SCHEDULER,))(before.today(100)).outcome == "violated"


def test_an_unproved_fault_excuses_nothing_for_certain() -> None:
    """Whether a fault that was not proved ended what it says is not known; nor is what came at an unknown moment."""
    assert control_plane_unharmed()(killed(proved=False).today(100)).outcome == "inconclusive"
    assert control_plane_unharmed()(lost(proved=False).today(200)).outcome == "inconclusive"
    gap = lost().blind(15, 64, WATCH_SYSTEM_PODS)
    gap.container(64, "kindnet-cni", "k2", 1, pod="kindnet-a", node="worker", state="running", ready=True, gap=True)
    assert control_plane_unharmed()(gap.today(200)).outcome == "inconclusive"


def test_the_next_fault_is_not_excused_by_the_last() -> None:
    """Once another fault has begun and a minute has passed since the healing, a node counts again."""
    history = lost().fault(130, 131, 140, name="cut webhook", process="fault 2")
    assert control_plane_unharmed()(history.today(200)).outcome == "holds"
    history.container(150, "kindnet-cni", "k3", 2, pod="kindnet-a", node="worker", state="running", ready=True)
    assert control_plane_unharmed()(history.today(200)).outcome == "violated"


def test_nobody_saw() -> None:
    """Watches that are blind to the end, that were so from the begin, or all the time, decide nothing."""
    for stream in WATCHES:
        blind = plane(100)
        blind._entries = [entry for entry in blind._entries if entry[2] != stream or entry[0] < 30]
        blind._hidden[stream] = [(30, 120)]
        assert control_plane_unharmed()(blind.today(100)).outcome == "inconclusive", stream
        late = plane(100)
        late._entries = [entry for entry in late._entries if entry[2] != stream]
        late.add(0, "change", stream, "GAP", {"why": "refused", "detail": ""})
        late._entries += [(at + 10, *rest) for at, *rest in plane(100)._entries if rest[1] == stream]
        assert control_plane_unharmed()(late.today(100)).outcome == "inconclusive", stream
        never = plane(100)
        never._entries = [entry for entry in never._entries if entry[2] != stream]
        never._hidden[stream] = [(0, 120)]
        assert control_plane_unharmed()(never.today(100)).outcome == "inconclusive", stream


@pytest.mark.parametrize("how", ["LISTED", RESUMED])
def test_a_gap_hides_no_change(how: str) -> None:
    """What a watch tells of after a gap is known; what it does not tell of did not change."""
    gap = plane(100).blind(30, 40, *WATCHES, how=how)
    for name in (MANAGER, SCHEDULER, "w", "worker"):
        gap.lease(40, name, holder="w_uuid" if name.startswith("kube-") else name, gap=True)
    assert control_plane_unharmed()(gap.today(100)).outcome == "holds"
    gap.container(40, "etcd", "etcd-2", 1, state="running", ready=True, mirror=True, gap=True)
    assert control_plane_unharmed()(gap.today(100)).outcome == "violated"


def test_a_gap_may_hide_how_long_a_pod_was_not_ready() -> None:
    """One that was not Ready in a gap may have been so all the time, or not for long."""
    gap = plane(200).blind(30, 110, WATCH_SYSTEM_PODS)
    gap.container(110, "etcd", "etcd-1", state="running", ready=True, since="flapped", mirror=True, gap=True)
    assert control_plane_unharmed()(gap.today(200)).outcome == "inconclusive"
    assert control_plane_unharmed(seconds=90)(gap.today(200)).outcome == "holds"


def test_a_node_can_be_spared_by_name() -> None:
    """A name that is a node's spares what is on it, from the first fault on, but for its lease in another check."""
    named = plane(100).fault(20, 21, 25).node(30, ready=False, since="now").node(40, since="later")
    assert control_plane_unharmed()(named.today(100)).outcome == "violated"
    assert control_plane_unharmed(spare=("worker",))(named.today(100)).outcome == "holds"
    assert control_plane_unharmed(spare=("worker",))(named.node(10, since="never").today(100)).outcome == "violated"


def test_what_lacks_parts_is_read() -> None:
    """Objects without spec or status, harm and answers without a value, a lease without a time, raise nothing."""
    odd = plane(100).add(5, "info", "harm", "killed", None).add(6, "ok", "fault 9", "healed", None)
    odd.add(7, "ok", "api server", "write lease", None).add(7.1, "fail", "api server", "write lease", None)
    for stream in WATCHES:
        odd.add(8, "change", stream, "MODIFIED", None).add(8, "change", stream, "MODIFIED", {"object": {}})
        for name in ("odd", SCHEDULER):
            odd.add(9, "change", stream, "MODIFIED", {"object": {"metadata": {"name": name}}})
            odd.add(
                9.1, "change", stream, "MODIFIED", {"object": {"metadata": {"name": name}, "status": None, "spec": {}}}
            )
    for check in (control_plane_unharmed(), leases_renewed(20), leases_renewed_again(5, fault="x"), leases_admitted()):
        assert check(odd.today(100)).outcome in ("holds", "violated", "inconclusive")


def test_what_comes_after_the_end_does_not_count() -> None:
    """A change after the moment that is judged is none; one that was told after it, and came before or not, may be."""
    late = plane(100).container(105, "etcd", "etcd-2", 1, state="running", ready=True)
    assert control_plane_unharmed()(late.today(100)).outcome == "holds"
    gap = plane(100).blind(95, 105, WATCH_SYSTEM_PODS, how=RESUMED)
    gap.container(105, "etcd", "etcd-2", 1, state="running", ready=True, gap=True)
    assert control_plane_unharmed()(gap.today(100)).outcome == "inconclusive"


def test_a_line_that_is_missing_may_tell_of_a_change() -> None:
    """What a new list told after a gap is not known if a line of it is missing, nor what a fault did, if that is."""
    gap = plane(100).blind(30, 40, *WATCHES).container(39.9, "etcd", "etcd-2", 1, state="running", gap=True)
    gap.add(39.8, "change", WATCH_SYSTEM_PODS, "BOOKMARK", {"resource_version": "1"})
    for recorded in (gap.today(100), lost().today(200)):
        entries = [entry for entry in recorded.entries if entry.process != "harm" and "etcd-2" not in str(entry.value)]
        assert control_plane_unharmed()(replace(recorded, entries=entries)).outcome == "inconclusive"


@pytest.mark.parametrize(("ended", "outcome"), [("etcd-1", "holds"), ("other", "violated")])
def test_what_a_fault_ended_is_spared_however_late_it_is_told(ended: str, outcome: str) -> None:
    """A container that a fault ended ran until then, though the watch had been silent since before the fault."""
    history = plane(100).blind(28, 36, WATCH_SYSTEM_PODS, how=RESUMED)
    value = {"node": "w", "pod": "etcd-w", "uid": "uid-etcd", "containers": [ended]}
    history.fault(30, 34, 60, name="restart etcd").add(30.1, "info", "harm", "crashed", value)
    history.container(36, "etcd", "etcd-2", 1, gap=True)
    assert control_plane_unharmed()(history.today(100)).outcome == outcome
