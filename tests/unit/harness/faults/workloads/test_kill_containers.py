"""Kill containers: those of a static pod are found by the uid that its kubelet gave it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from chaos_harness.harness.errors import FaultNotApplied
from chaos_harness.harness.faults.workloads.kill_containers import kill_containers
from chaos_harness.harness.history import read
from tests.fakes.bench import Bench
from tests.fakes.world import World

_HASH = "5c1f7e0a"


@pytest.fixture
def world() -> World:
    world = World()
    pod = world.pod("etcd-w-control-plane", "w-worker")
    pod["metadata"]["annotations"] = {"kubernetes.io/config.hash": _HASH, "kubernetes.io/config.mirror": _HASH}
    world.pod_containers["c1"]["uid"] = _HASH
    return world


@pytest.fixture
def bench(world: World, tmp_path: Path) -> Iterator[Bench]:
    with world.cluster(tmp_path) as cluster:
        bench = Bench(cluster, tmp_path)
        yield bench
        bench.close()


def test_a_static_pod_is_killed(bench: Bench, world: World) -> None:
    """Its container is found and ends; the history has the pod with the uid that the API server knows."""
    fault = kill_containers("etcd-w-control-plane")
    bench.inject(fault)
    assert not world.pod_containers["c1"]["running"]
    assert "container c1 of etcd-w-control-plane on w-worker is exited" in bench.observed(fault)
    (harm,) = [entry.value for entry in read(bench.history.path).entries if entry.process == "harm"]
    assert harm["uid"] == "uid-etcd-w-control-plane"
    assert "static" not in harm


def test_another_uid_is_another_pod(bench: Bench, world: World) -> None:
    """A container of a static pod that is not the one which is shown is left alone."""
    world.pod_containers["c1"]["uid"] = "another"
    with pytest.raises(FaultNotApplied, match="found none: it is restarting by itself"):
        bench.inject(kill_containers("etcd-w-control-plane"))
    assert world.pod_containers["c1"]["running"]
