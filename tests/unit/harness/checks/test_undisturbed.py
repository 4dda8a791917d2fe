"""Undisturbed: pods to which nothing was done, in histories that hold, that violate and that decide nothing."""

from dataclasses import replace

import pytest

from chaos_harness.harness.checks.undisturbed import undisturbed
from chaos_harness.harness.history.vocabulary import WATCH_PODS
from tests.fakes.histories import some_lines
from tests.fakes.replica_histories import ReplicaHistory

_UNREACHED = {"status": 503, "said": "error trying to reach service: dial tcp 10.0.0.9:8443: i/o timeout"}


def cut() -> ReplicaHistory:
    """Return a cut from 10 to 80 s, with pods seen all the time."""
    return ReplicaHistory().fault(9, 10, 80).watched(0, 90)


def left_alone() -> ReplicaHistory:
    """Return a webhook pod and the audit pod, both Ready, and a pod that is killed."""
    history = cut().pod(1, "a").pod(1, "audit", webhook=False).pod(1, "k").blow(15, "killed", "k")
    return history.pod(16, "k", ready=False, container="").asked(0, 85, "a")


def outcome(history: ReplicaHistory) -> str:
    """Return what is said of a history."""
    return undisturbed()(history.recorded()).outcome


def test_left_alone() -> None:
    """Pods to which nothing was done, Ready and answering all the time, are undisturbed."""
    verdict = undisturbed()(left_alone().recorded())
    assert verdict.outcome == "holds"
    assert verdict.figures["longest_silence_seconds"] == 1


DISTURBED = [
    (left_alone().pod(40, "a", ready=False), "is not Ready"),
    (left_alone().pod(40, "audit", webhook=False, container="c2"), "was restarted"),
    (left_alone().pod(40, "a", deleting=True), "is being deleted"),
    (left_alone().pod(40, "a", f="DELETED"), "is being deleted"),
]


@pytest.mark.parametrize(("history", "why"), DISTURBED)
def test_disturbed(history: ReplicaHistory, why: str) -> None:
    """A pod left alone that is not Ready, restarted or deleted meanwhile is a violation."""
    verdict = undisturbed()(history.recorded())
    assert (verdict.outcome, verdict.at) == ("violated", 40)
    assert why in verdict.summary


def silent(**rest: object) -> ReplicaHistory:
    """Return a pod of which, from 30 to 45 s, is told what `rest` says."""
    history = cut().pod(1, "a").asked(0, 30, "a").asked(30, 45, "a", "fail", **rest)
    return history.asked(45, 85, "a")


@pytest.mark.parametrize("rest", [_UNREACHED, {"said": "allowed"}], ids=["not-reached", "allows"])
def test_silent(rest: dict[str, object]) -> None:
    """A webhook pod that stays Ready but answers nothing right for longer than 10 s is a violation."""
    verdict = undisturbed()(silent(**rest).recorded())
    assert verdict.outcome == "violated"
    assert verdict.at == pytest.approx(40, abs=1)
    assert "gave no correct answer for 14.1 s" in verdict.summary


@pytest.mark.parametrize(
    "history",
    [
        cut().asked(0, 30, "a").asked(30, 45, "a", "info").asked(45, 85, "a"),
        cut().asked(0, 30, "a").asked(30, 45, "a", "fail", status=429, said="too many requests").asked(45, 85, "a"),
        cut().asked(0, 30, "a").asked(43, 45, "a", "info").asked(45, 85, "a"),
        cut().asked(0, 30, "a").asked(45, 85, "a"),
    ],
    ids=["no-answer", "api-server-busy", "asked-late", "not-asked"],
)
def test_whose_silence_it_is(history: ReplicaHistory) -> None:
    """Who is not asked, or gives no answer, is not known to be silent: the question may have been lost on its way."""
    verdict = undisturbed()(history.pod(1, "a").recorded())
    assert (verdict.outcome, verdict.figures["longest_silence_seconds"]) == ("inconclusive", 16.0)
    assert "nothing is known of a for 16.0 s" in verdict.summary


def test_short_silence() -> None:
    """What is not seen for 10 s or less may be silence: a pod need not be asked more often than it may be silent."""
    history = cut().pod(1, "a").asked(0, 30, "a").asked(31, 39, "a", "info").asked(39, 85, "a")
    assert outcome(history) == "holds"


def test_a_policy_that_does_not_work() -> None:
    """A pod that answers one question as it must and another one not for longer than 10 s is disturbed."""
    history = cut().pod(1, "a").asked(0, 85, "a", question="label")
    history.asked(20.2, 40, "a", question="mutate").asked(40.2, 56, "a", "fail", question="mutate")
    assert outcome(history.asked(56.2, 70, "a", question="mutate")) == "violated"


@pytest.mark.parametrize(
    "history",
    [
        cut(),
        cut().pod(1, "a"),
        ReplicaHistory().fault(9, None, 80).watched(0, 90).pod(1, "a").asked(0, 85, "a"),
        cut().pod(1, "a", ready=False),
        left_alone().fault(85, None, 88, process="fault 3"),
        left_alone().asked(20, 30, "unknown"),
        left_alone().blind(40, 41, WATCH_PODS),
        left_alone().without(WATCH_PODS, 2),
    ],
    ids=[
        "no-pod",
        "not-asked",
        "unproved",
        "not-ready-before",
        "one-of-two-unproved",
        "who-is-it",
        "gap",
        "watch-ends",
    ],
)
def test_alone_undecided(history: ReplicaHistory) -> None:
    """Without a pod that was Ready before, proved faults, questions and the watch, nothing is decided."""
    assert outcome(history) == "inconclusive"


def test_a_gap_that_misses_nothing() -> None:
    """A watch that goes on where it was hides nothing: what it tells of the gap is from the gap."""
    assert outcome(left_alone().blind(40, 45, WATCH_PODS, how="RESUMED")) == "holds"
    assert outcome(left_alone().pod(43, "a", ready=False).blind(40, 45, WATCH_PODS, how="RESUMED")) == "violated"
    assert outcome(left_alone().pod(9.5, "a", ready=False).blind(8, 12, WATCH_PODS, how="RESUMED")) == "inconclusive"


def test_each_fault_of_the_name() -> None:
    """Of a fault that was repeated, each time is judged, not only the last one."""
    history = (
        ReplicaHistory()
        .fault(9, 10, 30)
        .fault(50, 51, 80, process="fault 2")
        .watched(0, 90)
        .pod(1, "a")
        .asked(0, 85, "a")
    )
    assert outcome(history) == "holds"
    history.pod(20, "a", ready=False).pod(25, "a")
    assert outcome(history) == "violated"
    assert undisturbed(during="fault 2")(history.recorded()).outcome == "holds"
    assert outcome(history.pod(40, "b").pod(41, "b", ready=False)) == "violated"


def test_what_is_done_to_a_node() -> None:
    """Pods on a node that was killed are none that are left alone; those on others are."""
    history = left_alone().add(20, "invoke", "fault 3", "inject", {"name": "kill node"})
    history.add(20, "info", "harm", "killed node", {"node": "worker2"})
    history.pod(1, "there", node="worker2").pod(60, "there", node="worker2", ready=False)
    assert outcome(history) == "holds"
    assert outcome(history.pod(60, "a", ready=False)) == "violated"


def test_another_fault_may_be_why() -> None:
    """What changes while a fault lasts that tells of nobody whom it harms is neither's alone; outside of it, it is."""
    history = left_alone().fault(20, 21, 50, name="throttle", process="fault 3")
    verdict = undisturbed()(history.pod(40, "a", ready=False).recorded())
    assert verdict.outcome == "inconclusive"
    assert "the cause may be cut registry or throttle" in verdict.summary
    history = left_alone().fault(20, 21, 50, name="throttle", process="fault 3")
    assert outcome(history.pod(70, "a", ready=False)) == "violated"


def test_harmed_before() -> None:
    """A pod that was killed before the fault was not left alone, though it was Ready again; one after it was."""
    history = ReplicaHistory().fault(39, 40, 80, process="fault 3").watched(0, 90).pod(1, "a").blow(5, "killed", "a")
    history.pod(6, "a", ready=False, container="").asked(0, 85, "a")
    verdict = undisturbed()(history.pod(20, "a", container="c2").recorded())
    assert (verdict.outcome, verdict.summary) == ("inconclusive", "no pod was left alone")
    history = left_alone().blow(85, "killed", "a", process="fault 3").pod(86, "a", ready=False, container="")
    assert outcome(history) == "holds"


@pytest.mark.parametrize("history", [left_alone(), DISTURBED[0][0]], ids=["holds", "violated"])
def test_any_line_may_be_missing(history: ReplicaHistory) -> None:
    """Without a line of any kind, or of those at its end, a verdict stays or decides nothing."""
    recorded = history.recorded()
    entries = list(recorded.entries)
    expected = {undisturbed()(recorded).outcome, "inconclusive"}
    for index in some_lines(recorded):
        missing = replace(recorded, entries=entries[:index] + entries[index + 1 :])
        assert undisturbed()(missing).outcome in expected
        assert undisturbed()(replace(recorded, entries=entries[:index], ended=False)).outcome in expected
