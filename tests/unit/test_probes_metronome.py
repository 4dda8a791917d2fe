"""Tests of harness.probes.metronome and harness.checks.starvation: load is told, and is nobody's fault."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.checks import Checked, starvation
from harness.checks.starvation import starved
from harness.history import History, Recorded, read
from harness.probes import metronome
from harness.probes.metronome import METRONOME, keep_time
from harness.verdict import Outcome, Verdict
from tests.fakes.histories import Told


def told(*late: float, lasted: float = 100.0) -> Recorded:
    history = Told().add(lasted, "mark", "experiment", "end")
    for number, seconds in enumerate(late):
        history.add(float(number), "info", METRONOME, "late", {"seconds": seconds})
    return history.recorded()


def judged(outcome: Outcome, recorded: Recorded) -> Verdict:
    return Checked(lambda _: Verdict(outcome, "3 requests refused", ("line 7",)))(recorded)


def ticks(folder: Path, monkeypatch: pytest.MonkeyPatch, *moments: float) -> list[float]:
    """Let the metronome, which wants to tick each quarter of a second from 0 on, tick at these moments instead."""
    now = 0.0

    class Late:
        def every(self, seconds: float) -> Iterator[float]:
            nonlocal now
            for number, moment in enumerate(moments):
                now = moment
                yield number * seconds

    monkeypatch.setattr("time.monotonic", lambda: now)
    with monkeypatch.context() as patch:
        patch.setattr("harness.history.writer.History._clocks", lambda _: (now, now))
        history = History(folder / "history.jsonl")
        metronome._tick(history, Late())  # type: ignore[arg-type]  # a probe that says when it is due
        history.close()
    return [each.value["seconds"] for each in read(folder / "history.jsonl").entries if each.process == METRONOME]


def test_names_are_those_of_the_probe() -> None:
    """The check knows the process by its own copy of the name."""
    assert starvation._METRONOME == METRONOME


def test_only_what_is_late_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that lets threads run writes nothing into histories."""
    assert ticks(tmp_path, monkeypatch, 0.0, 0.26, 0.5, 0.95, 1.0, 1.25, 1.59) == []


def test_one_pause_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ticks after it are late for the same reason."""
    assert ticks(tmp_path, monkeypatch, 2.0, 2.01, 2.02, 2.03, 2.04, 2.05, 2.06, 2.07, 2.08, 5.25) == [2.0, 3.0]


@pytest.mark.parametrize("late", [0.15, 0.45])
def test_a_little_late_all_the_time_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, late: float) -> None:
    """What is too short to be told by itself is told in sum: none of the time in which no thread could run is lost."""
    moments, before = [], 0.0
    for number in range(40):
        before = max(before, number * 0.25) + late
        moments.append(before)
    assert sum(ticks(tmp_path, monkeypatch, *moments)) == pytest.approx(40 * late, abs=0.3)


def test_it_asks_like_any_probe(tmp_path: Path) -> None:
    """It beats, and ends when it is stopped."""
    history = History(tmp_path / "history.jsonl")
    probe = keep_time(history)
    probe.start()
    probe.stop()
    history.close()


def test_a_machine_that_waits_a_twentieth_of_the_time_is_too_busy() -> None:
    """The message tells how long and of how much."""
    assert starved(told(2.0, 3.0)) == ""
    assert "for 5.5 of 100.0 s" in starved(told(2.0, 3.5))


@pytest.mark.parametrize(
    ("found", "late", "expected"),
    [("violated", 9.0, "inconclusive"), ("violated", 0.6, "violated"), ("holds", 9.0, "holds")],
)
def test_what_looks_violated_on_a_busy_machine_is_inconclusive(found: Outcome, late: float, expected: Outcome) -> None:
    """What held in spite of the load holds."""
    assert judged(found, told(late)).outcome == expected


def test_the_load_is_the_summary_and_what_was_seen_is_kept() -> None:
    """A reader sees both."""
    verdict = judged("violated", told(9.0))
    assert verdict.summary.startswith("the machine was too busy")
    assert verdict.summary.endswith("3 requests refused")
    assert verdict.evidence == ("line 7",)
