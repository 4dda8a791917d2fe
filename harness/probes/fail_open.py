"""Fail open: copies from the API servers' logs which webhook calls failed open."""

import re
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import partial

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.harness.errors import HarnessError
from chaos_harness.harness.history import HistoryWriter
from chaos_harness.harness.history.vocabulary import CALL, FAIL_OPEN, READ
from chaos_harness.harness.probes import Every, Probe
from chaos_harness.harness.probes.audit import AUDIT_LOGS, NodeAudit, is_audit
from chaos_harness.harness.probes.node_logs import NodeLogs

__all__ = ["follow_fail_open"]

FAIL_OPEN_LOG = "fail open log"
"""The probe's name."""

_LOGS = "/var/log/pods/kube-system_kube-apiserver-*/kube-apiserver/*.log*"
_CURRENT = re.compile(r"(?P<folder>.*/)(?P<number>\d+)\.log$")
_SECONDS = 20.0
_LAST_SECONDS = 8.0
_LINE = re.compile(
    r"^(?P<time>\S+) std\w+ \w (?:[IWEF]\d{4} (?P<said_at>[\d:.]{15}) )?"
    r".*failing open (?P<webhook>[\w.-]+): (?P<said>.*)$"
)
_SHORT = 300
_HALF_A_DAY = timedelta(hours=12)


def follow_fail_open(cluster: Cluster, history: HistoryWriter, *, every: Every = 3.0) -> Probe:
    """Return a probe that reads the logs of each control plane's API server, on its node, every `every` seconds.

    Each failed call is an entry `info call` with `time` (unix seconds by the node's clock, when the call was given up),
    `webhook`, `said` and `node`. A round ends with `ok read`: everything from `since` to `until` is copied; or with
    `info read`: it is not (`said`), and if it is lost for good, the next `since` comes after it. The audit log is read
    at the same time (see `harness.probes.audit`), by the same command on the node, which runs as long as the probe; an
    adopted cluster keeps none of ours, and causes then come from the API server's own log, by time.
    """
    return Probe(FAIL_OPEN_LOG, partial(_follow, cluster, history, every), late_after=45.0, settles="last")


def _follow(cluster: Cluster, history: HistoryWriter, every: float, probe: Probe) -> None:
    nodes = [_Node(cluster, node, history) for node in cluster.control_planes]
    logs = _Logs(nodes, history)
    with ThreadPoolExecutor(len(nodes), "fail open") as pool, ExitStack() as stack:
        for node in nodes:
            stack.callback(node.close)  # before the pool's threads end: with them end the commands that they started
        for _ in probe.every(every):
            logs.read(pool, _SECONDS)
        logs.read(pool, _LAST_SECONDS)  # questions since the last round have their answers now


class _Logs:
    """The logs of all API servers; everything before `since` (unix seconds) is copied or lost."""

    def __init__(self, nodes: Sequence["_Node"], history: HistoryWriter) -> None:
        self._nodes = nodes
        self._history = history
        self._since = 0.0

    def read(self, pool: ThreadPoolExecutor, seconds: float) -> None:
        """Read all nodes at once: a node that does not answer does not hide the others."""
        deadline = Deadline.after(seconds, "the API server's log")
        answers = list(pool.map(lambda node: node.read(deadline), self._nodes))
        missing = [why for why in answers if why is not None]
        if missing:
            self._since = max([self._since, *(node.until for node in self._nodes if node.lost)])
            self._history.append("info", FAIL_OPEN, READ, {"said": "; ".join(missing)[:_SHORT]})
            return
        until = max(self._since, min(node.until for node in self._nodes))
        self._history.append("ok", FAIL_OPEN, READ, {"since": self._since or until, "until": until})
        self._since = until


class _Node:
    """The logs of one API server: everything before `until` (unix seconds) is copied, unless some of it is `lost`."""

    def __init__(self, cluster: Cluster, node: str, history: HistoryWriter) -> None:
        self._logs = NodeLogs(cluster, node, [_LOGS] if cluster.adopted else [_LOGS, AUDIT_LOGS])
        self._audit = None if cluster.adopted else NodeAudit(history, node)
        self._node = node
        self._history = history
        self.until = 0.0
        self.lost = False

    def close(self) -> None:
        """End the command on the node."""
        self._logs.close()

    def read(self, deadline: Deadline) -> str | None:
        """Record what was logged since the last reading; return why not all of it could be read, or None."""
        began = datetime.now(UTC).timestamp()
        written, self.lost = _find_current(self._logs.paths), False
        try:
            lines = self._logs.lines(deadline)
        except HarnessError as error:
            if self._audit:
                self._audit.note_unread(str(error))
            return str(error)
        for path, line in lines:
            if not is_audit(path) and (logged := _LINE.match(line)):
                value = {"time": _moment(logged), "webhook": logged["webhook"], "said": logged["said"][:_SHORT]}
                self._history.append("info", FAIL_OPEN, CALL, {**value, "node": self._node})
        if self._audit:
            self._audit.read((line for path, line in lines if is_audit(path)), self._logs, began)
        self.lost = bool(written & self._logs.lost)
        if self.lost or not self.until or not _find_current(self._logs.paths) & self._logs.cut:
            self.until = began
        return f"{self._node}: the API server's log that was read before is gone" if self.lost else None


def _find_current(paths: Iterable[str]) -> set[str]:
    """Return the logs that are being written: the last one of each API server; older ones are closed or rotated."""
    numbers: dict[str, int] = {}
    for log in filter(None, map(_CURRENT.match, paths)):
        numbers[log["folder"]] = max(int(log["number"]), numbers.get(log["folder"], 0))
    return {f"{folder}{number}.log" for folder, number in numbers.items()}


def _moment(line: re.Match[str]) -> float:
    """Return when the API server wrote a line; containerd's stamp in front is when it read the line, maybe later.

    The API server's own stamp has no date, so the day comes from containerd's.
    """
    read = datetime.fromisoformat(line["time"])
    if line["said_at"] is None:
        return read.timestamp()
    said = datetime.combine(read.date(), datetime.strptime(line["said_at"], "%H:%M:%S.%f").time(), read.tzinfo)  # noqa: DTZ007
    return (said - timedelta(days=1) if said - read > _HALF_A_DAY else said).timestamp()
