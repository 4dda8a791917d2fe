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
    """All phases in their order, and the whole; who is in time is told no more."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CI", "true")
    _keep(tmp_path, {"tests/integration/test_a.py": 99.0})

    assert _time_phases(Clock(), unit=200.4, api=70) == [
        "   200 s  unit",
        "    70 s  api",
        "   271 s  whole session",
    ]


def test_the_slowest_modules_of_integration_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The slowest of all its phases, of which each is a run of its own; what other tests took is no part of it."""
    monkeypatch.chdir(tmp_path)
    names = {"integration, alone": (1, 4, 6), "integration, beside others": (2, 3, 5, 7)}
    told: list[str] = []
    with noxfile._timed(SimpleNamespace(log=told.append), Clock()) as phase:  # type: ignore[arg-type]
        for name, modules in names.items():
            with phase(name):
                took = {f"tests/integration/test_{seconds}.py": float(seconds) for seconds in modules}
                _keep(tmp_path, {**took, "tests/unit/test_a.py": 99.0})

    assert told == [
        *(f"     0 s  {name}" for name in names),
        *(f"     {seconds} s    tests/integration/test_{seconds}.py" for seconds in (7, 6, 5, 4, 3)),
        "     0 s  whole session",
    ]


def _keep(folder: Path, modules: dict[str, float]) -> None:
    """Keep what the files of a run of pytest took, as tests/longest.py does."""
    kept = folder / ".pytest_cache/v/chaos/latest"
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps(modules), encoding="utf-8")


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
