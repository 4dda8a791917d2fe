"""Fail open: how long and for how many requests enforcement was lost, and how sure that is."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.checks import Checked
from harness.checks.fail_open import fail_open_window, losses
from tests.fakes.asked import Asked

BOTH = ("mutate pods", "deny by rego")


def check(seconds: float, *policies: str) -> Checked:
    return fail_open_window(seconds, fault="restart", policies=policies)


def lost(begin: float, end: float) -> Asked:
    """Return a history of 60 s, ten questions a second, with a fault at 10 s and bad answers from `begin` to `end`."""
    told = Asked().asks(0, begin).asks(begin, end, "fail").asks(end, 60)
    return told.fault(10, 11, 40, name="restart")


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
    assert "lost for 39.9 to ever s" in verdict.summary
    assert "mutate_pods_lost_most_seconds" not in verdict.figures
    assert check(30)(lost(20, 60).recorded()).outcome == "violated"


def test_one_bad_answer() -> None:
    """A single bad answer lasts no second for certain, but is a loss where none is allowed."""
    told = lost(20, 20.1).recorded()
    assert check(0)(told).outcome == "violated"
    assert check(0.5)(told).outcome == "holds"


def test_flapping_is_added_up() -> None:
    """Windows with good answers in between are counted each, with the uncertainty of each."""
    told = Asked().asks(0, 20)
    for begin in (20, 22, 24):
        told.asks(begin, begin + 1, "fail").asks(begin + 1, begin + 2)
    told.asks(26, 60).fault(10, 11, 40, name="restart")
    found, _ = losses(told.recorded(), "restart")
    assert len(found[0].windows) == 3
    assert found[0].least == pytest.approx(3 * 0.89)
    assert found[0].most == pytest.approx(3 * 1.11)


def test_time_that_windows_share_counts_once() -> None:
    """Slow answers, good and bad in turns, leave it open which of them was decided when, and not how long all took."""
    told = Asked().asks(0, 20).asks(20, 25, "fail")
    for second in range(25, 35):
        told.ask(second, took=6.0).ask(second + 0.5, "fail", took=6.0)
    told.asks(35, 60).fault(10, 11, 40, name="restart")
    found, _ = losses(told.recorded(), "restart")
    assert len(found[0].windows) == 11
    assert found[0].least == pytest.approx(4.89)
    assert found[0].most == pytest.approx(40 - 19.9)


def test_each_policy_is_told() -> None:
    """Policies are judged each by itself, and the worst one is the summary."""
    told = Asked()
    for number in range(600):
        bad = 200 <= number < 250
        told.ask(number / 10, "ok")
        told.ask(number / 10 + 0.05, "fail" if bad else "ok", policy="deny by rego")
    verdict = check(1, *BOTH)(told.fault(10, 11, 40, name="restart").recorded())
    assert verdict.outcome == "violated"
    assert verdict.summary.startswith("deny by rego: lost for 4.9 to 5.1 s")
    assert verdict.figures["mutate_pods_lost_requests"] == 0
    assert verdict.figures["deny_by_rego_lost_requests"] == 50


def test_an_excused_cause_does_not_count() -> None:
    """Windows in which all timed out are left out, one with another cause in it stays; both are told."""
    told = Asked().asks(0, 20).asks(20, 25, "fail").asks(25, 30).asks(30, 31, "fail").asks(31, 60)
    for number in range(50):
        told.call(20.005 + number / 10, "context deadline exceeded")
    for number in range(10):
        told.call(30.005 + number / 10, "context deadline exceeded" if number else "EOF")
    told.fault(10, 11, 40, name="restart").calls_read(60)
    verdict = fail_open_window(2, fault="restart", excused=["timed out"])(told.recorded())
    assert verdict.outcome == "holds"
    assert verdict.summary == (
        "mutate pods: lost for 0.9 to 1.1 s, 1 of 500 requests, 20.0 s to 20.0 s after restart; "
        "59 more are excused by their cause"
    )
    assert verdict.evidence[1] == "causes: 59 timed out, 1 cut in the middle"
    assert check(2)(told.recorded()).outcome == "violated"


def test_an_outage_is_not_excused() -> None:
    """Where more than a quarter timed out, nothing holds for it; what is violated all the same stays so."""
    told = lost(20, 40).calls_read(60)
    for number in range(200):
        told.call(20.005 + number / 10, "context deadline exceeded")
    verdict = fail_open_window(2, fault="restart", excused=["timed out"])(told.recorded())
    assert verdict.outcome == "inconclusive"
    assert verdict.summary.startswith("200 of 500 were lost by a cause that is excused: too many to know better; ")
    told.asks(60, 65, "fail").asks(65, 66).calls_read(66)
    assert fail_open_window(2, fault="restart", excused=["timed out"])(told.recorded()).outcome == "violated"


def test_causes_that_are_not_known_do_not_decide() -> None:
    """What was lost after the last read of the log may be excused or not: by it nothing holds nor is violated."""
    told = lost(20, 21).calls_read(20)
    strict = fail_open_window(0, fault="restart", excused=["timed out"])
    verdict = strict(told.recorded())
    assert verdict.outcome == "inconclusive"
    assert verdict.summary.startswith("the API server's log was not read to the end: the cause of 10 is not known; ")
    assert strict(told.calls_read(60).recorded()).outcome == "violated"


def test_before_the_fault_is_not_its_doing() -> None:
    """A loss before the fault is not counted, nor one that the next fault brings."""
    told = Asked().asks(0, 5).asks(5, 6, "fail").asks(6, 30).asks(30, 31, "fail").asks(31, 60)
    told.fault(10, 11, 12, name="restart").fault(29, 29.5, 30, name="other", process="fault 2")
    assert check(0)(told.recorded()).outcome == "holds"
    assert fail_open_window(0, fault="other")(told.recorded()).outcome == "violated"


def test_faults_within_a_fault() -> None:
    """What a fault within it brings, and what happens while it is recovered from, belongs to the outer fault, too."""
    told = Asked().asks(0, 20).asks(20, 21, "fail").asks(21, 45).asks(45, 46, "fail").asks(46, 60)
    told.fault(10, 11, 40, name="restart").fault(15, 16, 50, name="kill", process="fault 2")
    found, _ = losses(told.recorded(), "restart")
    assert [len(each.lost) for each in found] == [20]
    within, _ = losses(told.recorded(), "kill")
    assert [len(each.lost) for each in within] == [20]


def test_same_fault_twice() -> None:
    """Each time a fault is done is judged by itself; figures are of the worst."""
    told = Asked().asks(0, 20).asks(20, 21, "fail").asks(21, 40).asks(40, 43, "fail").asks(43, 60)
    told.fault(15, 16, 17, name="restart").fault(35, 36, 37, name="restart", process="fault 2")
    verdict = check(2)(told.recorded())
    assert verdict.outcome == "violated"
    assert verdict.figures["mutate_pods_lost_requests"] == 30
    assert check(3.2)(told.recorded()).outcome == "holds"


@pytest.mark.parametrize(
    ("told", "policies", "words"),
    [
        (Asked().asks(0, 60), (), "restart was not proved"),
        (Asked().asks(0, 60).fault(10, None, 40, name="restart"), (), "restart was not proved"),
        (lost(20, 22), BOTH, "nobody asked about deny by rego"),
        (Asked().asks(0, 9).fault(10, 11, 40, name="restart"), (), "nobody asked about any policy"),
        (
            Asked().asks(0, 60, rate=0.3).fault(10, 11, 40, name="restart"),
            (),
            "15 requests were answered in the 30 s",
        ),
        (Asked().asks(0, 60, "info").fault(10, 11, 40, name="restart"), (), "0 requests were answered in the 30 s"),
        (Asked().asks(0, 15).fault(10, 11, 40, name="restart"), (), "the last one after 5 s: too few"),
        (lost(20, 22).asks(60, 61, late=3.0), (), "fell behind"),
    ],
)
def test_inconclusive(told: Asked, policies: tuple[str, ...], words: str) -> None:
    """No proof, no answers, too few of them, or a late canary leave it open."""
    verdict = check(0, *policies)(told.recorded())
    assert verdict.outcome == "inconclusive"
    assert words in verdict.summary


@settings(deadline=None)
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
    told = Asked().fault(10, 11, at + 5, name="restart")
    seen_bad: set[int] = set()
    for number in range(round((at + 20) * rate)):
        asked = number / rate
        decided = asked + took / 2
        bad = {index for index, (begin, end, fine) in enumerate(edges) if begin <= decided < end and not fine}
        seen_bad |= bad
        told.ask(asked, "fail" if bad else "ok", took=took)
    found, _ = losses(told.recorded(), "restart")
    merged: list[list[float]] = []
    for index, (begin, end, fine) in enumerate(edges):
        if not fine and merged and merged[-1][1] == begin:
            merged[-1][1] = end
            merged[-1][2] = max(merged[-1][2], float(index in seen_bad))
        elif not fine:
            merged.append([begin, end, float(index in seen_bad)])
    seen = sum(end - begin for begin, end, looked in merged if looked)
    real = sum(end - begin for begin, end, _ in merged)
    assert found[0].most >= seen - 1e-6
    assert math.isfinite(found[0].most)
    if all(looked for *_, looked in merged) and len(found[0].windows) == len(merged):
        assert found[0].least <= real + 1e-6


def test_name() -> None:
    """A claim's name says what is claimed."""
    assert check(5).__name__ == "enforcement is lost for at most 5 s after restart"
    excused = fail_open_window(5, fault="restart", excused=["timed out"])
    assert excused.__name__ == "enforcement is lost for at most 5 s after restart, unless timed out"
