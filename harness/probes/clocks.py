"""Clocks: reads each node's clock at the start and at the end of an experiment, and compares it with this machine's."""

import time
from contextlib import suppress
from functools import partial
from math import inf

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.machine.boot import BOOT_ID, boot_id
from chaos_harness.harness.errors import HarnessError
from chaos_harness.harness.history import HistoryWriter
from chaos_harness.harness.history.vocabulary import CLOCK, READ, numbered
from chaos_harness.harness.probes import Probe

__all__ = ["read_clocks"]

_SCRIPT = f"cat {BOOT_ID}; date +%s.%N"
_FIRST_SECONDS, _LAST_SECONDS = 15.0, 8.0
_SHORT = 160


def read_clocks(cluster: Cluster, history: HistoryWriter) -> Probe:
    """Return a probe that reads each node's clock once at the start and once at the end.

    `ok read` has `measured` (how many seconds the node's clock is ahead of this machine's), `round_trip` (seconds that
    the reading took), and `offset` with its `uncertainty`: the seconds to subtract from the node's time stamps. Both
    are 0 if node and machine have the `same` kernel, by its boot id, and so the same clock; else the clock was read at
    an unknown moment of the round trip. `info read` says why nothing could be read.
    """
    return Probe("clocks", partial(_ask, cluster, history), late_after=inf, settles="never")


def _ask(cluster: Cluster, history: HistoryWriter, probe: Probe) -> None:
    nodes = cluster.nodes()
    _read_all(cluster, nodes, history, _FIRST_SECONDS)
    probe.beat()
    probe.stopping.wait()
    _read_all(cluster, nodes, history, _LAST_SECONDS)


def _read_all(cluster: Cluster, nodes: list[str], history: HistoryWriter, seconds: float) -> None:
    """Read one node after the other: reading all at once takes longer each, which makes the offsets less certain."""
    deadline = Deadline.after(seconds, "the nodes' clocks")
    for node in nodes:
        _read(cluster, node, history, deadline)


def _read(cluster: Cluster, node: str, history: HistoryWriter, deadline: Deadline) -> None:
    process = numbered(CLOCK, node)
    before, began = time.time(), time.monotonic()
    try:
        kernel, node_time = cluster.exec(node, ["sh", "-c", _SCRIPT], deadline).stdout.split()
        took = time.monotonic() - began
        ahead = float(node_time) - before - took / 2
    except (HarnessError, ValueError) as error:
        history.append("info", process, READ, {"said": str(error)[:_SHORT]})
        return
    same = kernel == _own_kernel()
    value = {"offset": 0.0, "uncertainty": 0.0} if same else {"offset": ahead, "uncertainty": took / 2}
    value |= {"measured": ahead, "round_trip": took}
    history.append("ok", process, READ, {**{name: round(seconds, 6) for name, seconds in value.items()}, "same": same})


def _own_kernel() -> str:
    with suppress(OSError):
        return boot_id()
    return ""
