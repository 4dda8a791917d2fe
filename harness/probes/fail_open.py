"""Fail open: a probe that copies what the API server logs of webhooks that it could not call, and did without."""

import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial

from clusters.cluster import Cluster
from clusters.deadline import Deadline
from harness.errors import HarnessError
from harness.history import History
from harness.history.vocabulary import CALL, FAIL_OPEN, READ
from harness.probes import Probe
from harness.probes.audit import AUDIT_LOGS, NodeAudit, is_audit
from harness.probes.node_logs import NodeLogs

__all__ = ["FAIL_OPEN", "FAIL_OPEN_LOG", "follow_fail_open"]

FAIL_OPEN_LOG = "fail open log"
"""The probe's name."""

_LOGS = "/var/log/pods/kube-system_kube-apiserver-*/kube-apiserver/*.log*"
_SECONDS = 20.0
_LAST_SECONDS = 8.0
_LINE = re.compile(
    r"^(?P<time>\S+) std\w+ \w (?:[IWEF]\d{4} (?P<said_at>[\d:.]{15}) )?"
    r".*failing open (?P<webhook>[\w.-]+): (?P<said>.*)$"
)
_SHORT = 300
_HALF_A_DAY = timedelta(hours=12)


def follow_fail_open(cluster: Cluster, history: History, *, every: float = 3.0) -> Probe:
    """Return a probe that reads the logs of each control plane's API server, on its node, every `every` seconds.

    Each call that failed is an entry `info call` whose value has `time` (unix seconds by the node's clock: when
    it was given up), `webhook` and `said`. After a round comes `ok read`: up to this moment (`until`) all is copied.
    The audit log is read along with it (see `harness.probes.audit`): to look into a node costs more than what is seen.
    """
    return Probe(FAIL_OPEN_LOG, partial(_follow, cluster, history, every), late_after=45.0, settles="last")


def _follow(cluster: Cluster, history: History, every: float, probe: Probe) -> None:
    nodes = [_Node(cluster, node, history) for node in cluster.control_planes]
    with ThreadPoolExecutor(len(nodes), "fail open") as pool:
        for _ in probe.every(every):
            _read(pool, nodes, history, _SECONDS)
        _read(pool, nodes, history, _LAST_SECONDS)  # who was asked since the last round has been answered


def _read(pool: ThreadPoolExecutor, nodes: Sequence["_Node"], history: History, seconds: float) -> None:
    """Read all nodes at once: one that does not answer hides nothing of the others."""
    began = datetime.now(UTC).timestamp()
    deadline = Deadline.after(seconds, "the API server's log")
    said = "; ".join(filter(None, pool.map(lambda node: node.read(deadline), nodes)))
    if said:
        history.append("info", FAIL_OPEN, READ, {"said": said[:_SHORT]})
    else:
        history.append("ok", FAIL_OPEN, READ, {"until": began})


class _Node:
    """The logs of one node's API server."""

    def __init__(self, cluster: Cluster, node: str, history: History) -> None:
        self._logs = NodeLogs(cluster, node, [_LOGS, AUDIT_LOGS])
        self._audit = NodeAudit(history, node)
        self._history = history

    def read(self, deadline: Deadline) -> str:
        """Write down what was logged since the last time; return why nothing could be read, or ""."""
        began = datetime.now(UTC).timestamp()
        try:
            lines = self._logs.lines(deadline)
        except HarnessError as error:
            self._audit.unread(str(error))
            return str(error)
        for path, line in lines:
            if not is_audit(path) and (found := _LINE.match(line)):
                value = {"time": _moment(found), "webhook": found["webhook"], "said": found["said"][:_SHORT]}
                self._history.append("info", FAIL_OPEN, CALL, value)
        self._audit.read((line for path, line in lines if is_audit(path)), self._logs, began)
        return ""


def _moment(line: re.Match[str]) -> float:
    """Return when the API server wrote a line: containerd's stamp in front says when it read it, which may be later.

    What the API server says is without a date, so that the other tells the day.
    """
    read = datetime.fromisoformat(line["time"])
    if line["said_at"] is None:
        return read.timestamp()
    said = datetime.combine(read.date(), datetime.strptime(line["said_at"], "%H:%M:%S.%f").time(), read.tzinfo)  # noqa: DTZ007
    return (said - timedelta(days=1) if said - read > _HALF_A_DAY else said).timestamp()
