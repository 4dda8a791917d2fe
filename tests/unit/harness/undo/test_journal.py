"""Journal: what is written before the harm is undone after a crash."""

import errno
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaos_harness.harness.errors import HarnessError, UndoFailed
from chaos_harness.harness.undo.actions import ACTIONS, undo
from chaos_harness.harness.undo.journal import Journal, Undo, pending, replay

ENGINE = "the engine"
undone: list[tuple[object, Any]] = []


@undo
def note(engine: object, what: Any) -> None:
    """Note that it was called."""
    undone.append((engine, what))


@undo
def fail(engine: object) -> None:
    """Be an undo that cannot be done."""
    raise OSError("the engine is away")


@pytest.fixture(autouse=True)
def nothing_undone() -> Iterator[None]:
    undone.clear()
    with pytest.MonkeyPatch.context() as patch:
        for action in (note, fail):
            patch.setitem(ACTIONS, f"test_journal.{action.__name__}", f"{__name__}:{action.__name__}")
        yield


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.jsonl"


@pytest.fixture
def written(path: Path) -> Iterator[Journal]:
    written = Journal(path)
    yield written
    written.close()


def noted(what: Any) -> Undo:
    return Undo("test_journal.note", {"what": what})


def test_pending(written: Journal, path: Path) -> None:
    """What is recorded is pending until it is noted as done."""
    first = written.record(noted(1))
    written.record(noted(2))
    assert pending(path) == [noted(1), noted(2)]
    written.done(first)
    assert pending(path) == [noted(2)]


def test_on_disk_when_recorded(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file and its directory are flushed to the disk when it is begun, and the file before `record` returns."""
    flushed: list[tuple[str, int]] = []
    fsync = os.fsync

    def counted(fd: int) -> None:
        flushed.append((str(Path(f"/proc/self/fd/{fd}").readlink()), os.fstat(fd).st_size))
        fsync(fd)

    monkeypatch.setattr(os, "fsync", counted)
    written = Journal(path)
    assert {name for name, _ in flushed} == {str(path), str(path.parent)}
    written.record(noted(1))
    assert flushed[-1] == (str(path), path.stat().st_size)
    assert path.stat().st_size > 0
    written.close()


def test_private(written: Journal, path: Path) -> None:
    """Nobody else may read or change what will be run with root's rights."""
    assert path.stat().st_mode & 0o777 == 0o600


def test_killed_between_record_and_done(path: Path) -> None:
    """After kill -9 what was recorded is pending."""
    program = (
        "import os, signal, sys; from pathlib import Path\n"
        "from chaos_harness.harness.undo.journal import Journal, Undo\n"
        "journal = Journal(Path(sys.argv[1]))\n"
        "journal.record(Undo('test_journal.note', {'what': 1}))\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, path], check=False)
    assert done.returncode == -signal.SIGKILL
    assert pending(path) == [noted(1)]


@given(st.integers(0, 250))
def test_torn_line(lost: int) -> None:
    """A journal cut off anywhere has what was whole pending, and can be replayed and written on."""
    undone.clear()
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "journal.jsonl")
        first = Journal(path)
        for number in range(3):
            first.record(noted(number))
        first.close()
        content = path.read_bytes()
        path.write_bytes(content[: max(0, len(content) - lost)])
        whole = path.read_bytes().count(b"\n")
        assert pending(path) == [noted(number) for number in range(whole)]
        again = Journal(path)
        again.done(again.record(noted("more")))
        again.close()
        replay(path, ENGINE)
        assert undone == [(ENGINE, number) for number in reversed(range(whole))]
        assert pending(path) == []


def test_replay(written: Journal, path: Path) -> None:
    """A replay undoes what is pending on the engine, the newest first, and says what it undid."""
    for number in range(3):
        written.record(noted(number))
    written.done(1)
    assert replay(path, ENGINE) == ["test_journal.note(what=2)", "test_journal.note(what=0)"]
    assert undone == [(ENGINE, 2), (ENGINE, 0)]


def test_replay_twice(written: Journal, path: Path) -> None:
    """What was replayed is done: a second replay does nothing."""
    written.record(noted(1))
    replay(path, ENGINE)
    assert replay(path, ENGINE) == []
    assert len(undone) == 1


def test_failed_undo(written: Journal, path: Path) -> None:
    """An undo that fails keeps no other from being done; all failures are told and stay pending."""
    written.record(noted(1))
    written.record(Undo("test_journal.fail"))
    written.record(noted(2))
    written.record(Undo("test_journal.fail", {"too": "many"}))
    with pytest.raises(UndoFailed) as caught:
        replay(path, ENGINE)
    message = str(caught.value)
    assert "2 of 4 undos could not be done" in message
    assert "test_journal.fail(): OSError: the engine is away" in message
    assert "test_journal.fail(too='many'): TypeError: " in message
    assert message.endswith("type: nox -s gc")
    assert undone == [(ENGINE, 2), (ENGINE, 1)]
    assert [entry.action for entry in pending(path)] == ["test_journal.fail"] * 2


@pytest.mark.parametrize(
    "name", ["no_such", "no_such.action", "no_such:action", "chaos_harness.harness.undo:no_such", "os:abort"]
)
def test_unknown_action(written: Journal, path: Path, name: str) -> None:
    """An undo of which this version knows nothing is told in one line, and stays pending; no other function is run."""
    written.record(Undo(name))
    with pytest.raises(UndoFailed, match=rf"\n  {name}\(\): HarnessError: no undo '{name}' in this version.*\n"):
        replay(path, ENGINE)
    assert pending(path) == [Undo(name)]


def test_no_pytest() -> None:
    """A replay needs no pytest: `gc` runs where only the harness is."""
    program = "import chaos_harness.harness.undo.journal, sys; sys.exit('pytest' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_broken_in_the_middle(written: Journal, path: Path) -> None:
    """A broken line is told by its place, and what else there is is undone."""
    written.record(noted(1))
    with path.open("a") as file:
        file.write("{broken\n")
    written.record(noted(2))
    with pytest.raises(UndoFailed, match=r"journal.jsonl:2: expected an undo entry"):
        pending(path)
    with pytest.raises(UndoFailed, match=r"1 of 3 .*\n.*journal.jsonl:2"):
        replay(path, ENGINE)
    assert undone == [(ENGINE, 2), (ENGINE, 1)]


@pytest.mark.parametrize(
    "line",
    [
        *("{broken", "[1]", "7", '{"undo": 1, "action": "a", "arguments": ["list"]}', "[" * 100_000),
        *('{"undo": {}}', '{"undo": 1e999, "action": "a", "arguments": {}}', "\0\0"),
    ],
    ids=["broken", "list", "number", "arguments", "nested", "id", "endless", "NUL"],
)
def test_a_line_that_cannot_be_read_is_told_once(written: Journal, path: Path, line: str) -> None:
    """An unreadable entry is reported by one replay; the next replay ignores it."""
    written.record(noted(1))
    with path.open("a") as file:
        file.write(f"{line}\n")
    with pytest.raises(UndoFailed, match="expected an undo entry"):
        replay(path, ENGINE)
    assert undone == [(ENGINE, 1)]
    assert replay(path, ENGINE) == []
    assert pending(path) == []


def test_a_journal_that_cannot_be_read(tmp_path: Path) -> None:
    """What the system says is the error of one journal, which a collector notes and goes on."""
    for read in (pending, lambda path: replay(path, ENGINE), Journal):
        with pytest.raises(HarnessError, match=r"Is a directory; see .*`ls -l "):
            read(tmp_path)


def test_a_second_opener_takes_nothing_away(path: Path) -> None:
    """Two processes that write, and one that opens the journal again and again, lose no entry, and no id is two's."""
    program = (
        "import sys; from pathlib import Path; from chaos_harness.harness.undo.journal import Journal, Undo\n"
        "journal = Journal(Path(sys.argv[1]))\n"
        "for number in range(150): journal.record(Undo('test_journal.note', {'what': f'{sys.argv[2]}{number}'}))\n"
    )
    writers = [subprocess.Popen([sys.executable, "-c", program, path, name]) for name in "ab"]
    while any(writer.poll() is None for writer in writers):
        Journal(path).close()
    assert [writer.returncode for writer in writers] == [0, 0]
    assert {entry.arguments["what"] for entry in pending(path)} == {f"{name}{n}" for name in "ab" for n in range(150)}


def test_a_writer_that_is_dead_keeps_nobody_from_writing(written: Journal, path: Path) -> None:
    """What it cut off is taken away by who writes next, though the journal was open before."""
    written.record(noted(1))
    with path.open("a") as file:
        file.write('{"undo": 1, "acti')
    written.record(noted(2))
    assert pending(path) == [noted(1), noted(2)]


def test_a_disk_that_does_not_keep(written: Journal, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry that cannot be put on the disk is none, and the error is the one that is pending_with."""
    written.record(noted(1))
    monkeypatch.setattr(os, "fsync", _refuse)
    with pytest.raises(HarnessError, match="Input/output error"):
        written.record(noted(2))
    monkeypatch.undo()
    written.record(noted(3))
    assert pending(path) == [noted(1), noted(3)]


def _refuse(_fd: int) -> None:
    raise OSError(errno.EIO, os.strerror(errno.EIO))


def test_what_cannot_be_noted_does_not_stop_the_others(
    written: Journal, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a full disk every undo is done, that none could be noted is told, and a later replay notes it."""
    for number in range(3):
        written.record(noted(number))
    monkeypatch.setattr(os, "fsync", _refuse)
    with pytest.raises(UndoFailed, match="0 of 3 undos could not be done"):
        replay(path, ENGINE)
    assert [what for _, what in undone] == [2, 1, 0]
    monkeypatch.undo()
    assert len(replay(path, ENGINE)) == 3
    assert pending(path) == []


def test_promised(written: Journal, path: Path) -> None:
    """What is recorded and not done can be asked for, also by who opens the journal later."""
    first, second = written.record(noted(1)), written.record(noted(2))
    written.done(first)
    again = Journal(path)
    assert written.pending_with("test_journal.note") == again.pending_with("test_journal.note") == {second: noted(2)}
    assert again.pending_with("test_journal.fail") == {}
    again.close()


def test_threads(written: Journal, path: Path) -> None:
    """What eight threads record has eight times as many ids, all different."""
    ids: list[int] = []

    def work() -> None:
        ids.extend(written.record(noted(number)) for number in range(10))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(ids)) == len(pending(path)) == 80


def test_full_disk(written: Journal, path: Path) -> None:
    """An undo that the disk takes in part is taken back, and the harm must not begin: `record` raises."""
    written.record(noted(1))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 20, limits[1]))
    try:
        with pytest.raises(HarnessError, match=r"took 20 of \d+ bytes; see `df "):
            written.record(noted("lost"))
        with pytest.raises(HarnessError, match=r"took 20 of \d+ bytes; see `df "):
            written.record(noted("lost, too"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    written.record(noted(2))
    assert pending(path) == [noted(1), noted(2)]


def test_closed(written: Journal) -> None:
    """A closed journal takes nothing: a harm whose undo is nowhere must not begin."""
    written.close()
    with pytest.raises(HarnessError, match="closed"):
        written.record(noted(1))


def test_not_json(written: Journal, path: Path) -> None:
    """Arguments that are not JSON are refused before anything is written."""
    with pytest.raises(TypeError):
        written.record(Undo("test_journal.note", {"what": object()}))
    assert path.read_bytes() == b""
    assert json.dumps(written.record(noted(1))) == "0"
