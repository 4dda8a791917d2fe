"""Metronome: it records when the machine does not let the probes run; no fault is blamed for such moments."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from chaos_harness.harness.checks.fail_open import fail_open_window
from chaos_harness.harness.history import HistoryWriter, read
from chaos_harness.harness.probes import metronome
from chaos_harness.harness.probes.metronome import METRONOME, keep_time
from tests.fakes.canary_histories import CanaryHistory


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
        patch.setattr("chaos_harness.harness.history.writer.HistoryWriter._clocks", lambda _: (now, now))
        history = HistoryWriter(folder / "history.jsonl")
        metronome._tick(history, Late())  # type: ignore[arg-type]  # a probe that says when it is due
        history.close()
    return [entry.value["seconds"] for entry in read(folder / "history.jsonl").entries if entry.process == METRONOME]


def test_only_what_is_late_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that lets threads run writes nothing into histories."""
    assert ticks(tmp_path, monkeypatch, 0.0, 0.26, 0.5, 0.95, 1.0, 1.25, 1.59) == []


def test_one_pause_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ticks after it are late for the same reason."""
    assert ticks(tmp_path, monkeypatch, 2.0, 2.01, 2.02, 2.03, 2.04, 2.05, 2.06, 2.07, 2.08, 5.25) == [2.0, 3.0]


@pytest.mark.parametrize("late", [0.15, 0.45])
def test_a_little_late_all_the_time_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, late: float) -> None:
    """Pauses too short for an entry of their own are recorded as a sum, so that no starved time is lost."""
    moments, before = [], 0.0
    for number in range(40):
        before = max(before, number * 0.25) + late
        moments.append(before)
    assert sum(ticks(tmp_path, monkeypatch, *moments)) == pytest.approx(40 * late, abs=0.3)


def test_it_asks_like_any_probe(tmp_path: Path) -> None:
    """It beats, and ends when it is stopped."""
    history = HistoryWriter(tmp_path / "history.jsonl")
    probe = keep_time(history)
    probe.start()
    probe.stop()
    history.close()


def test_what_is_lost_while_the_machine_starves_is_nobodys_fault() -> None:
    """A time-out in such a moment is not counted, however short it is; what is lost half a minute later is."""
    history = CanaryHistory().asks(0, 100).fault(10, 11, 60, name="restart").ask(19.5, "fail", took=1.0)
    history.add(21, "info", "metronome", "late", {"seconds": 3.9})
    check = fail_open_window(0, fault="restart")
    verdict = check(history.written())
    assert verdict.outcome == "inconclusive"
    assert "was not seen from 17.1 to 21.0 s" in verdict.summary
    assert check(history.ask(50.05, "fail").written()).outcome == "violated"
