"""Tests of clusters.machine.traces: what is changed on the machine is written down before, and put back once."""

import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from chaos_harness.clusters.errors import HarnessError
from chaos_harness.clusters.machine import traces
from chaos_harness.clusters.machine.traces import Trace, pending, put_back, record


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(traces, "HOME", tmp_path / "lib")
    return tmp_path / "lib"


def _record(what: str = "x", before: str = "0", holder: str = "a") -> None:
    record(what, before=before, after="1", holder=holder)


def _undone(seen: list[tuple[str, str]], *, gone: bool = True) -> Callable[[Trace], bool]:
    def undo(trace: Trace) -> bool:
        seen.append((trace.what, trace.before))
        return gone

    return undo


def test_a_change_is_on_disk_before_it_is_made(home: Path) -> None:
    """It can be read by another process at once, and by nobody but root."""
    _record()
    (line,) = (home / "changes.jsonl").read_text().splitlines()
    assert json.loads(line)["before"] == "0"
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert stat.S_IMODE((home / "changes.jsonl").stat().st_mode) == 0o600


def test_changes_are_put_back_in_reverse_and_once() -> None:
    """The latest is undone first; what has been undone is not told again."""
    seen: list[tuple[str, str]] = []
    for what in ("x", "y"):
        _record(what)
    assert put_back("a", _undone(seen)) == ["y", "x"]
    assert put_back("a", _undone(seen)) == []
    assert seen == [("y", "0"), ("x", "0")]


def test_the_value_from_before_the_first_change_comes_back(home: Path) -> None:
    """Who changes a thing again, or after another holder, does not take the changed value for the old one."""
    seen: list[tuple[str, str]] = []
    _record(before="0")
    _record(before="1")
    _record(before="1", holder="b")
    assert put_back("a", _undone(seen)) == []
    assert put_back("b", _undone(seen)) == ["x"]
    assert seen == [("x", "0")]
    assert (home / "changes.jsonl").read_text() == ""


def test_what_cannot_be_put_back_stays() -> None:
    """An undo that says no, or raises, is tried again the next time."""
    seen: list[tuple[str, str]] = []

    def fails(trace: Trace) -> bool:
        raise HarnessError(trace.what)

    _record()
    assert put_back("a", _undone(seen, gone=False)) == []
    with pytest.raises(HarnessError):
        put_back("a", fails)
    assert [trace.what for trace in pending()] == ["x"]


def test_one_undo_that_fails_keeps_no_other_from_being_tried() -> None:
    """The error is raised when all were tried, and only what failed is left."""
    seen: list[str] = []

    def undo(trace: Trace) -> bool:
        seen.append(trace.what)
        if trace.what == "y":
            raise HarnessError("iptables: no")
        return True

    for what in ("x", "y", "z"):
        _record(what)
    with pytest.raises(HarnessError, match="iptables: no"):
        put_back("a", undo)
    assert seen == ["z", "y", "x"]
    assert [trace.what for trace in pending()] == ["y"]


@pytest.mark.parametrize(
    "torn", [b'{"id": "1", "wh', b"\0\0\0\n", b"[" * 100_000 + b"\n", b'{"id": 1}\n', b"\xff\xfe\n"]
)
def test_a_torn_line_hides_no_other(home: Path, torn: bytes) -> None:
    """What a kill or a full disk left of a line is passed over, and the next line begins anew."""
    _record("x")
    with (home / "changes.jsonl").open("ab") as file:
        file.write(torn)
    _record("y")
    assert [trace.what for trace in pending()] == ["x", "y"]


def test_a_start_of_the_machine_has_put_back_what_lives_in_the_kernel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After it a sysctl is changed anew; a file is still to be put back."""
    _record("sysctl")
    record("file", before="", after="", holder="a", volatile=False)
    (tmp_path / "boot").write_text("another\n")
    monkeypatch.setattr("chaos_harness.clusters.machine.boot.BOOT_ID", tmp_path / "boot")
    assert [trace.what for trace in pending()] == ["file"]
    _record("sysctl", before="7")
    assert [(trace.what, trace.before) for trace in pending()] == [("file", ""), ("sysctl", "7")]


def test_nothing_may_be_changed_that_cannot_be_written_down(home: Path) -> None:
    """The error names the file and what to type."""
    home.write_text("a file where the directory belongs")
    with pytest.raises(HarnessError, match=r"before it is changed: .*`ls -ld "):
        _record()


def test_kill_at_any_moment_leaves_a_journal_that_can_be_read(home: Path) -> None:
    """Of a process that is killed while it writes, each line that it has told of is there."""
    script = (
        "import sys; from pathlib import Path; from chaos_harness.clusters.machine import traces\n"
        f"traces.HOME = Path({str(home)!r})\n"
        "for number in range(10000):\n"
        "    traces.record(f'{number}', before='0', after='1', holder='a'); print(number, flush=True)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        lines = [process.stdout.readline() for _ in range(5)]
        os.kill(process.pid, signal.SIGKILL)
        lines += process.stdout.readlines()
    assert {line.strip() for line in lines} <= {trace.what for trace in pending()}
