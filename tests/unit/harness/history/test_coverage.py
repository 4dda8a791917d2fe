"""Coverage: what was not seen is known not to have been seen, whichever way that came about."""

from dataclasses import replace
from math import inf

import pytest

from chaos_harness.harness.history import Entry, Header, History
from chaos_harness.harness.history.coverage import Coverage, api_server, asked, replica
from chaos_harness.harness.history.following import follow
from chaos_harness.harness.history.spans import Spans
from chaos_harness.harness.history.vocabulary import WATCH_PODS
from tests.fakes.canary_histories import CanaryHistory
from tests.fakes.histories import STARTED, HistoryBuilder, set_clock

_OBJECT = {"object": {"metadata": {"name": "a", "uid": "a"}}}


def _new(history: HistoryBuilder, *, ended: bool = True) -> History:
    """Return a history as it is written today, with an end mark if it is `ended`."""
    recorded = history.recorded()
    return replace(recorded, header=Header(2, "test", STARTED, "0"), ended=ended)


def _covered(recorded: History) -> Coverage:
    coverage = Coverage(recorded)
    follow(recorded, coverage)
    return coverage


def _watched(*beats: float) -> HistoryBuilder:
    history = HistoryBuilder().add(1, "change", WATCH_PODS, "LISTED", {"resource_version": "1"})
    for at in beats:
        history.add(at, "change", WATCH_PODS, "BOOKMARK", {"resource_version": "2"})
    return history


def test_a_watch_is_seen_up_to_its_last_sign_of_life() -> None:
    """From the first whole list on; what nobody saw after the last sign of life is unseen, though the file goes on."""
    coverage = _covered(_new(_watched(10, 20).add(50, "mark", "history", "end")))
    assert coverage.of(WATCH_PODS).spans == Spans.of([(1, 20)])
    assert coverage.unseen([WATCH_PODS], 0, inf) == Spans.of([(0, 1), (20, 50)])


def test_old_histories_gave_no_signs() -> None:
    """In a history of schema 1 a watch without a gap is seen to the end; a silent gap began 35 s before it was told."""
    history = _watched().add(60, "change", WATCH_PODS, "GAP", {"why": "silent", "detail": ""})
    history.add(70, "change", WATCH_PODS, "LISTED", {"resource_version": "3"}).add(90, "mark", "experiment", "end")
    assert _covered(history.recorded()).of(WATCH_PODS).spans == Spans.of([(1, 25), (70, 90)])


@pytest.mark.parametrize(("why", "until"), [("silent", 10.0), ("broken", 10.0), ("refused", 10.0), ("ended", 30.0)])
def test_a_gap_reaches_back(why: str, until: float) -> None:
    """A gap begins with the last sign of life; that a stream was ended by the server is one itself."""
    history = _watched(10, 60).add(30, "change", WATCH_PODS, "GAP", {"why": why, "detail": ""})
    history.add(40, "change", WATCH_PODS, "LISTED", {"resource_version": "3"})
    assert _covered(_new(history)).of(WATCH_PODS).spans == Spans.of([(1, until), (40, 60)])


def test_a_gap_whose_line_is_missing() -> None:
    """What a watch tells of a gap, and that its list is whole again, say that there was one, from its last sign on."""
    history = _watched(10, 60).add(35, "change", WATCH_PODS, "MODIFIED", {**_OBJECT, "in_gap": True})
    history.add(40, "change", WATCH_PODS, "LISTED", {"resource_version": "3"})
    assert _covered(_new(history)).of(WATCH_PODS).spans == Spans.of([(1, 10), (40, 60)])


@pytest.mark.parametrize(("how", "known"), [("LISTED", [(1, 10), (40, 60)]), ("RESUMED", [(1, 60)])])
def test_a_watch_that_goes_on_misses_nothing(how: str, known: list[tuple[float, float]]) -> None:
    """After a gap from which it went on where it was, all is known, though not when; after a new list it is not."""
    history = _watched(10, 60).add(30, "change", WATCH_PODS, "GAP", {"why": "refused", "detail": ""})
    history.add(35, "change", WATCH_PODS, "MODIFIED", {**_OBJECT, "in_gap": True})
    history.add(40, "change", WATCH_PODS, how, {"resource_version": "3"})
    coverage = _covered(_new(history))
    assert coverage.of(WATCH_PODS).spans == Spans.of([(1, 10), (40, 60)])
    assert coverage.of(WATCH_PODS).known == Spans.of(known)
    assert bool(coverage.unknown([WATCH_PODS], 2, 50)) == (how == "LISTED")


def test_answers_that_say_nothing_are_not_seen() -> None:
    """A policy is seen from one answer that decides to the next; `info` is none, and one missing look is a hole."""
    history = CanaryHistory().asks(0, 10).asks(10, 14, "info").asks(14, 20)
    seen = _covered(_new(history)).of(asked("mutate pods"))
    assert seen.interval == pytest.approx(0.1)
    assert [tuple(round(at, 6) for at in span) for span in seen.spans] == [(0.0, 9.9), (14.0, 19.9)]


def test_a_slow_answer_is_one() -> None:
    """Answers may come in another order than the questions: a slow one covers the moment when it was asked."""
    history = CanaryHistory().asks(0, 10).ask(10, "fail", took=8).asks(10.1, 20)
    (span,) = _covered(_new(history)).of(asked("mutate pods")).spans
    assert span == pytest.approx((0, 19.9))


def test_who_is_given_more_to_ask_asks_more_rarely() -> None:
    """The interval of a policy is that of the slowest time at which all went well; it is no hole."""
    history = CanaryHistory().asks(0, 30, rate=5).asks(30, 90, rate=2)
    assert _covered(_new(history)).of(asked("mutate pods")).interval == pytest.approx(0.5)
    assert len(list(_covered(_new(history)).of(asked("mutate pods")).spans)) == 1


def test_questions_that_come_two_at_a_time_hide_nothing() -> None:
    """A probe that asks one policy twice in a row, then others, looks at it as rarely as its longest usual pause."""
    history = CanaryHistory()
    for number in range(100):
        history.ask(number / 4).ask(number / 4 + 0.05)
    seen = _covered(_new(history)).of(asked("mutate pods"))
    assert seen.interval == pytest.approx(0.2)
    assert len(list(seen.spans)) == 1


def test_who_waits_for_answers_is_slower_while_something_is_wrong() -> None:
    """A probe that waits for its answers asks more rarely in an outage, which does not widen what counts as seen."""
    history = HistoryBuilder().reviews(0, 100, "a")
    for at in range(100, 400, 6):
        history.review(float(at), "a")
    seen = _covered(_new(history)).of(replica("uid-a"))
    assert seen.interval == pytest.approx(1.0)
    assert seen.spans.longest == pytest.approx(99.5)


def test_a_missing_line_hides_all() -> None:
    """Between the neighbours of a line that is missing, nothing is known of any stream."""
    recorded = _new(_watched(*range(2, 30)))
    entries = [entry for entry in recorded.entries if entry.index != 10]
    coverage = _covered(replace(recorded, entries=entries))
    assert coverage.lost == Spans.of([(10, 12)])
    assert coverage.unseen([WATCH_PODS], 5, 20) == Spans.of([(10, 12)])
    assert coverage.unknown([WATCH_PODS], 5, 20) == Spans.of([(10, 12)])


def test_a_starved_machine_sees_late() -> None:
    """While this machine did not let the probes run nothing was seen as it happened, but nothing is missing."""
    coverage = _covered(_new(_watched(*range(2, 30)).add(15, "info", "metronome", "late", {"seconds": 4.0})))
    assert coverage.unseen([WATCH_PODS], 5, 20) == Spans.of([(11, 15)])
    assert not coverage.unknown([WATCH_PODS], 5, 20)


def test_a_clock_that_is_set_hides_a_moment() -> None:
    """From the entry before a step of the wall clock to the step itself nothing is seen."""
    history = _watched(*range(2, 30)).add(15.5, "info", "history", "clock-jump", {"seconds": 600.0})
    assert _covered(_new(history)).blind == Spans.of([(15, 15.5)])


def test_a_window_ends_where_it_was_judged() -> None:
    """After the mark each probe gave one more sign of life: a window without an end reaches just up to it."""
    history = _watched(10, 20.4).add(20, "mark", "experiment", "judge").add(21, "mark", "history", "end")
    assert _covered(_new(history)).unseen([WATCH_PODS], 5, inf) == Spans()
    assert _covered(_new(history)).until == 20


def test_without_an_end_mark_the_rest_is_unseen() -> None:
    """A window without an end is never covered in a file that may lack lines at its end; one that ended before is."""
    recorded = _new(_watched(*range(2, 30)), ended=False)
    assert _covered(recorded).unseen([WATCH_PODS], 5, inf) == Spans.of([(29, inf)])
    assert not _covered(recorded).unseen([WATCH_PODS], 5, 29)
    assert not _covered(replace(recorded, ended=True)).unseen([WATCH_PODS], 5, inf)


def test_a_log_is_seen_up_to_its_last_reading() -> None:
    """A first reading says nothing of what was there before; a failed one takes nothing away."""
    history = (
        HistoryBuilder()
        .add(10, "ok", "fail open", "read", {"until": STARTED + 9})
        .add(20, "info", "fail open", "read", {})
    )
    history.add(30, "ok", "fail open", "read", {"until": STARTED + 29})
    assert _covered(_new(history)).of("fail open").spans == Spans.of([(9, 29)])
    assert _covered(history.recorded()).of("fail open").spans == Spans.of([(-inf, 29)])


def test_a_log_is_placed_by_the_clocks_of_who_reads_it() -> None:
    """A wall clock that was set since the history began moves nothing: a reading is as old as it was when it ended."""
    read = Entry(0, "ok", "registry", "read", {"until": STARTED + 629}, 30, STARTED + 630)
    recorded = History(Header(2, "test", STARTED, "0"), [read])
    assert _covered(recorded).of("registry").spans == Spans.of([(-inf, 29)])


@pytest.mark.parametrize("seconds", [600.0, 3.0, -3.0, -30.0])
@pytest.mark.parametrize("log", ["fail open", "audit a"])
def test_a_log_of_which_some_is_lost_while_the_clock_is_set(log: str, seconds: float) -> None:
    """What is copied from a moment on is not copied before it, by whichever clock that moment is shown."""
    history = HistoryBuilder().add(10, "ok", log, "read", {"since": STARTED + 8, "until": STARTED + 9})
    history.add(30, "ok", log, "read", {"since": STARTED + 12, "until": STARTED + 29})
    history.add(60, "ok", log, "read", {"since": STARTED + 29, "until": STARTED + 59})
    seen = _covered(set_clock(_new(history), 15, seconds)).of(log).known
    ((begin, end),) = seen.within(9.1, inf)
    assert 12 <= round(begin, 3) <= 15  # when the clock was set is known no better
    assert end == pytest.approx(59)
    assert not seen.within(-inf, 8)


def test_each_question_to_a_replica_is_a_stream() -> None:
    """Who asks a webhook pod several things each second has not asked any of them more often."""
    history = HistoryBuilder()
    for at in range(20):
        for nth, question in enumerate(("label", "mutate")):
            value = {"pod": "a", "uid": "uid-a", "question": question}
            history.add(at + 0.1 * nth, "invoke", "replica a", f"review {question}", value)
            history.add(at + 0.1 * nth + 0.05, "ok", "replica a", f"review {question}", value)
    seen = _covered(_new(history)).of(replica("uid-a", "mutate"))
    assert seen.interval == pytest.approx(1.0)
    assert list(seen.spans) == [pytest.approx((0.1, 19.1))]


def test_what_nobody_looked_at_is_unseen() -> None:
    """A stream that is not in the history was never seen."""
    coverage = _covered(History(Header(2, "r", STARTED, "0"), [Entry(0, "mark", "experiment", "begin", "x", 5, 5)]))
    assert coverage.unseen([api_server("read")], 0, inf) == Spans.of([(0, 5)])
    assert coverage.streams == ()


def test_a_line_is_missing_between_two_of_one_moment() -> None:
    """A hole is one, though no time has passed in it."""
    recorded = _new(_watched(10, 10, 10, 20).add(30, "mark", "history", "end"))
    entries = [entry for entry in recorded.entries if entry.index != 2]
    coverage = _covered(replace(recorded, entries=entries))
    assert coverage.lost == Spans.of([(10, 10 + 1e-6)])


@pytest.mark.parametrize(
    ("moments", "unseen"),
    [
        ([], Spans(((9.9, 20.0),))),
        ([number / 10 for number in range(100, 200)], Spans()),
        ([number / 10 for number in range(100, 150)], Spans(((14.9, 20.0),))),
        ([15.0], Spans(((9.9, 15.0), (15.0, 20.0)))),
    ],
)
def test_what_was_decided_though_no_answer_says_so_was_seen(moments: list[float], unseen: Spans) -> None:
    """Who knows afterwards what became of questions fills a hole, as far as they were asked at their interval."""
    history = CanaryHistory().asks(0, 10).asks(10, 20, "info").asks(20, 30)
    coverage = _covered(_new(history.add(30, "mark", "history", "end")))
    coverage.fill(asked("mutate pods"), moments)
    coverage.fill(asked("nobody asks"), moments)
    holes = coverage.unseen([asked("mutate pods")], 5, 25)
    assert holes.total == pytest.approx(unseen.total)
    assert len(holes.parts) == (1 if unseen else 0)
