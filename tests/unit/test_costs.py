"""Tests of tests.costs: which costs of tests are reported, and which of them fail a run."""

import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from tests import costs
from tests.costs import Costs


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(costs, "is_quick", lambda: True)


def _run(monkeypatch: pytest.MonkeyPatch, **seconds: float) -> tuple[Costs, int]:
    """Return what watched tests that take so long, of which all pass, and the status of their run."""
    watching = Costs(SimpleNamespace())  # type: ignore[arg-type]
    now = 0.0
    monkeypatch.setattr(costs, "_processor_seconds", lambda: now)
    for name, taken in seconds.items():
        begun: Any = watching.pytest_runtest_protocol()
        next(begun)
        now += taken
        for when in ("setup", "call", "teardown"):
            making: Any = watching.pytest_runtest_makereport()
            next(making)
            with pytest.raises(StopIteration) as made:
                making.send(SimpleNamespace(nodeid=name, when=when))
            watching.pytest_runtest_logreport(made.value.value)
    session: Any = SimpleNamespace(exitstatus=0)
    watching.pytest_sessionfinish(session)
    return watching, int(session.exitstatus)


def test_what_takes_long_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sum, and the tests of more than half a second, the dearest first; a run of such tests passes."""
    watching, status = _run(monkeypatch, cheap=0.1, dear=0.7, dearest=2.9)
    assert status == 0
    assert watching.lines() == [
        "3.7 s of processor in tests without those marked thorough; over 0.5 s: 2",
        "   2.9 s dearest",
        "   0.7 s dear",
    ]


def test_what_takes_too_long_fails_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """More than ten seconds are an error that says what to do."""
    watching, status = _run(monkeypatch, cheap=0.1, endless=10.1)
    assert status == 1
    assert "endless takes more than 10 s of processor in the quick loop" in watching.lines()[-1]


def test_only_the_quick_loop_is_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where all is tried a test may take as long as it needs."""
    monkeypatch.setattr(costs, "is_quick", lambda: False)
    watching, status = _run(monkeypatch, endless=60.0)
    assert (watching.lines(), status) == ([], 0)


def test_processes_that_a_test_waits_for_count() -> None:
    """What its children took is its own."""
    before = costs._processor_seconds()
    subprocess.run([sys.executable, "-I", "-S", "-c", "for _ in range(2_000_000): pass"], check=True)
    assert costs._processor_seconds() - before > 0.02
