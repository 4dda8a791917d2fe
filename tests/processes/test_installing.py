"""Installing: two sessions of nox install into one environment one after the other; who installs a browser."""

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

import noxfile
from chaos_harness.clusters.deadline import Deadline
from tests.browser import WHOLE_RUNS

_ROOT = Path(__file__).parents[2]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Copy the noxfile to a place with a python that stands for the verbs, and with a folder for locks."""
    (tmp_path / "noxfile.py").write_text((_ROOT / "noxfile.py").read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / ".nox/.cache").mkdir(parents=True)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/python").write_text("#!/bin/bash\necho ran\n", encoding="utf-8")
    (tmp_path / "bin/python").chmod(0o755)
    return tmp_path


@contextmanager
def _nox(place: Path, session: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "nox", "--no-venv", "--no-install", "-s", session]
    path = f"{place / 'bin'}{os.pathsep}{os.environ['PATH']}"
    env = {**os.environ, "PATH": path, "PYTHONUNBUFFERED": "1"}
    with (place / session).open("w", encoding="utf-8") as told:
        nox = subprocess.Popen(command, cwd=place, env=env, stdout=told, stderr=subprocess.STDOUT, text=True)
        try:
            yield nox
        finally:
            nox.kill()
            nox.wait()


def test_the_second_waits_and_says_for_what(place: Path) -> None:
    """It goes on when the first has installed; another environment does not wait."""
    with (place / ".nox/.cache/chaos.lock").open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with _nox(place, "chaos") as waits, _nox(place, "doctor") as goes_on:
            assert goes_on.wait(120) == 0
            assert "waits" not in (place / "doctor").read_text(encoding="utf-8")
            deadline = Deadline.after(60, "nox to wait")
            assert any("waits" in (place / "chaos").read_text(encoding="utf-8") for _ in deadline.attempts())
            assert waits.poll() is None
            fcntl.flock(held, fcntl.LOCK_UN)
            assert waits.wait(120) == 0
    told = (place / "chaos").read_text(encoding="utf-8")
    assert "waits for another nox, which installs what chaos needs; it holds " in told
    assert ".nox/.cache/chaos.lock" in told
    assert "ran" in told


def test_the_whole_run_installs_a_browser() -> None:
    """Tests of reports are skipped where there is none, unless the run that they are part of may install one."""
    chosen = noxfile._BESIDE[noxfile._BESIDE.index("-m") + 1]
    assert chosen in WHOLE_RUNS
    assert "not cluster" not in WHOLE_RUNS


def test_what_fails_holds_nothing(tmp_path: Path) -> None:
    """Who comes after an installation that failed does not wait."""
    told: list[str] = []
    session = SimpleNamespace(cache_dir=tmp_path, name="chaos", log=told.append)
    with pytest.raises(OSError, match="no network"), noxfile._alone(session):  # type: ignore[arg-type]
        raise OSError("no network")
    with noxfile._alone(session):  # type: ignore[arg-type]
        assert told == []


def test_only_one_installs_at_a_time(place: Path) -> None:
    """The lock is held while it is asked what is there, and while that is installed; then no more."""
    seen: list[str] = []

    def try_lock() -> str:
        with (place / "chaos.lock").open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return "held"
            return "free"

    (place / "requirements").mkdir()
    session = SimpleNamespace(
        cache_dir=place,
        name="chaos",
        log=seen.append,
        env={},
        virtualenv=None,
        install=lambda *_: seen.append(try_lock()),
    )
    noxfile._install(session, "chaos")  # type: ignore[arg-type]
    assert [*seen, try_lock()] == ["held", "free"]
