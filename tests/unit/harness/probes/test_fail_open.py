"""Fail open: what the API server logs of webhooks that it did without is copied once, wherever a read cuts it."""

import gzip
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.errors import CommandFailed
from chaos_harness.clusters.machine.orphans import members
from chaos_harness.harness.history import Entry, HistoryWriter, read
from chaos_harness.harness.history.coverage import Coverage
from chaos_harness.harness.history.following import follow
from chaos_harness.harness.history.vocabulary import CALL as CALLED
from chaos_harness.harness.history.vocabulary import FAIL_OPEN
from chaos_harness.harness.probes.fail_open import _Logs as _All
from chaos_harness.harness.probes.fail_open import _Node, follow_fail_open
from chaos_harness.harness.probes.node_logs import NodeLogs
from tests.fakes.node_shell import NodeShell
from tests.fakes.world import World

SAID = 'failed calling webhook "mutation.gatekeeper.sh": failed to call webhook: Post "x": connection refused'
LINE = (
    "2026-11-24T22:27:16.841821999Z stderr F W1124 22:27:16.841358       1 dispatcher.go:210] "
    f"Failed calling webhook, failing open mutation.gatekeeper.sh: {SAID}\n"
)
OTHER = "2026-11-24T22:27:16.000000000Z stderr F I1124 22:27:16.000000       1 alloc.go:10] nothing\n"
NODE = "w-control-plane"
CALL = {
    "time": pytest.approx(1795559236.841358, abs=1e-4),
    "webhook": "mutation.gatekeeper.sh",
    "said": SAID,
    "node": NODE,
}


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with World().cluster(tmp_path) as cluster:
        yield cluster


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> NodeShell:
    """Return the shell of the nodes, which finds here what the API servers log."""
    shell = NodeShell(tmp_path, {"/var/log/pods": str(tmp_path)})
    shell.install(monkeypatch)
    return shell


@pytest.fixture
def log(tmp_path: Path, shell: NodeShell) -> Path:
    """Return a log file that the script finds when it is run, here, as on a node."""
    log = tmp_path / "kube-system_kube-apiserver-x" / "kube-apiserver" / "0.log"
    log.parent.mkdir(parents=True)
    return log


@pytest.fixture
def logs(cluster: Cluster, log: Path) -> Iterator["_Logs"]:
    """Return a reader of the log."""
    logs = _Logs(cluster, NODE)
    yield logs
    logs.node.close()


class _Logs:
    """The reader of one node's logs, and what it wrote since it was asked for the last time."""

    def __init__(self, cluster: Cluster, node: str) -> None:
        self._path = cluster.directory / "calls.jsonl"
        self._history = HistoryWriter(self._path)
        self.node = _Node(cluster, node, self._history)
        self._given = 0

    def calls(self, deadline: Deadline, *, lost: bool = False) -> list[Any]:
        assert bool(self.node.read(deadline)) == self.node.lost == lost
        entries = list(read(self._path).entries)
        new, self._given = entries[self._given :], len(entries)
        return [entry.value for entry in new if entry.f == CALLED]


def soon() -> Deadline:
    return Deadline.after(60, "the log")


def grow(log: Path, text: str) -> None:
    with log.open("a", encoding="utf-8") as file:
        file.write(text)


def test_only_what_is_new_is_told(logs: _Logs, log: Path) -> None:
    """What was logged before the first read is not told, what comes after it once, and other lines never."""
    grow(log, LINE)
    assert logs.calls(soon()) == []
    grow(log, OTHER + LINE + OTHER)
    assert logs.calls(soon()) == [CALL]
    assert logs.calls(soon()) == []


@pytest.mark.parametrize(
    ("line", "seconds"),
    [
        ("2026-11-24T22:27:17.5Z stderr F W1124 22:27:16.841358       1 x.go:1] y", -0.658642),
        ("2026-11-24T22:27:17.5Z stderr F y", 0.0),
        ("2026-11-25T00:00:00.5Z stderr F W1124 23:59:59.750000       1 x.go:1] y", -0.75),
    ],
)
def test_the_api_server_tells_when(logs: _Logs, log: Path, line: str, seconds: float) -> None:
    """A log that is read late tells when the line was written, also when a day ended in between."""
    grow(log, OTHER)
    logs.calls(soon())
    grow(log, f"{line}, failing open mutation.gatekeeper.sh: {SAID}\n")
    read = datetime.fromisoformat(line.partition(" ")[0]).timestamp()
    assert [call["time"] for call in logs.calls(soon())] == [pytest.approx(read + seconds, abs=1e-4)]


@pytest.mark.parametrize("cut", [1, 40, 150, len(LINE) - 1])
def test_a_line_that_is_cut_is_put_together(logs: _Logs, log: Path, cut: int) -> None:
    """A read in the middle of a line loses nothing."""
    grow(log, OTHER)
    logs.calls(soon())
    grow(log, OTHER + LINE[:cut])
    first = logs.calls(soon())
    grow(log, LINE[cut:] + OTHER)
    assert first + logs.calls(soon()) == [CALL]


def test_a_new_file_is_read_from_its_beginning(logs: _Logs, log: Path) -> None:
    """An API server that was restarted logs to another file."""
    grow(log, OTHER)
    logs.calls(soon())
    grow(log, LINE)
    grow(log.with_name("1.log"), LINE + LINE)
    assert logs.calls(soon()) == [CALL] * 3


def test_a_file_that_begins_anew_is_read_anew(logs: _Logs, log: Path) -> None:
    """A file that is shorter than what is known of it is another one; what it had since is lost."""
    grow(log, OTHER * 5)
    logs.calls(soon())
    log.write_text(LINE, encoding="utf-8")
    assert logs.calls(soon(), lost=True) == [CALL]


def _rotated(log: Path, when: str) -> Path:
    """Do what the kubelet does with a log of 10 MiB: it gives it another name, and containerd opens a new one."""
    old = log.rename(log.with_name(f"{log.name}.{when}"))
    log.touch()
    return old


def test_a_log_that_the_kubelet_rotates(logs: _Logs, log: Path) -> None:
    """What came before and after the rotation is told once each; so is the rest of a line that it cut in two."""
    grow(log, OTHER)
    logs.calls(soon())
    grow(log, LINE + LINE[:40])
    assert logs.calls(soon()) == [CALL]
    grow(log, LINE[40:])
    _rotated(log, "20261128-120000")
    grow(log, LINE + OTHER)
    assert logs.calls(soon()) == [CALL, CALL]
    assert logs.calls(soon()) == []


def test_an_old_log_that_the_kubelet_packs(logs: _Logs, log: Path) -> None:
    """It packs what it rotated before, once more: what was read of it is not missed, and nothing is read twice."""
    grow(log, OTHER)
    logs.calls(soon())
    grow(log, LINE)
    old = _rotated(log, "20261128-120000")
    assert logs.calls(soon()) == [CALL]
    for suffix in (".tmp", ".gz"):
        old = old.rename(old.with_name(f"{old.name.removesuffix('.tmp')}{suffix}"))
        assert logs.calls(soon()) == []
    old.unlink()
    assert logs.calls(soon()) == []


@pytest.mark.parametrize("how", ["packed", "deleted"])
def test_a_log_that_is_rotated_away_unread(logs: _Logs, log: Path, how: str) -> None:
    """One that was packed or deleted before its end was read is lost, and that is told once; what follows is not."""
    grow(log, OTHER)
    logs.calls(soon())
    grow(log, LINE)
    old = _rotated(log, "20261128-120000")
    grow(log, LINE)
    if how == "packed":
        old.with_name(f"{old.name}.gz").write_bytes(gzip.compress(old.read_bytes()))
    old.unlink()
    assert logs.calls(soon(), lost=True) == [CALL]
    grow(log, LINE)
    assert logs.calls(soon()) == [CALL]


def test_an_old_servers_log_may_be_deleted(logs: _Logs, log: Path) -> None:
    """The kubelet keeps the log of one API server before: that of one before it was read when the next one wrote."""
    grow(log, OTHER)
    grow(log.with_name("1.log"), OTHER)
    logs.calls(soon())
    log.unlink()
    grow(log.with_name("1.log"), LINE)
    assert logs.calls(soon()) == [CALL]
    log.with_name("1.log").unlink()
    grow(log.with_name("2.log"), LINE)
    assert logs.calls(soon(), lost=True) == [CALL]


def test_what_is_cut_is_not_claimed(logs: _Logs, log: Path) -> None:
    """Up to the reading before it all is told, until the rest of the line is there."""
    grow(log, OTHER)
    logs.calls(soon())
    before = logs.node.until
    grow(log, LINE[:60])
    logs.calls(soon())
    assert logs.node.until == before
    grow(log, LINE[60:])
    assert logs.calls(soon()) == [CALL]
    assert logs.node.until > before


def test_an_error_without_words_is_no_log_that_was_read(
    cluster: Cluster, log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What could not be read is not covered, whatever was said of it."""
    history = HistoryWriter(tmp_path / "history.jsonl")
    logs = _All([_Node(cluster, NODE, history)], history)

    def refuse(*_: object) -> None:
        raise CommandFailed("no such container")

    monkeypatch.setattr(NodeLogs, "lines", refuse)
    with ThreadPoolExecutor(1) as pool:
        logs.read(pool, 60)
    history.finish()
    assert [entry.kind for entry in read(history.path).entries if entry.process == FAIL_OPEN] == ["info"]


def test_a_gap_is_not_seen(cluster: Cluster, log: Path, tmp_path: Path) -> None:
    """What came between the last reading of a log that is lost and the one that found out is unseen for good."""
    grow(log, OTHER)
    history = HistoryWriter(tmp_path / "history.jsonl")
    node = _Node(cluster, NODE, history)
    logs = _All([node], history)
    with ThreadPoolExecutor(1) as pool:
        for number in range(4):
            if number == 2:
                _rotated(log, "20261128-120000").unlink()
            logs.read(pool, 60)
    node.close()
    history.finish()
    readings = [entry for entry in read(history.path).entries if entry.process == FAIL_OPEN]
    assert [entry.kind for entry in readings] == ["ok", "ok", "info", "ok"]
    coverage = Coverage(read(history.path))
    follow(read(history.path), coverage)
    first, second, last = (readings[number].value for number in (0, 1, 3))
    assert first["until"] == first["since"] == second["since"]
    assert second["until"] < last["since"] < last["until"]
    began = readings[0].wall - readings[0].at
    whole = [(first["since"], second["until"]), (last["since"], last["until"])]
    assert [tuple(span) for span in coverage.of(FAIL_OPEN).known] == [
        pytest.approx((since - began, until - began), abs=1e-4) for since, until in whole
    ]


def _until(history: HistoryWriter, wanted: Callable[[Entry], bool]) -> Entry:
    for _ in Deadline.after(30, "an entry").attempts(0.01, 0.05):
        for entry in read(history.path).entries:
            if wanted(entry):
                return entry
    pytest.fail("no such entry in 30 s")


def test_history(cluster: Cluster, log: Path, shell: NodeShell, tmp_path: Path) -> None:
    """Calls and reads stand in the history; a log that cannot be read is told, and is not one without calls."""
    grow(log, OTHER)
    history = HistoryWriter(tmp_path / "history.jsonl")
    probe = follow_fail_open(cluster, history, every=0.02)
    probe.start()
    _until(history, lambda entry: (entry.process, entry.f, entry.kind) == (FAIL_OPEN, "read", "ok"))
    grow(log, LINE)
    called = _until(history, lambda entry: entry.f == "call")
    assert called.value == CALL

    shell.away = "the node is away"
    shell.signal(signal.SIGKILL)
    away = {"said": "the node is away"}
    _until(history, lambda entry: (entry.process, entry.f, entry.value) == (FAIL_OPEN, "read", away))
    shell.away = ""
    grow(log, LINE)
    assert _until(history, lambda entry: entry.f == "call" and entry.index > called.index).value == CALL
    probe.stop()
    history.close()


def test_the_command_on_the_node_runs_as_long_as_the_probe(
    cluster: Cluster, log: Path, shell: NodeShell, tmp_path: Path
) -> None:
    """One command does all readings, and nothing of it is left when the probe has stopped."""
    grow(log, OTHER)
    history = HistoryWriter(tmp_path / "history.jsonl")
    probe = follow_fail_open(cluster, history, every=0.05)
    probe.start()
    _until(history, lambda entry: (entry.process, entry.kind) == (FAIL_OPEN, "ok"))
    for _ in range(3):
        last = [entry.index for entry in read(history.path).entries][-1]
        grow(log, LINE)
        _until(history, lambda entry: entry.f == CALLED and entry.index > last)  # noqa: B023 - it is asked at once
    assert len(shell.open) == 1
    probe.stop()
    history.close()
    assert (len(shell.sessions), shell.open) == (1, [])
    assert members(shell.sessions[0]) == []


def test_what_came_since_the_last_round(cluster: Cluster, log: Path, tmp_path: Path) -> None:
    """The log is read once more when the probe is stopped: who was asked last is answered by then."""
    grow(log, OTHER)
    history = HistoryWriter(tmp_path / "history.jsonl")
    probe = follow_fail_open(cluster, history, every=600)
    probe.start()
    _until(history, lambda entry: entry.f == "read")
    grow(log, LINE)
    probe.stop()
    history.close()
    assert [entry.value for entry in read(history.path).entries if entry.f == "call"] == [CALL]
