"""Lag: how late a watch was is proved by an object with a number, and says nothing of other watches."""

from dataclasses import replace
from math import inf

import pytest

from chaos_harness.harness.history import Entry, EntryKind, Header, History
from chaos_harness.harness.history.coverage import Coverage
from chaos_harness.harness.history.following import follow
from chaos_harness.harness.history.spans import Spans
from chaos_harness.harness.history.vocabulary import (
    ADDED,
    BOOKMARK,
    CLOCK,
    GAP,
    LATE,
    LISTED,
    METRONOME,
    MODIFIED,
    NUMBER,
    READ,
    RESUMED,
    WATCH_NUMBER,
    WATCH_PODS,
    WRITE,
    numbered,
)
from tests.fakes.histories import STARTED, HistoryBuilder, renumbered
from tests.thorough import examples
from tests.worlds.judging import verdict
from tests.worlds.truths import TRUTHS, world


class Numbered(HistoryBuilder):
    """A history in which an object with a number is written and watched."""

    def __init__(self) -> None:
        super().__init__()
        for process in (WATCH_NUMBER, WATCH_PODS):
            self.add(0, "change", process, LISTED, {"resource_version": "1"})

    def write(self, number: int, *, kind: str = "ok", took: float = 0.02) -> "Numbered":
        """Write a number in the second that it names."""
        self.add(number, "invoke", NUMBER, WRITE, {"number": number})
        return self.add(number + took, kind, NUMBER, WRITE, {"number": number})  # type: ignore[arg-type]

    def tell(self, number: int, at: float, f: str = MODIFIED, **rest: object) -> "Numbered":
        """Let the watch tell of a number."""
        return self.add(at, "change", WATCH_NUMBER, f, {"object": {"number": number}, **rest})

    def healthy(self, begin: int, end: int) -> "Numbered":
        """Write numbers, each of which is told at once."""
        for number in range(begin, end):
            self.write(number).tell(number, number + 0.03)
            self.add(number + 0.05, "change", WATCH_PODS, BOOKMARK, {"resource_version": "2"})
        return self

    def today(self) -> History:
        """Return it as it is written today."""
        return replace(self.recorded(), header=Header(2, "test", STARTED, "0"))


def covered(history: Numbered) -> Coverage:
    recorded = history.today()
    coverage = Coverage(recorded)
    follow(recorded, coverage)
    return coverage


def test_the_lag_of_each_second_is_known() -> None:
    """In a healthy cluster the numbers are one more stream that is seen without a hole."""
    coverage = covered(Numbered().healthy(1, 31))
    assert NUMBER in coverage.streams
    assert not coverage.unseen([NUMBER, WATCH_NUMBER], 1, 30)
    assert (coverage.lag.known, coverage.lag.late) == (30, Spans())
    assert coverage.lag.worst == pytest.approx(0.01)


def test_a_number_may_be_told_before_its_answer() -> None:
    """The watch's thread may be faster than the one that waits for the answer: that is no lag."""
    history = Numbered().healthy(1, 10).write(10, took=0.5).tell(10, 10.1).healthy(11, 20)
    assert covered(history).lag.worst == pytest.approx(0.01)
    assert not covered(history).unseen([NUMBER], 1, 19)


def test_a_late_watch_is_unseen_from_the_answer_on() -> None:
    """What was written before it was told was not seen as it happened; that nothing is missing stays known."""
    history = Numbered().healthy(1, 11)
    for number in range(11, 16):
        history.write(number)
    coverage = covered(history.tell(15, 15.5).healthy(16, 30))
    (span,) = coverage.lag.late
    assert span == pytest.approx((11.02, 15.5))
    assert coverage.lag.worst == pytest.approx(4.48)
    assert coverage.unseen([WATCH_NUMBER], 1, 29) == coverage.lag.late
    assert coverage.delayed([WATCH_NUMBER]) & Spans.of([(1, 29)]) == coverage.lag.late
    assert not coverage.unknown([WATCH_NUMBER], 1, 29)
    assert [tuple(map(round, span)) for span in coverage.unseen([NUMBER], 1, 29)] == [(10, 15)]


def test_a_late_watch_says_nothing_of_another_one() -> None:
    """Each has a connection of its own; else a history without the numbers would be judged more surely."""
    history = Numbered().healthy(1, 10).write(10).add(19, "change", WATCH_PODS, BOOKMARK, {"resource_version": "3"})
    coverage = covered(history.tell(10, 19).healthy(20, 30))
    assert coverage.lag.late
    assert not coverage.unseen([WATCH_PODS], 0, 29)
    assert not coverage.delayed([WATCH_PODS]).within(0, 29)


@pytest.mark.parametrize("kind", ["info", "fail"])
def test_numbers_that_are_not_written_prove_nothing(kind: str) -> None:
    """While an API server is paused nobody knows the lag; the watch itself is not proved to be late."""
    history = Numbered().healthy(1, 10)
    for number in range(10, 20):
        history.write(number, kind=kind, took=0.9)
    coverage = covered(history.healthy(20, 30))
    assert not coverage.lag.late
    (hole,) = coverage.unseen([NUMBER], 1, 29)
    assert hole == pytest.approx((9, 20))


def test_a_number_that_is_never_told() -> None:
    """At the end it is known how long the watch has been late at least; within a second it need not have told."""
    coverage = covered(Numbered().healthy(1, 10).write(10).add(25, "mark", "history", "end"))
    assert coverage.lag.worst == pytest.approx(14.98)
    assert covered(Numbered().healthy(1, 10).write(10).add(10.5, "mark", "history", "end")).lag.known == 9


def test_a_number_that_was_left_there() -> None:
    """What an earlier experiment wrote is no number of this one, however high it is."""
    history = Numbered().tell(532, 0.5, LISTED).healthy(1, 10).write(10).tell(10, 15).healthy(16, 20)
    assert covered(history).lag.worst == pytest.approx(4.98)


def test_a_number_that_came_in_a_gap() -> None:
    """It is told when the gap is over, and was late until then."""
    history = Numbered().healthy(1, 10).add(10, "change", WATCH_NUMBER, GAP, {"why": "broken", "detail": ""}).write(11)
    history.tell(11, 14, ADDED, in_gap=True).add(14, "change", WATCH_NUMBER, RESUMED, {"resource_version": "4"})
    coverage = covered(history.healthy(15, 20))
    assert coverage.lag.worst == pytest.approx(2.98)
    assert not coverage.unknown([WATCH_NUMBER], 1, 19)


def test_a_machine_that_was_starved_is_no_late_watch() -> None:
    """What this machine did not let a thread tell is unseen as ever, in all streams."""
    history = Numbered().healthy(1, 10).write(10).tell(10, 15).add(15, "info", METRONOME, LATE, {"seconds": 4.9})
    coverage = covered(history.healthy(16, 20))
    assert coverage.late == Spans.of([(10.02, 10.1)])
    assert coverage.unseen([WATCH_PODS], 0, inf).within(0, 19) == coverage.blind


def test_without_numbers_nothing_is_late() -> None:
    """Older histories have no such stream."""
    coverage = covered(Numbered())
    assert (coverage.lag.known, coverage.lag.worst, NUMBER in coverage.streams) == (0, 0.0, False)


def _seen(recorded: History) -> History:
    """Return a history with numbers, of which some are told late and some never, and with clocks."""
    entries = list(recorded.entries)
    lines: list[tuple[float, EntryKind, str, str, object]] = []
    value = {"offset": 0.0, "uncertainty": 0.0, "same": True}
    lines.append((entries[0].at, "ok", numbered(CLOCK, "w"), READ, value))
    lines.append((entries[0].at, "change", WATCH_NUMBER, LISTED, {"resource_version": "1"}))
    for number in range(1, int(entries[-1].at)):
        lines.append((number, "invoke", NUMBER, WRITE, {"number": number}))
        lines.append((number + 0.02, "ok", NUMBER, WRITE, {"number": number}))
        if number % 60 < 30:
            late = 20.0 if number % 60 == 29 else 0.03
            lines.append((number + late, "change", WATCH_NUMBER, MODIFIED, {"object": {"number": number}}))
    offset = entries[0].wall - entries[0].at
    numbers = [
        Entry(0, kind, process, f, value, at, offset + at)
        for at, kind, process, f, value in lines
        if entries[0].at <= at < entries[-1].at
    ]
    ordered = [*sorted([*entries[:-1], *numbers], key=lambda entry: entry.at), entries[-1]]
    return replace(recorded, entries=renumbered(ordered))


@pytest.mark.parametrize("check", list(TRUTHS))
def test_no_verdict_hangs_on_how_late_this_watch_was(check: str) -> None:
    """No claim names it: with numbers, told in time, late or never, and without, all verdicts are the same."""
    for seed in range(examples(2)):
        claimed = world(check, seed)
        before = claimed.recorded()
        entries = list(before.entries)
        if [entry.index for entry in entries] == list(range(len(entries))):
            assert verdict(claimed, _seen(before)) == verdict(claimed, before)
