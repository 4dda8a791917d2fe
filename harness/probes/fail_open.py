"""Fail open: a probe that copies what the API server logs of webhooks that it could not call, and did without."""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

from clusters.cluster import Cluster
from clusters.deadline import Deadline
from harness.errors import HarnessError
from harness.history import History
from harness.history.vocabulary import CALL, FAIL_OPEN, READ
from harness.probes import Probe

__all__ = ["FAIL_OPEN", "FAIL_OPEN_LOG", "follow_fail_open"]

FAIL_OPEN_LOG = "fail open log"
"""The probe's name."""

_SCRIPT = """
for log in /var/log/pods/kube-system_kube-apiserver-*/kube-apiserver/*.log; do
  size=$(stat -c %s "$log") || continue
  from=$FIRST
  for known in "$@"; do
    [ "${known%=*}" = "$log" ] && from=${known##*=}
  done
  [ "$size" -lt "${from:-0}" ] && from=0
  echo "LOG $log=$size"
  tail -c "+$((${from:-$size} + 1))" "$log" | head -c "$((size - ${from:-$size}))"
done
"""
"""Prints, for each log file, its name and size, and what came since the size that is known of it."""

_SECONDS = 20.0
_LAST_SECONDS = 8.0
_LINE = re.compile(
    r"^(?P<time>\S+) std\w+ \w (?:[IWEF]\d{4} (?P<said_at>[\d:.]{15}) )?"
    r".*failing open (?P<webhook>[\w.-]+): (?P<said>.*)$"
)
_HEAD = re.compile(r"LOG (?P<path>/var/log/pods/[^=\n]+)=(?P<size>\d+)\n$")
_SHORT = 300
_HALF_A_DAY = timedelta(hours=12)


def follow_fail_open(cluster: Cluster, history: History, *, every: float = 3.0) -> Probe:
    """Return a probe that reads the log of each control plane's API server, on its node, every `every` seconds.

    Each call that failed is an entry `info call` whose value has `time` (unix seconds by the node's clock: when
    it was given up), `webhook` and `said`. After a round comes `ok read`: up to this moment (`until`) all is copied.
    """
    return Probe(FAIL_OPEN_LOG, partial(_follow, cluster, history, every), late_after=45.0, settles="last")


def _follow(cluster: Cluster, history: History, every: float, probe: Probe) -> None:
    logs = [_Logs(cluster, node) for node in cluster.control_planes]
    for _ in probe.every(every):
        _read(logs, history, _SECONDS)
    _read(logs, history, _LAST_SECONDS)  # who was asked since the last round has been answered


def _read(logs: Sequence["_Logs"], history: History, seconds: float) -> None:
    began = datetime.now(UTC).timestamp()
    deadline = Deadline.after(seconds, "the API server's log")
    try:
        for each in logs:
            for value in each.calls(deadline):
                history.append("info", FAIL_OPEN, CALL, value)
    except HarnessError as error:
        history.append("info", FAIL_OPEN, READ, {"said": str(error)[:_SHORT]})
    else:
        history.append("ok", FAIL_OPEN, READ, {"until": began})


class _Logs:
    """The log files of one node's API server; what was there when it was first read is not told."""

    def __init__(self, cluster: Cluster, node: str) -> None:
        self._cluster = cluster
        self._node = node
        self._sizes: dict[str, int] | None = None
        self._cut: dict[str, str] = {}

    def calls(self, deadline: Deadline) -> Iterator[dict[str, object]]:
        """Yield the failed calls that were logged since the last time."""
        known = [f"{path}={size}" for path, size in (self._sizes or {}).items()]
        first = "FIRST=0" if self._sizes is not None else "FIRST="
        argv = ["env", first, "sh", "-c", _SCRIPT, "sh", *known]
        done = self._cluster.exec(self._node, argv, deadline)
        sizes, path = {}, ""
        for line in done.stdout.splitlines(keepends=True):
            head = _HEAD.search(line)
            if head:
                self._cut[path] = self._cut.get(path, "") + line[: head.start()]
                path = head["path"]
                sizes[path] = int(head["size"])
                continue
            whole = self._cut.pop(path, "") + line
            if not whole.endswith("\n"):
                self._cut[path] = whole
            elif found := _LINE.match(whole):
                yield {"time": _moment(found), "webhook": found["webhook"], "said": found["said"][:_SHORT]}
        self._sizes = sizes


def _moment(line: re.Match[str]) -> float:
    """Return when the API server wrote a line: containerd's stamp in front says when it read it, which may be later.

    What the API server says is without a date, so that the other tells the day.
    """
    read = datetime.fromisoformat(line["time"])
    if line["said_at"] is None:
        return read.timestamp()
    said = datetime.combine(read.date(), datetime.strptime(line["said_at"], "%H:%M:%S.%f").time(), read.tzinfo)  # noqa: DTZ007
    return (said - timedelta(days=1) if said - read > _HALF_A_DAY else said).timestamp()
