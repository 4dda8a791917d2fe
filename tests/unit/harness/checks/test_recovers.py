"""Recovers: pods come back after any harm, whatever else is done, or it is told why nobody knows."""

import pytest

from chaos_harness.harness.checks.recovery import recovers
from tests.fakes.replica_histories import ReplicaHistory, killed, killed_and_back, killed_for_good


def _quiet() -> ReplicaHistory:
    """Return a history in which nothing is cut."""
    return ReplicaHistory().watched(0, 95)


def _outcome(history: ReplicaHistory, fault: str = "", seconds: float = 60) -> str:
    return recovers(seconds, "killed", fault=fault or ())(history.recorded()).outcome


@pytest.mark.parametrize("fault", ["", "kill containers", "fault 2"])
def test_needs_no_other_fault(fault: str) -> None:
    """A pod that serves again in time holds, and one that does not violates, though nothing else is in effect."""
    assert _outcome(killed_and_back(30, history=_quiet()), fault) == "holds"
    assert _outcome(killed_and_back(30, history=_quiet()), fault, seconds=10) == "violated"


def test_another_fault_does_not_matter() -> None:
    """Whatever kept a pod from coming back, it did not; the image that it waits for is a cause."""
    verdict = recovers(60, "killed")(killed_for_good().recorded())
    assert (verdict.outcome, verdict.at, verdict.causes) == ("violated", 75, ("image pull failed",))


def test_before_the_step_is_healed() -> None:
    """A blow need not be healed, nor its end be recorded, as when the claim is made while the experiment is open."""
    assert not [entry for entry in killed_and_back(30, history=_quiet()).recorded().entries if entry.f == "heal"]
    assert _outcome(killed_and_back(30, history=_quiet())) == "holds"


@pytest.mark.parametrize(
    ("history", "fault"),
    [
        (killed_and_back(30, history=_quiet()).blow(20, "killed", "a", process="fault 3"), ""),
        (killed_and_back(30, history=ReplicaHistory().watched(0, 40), until=40), "other"),
        (killed(ReplicaHistory().watched(0, 60)), ""),
        (_quiet(), ""),
    ],
    ids=["harmed-again", "by-another-step", "recorded-too-short", "nobody-harmed"],
)
def test_undecided(history: ReplicaHistory, fault: str) -> None:
    """What was harmed again while it came back, or was not watched for long enough, decides nothing."""
    assert _outcome(history, fault) == "inconclusive"


def test_not_proved() -> None:
    """A blow that is not proved did perhaps nothing."""
    history = _quiet().pod(1, "a").rotation(1, "a").asked(2, 90, "a").blow(15, "killed", "a", proved=False)
    assert _outcome(history) == "inconclusive"


def test_lost_lines() -> None:
    """Who sees less of a pod that came back is less sure: another may have been harmed in a line that is lost."""
    recorded = recovers(60, "killed")(killed_and_back(30, history=_quiet()).recorded(ended=False))
    assert recorded.outcome == "inconclusive"
