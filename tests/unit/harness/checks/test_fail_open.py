"""Fail open: how long and for how many requests enforcement was lost, and how sure that is."""

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaos_harness.harness.checks import Check
from chaos_harness.harness.checks.blame import blames
from chaos_harness.harness.checks.fail_open import fail_open_window
from chaos_harness.harness.checks.lasting import STEADY_SECONDS, Loss, Read, measured
from chaos_harness.harness.history import History
from tests.fakes.canary_histories import CanaryHistory
from tests.thorough import examples

BOTH = ("mutate pods", "deny by rego")


def check(seconds: float, *policies: str) -> Check:
    return fail_open_window(seconds, fault="restart", policies=policies)


def losses(recorded: History, fault: str, policy: str = "mutate pods") -> list[Loss]:
    """Return how one policy was bypassed in the time of each fault of a name."""
    read = Read(recorded)
    times = blames(read.faults, read.coverage, [fault])
    return [measured(read, blame, read.losses.of(policy), "bypassed", ()) for blame in times]


def lost(begin: float, end: float) -> CanaryHistory:
    """Return a history of 60 s, ten questions a second, with a fault at 10 s and bad answers from `begin` to `end`."""
    history = CanaryHistory().asks(0, begin).asks(begin, end, "fail").asks(end, 60)
    return history.fault(10, 11, 40, name="restart")


@pytest.mark.parametrize(
    ("seconds", "outcome"), [(0.0, "violated"), (1.5, "violated"), (2.0, "inconclusive"), (2.2, "holds")]
)
def test_bound(seconds: float, outcome: str) -> None:
    """Lost for 1.89 to 2.11 s: below it is violated, above it holds, in between nobody knows."""
    verdict = check(seconds)(lost(20, 22).recorded())
    assert (verdict.outcome, verdict.at) == (outcome, 20 if outcome == "violated" else None)
    assert verdict.summary == ("mutate pods: lost for 1.9 to 2.1 s, 20 of 500 requests, 10.0 s to 11.9 s after restart")
    assert verdict.figures == {
        "mutate_pods_lost_requests": 20,
        "mutate_pods_asked_requests": 500,
        "mutate_pods_lost_least_seconds": pytest.approx(1.89),
        "mutate_pods_lost_most_seconds": pytest.approx(2.11),
        "mutate_pods_refused_requests": 0,
        "mutate_pods_refused_least_seconds": 0,
        "mutate_pods_refused_most_seconds": 0,
    }


def test_nothing_lost() -> None:
    """Without a bad answer nothing was lost, and even no second holds."""
    verdict = check(0)(lost(20, 20).recorded())
    assert verdict.outcome == "holds"
    assert verdict.summary == "mutate pods: none of 500 requests after restart"


def test_never_again() -> None:
    """What does not come back within the history is lost for ever: no bound holds."""
    verdict = check(1000)(lost(20, 60).recorded())
    assert verdict.outcome == "inconclusive"
    assert "lost for at least 39.9 s" in verdict.summary
    assert "mutate_pods_lost_most_seconds" not in verdict.figures
    assert check(30)(lost(20, 60).recorded()).outcome == "violated"


def test_without_an_end_nothing_holds_for_ever() -> None:
    """What a fault, by its id, has not lost when its file ends it may still lose: that was not seen."""
    history = lost(20, 20)
    check_one = fail_open_window(0, fault="fault 1")
    assert check_one(history.written()).outcome == "holds"
    verdict = check_one(history.written(ended=False))
    assert verdict.outcome == "inconclusive"
    assert "was not seen from 59.9 s to the end" in verdict.summary


def test_one_bad_answer() -> None:
    """A single bad answer lasts no second for certain, but is a loss where none is allowed."""
    recorded = lost(20, 20.1).recorded()
    assert check(0)(recorded).outcome == "violated"
    assert check(0.5)(recorded).outcome == "holds"


def test_flapping_is_added_up() -> None:
    """Stretches with more than a short rest between them are counted one by one, with the uncertainty of each."""
    history = CanaryHistory().asks(0, 14)
    for begin in (14, 21, 28):
        history.asks(begin, begin + 1, "fail").asks(begin + 1, begin + 7)
    history.asks(35, 60).fault(10, 11, 40, name="restart")
    (loss,) = losses(history.recorded(), "restart")
    assert loss.least == pytest.approx(3 * 0.89)
    assert loss.most == pytest.approx(3 * 1.11)


def test_a_good_answer_ends_no_partial_loss() -> None:
    """One request of eight lost for 100 s is a loss of 100 s: it ends when nothing was lost for five seconds."""
    history = CanaryHistory().fault(10, 11, 115, name="restart")
    for number in range(1300):
        bad = 100 <= number < 1100 and number % 8 == 0
        history.ask(number / 10, "fail" if bad else "ok")
    assert check(30)(history.recorded()).outcome == "violated"
    assert losses(history.recorded(), "restart")[0].least == pytest.approx(98.4, abs=1)
    assert check(101)(history.recorded()).outcome == "holds"


def test_time_that_windows_share_counts_once() -> None:
    """Slow answers, good and bad in turns, leave it open which of them was decided when: it was lost all the time."""
    history = CanaryHistory().asks(0, 20).asks(20, 25, "fail")
    for second in range(25, 35):
        history.ask(second, took=6.0).ask(second + 0.5, "fail", took=6.0)
    history.asks(35, 60).fault(10, 11, 40, name="restart")
    (loss,) = losses(history.recorded(), "restart")
    assert len(loss.heard.runs["bypassed"]) == 11
    assert loss.most == pytest.approx(40 - 19.9)


def test_each_policy_is_told() -> None:
    """Policies are judged each by itself, and the worst one is the summary."""
    history = CanaryHistory()
    for number in range(600):
        bad = 200 <= number < 250
        history.ask(number / 10, "ok")
        history.ask(number / 10 + 0.05, "fail" if bad else "ok", policy="deny by rego")
    verdict = check(1, *BOTH)(history.fault(10, 11, 40, name="restart").recorded())
    assert verdict.outcome == "violated"
    assert verdict.summary.startswith("deny by rego: lost for 4.9 to 5.1 s")
    assert verdict.figures["mutate_pods_lost_requests"] == 0
    assert verdict.figures["deny_by_rego_lost_requests"] == 50


def test_an_excused_cause_does_not_count() -> None:
    """Single time-outs are left out, one with another cause beside it is not; both are told."""
    history = CanaryHistory().asks(0, 60).fault(10, 11, 40, name="restart").calls_read(60)
    for at in (20.05, 23.05, 26.05, 30.05):
        history.ask(at, "fail", took=1).call(at + 0.99, "context deadline exceeded")
    history.ask(30.06, "fail").call(30.065, "EOF")
    verdict = fail_open_window(2, fault="restart", excused=["timed out"])(history.recorded())
    assert verdict.outcome == "holds"
    assert verdict.summary == (
        "mutate pods: lost for 0.0 to 0.1 s, 2 of 505 requests, 20.1 s to 20.1 s after restart; "
        "3 more are excused by their cause"
    )
    assert verdict.evidence[1] == "causes (by time): 4 timed out, 1 cut in the middle"
    assert check(2)(history.recorded()).outcome == "violated"


def test_an_outage_is_not_excused() -> None:
    """A black hole in which all calls time out is no busy machine."""
    history = CanaryHistory().asks(0, 20).asks(20, 40, "fail", took=1).asks(40, 60).calls_read(60)
    for number in range(200):
        history.call(21 + number / 10, "context deadline exceeded")
    verdict = fail_open_window(5, fault="restart", excused=["timed out"])(
        history.fault(10, 11, 40, name="restart").recorded()
    )
    assert (verdict.outcome, verdict.at) == ("violated", 20)


def test_causes_that_are_not_known_do_not_decide() -> None:
    """What was lost after the last read of the log may be excused or not: by it nothing holds nor is violated."""
    history = CanaryHistory().asks(0, 60).fault(10, 11, 40, name="restart").ask(20.05, "fail", took=1).calls_read(20)
    strict = fail_open_window(0, fault="restart", excused=["timed out"])
    verdict = strict(history.recorded())
    assert verdict.outcome == "inconclusive"
    assert verdict.summary.startswith("the API server's log does not give the cause of 1; ")
    assert strict(history.calls_read(60).recorded()).outcome == "violated"


def test_before_the_fault_is_not_its_doing() -> None:
    """A loss before the fault is not counted, nor one that the next fault brings."""
    history = CanaryHistory().asks(0, 5).asks(5, 6, "fail").asks(6, 30).asks(30, 31, "fail").asks(31, 60)
    history.fault(10, 11, 12, name="restart").fault(29, 29.5, 30, name="other", process="fault 2")
    assert check(0)(history.recorded()).outcome == "holds"
    assert fail_open_window(0, fault="other")(history.recorded()).outcome == "violated"


def test_faults_within_a_fault() -> None:
    """What is lost while both last is not one's alone; what is lost while it is recovered from is the fault's."""
    history = CanaryHistory().asks(0, 20).asks(20, 21, "fail").asks(21, 45).asks(45, 46, "fail").asks(46, 60)
    history.fault(10, 11, 40, name="restart").fault(15, 16, 50, name="kill", process="fault 2")
    assert [len(loss.missed) for loss in losses(history.recorded(), "restart")] == [20]
    assert [len(loss.lost) for loss in losses(history.recorded(), "restart")] == [0]
    assert [len(loss.lost) for loss in losses(history.recorded(), "kill")] == [10]
    verdict = check(1)(history.recorded())
    assert verdict.outcome == "inconclusive"
    assert "kill may have caused what was lost at the same time" in verdict.summary
    assert check(3)(history.recorded()).outcome == "holds"
    both = fail_open_window(1, fault=["restart", "kill"])
    assert both(history.recorded()).outcome == "violated"
    assert both.__name__ == "enforcement is lost for at most 1 s after restart and kill"


@pytest.mark.parametrize(
    ("harmed", "webhook", "outcome"),
    [(["audit"], False, "violated"), (["audit"], True, "inconclusive"), (["audit", "b"], False, "inconclusive")],
)
def test_who_harms_only_pods_that_answer_for_nothing_shares_no_loss(
    harmed: list[str], webhook: bool, outcome: str
) -> None:
    """A fault whose victims are known, and none of them can be asked, is no reason for what is lost meanwhile."""
    history = CanaryHistory().asks(0, 20).asks(20, 22, "fail").asks(22, 60).fault(10, 11, 40, name="restart")
    history.fault(15, 16, 50, name="kill", process="fault 2").pod(1, "audit", webhook=webhook)
    for pod in harmed:
        history.harm(15.5, "killed", pod)
    assert check(1)(history.recorded()).outcome == outcome
    recorded = history.recorded()
    lacking = [entry for entry in recorded.entries if entry.f != "killed"]
    assert check(1)(replace(recorded, entries=lacking)).outcome == "inconclusive"


def test_a_fault_within_a_fault_that_loses_nothing() -> None:
    """A cut of the webhook for 15 s within a cut of the registry is not the registry's."""
    history = CanaryHistory().asks(0, 30).asks(30, 45, "fail").asks(45, 90)
    history.fault(20, 21, 60, name="cut registry").fault(29.9, 30.5, 45.2, name="cut webhook", process="fault 2")
    verdict = fail_open_window(1, fault="cut registry")(history.written())
    assert (verdict.outcome, verdict.at) == ("inconclusive", None)
    assert "cut webhook" in verdict.summary
    assert fail_open_window(1, fault="cut webhook")(history.written()).outcome == "inconclusive"
    assert fail_open_window(1, fault=["cut registry", "cut webhook"])(history.written()).outcome == "violated"


def test_two_faults_of_one_name_are_two_by_id() -> None:
    """Two nodes killed, the second for a while within the first one's time: all that was asked belongs to both."""
    history = CanaryHistory().asks(0, 97).fault(10, 12, 90, name="kill node")
    history.fault(25, 27, 55, name="kill node", process="fault 2")
    verdict = fail_open_window(1, fault="kill node")(history.written())
    assert verdict.outcome == "holds"
    assert verdict.figures["mutate_pods_asked_requests"] == 870
    history.ask(70.05, "fail").ask(72.05, "fail")
    assert fail_open_window(1, fault="fault 1")(history.written()).outcome == "violated"
    assert fail_open_window(1, fault="kill node")(history.written()).outcome == "violated"


def test_same_fault_twice() -> None:
    """Each time a fault is done is judged by itself; figures are of the worst."""
    history = CanaryHistory().asks(0, 20).asks(20, 21, "fail").asks(21, 40).asks(40, 43, "fail").asks(43, 60)
    history.fault(15, 16, 17, name="restart").fault(35, 36, 37, name="restart", process="fault 2")
    verdict = check(2)(history.recorded())
    assert verdict.outcome == "violated"
    assert verdict.figures["mutate_pods_lost_requests"] == 30
    assert check(3.2)(history.recorded()).outcome == "holds"


@pytest.mark.parametrize(
    ("history", "policies", "words"),
    [
        (CanaryHistory().asks(0, 60), (), "restart was not proved"),
        (CanaryHistory().asks(0, 60).fault(10, None, 40, name="restart"), (), "restart was not proved"),
        (lost(20, 20), BOTH, "nobody asked about deny by rego"),
        (CanaryHistory().asks(0, 9).fault(10, 11, 40, name="restart"), (), "nobody asked about any policy"),
        (
            CanaryHistory().asks(0, 60, rate=0.3).fault(10, 11, 40, name="restart"),
            (),
            "one in 3.3 s: too few",
        ),
        (CanaryHistory().asks(0, 60, "info").fault(10, 11, 40, name="restart"), (), "nobody asked"),
        (CanaryHistory().asks(0, 15).fault(10, 11, 40, name="restart"), (), "not seen from 14.9 to 40.0 s"),
    ],
)
def test_inconclusive(history: CanaryHistory, policies: tuple[str, ...], words: str) -> None:
    """No proof, no answers, or too few of them leave it open."""
    verdict = check(0, *policies)(history.recorded())
    assert verdict.outcome == "inconclusive"
    assert words in verdict.summary


@settings(deadline=None, max_examples=examples(60))
@given(
    st.lists(st.tuples(st.floats(0.05, 3), st.booleans()), min_size=1, max_size=8),
    st.floats(2, 20),
    st.floats(0.001, 0.4),
)
def test_truth_lies_within(stretches: list[tuple[float, bool]], rate: float, took: float) -> None:
    """Whatever is really lost, at whatever rate it is looked at, lies between the bounds, unless it is overlooked.

    The truth is a list of stretches, enforced or not; each answer is decided in the middle of its time.
    """
    edges, at = [], 20.0
    for length, enforced in stretches:
        edges.append((at, at + length, enforced))
        at += length
    history = CanaryHistory().fault(10, 11, at + 5, name="restart")
    seen_bad: set[int] = set()
    for number in range(round((at + 20) * rate)):
        asked = number / rate
        decided = asked + took / 2
        bad = {index for index, (begin, end, fine) in enumerate(edges) if begin <= decided < end and not fine}
        seen_bad |= bad
        history.ask(asked, "fail" if bad else "ok", took=took)
    (loss,) = losses(history.recorded(), "restart")
    merged: list[tuple[float, float]] = []
    for begin, end, fine in edges:
        if not fine and merged and begin - merged[-1][1] < STEADY_SECONDS:
            merged[-1] = merged[-1][0], end
        elif not fine:
            merged.append((begin, end))
    real = sum(end - begin for begin, end in merged)
    if seen_bad == {index for index, (*_, fine) in enumerate(edges) if not fine}:
        assert loss.most >= real - 1e-6
    assert math.isfinite(loss.most)
    assert loss.least <= real + 1e-6


def test_name() -> None:
    """A claim's name says what is claimed."""
    assert check(5).__name__ == "enforcement is lost for at most 5 s after restart"
    excused = fail_open_window(5, fault="restart", excused=["timed out"])
    assert excused.__name__ == "enforcement is lost for at most 5 s after restart, unless timed out"
    named = [fail_open_window(5, fault="restart", policies=[policy]).__name__ for policy in BOTH]
    assert named == [f"enforcement is lost for at most 5 s after restart ({policy})" for policy in BOTH]


def test_a_figure_is_the_worst_one_whatever_the_policy_is_called() -> None:
    """How many requests two faults of one name lost is the larger number, also for a policy named "first ..."."""
    history = CanaryHistory()
    history.asks(0, 100, policy="first pods")
    history.asks(12, 13, "fail", policy="first pods", outcome="admitted")
    history.asks(62, 65, "fail", policy="first pods", outcome="admitted")
    history.fault(10, 11, 40, name="restart").fault(60, 61, 80, name="restart", process="fault 2")
    assert check(0, "first pods")(history.recorded()).figures["first_pods_lost_requests"] == 30
