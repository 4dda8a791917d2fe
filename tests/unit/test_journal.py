"""Journal: what is written before the harm is undone after a crash."""

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

from harness import faults, journal
from harness.errors import HarnessError, UndoFailed
from harness.journal import Journal, Undo, pending, replay, undo

ENGINE = "the engine"
undone: list[tuple[object, Any]] = []


@undo("test_journal.note")
def note(engine: object, what: Any) -> None:
    """Note that it was called."""
    undone.append((engine, what))


@undo("test_journal.fail")
def fail(engine: object) -> None:
    """Be an undo that cannot be done."""
    raise OSError("the engine is away")


@pytest.fixture(autouse=True)
def nothing_undone() -> None:
    undone.clear()


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
        "import os, signal, sys; from pathlib import Path; from harness.journal import Journal, Undo\n"
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


@pytest.mark.parametrize("name", ["test_journal.no_such", "no_such.action", "no_such"])
def test_unknown_action(written: Journal, path: Path, name: str) -> None:
    """An action that is not known is named, with those that are."""
    written.record(Undo(name))
    with pytest.raises(UndoFailed, match=rf"{name}\(\): .*there are .*test_journal.fail, test_journal.note"):
        replay(path, ENGINE)


def test_lazy_import(written: Journal, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fault's module is imported when its action is wanted: what replays need not know the faults."""
    (tmp_path / "late_fault.py").write_text(
        "from harness.journal import undo\n"
        "@undo('late_fault.mend')\n"
        "def mend(engine, **arguments):\n"
        "    arguments['marks'].append(1)\n"
    )
    monkeypatch.setattr(faults, "__path__", [*faults.__path__, str(tmp_path)])
    assert "harness.faults.late_fault" not in sys.modules
    written.record(Undo("late_fault.mend", {"marks": []}))
    assert replay(path, ENGINE) == ["late_fault.mend(marks=[])"]
    del sys.modules["harness.faults.late_fault"], journal._actions["late_fault.mend"]


def test_no_pytest() -> None:
    """A replay needs no pytest: `gc` runs where only the harness is."""
    program = "import harness.journal, sys; sys.exit('pytest' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_name_that_would_not_be_found() -> None:
    """An action whose name does not lead back to its module is refused when it is registered."""
    with pytest.raises(HarnessError, match=r"call it 'test_journal\.…'"):
        undo("registry.start_container")(note)


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
