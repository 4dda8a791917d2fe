"""Metronome: a machine that does not let the probes run is told, and what is not seen meanwhile is nobody's fault."""

import time
from collections.abc import Iterator
from pathlib import Path

from harness.checks.fail_open import fail_open_window
from harness.history import Entry, History, read
from harness.probes import metronome
from harness.probes.metronome import keep_time
from tests.fakes.asked import Asked


def ticks(folder: Path, *late: float) -> list[Entry]:
    """Let the metronome tick at moments that are so late."""

    class Late:
        def every(self, seconds: float) -> Iterator[float]:
            assert seconds == 0.25
            yield from (time.monotonic() - each for each in late)

    history = History(folder / "history.jsonl")
    metronome._tick(history, Late())  # type: ignore[arg-type]  # a probe that says when it is due
    history.close()
    return list(read(folder / "history.jsonl").entries)


def test_only_what_is_late_is_told(tmp_path: Path) -> None:
    """A machine that lets threads run writes nothing into histories."""
    assert ticks(tmp_path, 0.0, 0.1, 0.4) == []


def test_one_pause_is_told_once(tmp_path: Path) -> None:
    """The ticks after it are late for the same reason."""
    assert [round(each.value["seconds"]) for each in ticks(tmp_path, 2.0, 1.75, 1.5, 0.0, 3.0)] == [2, 3]


def test_it_asks_like_any_probe(tmp_path: Path) -> None:
    """It beats, and ends when it is stopped."""
    history = History(tmp_path / "history.jsonl")
    probe = keep_time(history)
    probe.start()
    probe.stop()
    history.close()


def test_what_is_lost_while_the_machine_starves_is_nobodys_fault() -> None:
    """A time-out in such a moment is not counted, however short it is; what is lost half a minute later is."""
    told = Asked().asks(0, 100).fault(10, 11, 60, name="restart").ask(19.5, "fail", took=1.0)
    told.add(21, "info", "metronome", "late", {"seconds": 3.9})
    check = fail_open_window(0, fault="restart")
    verdict = check(told.written())
    assert verdict.outcome == "inconclusive"
    assert "was not seen from 17.1 to 21.0 s" in verdict.summary
    assert check(told.ask(50.05, "fail").written()).outcome == "violated"
