"""Node logs: what is written on a node is read once, however files are cut, rotated, lost or out of reach."""

import select
import signal
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine.dialogue import Dialogue, start_dialogue
from chaos_harness.clusters.errors import CommandFailed, DeadlineExceeded
from chaos_harness.clusters.kind.audit_log import AUDIT_DIRECTORY
from chaos_harness.clusters.machine import process
from chaos_harness.clusters.machine.orphans import members
from chaos_harness.harness.history import HistoryWriter, read
from chaos_harness.harness.history.vocabulary import AUDIT, READ, numbered
from chaos_harness.harness.probes.fail_open import follow_fail_open
from chaos_harness.harness.probes.node_logs import NodeLogs
from tests.fakes.audit_log import AuditLog, event
from tests.fakes.node_shell import NodeShell
from tests.fakes.world import World


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with World().cluster(tmp_path) as cluster:
        yield cluster


@pytest.fixture
def log(tmp_path: Path, cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[AuditLog]:
    with AuditLog(tmp_path, cluster) as log:
        log.shell.install(monkeypatch)
        yield log


@pytest.mark.parametrize("cut", [1, 40, 500, len(event("cut")) - 1])
def test_a_line_that_is_cut_is_put_together(log: AuditLog, cut: int) -> None:
    """A reading in the middle of a line loses nothing, and what it did not see whole it does not claim to have."""
    line = event("cut")
    log.new()
    log.grow(event("one"), line[:cut])
    *_, reading = log.new()
    assert reading.value["since"] == reading.value["until"]
    log.grow(line[cut:], event("two"))
    *requests, after = log.new()
    assert [entry.value["audit_ids"] for entry in requests] == [["cut", "two"]]
    assert (after.kind, after.value["since"]) == ("ok", reading.value["until"])
    assert after.value["until"] > after.value["since"]


def test_a_log_that_ends_in_half_a_line_at_first(log: AuditLog) -> None:
    """The first reading keeps what the line began with."""
    line = event("half")
    log.grow(line[:300])
    log.new()
    log.grow(line[300:])
    assert log.ids() == (["half"], "ok")


def test_a_log_that_is_rotated(log: AuditLog) -> None:
    """What came to the old file after the last reading stands before what came to the new one, and all is seen."""
    log.new()
    log.grow(event("one"))
    log.rotate("2026-11-28T09-00-00.000")
    log.grow(event("two"))
    assert log.ids() == (["one", "two"], "ok")
    log.rotate("2026-11-28T09-10-00.000")
    assert log.ids() == ([], "ok")


def test_old_files_may_be_deleted(log: AuditLog) -> None:
    """A file that was read to its end and has another name since is needed no more."""
    log.new()
    old = log.rotate("2026-11-28T09-00-00.000")
    log.grow(event("one"))
    log.new()
    old.unlink()
    assert log.ids() == ([], "ok")


def test_a_log_that_is_gone_is_lost(log: AuditLog) -> None:
    """If the file that was written to is gone before it was read again, something may be missing: it is no `ok`."""
    log.new()
    log.file.rename(log.file.with_name("elsewhere"))
    log.file.write_text(event("new"), encoding="utf-8")
    assert log.ids() == (["new"], "info")
    assert log.ids() == ([], "ok")


def test_a_log_that_begins_anew_is_lost(log: AuditLog) -> None:
    """The same, if it is shorter than it was."""
    log.grow(event("more"))
    log.new()
    log.file.write_text(event("new"), encoding="utf-8")
    assert log.ids() == (["new"], "info")


def test_a_node_without_a_log(log: AuditLog) -> None:
    """A cluster whose API servers write none is not one in which nothing was asked."""
    log.file.unlink()
    (reading,) = log.new()
    assert (reading.kind, reading.value) == ("info", {"said": f"there is no {AUDIT_DIRECTORY}/audit.log"})


def test_a_node_that_was_away(log: AuditLog) -> None:
    """What was logged meanwhile is told as soon as it is back, and nothing is missing."""
    *_, before = log.new()
    log.shell.away = "the node is away"
    log.shell.signal(signal.SIGKILL)
    log.grow(event("one"))
    (reading,) = log.new()
    assert (reading.kind, reading.value) == ("info", {"said": "the node is away"})
    log.shell.away = ""
    *requests, after = log.new()
    assert [entry.value["audit_ids"] for entry in requests] == [["one"]]
    assert (after.kind, after.value["since"]) == ("ok", before.value["until"])


def test_a_long_log_is_not_copied_at_first(log: AuditLog) -> None:
    """Of what was there before, only the end is looked at."""
    log.grow(*(event(f"old {number}") for number in range(200)))
    assert log.file.stat().st_size > 100_000
    assert log.ids() == ([], "ok")
    log.grow(event("new"))
    assert log.ids() == (["new"], "ok")


def test_each_control_plane_by_itself(
    tmp_path: Path, cluster: Cluster, log: AuditLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that cannot be read hides nothing of the others: each has a process of its own."""
    nodes = ["w-control-plane", "w-control-plane2"]
    monkeypatch.setattr(Cluster, "control_planes", nodes)

    def talk(one: Cluster, node: str, *args: Any) -> AbstractContextManager[Dialogue]:
        if node == nodes[0]:
            raise CommandFailed("the node is away")
        return log.shell.talk(one, node, *args)

    monkeypatch.setattr(Cluster, "talk", talk)
    history = HistoryWriter(tmp_path / "both.jsonl")
    probe = follow_fail_open(cluster, history, every=600)
    probe.start()
    probe.wait_for_beat(Deadline.after(20, "a sign of life"))
    probe.stop()
    readings = {(entry.process, entry.kind) for entry in read(history.path).entries if entry.f == READ}
    assert readings == {(numbered(AUDIT, nodes[0]), "info"), (numbered(AUDIT, nodes[1]), "ok"), ("fail open", "info")}


@dataclass
class _Logs:
    """The log files of a node in a folder, and their reader."""

    folder: Path
    shell: NodeShell
    reader: NodeLogs

    def grow(self, name: str, content: str | bytes) -> Path:
        file = self.folder / name
        with file.open("ab") as opened:
            opened.write(content.encode() if isinstance(content, str) else content)
        return file

    def new(self, seconds: float = 60) -> list[str]:
        return [text for _, text in self.reader.lines(Deadline.after(seconds, "the log"))]


@pytest.fixture
def logs(tmp_path: Path, cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[_Logs]:
    shell = NodeShell(tmp_path)
    shell.install(monkeypatch)
    folder = tmp_path / "logs"
    folder.mkdir()
    reader = NodeLogs(cluster, "w-control-plane", [f"{folder}/*.log", f"{folder}/*.txt"])
    yield _Logs(folder, shell, reader)
    reader.close()
    assert shell.open == []


@pytest.mark.parametrize("character", ["\x85", "\x0b", "\x0c", "\r", "\x1c", "\u2028", "\u2029", "\0"], ids=ascii)
def test_only_a_line_feed_ends_a_line(logs: _Logs, character: str) -> None:
    """Whatever else Python takes for the end of a line stands in a log as any other character."""
    logs.grow("a.log", "before\n")
    assert logs.new() == []
    line = f"one{character}two{character}\n"
    logs.grow("a.log", f"{line}{character}half{character}")
    assert logs.new() == [line]
    logs.grow("a.log", f"{character}\n")
    assert logs.new() == [f"{character}half{character * 2}\n"]


@pytest.mark.parametrize("cut", range(1, len("ä€😀".encode())))
def test_a_character_that_is_cut(logs: _Logs, cut: int) -> None:
    """A reading in the middle of a character loses nothing of it."""
    line = "ä€😀\n".encode()
    logs.grow("a.log", "before\n")
    logs.new()
    logs.grow("a.log", line[:cut])
    assert logs.new() == []
    assert logs.reader.cut == {f"{logs.folder}/a.log"}
    logs.grow("a.log", line[cut:])
    assert logs.new() == [line.decode()]
    assert logs.reader.cut == set()


def test_bytes_that_are_no_text(logs: _Logs) -> None:
    """They hide nothing of what stands beside them."""
    logs.new()
    logs.grow("a.log", b"a\xff\xfeb\nnext\n")
    assert logs.new() == ["a\ufffd\ufffdb\n", "next\n"]


def test_each_file_may_end_in_half_a_line(logs: _Logs) -> None:
    """Neither the next file nor the end of the reading is taken for the rest of it."""
    for name in ("a.log", "b.log", "c.txt"):
        logs.grow(name, f"old\n{name} ")
    assert logs.new() == []
    for name in ("a.log", "b.log", "c.txt"):
        logs.grow(name, f"one\n{name} ")
    assert logs.new() == ["a.log one\n", "b.log one\n", "c.txt one\n"]
    assert logs.reader.cut == set(logs.reader.paths)
    for name in ("a.log", "b.log", "c.txt"):
        logs.grow(name, "two\n")
    assert logs.new() == ["a.log two\n", "b.log two\n", "c.txt two\n"]


def test_a_log_may_say_anything(logs: _Logs) -> None:
    """A line like those between files is one of the log."""
    file = logs.grow("a.log", "before\n")
    logs.new()
    lines = ["END\n", f"LOG 1 2 {file}\n", f"0123456789abcdef LOG 1 2 {file}\n", "0123456789abcdef END\n"]
    logs.grow("a.log", "".join(lines))
    assert logs.new() == lines
    assert logs.reader.paths.keys() == {str(file)}


def test_megabytes(logs: _Logs) -> None:
    """What came since the last reading is read in one, however much it is."""
    logs.grow("a.log", "before\n")
    logs.new()
    lines = [f"{number} {'x' * 500}\n" for number in range(8000)]
    logs.grow("a.log", "".join(lines))
    assert logs.new() == lines
    assert logs.new() == []


def test_no_error_is_taken_for_a_line(logs: _Logs) -> None:
    """Neither what docker complains of nor what the programs on the node do."""
    logs.shell.says = "WARNING: Error loading config file: x"
    (logs.folder / "folder.log").mkdir()
    (logs.folder / "nowhere.log").symlink_to("nothing")
    logs.new()
    logs.reader.close()
    logs.grow("a.log", "one\n")
    (logs.folder / "folder.log" / "file").touch()
    assert logs.new() == ["one\n"]
    assert logs.reader.paths.keys() >= {f"{logs.folder}/a.log"}


def test_a_command_that_was_killed_between_readings(logs: _Logs) -> None:
    """As by a reboot: the next reading starts another, and misses nothing."""
    logs.grow("a.log", "before\nha")
    logs.new()
    logs.shell.signal(signal.SIGKILL)
    logs.grow("a.log", "lf\none\n")
    assert logs.new() == ["half\n", "one\n"]
    assert len(logs.shell.sessions) == 2


def test_a_node_that_is_paused(logs: _Logs, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reading ends in time, without work meanwhile; its answer is never taken for that of the next one."""
    monkeypatch.setattr(process, "_GRACE_SECONDS", 0.5)  # docker's command would not stand still, this one does
    logs.grow("a.log", "before\n")
    logs.new()
    logs.grow("a.log", "one\n")
    logs.shell.signal(signal.SIGSTOP)
    worked = time.thread_time()
    with pytest.raises(DeadlineExceeded, match="waited 1 s for the log; last seen: no answer of w-control-plane"):
        logs.new(1)
    assert time.thread_time() - worked < 0.5
    assert logs.shell.open == []
    assert members(logs.shell.sessions[0]) == []
    logs.grow("a.log", "two\n")
    assert logs.new() == ["one\n", "two\n"]
    assert logs.new() == []


def test_a_node_that_refuses(logs: _Logs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Docker's own words say why there is no reading; they are no line, and the next reading misses nothing."""
    logs.grow("a.log", "before\n")
    logs.new()
    logs.reader.close()
    logs.grow("a.log", "one\n")
    said = "Error response from daemon: container x is paused, unpause the container before exec"
    with monkeypatch.context() as patch:
        patch.setattr(Cluster, "talk", lambda *_: start_dialogue(["bash", "-c", f"echo '{said}' >&2; exit 1"]))
        for _ in range(2):
            with pytest.raises(CommandFailed, match=f"logs on w-control-plane ended: {said}"):
                logs.new()
    assert logs.new() == ["one\n"]


def test_the_command_ends_with_its_input(logs: _Logs) -> None:
    """Nothing else ends it inside a node."""
    logs.new()
    (spoken,) = logs.shell.open
    spoken.close_input()
    deadline = Deadline.after(20, "its end")
    while not spoken.ended:
        assert select.select([spoken], [], [], deadline.remaining)[0]
        assert spoken.hear_bytes() == b""


def test_a_reader_that_is_closed(logs: _Logs) -> None:
    """Nothing of its command is left; to close it again, or before it was used, is no error."""
    logs.reader.close()
    logs.new()
    (session,) = logs.shell.sessions
    assert members(session)
    logs.reader.close()
    assert members(session) == []
    logs.reader.close()
