"""Paused processes: the scripts of `pause_containers` do to real processes what they say, and tell the truth."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.harness.faults.workloads.pause_containers import _FOLDER_OF, _GO_ON, _STATES, _STOP

_BUSY = (
    "import threading, time; threading.Thread(target=lambda: time.sleep(60), daemon=True).start()\nprint(flush=True)\n"
)
_BUSY += "while True: time.sleep(0.01)"


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Give the folder of a cgroup with one process of two threads, one of which is scheduled often."""
    with subprocess.Popen([sys.executable, "-c", _BUSY], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            (tmp_path / "cgroup.procs").write_text(f"{process.pid}\n", encoding="utf-8")
            yield tmp_path
        finally:
            process.kill()


def said(script: str, *words: object) -> tuple[str, str, int]:
    """Return what a script says and its status, run as in a node."""
    done = subprocess.run(
        ["bash", "-c", script, "script", *map(str, words)], capture_output=True, text=True, check=False
    )
    return done.stdout.strip(), done.stderr.strip(), done.returncode


def states(folder: Path) -> tuple[str, int]:
    letters, times = said(_STATES, folder)[0].split()
    return letters, int(times)


def wait_until_still(folder: Path) -> tuple[str, int]:
    """Wait until both threads stand still; return their states as `states` does."""
    for _ in Deadline.after(10, "the threads to stop").attempts():
        still = states(folder)
        if still[0] == "TT":
            break
    return still


def test_a_process_stands_still_and_goes_on(folder: Path) -> None:
    """While it stands still the kernel schedules none of its threads; before and afterwards it does."""
    before = states(folder)
    for _ in Deadline.after(10, "the process to be scheduled").attempts():
        if states(folder)[1] > before[1]:
            break
    assert len(before[0]) == 2
    assert "T" not in before[0]
    assert said(_STOP, folder) == ("", "", 0)
    still = wait_until_still(folder)
    assert states(folder) == still == ("TT", still[1])
    assert said(_GO_ON, folder) == ("", "", 0)
    for _ in Deadline.after(10, "the process to go on").attempts():
        if states(folder)[1] > still[1]:
            break
    assert "T" not in states(folder)[0]


def test_a_process_that_does_not_go_on_is_told(folder: Path) -> None:
    """What still stands still after the signal is printed, with a status that is not 0."""
    said(_STOP, folder)
    wait_until_still(folder)
    deaf = f"kill() {{ :; }}\n{_GO_ON}"
    assert said(deaf, folder) == ("State:\tT (stopped)", "", 1)


def test_a_cgroup_that_is_gone(tmp_path: Path) -> None:
    """Nobody is there to stop or to go on; its states cannot be told."""
    assert said(_STOP, tmp_path) == ("", "", 0)
    assert said(_GO_ON, tmp_path) == ("", "", 0)
    assert said(_STATES, tmp_path)[2] == 1


def test_a_cgroup_without_processes(tmp_path: Path) -> None:
    """It has no states, and nothing in it does not go on."""
    (tmp_path / "cgroup.procs").touch()
    assert said(_STOP, tmp_path)[2] == 0
    assert said(_GO_ON, tmp_path) == ("", "", 0)
    assert said(_STATES, tmp_path)[0] == "0"


def test_the_folder_of_a_process_is_the_kernels() -> None:
    """It lies below /sys/fs/cgroup, whichever version the kernel has."""
    told, _, status = said(_FOLDER_OF, "self")
    assert status == 0
    assert told.startswith("/sys/fs/cgroup")
