"""Outage: when enforcement begins to be lost tells replicas that serve on from those that go at once."""

from dataclasses import replace

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from chaos_harness.harness.checks import Check
from chaos_harness.harness.checks.outage import comes_back, outlasts
from chaos_harness.harness.history.vocabulary import END, EXPERIMENT, HISTORY, INJECT, JUDGE
from tests.fakes.canary_histories import CanaryHistory
from tests.thorough import examples

FAULT = 10.0
LIMIT = 8.0
LASTS = outlasts(LIMIT, fault="delete", policies=["mutate pods"])
BACK = comes_back(fault="delete", policies=["mutate pods"])
MEANWHILE = comes_back(fault="delete", policies=["mutate pods"], before_healing=True)


def lost(begin: float, end: float, said: str = "connect: connection refused") -> CanaryHistory:
    """Return a history of 60 s whose fault lasts from 10 s to 40 s, with answers lost from `begin` to `end`."""
    history = CanaryHistory().asks(0, begin).asks(begin, end, "fail").asks(end, 60)
    for number in range(round((end - begin) * 10)):
        history.call(begin + number / 10 + 0.005, said)
    return history.calls_read(60).fault(FAULT, 11, 40, name="delete")


def timed_out(*moments: float) -> CanaryHistory:
    """Return such a history in which what was asked at some moments, and nothing else, timed out."""
    history = CanaryHistory().fault(FAULT, 11, 40, name="delete").calls_read(70)
    for number in range(600):
        bad = number / 10 in moments
        history.ask(number / 10, "fail" if bad else "ok", took=1.0 if bad else 0.01)
    for at in moments:
        history.call(at + 1.0, "context deadline exceeded")
    return history


@pytest.mark.parametrize(
    ("history", "outcome", "summary"),
    [
        (lost(10.2, 24), "violated", "mutate pods: the first request is lost 0.2 s after delete"),
        (lost(20.4, 24), "holds", "mutate pods: the first request is lost 10.4 s after delete"),
        (lost(18.1, 18.2), "holds", "mutate pods: the first request is lost 8.1 s after delete"),
        (lost(20, 20), "holds", "mutate pods: no request was lost after delete"),
        (timed_out(12, 14), "holds", "mutate pods: no request was lost after delete"),
    ],
)
def test_outlasts(history: CanaryHistory, outcome: str, summary: str) -> None:
    """Replicas that go at once lose the first request early, those that serve on late; a time-out does not count."""
    verdict = LASTS(history.recorded())
    assert (verdict.outcome, verdict.summary) == (outcome, summary)
    assert verdict.at == (pytest.approx(10.2, abs=0.01) if outcome == "violated" else None)


def test_an_outage_is_not_excused() -> None:
    """Where nobody answers any more, all times out, and that is no busy machine: only single time-outs are excused."""
    assert LASTS(lost(11, 24, "context deadline exceeded").recorded()).outcome == "violated"
    assert LASTS(timed_out(12, 12.1).recorded()).outcome == "violated", "two without a good answer between them"
    assert BACK(timed_out(59.4).recorded()).outcome == "holds"
    assert BACK(timed_out(59.4, 59.5).recorded()).outcome == "violated"


def test_what_did_not_last_is_no_time_out() -> None:
    """An answer after 10 ms is not excused by some other request's time-out in the log; one after 1 s is."""
    quick = timed_out().ask(13.05, "fail").call(13.06, "context deadline exceeded")
    assert LASTS(quick.recorded()).outcome == "violated"
    logged = f'{"x"}?timeout=3s": context deadline exceeded'
    long = timed_out().ask(13.05, "fail", took=1.0).call(14.05, logged)
    assert LASTS(long.recorded()).outcome == "violated", "the API server would have waited for 3 s"


def test_figures() -> None:
    """When the first request was lost is a figure, beside how many were."""
    figures = LASTS(lost(20.4, 24).recorded()).figures
    assert figures["first_lost_seconds"] == pytest.approx(10.405)
    assert figures["mutate_pods_lost_requests"] == 36


def test_the_failed_call_tells_the_moment() -> None:
    """A slow request is lost when its call fails, as logged; without a log it is somewhere in between."""
    history = CanaryHistory().asks(0, 17).ask(17, "fail", took=3).asks(17.1, 60).fault(FAULT, 11, 40, name="delete")
    verdict = LASTS(history.recorded())
    assert verdict.outcome == "inconclusive"
    assert verdict.summary.endswith("mutate pods: the first request is lost 7.0 s or more after delete")
    summary = LASTS(history.calls_read(60).recorded()).summary
    assert summary.endswith("mutate pods: the first request is lost 7.0 to 10.0 s after delete")
    assert LASTS(history.call(19.5).recorded()).outcome == "holds"


def test_the_first_of_all_policies_decides() -> None:
    """If any policy is lost early, it is early; each policy's own webhook tells its causes."""
    history = lost(25, 26)
    history.asks(0, 12, policy="deny by rego").asks(12, 13, "fail", policy="deny by rego")
    history.asks(13, 60, policy="deny by rego")
    verdict = outlasts(LIMIT, fault="delete")(history.recorded())
    assert verdict.outcome == "violated"
    assert verdict.summary == "deny by rego: the first request is lost 2.0 s after delete"
    assert "causes (by time): 10 not logged" in verdict.evidence


def test_refused_requests_tell_why() -> None:
    """Who was refused, because the webhook fails closed, was told why: no log is needed."""
    history = CanaryHistory().asks(0, 20, policy="check ignore label").fault(FAULT, 11, 40, name="delete")
    history.ask(20, "fail", policy="check ignore label", outcome="other", said="500 failed calling webhook: EOF")
    history.ask(20.1, "fail", policy="check ignore label", outcome="denied by configuration error", said="500 no sync")
    history.asks(20.2, 60, policy="check ignore label")
    verdict = outlasts(LIMIT, fault="delete")(history.recorded())
    assert "causes: 1 cut in the middle, 1 denied by configuration error" in verdict.evidence


@pytest.mark.parametrize(
    ("history", "back", "meanwhile"),
    [
        (lost(12, 24), "holds", "holds"),
        (lost(12, 45), "holds", "violated"),
        (lost(12, 60), "violated", "violated"),
        (lost(59.8, 60), "violated", "holds"),
        (lost(39.5, 40), "holds", "violated"),
        (lost(12, 58, "context deadline exceeded"), "holds", "violated"),
        (lost(20, 20), "holds", "holds"),
    ],
)
def test_comes_back(history: CanaryHistory, back: str, meanwhile: str) -> None:
    """The last ten requests that count decide: of all, or of those while the fault lasted."""
    assert BACK(history.recorded()).outcome == back
    assert MEANWHILE(history.recorded()).outcome == meanwhile


def test_what_the_next_fault_loses_was_outlasted() -> None:
    """Once another fault has begun after the healing, what is lost is that one's, however soon it comes."""
    history = (
        CanaryHistory()
        .fault(FAULT, 11, 12, name="delete")
        .fault(15, 16, 40, name="other", process="fault 2")
        .asks(0, 16)
    )
    assert LASTS(history.asks(16, 17, "fail").asks(17, 60).recorded()).outcome == "holds"


def test_what_is_answered_after_the_next_fault_began_is_not_surely_lost_before() -> None:
    """One of the last ten that was decided about when another fault began may be that one's doing."""
    history = (
        CanaryHistory()
        .fault(FAULT, 11, 20, name="delete")
        .fault(30, 31, 40, name="other", process="fault 2")
        .asks(0, 29.9)
    )
    history.ask(29.9, "fail", took=0.2)
    assert BACK(history.asks(30, 60).recorded()).outcome == "inconclusive"


@pytest.mark.parametrize(("history", "outcome"), [(lost(20, 49.8), "violated"), (lost(50.2, 60), "holds")])
def test_what_is_answered_after_it_was_judged_does_not_count(history: CanaryHistory, outcome: str) -> None:
    """Whoever is served again, or lost, after the mark was not when it was judged."""
    history.add(50, "mark", EXPERIMENT, JUDGE).add(60, "mark", HISTORY, END)
    assert BACK(history.written()).outcome == outcome


@pytest.mark.parametrize(("begin", "outcome"), [(25, "inconclusive"), (55.2, "holds")])
def test_a_missing_line_may_say_that_it_was_over_sooner(begin: float, outcome: str) -> None:
    """What is served at the end proves nothing if another fault may have begun while something was still lost."""
    history = lost(20, 30).add(55, "mark", EXPERIMENT, JUDGE).add(60, "mark", HISTORY, END)
    history.add(begin + 0.001, "invoke", "fault 2", INJECT, {"name": "other"})
    whole = history.written()
    entries = [entry for entry in whole.entries if entry.f != INJECT or entry.process == "fault 1"]
    assert BACK(replace(whole, entries=entries)).outcome == outcome


def test_what_it_cost_is_told() -> None:
    """That enforcement is back is said with what was lost until then, and what is away with how much of it."""
    assert BACK(lost(20, 22).recorded()).summary == (
        "enforced again after delete; mutate pods: lost for 1.9 to 2.1 s, 20 of 500 requests, "
        "10.0 s to 11.9 s after delete"
    )
    away = BACK(lost(20, 60).recorded())
    assert away.summary == "mutate pods: 10 of the last 10 requests were lost"
    assert away.at == pytest.approx(59), "the first of the last ten"


@pytest.mark.parametrize("check", [LASTS, BACK, MEANWHILE])
@pytest.mark.parametrize(
    ("history", "words"),
    [
        (CanaryHistory().asks(0, 60), "delete was not proved"),
        (CanaryHistory().asks(0, 60).fault(FAULT, None, 40, name="delete"), "delete was not proved"),
        (CanaryHistory().asks(0, 9).fault(FAULT, 11, 40, name="delete"), "nobody asked about mutate pods"),
        (lost(12, 24).fault(12, 13, 14, name="delete", process="fault 2").fault(15, None, 16, name="delete"), "proved"),
    ],
)
def test_inconclusive(check: Check, history: CanaryHistory, words: str) -> None:
    """No proof, no answers, or a late canary leave it open."""
    verdict = check(history.recorded())
    assert verdict.outcome == "inconclusive"
    assert words in verdict.summary


def test_silence_at_the_beginning_is_no_service() -> None:
    """If hardly anything was answered in the first seconds, nobody knows whether it would have been lost."""
    history = CanaryHistory().asks(0, 10).asks(10, 18, "info").asks(18, 60).fault(FAULT, 11, 40, name="delete")
    verdict = LASTS(history.recorded())
    assert verdict.outcome == "inconclusive"
    assert verdict.summary.startswith("asked mutate pods was not seen from 10.0 to 18.0 s")


@settings(deadline=None, max_examples=examples(30), phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(
    begins=st.floats(0.1, 20),
    lasts=st.floats(0.5, 8),
    slow=st.lists(st.floats(0.001, 2.5), min_size=10, max_size=10),
    timeouts=st.sets(st.integers(50, 275).map(lambda number: 2 * number), max_size=40),
)
def test_a_slow_machine_changes_no_verdict(begins: float, lasts: float, slow: list[float], timeouts: set[int]) -> None:
    """However slow answers are and whatever times out, the verdict is that of when requests began to be refused."""
    history, first = CanaryHistory().fault(FAULT, 11, 40, name="delete").calls_read(64), None
    for number in range(600):
        asked, took = number / 10, slow[number % len(slow)]
        decided = asked + took / 2
        if FAULT + begins <= decided < FAULT + begins + lasts:
            history.ask(asked, "fail", took=took).call(decided)
            first = min(decided, first or decided)
        elif number in timeouts and not FAULT + begins - 2 <= asked < FAULT + begins + lasts + 2:
            history.ask(asked, "fail", took=1 + took).call(asked + 1, "context deadline exceeded")
        else:
            history.ask(asked, took=took)
    outcome = LASTS(history.recorded()).outcome
    assert first is not None
    assert outcome in {"violated" if first - FAULT < LIMIT else "holds", "inconclusive"}
    if abs(first - FAULT - LIMIT) > max(slow) and len(timeouts) < 10:
        assert outcome != "inconclusive"
    assert BACK(history.recorded()).outcome == "holds"


def test_names() -> None:
    """A claim's name says what is claimed, and what is excused."""
    assert LASTS.__name__ == "enforcement outlasts delete by 8 s (mutate pods), unless timed out"
    assert BACK.__name__ == "enforcement comes back after delete (mutate pods), unless timed out"
    assert MEANWHILE.__name__ == "enforcement comes back while delete lasts (mutate pods), unless timed out"
    assert outlasts(2, fault="x", excused=()).__name__ == "enforcement outlasts x by 2 s"


def _twice(lost: tuple[float, float]) -> CanaryHistory:
    """Return a history in which two faults of one name overlap, from 20 to 100 s and from 40 to 50 s, and another."""
    history = (
        CanaryHistory().fault(20, 21, 100, name="kill node").fault(40, 41, 50, name="kill node", process="fault 2")
    )
    history.fault(70, 71, 75, name="cut", process="fault 3")
    return (
        history.asks(0, lost[0]).asks(lost[0], lost[1], "fail").asks(lost[1], 130.2).add(130, "mark", "history", "end")
    )


@pytest.mark.parametrize(
    ("lost", "outcomes"),
    [
        ((0.1, 0.2), ["holds", "holds", "holds"]),
        ((39, 42), ["violated", "holds", "holds"]),
        ((47, 55), ["violated", "violated", "holds"]),
        ((60, 80), ["holds", "holds", "violated"]),
    ],
)
def test_two_faults_of_one_name_that_overlap_are_two(lost: tuple[float, float], outcomes: list[str]) -> None:
    """Each of them must be outlasted, and be over, or lasting, with enforcement back, though they share their time."""
    checks = [
        outlasts(12, fault="kill node"),
        comes_back(fault="kill node", before_healing=True),
        comes_back(fault="kill node"),
    ]
    assert [check(_twice(lost).written()).outcome for check in checks] == outcomes


def test_a_history_without_an_end_may_lack_the_same_fault_once_more() -> None:
    """A cut file does not tell whether a fault came again, but what one fault, by its id, did is known."""
    history = (
        CanaryHistory().fault(10, 11, 30, name="kill").fault(40, 41, 50, name="cut", process="fault 2").asks(0, 60)
    )
    for fault, outcome in (("kill", "inconclusive"), ("fault 1", "holds")):
        verdict = outlasts(5, fault=fault)(history.written(ended=False))
        assert verdict.outcome == outcome
        assert outlasts(5, fault=fault)(history.written()).outcome == "holds"
