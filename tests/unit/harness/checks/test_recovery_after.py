"""Recovery of pods that are replaced, and of pods after a fault: histories for each verdict."""

from dataclasses import replace

import pytest

from chaos_harness.harness.checks.recovery import recovers_after, recovers_within
from chaos_harness.harness.history.recoveries import PodHistory
from tests.fakes.replica_histories import ReplicaHistory, cut, killed_and_back, killed_for_good

MOVED = recovers_within(60, "rescheduled")


def moved(node: str = "worker2") -> ReplicaHistory:
    """Return a pod that is deleted at 15 s, and one that replaces it on a node."""
    history = cut().pod(1, "a").blow(15, "rescheduled", "a").pod(15.1, "a", deleting=True)
    return history.pod(15.2, "new", ready=False, container="", node=node, f="ADDED")


def test_rescheduled_to_the_other_node() -> None:
    """A deleted pod has recovered when the pod that replaces it on another node serves."""
    history = moved().pod(28, "new", container="c9", node="worker2").rotation(28.5, "new").asked(28.6, 95, "new")
    verdict = MOVED(history.recorded())
    assert verdict.outcome == "holds"
    assert "new on worker2" in verdict.evidence[0]


def test_rescheduled_never_starts() -> None:
    """A replacement that never starts is a violation, and so is one that is never made."""
    assert MOVED(cut().pod(1, "a").blow(15, "rescheduled", "a").recorded()).outcome == "violated"
    assert MOVED(moved().recorded()).outcome == "violated"


def test_rescheduled_to_the_same_node() -> None:
    """A replacement on the node of the deleted pod does not tell what was asked."""
    assert MOVED(moved("worker").recorded()).outcome == "inconclusive"


def test_two_replacements() -> None:
    """Each of two deleted pods gets a replacement of its own; one that is gone again is none."""
    history = cut().pod(1, "a").pod(1, "b").blow(15, "rescheduled", "a").harm(15.5, "rescheduled", "b")
    history.pod(16, "w", node="worker2", f="ADDED").pod(16.5, "w", node="worker2", f="DELETED")
    history.pod(17, "x", node="worker2", f="ADDED").pod(18, "y", node="worker2", f="ADDED")
    pods = PodHistory(history.recorded())
    assert [back.pod for back in pods.recoveries(pods.harms.of("rescheduled"))] == ["x", "y"]


def test_slow_after_the_cut() -> None:
    """After the cut the figure says how slow it was, counted from the moment when healing began."""
    verdict = recovers_after(60, "killed")(killed_and_back(100, history=cut(end=120), until=120).recorded())
    assert verdict.outcome == "holds"
    assert verdict.figures["after_heal_seconds"] == 21


def test_back_before_the_end() -> None:
    """A pod that served before the cut ended took no time after it."""
    assert recovers_after(60, "killed")(killed_and_back(30).recorded()).figures["after_heal_seconds"] == 0


def test_not_back_after_the_cut() -> None:
    """A pod that does not come back is a violation if it was watched for long enough, else nothing is decided."""
    check = recovers_after(60, "killed")
    assert check(killed_for_good().recorded()).outcome == "inconclusive"
    long = killed_for_good(cut(end=160)).recorded()
    assert check(long).outcome == "violated"
    assert (
        check(replace(long, entries=[entry for entry in long.entries if entry.at < 139], ended=False)).outcome
        == "inconclusive"
    )


def test_what_it_still_waits_for_after_the_cut_is_the_cause() -> None:
    """A pod whose image could not be pulled is told from one that does not serve for another reason."""
    assert recovers_after(1, "killed")(killed_for_good().recorded()).causes == ("image pull failed",)
    other = cut(end=80).pod(1, "a").blow(15, "killed", "a").pod(17, "a", ready=False, container="c2")
    assert recovers_after(5, "killed")(other.recorded()).causes == ()


def test_each_for_its_own_fault() -> None:
    """Of two cuts each pod is judged by the one in whose time it was harmed."""
    history = killed_and_back(60, history=cut(heal=40, end=200), until=200).fault(110, 111, 150, process="fault 3")
    history.pod(1, "audit", webhook=False).blow(120, "killed", "audit", process="fault 4")
    history.pod(121, "audit", webhook=False, ready=False, container="").pod(155, "audit", webhook=False, container="c2")
    verdict = recovers_after(30, "killed")(history.recorded())
    assert (verdict.outcome, verdict.figures["after_heal_seconds"]) == ("holds", 21)
    assert recovers_after(10, "killed", fault="fault 3")(history.recorded()).outcome == "holds"
    assert recovers_after(10, "killed")(history.recorded()).outcome == "violated"


@pytest.mark.parametrize(("observed", "heal"), [(10, None), (None, 80)], ids=["never-healed", "never-proved"])
def test_after_nothing(observed: float | None, heal: float | None) -> None:
    """Without a fault that was proved and healed there is no afterwards."""
    history = killed_and_back(30, history=ReplicaHistory().fault(9, observed, heal).watched(0, 95))
    assert recovers_after(60, "killed")(history.recorded()).outcome == "inconclusive"


def test_after_nobody() -> None:
    """Without somebody harmed there is nobody to recover."""
    assert recovers_after(60, "killed")(cut().recorded()).outcome == "inconclusive"
