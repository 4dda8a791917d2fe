"""Phases: what each of a session took is told at its end, and a run of CI that takes too long fails."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

import noxfile


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def _time_phases(clock: Clock, *, fails: bool = False, **seconds: float) -> list[str]:
    """Return what a session tells that has phases of so many seconds, and how it ends."""
    told: list[str] = []

    def refuse(message: str) -> None:
        raise AssertionError(message)

    session = SimpleNamespace(log=told.append, error=refuse)
    try:
        with noxfile._timed(session, clock) as phase:  # type: ignore[arg-type]
            for name, taken in seconds.items():
                with phase(name):
                    clock.now += taken
                    assert not fails, "a test failed"
            clock.now += 1
    except AssertionError as error:
        told.append(str(error).partition("\n")[0])
    return told


def test_what_each_phase_took_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All phases in their order, the slowest modules of integration, and the whole; who is in time is told no more."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CI", "true")
    kept = tmp_path / ".pytest_cache/v/chaos/latest"
    kept.parent.mkdir(parents=True)
    modules = {f"tests/integration/test_{name}.py": float(name) for name in range(1, 8)}
    kept.write_text(json.dumps({**modules, "tests/unit/test_a.py": 99.0}), encoding="utf-8")

    assert _time_phases(Clock(), unit=200.4, integration=3000) == [
        "   200 s  unit",
        "  3000 s  integration",
        *(f"     {name} s    tests/integration/test_{name}.py" for name in (7, 6, 5, 4, 3)),
        "  3201 s  whole session",
    ]
    assert _time_phases(Clock(), unit=1) == ["     1 s  unit", "     2 s  whole session"]


def test_what_was_reached_is_told_of_a_run_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The phase that fails has its time, too, and its error is the session's, also after too long a time."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CI", "true")
    told = _time_phases(Clock(), fails=True, lowest=9000, unit=1)
    assert told == ["  9000 s  lowest", "  9000 s  whole session", "a test failed"]


@pytest.mark.parametrize(("ci", "seconds", "fails"), [("true", 4500, True), ("true", 4499, False), ("", 9000, False)])
def test_ci_fails_after_75_minutes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ci: str, seconds: float, *, fails: bool
) -> None:
    """All tests have run by then; elsewhere a run takes as long as it needs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CI", ci)
    end = _time_phases(Clock(), integration=seconds)[-1]
    assert end.startswith("all passed, but in 75 minutes: in CI at most 75 are allowed") == fails
