"""Readiness: pods in service that answer as policies demand, or do not, in histories made by hand."""

import re
from pathlib import Path

import pytest

from chaos_harness.harness.checks.readiness import CHANGES_OBJECTS, EDITS, ready_means_enforcing
from chaos_harness.harness.faults import objects
from chaos_harness.harness.history.vocabulary import WATCH_PODS, WATCH_SLICES
from tests.fakes.histories import some_lines
from tests.fakes.replica_histories import ReplicaHistory

_DEMAND_NOTHING_ELSE = {"exhaust quota", "revoke rule", "revoke binding"}
"""Faults on objects that change no policy: what policies demand stays, whoever may read them."""


def starting(learnt: int, *, ready: float = 40, asked: bool = True) -> ReplicaHistory:
    """Return a pod that always serves, and one that is Ready at a moment; it allows until it has learnt the policy."""
    history = ReplicaHistory().watched(0, 100).pod(0.1, "a").pod(0.1, "b", ready=False).rotation(0.2, "a")
    history.decides(1, 100, "a").pod(ready, "b").rotation(ready + 0.3, "a", "b")
    return history.decides(20, learnt, "b", "allowed").decides(learnt, 100, "b") if asked else history


def outcome(history: ReplicaHistory, late: float = 10, *policies: str) -> str:
    """Return what is said of a history, if no pod may go unasked for long."""
    return ready_means_enforcing(late, policies, unasked=0)(history.recorded()).outcome


@pytest.mark.parametrize(
    ("learnt", "said"),
    [(30, "holds"), (39, "holds"), (40, "inconclusive"), (41, "violated"), (50, "violated")],
)
def test_who_is_ready_has_learnt(learnt: int, said: str) -> None:
    """A pod may answer wrongly before it is in service; within a second before that is reported it may be already."""
    assert outcome(starting(learnt)) == said


def test_when_it_was_violated() -> None:
    """The moment is that of the first wrong answer in service; the figures say how many there were, and how long."""
    verdict = ready_means_enforcing()(starting(50).recorded())
    assert verdict.at == pytest.approx(40.5)
    assert verdict.evidence[0] == "40.5 s, p: pod b, in service for 0.2 s, answers allowed"
    assert verdict.figures == {
        "answers_in_service": 153,
        "wrong_answers_in_service": 10,
        "ready_before_enforcing_seconds": 9.2,
    }


@pytest.mark.parametrize(
    "history",
    [
        starting(70).pod(42, "b", ready=False).rotation(40.3, "a").rotation(80, "a", "b").pod(79, "b"),
        starting(70).rotation(40.3, "a").rotation(80, "a", "b"),
        starting(70).pod(40, "b", deleting=True),
    ],
    ids=["not-ready", "not-in-rotation", "going"],
)
def test_who_is_not_in_service_may_answer_anything(history: ReplicaHistory) -> None:
    """A pod that is not Ready, no endpoint, or being deleted enforces nothing that counts."""
    assert outcome(history) == "holds"


def test_a_policy_demands_while_it_is_in_force() -> None:
    """Until each pod has it, allowing may be right; without that line it is not known since when it is demanded."""
    history = starting(50)
    assert outcome(history) == "violated"
    history.add(51, "invoke", "policies", "apply", {"policies": ["p"]})
    history.add(53, "ok", "policies", "in force", {"policies": ["p"], "proof": "seen"})
    assert outcome(history) == "holds"
    half = starting(50).add(45, "invoke", "policies", "apply", {"policies": ["p"]})
    assert outcome(half) == "inconclusive"


@pytest.mark.parametrize(
    ("name", "late", "said"),
    [
        ("delete object", 10, "inconclusive"),
        ("edit ChaosDeniedByRego", 10, "inconclusive"),
        ("delete object", 1, "violated"),
        ("kill containers", 10, "violated"),
    ],
)
def test_a_fault_may_take_the_policy_away(name: str, late: float, said: str) -> None:
    """While it lasts, and some seconds after, a wrong answer may be right; later it is wrong, and so with others."""
    assert outcome(starting(50).fault(38, 39, 45, name=name), late) == said


def test_faults_that_change_policies_are_known_by_their_names() -> None:
    """A fault on objects is one of them, or it is said here why not."""
    sources = [path.read_text(encoding="utf-8") for path in Path(objects.__path__[0]).glob("*.py")]
    named = {name for source in sources for name in re.findall(r'^    name = "(.+)"$', source, re.MULTILINE)}
    assert named - _DEMAND_NOTHING_ELSE == set(CHANGES_OBJECTS)
    assert any(f'self.name = f"{EDITS}' in source for source in sources)


def _answered(*, kind: str = "fail", **rest: object) -> ReplicaHistory:
    history = starting(30, asked=False).decides(30, 60, "b").decides(70, 100, "b")
    for number in range(60, 70):
        value = {"pod": "b", "uid": "uid-b", "question": "p", "round": number}
        history.add(number + 0.4, "invoke", "replica b", "review p", value)
        history.add(number + 0.5, kind, "replica b", "review p", {**value, **rest})  # type: ignore[arg-type]
    return history


def test_a_pod_that_cannot_be_reached_decides_nothing() -> None:
    """The API server says so; any other error, or none, leaves open what the pod decided."""
    assert outcome(_answered(status=503, said="error trying to reach service: connection refused")) == "holds"
    assert outcome(_answered(status=429, said="too many requests")) == "inconclusive"
    assert outcome(_answered(kind="info", said="ReadTimeoutError")) == "inconclusive"
    assert outcome(_answered(code=500, said="denied")) == "inconclusive"


@pytest.mark.parametrize(
    "history",
    [
        starting(30, asked=False),
        starting(30, asked=False).decides(20, 50, "b").decides(53, 100, "b"),
        starting(30, asked=False).decides(42, 100, "b"),
        starting(30, asked=False).decides(20, 40, "b").pod(41.1, "b", ready=False),
        starting(30).blind(30, 60, WATCH_PODS).blind(30, 60, WATCH_SLICES),
        starting(50).blind(35, 60, WATCH_PODS),
        starting(50).without("watch"),
        ReplicaHistory().watched(0, 100).pod(0.1, "a").decides(1, 100, "a"),
        ReplicaHistory(),
    ],
    ids=["never", "a-gap", "late", "one-period", "a-third", "perhaps-away", "no-watch", "nobody-in-service", "empty"],
)
def test_what_is_not_known(history: ReplicaHistory) -> None:
    """A pod in service that was not asked may have answered wrongly, and pods that nobody saw may be in service."""
    assert outcome(history) == "inconclusive"


def test_how_long_a_pod_may_go_unasked() -> None:
    """A pod that hangs delays the questions to the others; soon after a pod comes into service it must be asked."""
    later = starting(30, asked=False).decides(20, 50, "b").decides(56, 100, "b").recorded()
    assert ready_means_enforcing(unasked=10)(later).outcome == "holds"
    assert ready_means_enforcing(unasked=5)(later).outcome == "inconclusive"
    first = starting(30, asked=False).decides(43, 100, "b").recorded()
    assert ready_means_enforcing(unasked=10)(first).outcome == "inconclusive"


def test_a_recording_that_was_cut_off_may_have_more() -> None:
    """What was seen before its last line counts, if the policy is known to have been in force by then."""
    assert ready_means_enforcing()(starting(30).recorded(ended=False)).outcome == "inconclusive"
    assert ready_means_enforcing()(starting(50).recorded(ended=False)).outcome == "inconclusive"
    known = starting(50).add(5, "ok", "policies", "in force", {"policies": ["p"], "proof": "seen"})
    assert ready_means_enforcing()(known.recorded(ended=False)).outcome == "violated"


def test_policies_choose_the_reviews() -> None:
    """Only reviews about them are judged; one that nobody asks about is told."""
    history = starting(50).decides(1, 100, "a", question="q").decides(20, 100, "b", question="q")
    assert [outcome(history, 10, *names) for names in (("q",), ("p",), ())] == ["holds", "violated", "violated"]
    verdict = ready_means_enforcing(policies=["other"])(history.recorded())
    assert (verdict.outcome, verdict.summary) == ("inconclusive", "no webhook pod was asked about other")


def test_a_starved_machine_is_no_witness() -> None:
    """Wrong answers of a time in which this machine was starved do not violate it, nor do they prove that it holds."""
    assert outcome(starting(42).add(44, "info", "metronome", "late", {"seconds": 5.0})) == "inconclusive"


def test_a_missing_line_may_be_a_change() -> None:
    """Without any one line the verdict stays, or is inconclusive."""
    for learnt, said in ((50, "violated"), (30, "holds")):
        recorded = starting(learnt).recorded()
        for line in some_lines(recorded):
            kept = [entry for entry in recorded.entries if entry.index != line]
            less = recorded.__class__(recorded.header, kept, ended=True)
            assert ready_means_enforcing()(less).outcome in (said, "inconclusive")
