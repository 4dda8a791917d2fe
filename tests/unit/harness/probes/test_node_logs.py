"""Node logs: what is written on a node is read once, however files are cut, rotated, lost or out of reach."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.errors import CommandFailed
from chaos_harness.clusters.kind.audit_log import AUDIT_DIRECTORY
from chaos_harness.clusters.machine.process import CommandResult
from chaos_harness.harness.history import HistoryWriter, read
from chaos_harness.harness.history.vocabulary import AUDIT, READ, numbered
from chaos_harness.harness.probes.fail_open import follow_fail_open
from tests.fakes.audit_log import AuditLog, event
from tests.fakes.world import World


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with World().cluster(tmp_path) as cluster:
        yield cluster


@pytest.fixture
def log(tmp_path: Path, cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> AuditLog:
    log = AuditLog(tmp_path, cluster)
    monkeypatch.setattr(Cluster, "exec", lambda *args, **rest: log.exec(*args, **rest))  # noqa: PLW0108 - of a cluster
    return log


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
    log.broken = True
    log.grow(event("one"))
    (reading,) = log.new()
    assert (reading.kind, reading.value) == ("info", {"said": "the node is away"})
    log.broken = False
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

    def run(one: Cluster, node: str, *args: Any, **rest: Any) -> CommandResult:
        if node == nodes[0]:
            raise CommandFailed("the node is away")
        return log.exec(one, node, *args, **rest)

    monkeypatch.setattr(Cluster, "exec", run)
    history = HistoryWriter(tmp_path / "both.jsonl")
    probe = follow_fail_open(cluster, history, every=600)
    probe.start()
    probe.wait_for_beat(Deadline.after(20, "a sign of life"))
    probe.stop()
    readings = {(entry.process, entry.kind) for entry in read(history.path).entries if entry.f == READ}
    assert readings == {(numbered(AUDIT, nodes[0]), "info"), (numbered(AUDIT, nodes[1]), "ok"), ("fail open", "info")}
