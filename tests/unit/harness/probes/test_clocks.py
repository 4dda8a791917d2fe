"""Clocks: nodes' clocks are read at the start and the end; an offset is recorded as exactly as it is known."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.harness.history import Entry, HistoryWriter, read
from chaos_harness.harness.probes.clocks import read_clocks
from tests.fakes.world import World

OTHER = "00000000-0000-0000-0000-000000000000"
KERNEL = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def ahead(seconds: float, kernel: str) -> Callable[[], str]:
    """Return what a node says whose clock is ahead."""
    return lambda: f"{kernel}\n{time.time() + seconds:.9f}\n"


def readings(cluster: Cluster, history: HistoryWriter) -> list[Entry]:
    probe = read_clocks(cluster, history)
    probe.start()
    probe.wait_for_beat(Deadline.after(20, "the clocks"))
    probe.stop()
    return list(read(history.path).entries)


def test_each_node_at_both_ends(cluster: Cluster, world: World, history: HistoryWriter) -> None:
    """One look into each node when it begins, and one when it ends."""
    world.clock = ahead(0, KERNEL)
    entries = readings(cluster, history)
    nodes = [f"clock {node}" for node in cluster.nodes()]
    assert [(entry.process, entry.kind, entry.f) for entry in entries] == [
        (node, "ok", "read") for node in (*nodes, *nodes)
    ]


def test_one_kernel_has_one_clock(cluster: Cluster, world: World, history: HistoryWriter) -> None:
    """Whatever the reading says, which is no better than the time it took."""
    world.clock = ahead(0.2, KERNEL)
    value = readings(cluster, history)[0].value
    assert value["offset"] == 0.0
    assert value["uncertainty"] == 0.0
    assert value["same"] is True
    assert value["measured"] == pytest.approx(0.2, abs=0.1)


def test_another_kernel_may_have_another_clock(cluster: Cluster, world: World, history: HistoryWriter) -> None:
    """As in the virtual machine of Docker Desktop: it was read at some moment of the round trip."""
    world.clock = ahead(-3.0, OTHER)
    value = readings(cluster, history)[0].value
    assert not value["same"]
    assert value["offset"] == value["measured"]
    assert value["uncertainty"] == pytest.approx(value["round_trip"] / 2, abs=1e-5)
    assert abs(value["offset"] + 3.0) <= value["uncertainty"] + 1e-5


@pytest.mark.parametrize("said", ["", "only one", f"{OTHER} noon"])
def test_a_node_that_says_nothing(cluster: Cluster, world: World, history: HistoryWriter, said: str) -> None:
    """Nothing is known of its clock then; it is no reason to stop."""
    world.clock = lambda: said
    assert {entry.kind for entry in readings(cluster, history)} == {"info"}


def test_a_node_that_is_away(cluster: Cluster, world: World, history: HistoryWriter) -> None:
    """The others are read."""
    world.clock = ahead(0, KERNEL)
    world.containers[cluster.nodes()[0]].status = "paused"
    kinds = [entry.kind for entry in readings(cluster, history)]
    assert kinds[: len(cluster.nodes())] == ["info", "ok", "ok"]
