"""Orphans: the processes of a session are found whatever becomes of others meanwhile."""

import os
from pathlib import Path

from chaos_harness.clusters.machine.orphans import members

_STAT = "{pid} (a b) c) {state} 1 {session} {session} 0"


def _process(proc: Path, pid: int, session: int, state: str = "S") -> None:
    folder = proc / str(pid)
    folder.mkdir()
    (folder / "stat").write_text(_STAT.format(pid=pid, state=state, session=session))


def test_the_running_processes_of_a_session_are_found(tmp_path: Path) -> None:
    """Neither those of others nor zombies; this process is in its own session."""
    _process(tmp_path, 7, 5)
    _process(tmp_path, 8, 5, "Z")
    _process(tmp_path, 9, 6)
    (tmp_path / "self").mkdir()

    assert members(5, tmp_path) == [7]
    assert os.getpid() in members(os.getsid(0))
    assert members(5, tmp_path / "nowhere") == []


def test_one_that_cannot_be_looked_at_keeps_none_of_the_others_from_being_found(tmp_path: Path) -> None:
    """Whatever the error is: the kernel says ESRCH of a process that is just ending; here it is ENAMETOOLONG."""
    for pid in (6, 8):
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "stat").symlink_to("x" * 300)
    _process(tmp_path, 7, 5)

    assert members(5, tmp_path) == [7]
