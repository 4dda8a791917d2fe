"""Etcd that stands still, in a world of our own: nothing can be written, then it can, and a no-op is found out."""

from pathlib import Path

import pytest

from chaos_harness.clusters.machine.process import CommandResult
from chaos_harness.clusters.shape import Shape
from chaos_harness.harness.errors import BadScenario, CommandFailed, FaultNotApplied
from chaos_harness.harness.faults.control_plane.etcd import go_on, pause_etcd
from chaos_harness.harness.faults.workloads.pause_containers import PAUSED
from chaos_harness.harness.history import read
from tests.fakes.bench import Bench
from tests.fakes.node_world import NodeWorld

NODE = "w-control-plane"
ETCD = {
    "node": NODE,
    "uid": "hash",
    "pid": 88,
    "running": True,
    "name": "etcd",
    "labels": {"io.kubernetes.pod.name": f"etcd-{NODE}", "io.kubernetes.pod.uid": "hash"},
}


@pytest.fixture
def world() -> NodeWorld:
    world = NodeWorld()
    world.pod_containers["e1"] = dict(ETCD)
    return world


def test_proved_and_healed(bench: Bench, world: NodeWorld) -> None:
    """It is proved by readyz and by a write that fails, and healed by readyz and a lease that is renewed."""
    fault = pause_etcd()
    bench.inject(fault)
    assert world.containers[NODE].halted == {"88"}
    assert bench.observed(fault) == f"readyz on {NODE} says [-]etcd; a write: etcdserver: request timed out"
    with pytest.raises(FaultNotApplied, match=r"expected readyz on w-control-plane to say ok, it says .*etcd failed"):
        bench.healed(fault)
    assert [undo.action for undo in bench.pending()] == ["etcd.go_on"]
    bench.heal(fault)
    assert bench.healed(fault).startswith(f"readyz on {NODE} says ok; {NODE} is Ready, its lease renewed")
    assert bench.pending() == []
    harm = [entry for entry in read(bench.history.path).entries if entry.process == "harm"]
    assert [(entry.f, entry.value["pod"], entry.value["node"]) for entry in harm] == [(PAUSED, f"etcd-{NODE}", NODE)]


def test_readyz_alone_is_no_proof(bench: Bench, world: NodeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """If a write is done all the same, or answered by a policy, etcd does not stand still."""
    fault = pause_etcd()
    bench.inject(fault)
    plane = world.containers[NODE]
    monkeypatch.setattr(world, "etcd_stands_still", lambda container: False)
    with pytest.raises(FaultNotApplied, match="expected readyz on w-control-plane to say that etcd failed, it says ok"):
        bench.observed(fault, 0.3)
    asked = iter([True])
    monkeypatch.setattr(world, "etcd_stands_still", lambda container: container is plane and next(asked, False))
    with pytest.raises(FaultNotApplied, match="expected a write to fail without etcd, a dry run of one was done"):
        bench.observed(fault, 0.3)


def test_a_lease_must_be_renewed_afterwards(bench: Bench, world: NodeWorld) -> None:
    """That readyz says ok does not heal it: somebody must have written since."""
    fault = pause_etcd()
    bench.inject(fault)
    bench.heal(fault)
    world.deaf = {NODE}
    with pytest.raises(FaultNotApplied, match="lease renewed since"):
        bench.healed(fault, 0.3)


def test_etcd_that_was_restarted(bench: Bench, world: NodeWorld) -> None:
    """With its container the fault has faded, and its undo has nothing to do."""
    fault = pause_etcd()
    bench.inject(fault)
    world.pod_containers = {"e2": {**ETCD, "pid": 89}}
    with pytest.raises(FaultNotApplied, match="faded: container e1 of etcd on w-control-plane has ended"):
        bench.observed(fault)
    bench.heal(fault)
    assert "says ok" in bench.healed(fault)


def test_one_of_three(world: NodeWorld, tmp_path: Path) -> None:
    """Where others are left that write, readyz on the node alone proves it; what is no control plane is refused."""
    world.shape = Shape(control_planes=3, workers=1)
    world.pod_containers["e1"]["node"] = f"{NODE}2"
    with world.cluster(tmp_path) as cluster:
        bench = Bench(cluster, tmp_path)
        fault = pause_etcd(f"{NODE}2")
        bench.inject(fault)
        assert bench.observed(fault) == f"readyz on {NODE}2 says [-]etcd"
        with pytest.raises(BadScenario, match="has no node 'w-worker'; there are w-control-plane, w-control-plane2"):
            bench.inject(pause_etcd("w-worker"))
        with pytest.raises(FaultNotApplied, match="expected w-control-plane3 to run etcd, it does not"):
            bench.inject(pause_etcd(f"{NODE}3"))
        bench.close()


def test_an_undo_that_fails_is_told(bench: Bench, world: NodeWorld) -> None:
    """A process that is gone, or whose node is stopped, needs nothing; anything else keeps the undo in the journal."""
    go_on(bench.cluster.engine, node=NODE, pid="4")
    world.containers[NODE].status = "exited"
    go_on(bench.cluster.engine, node=NODE, pid="88")
    world.containers[NODE].status = "running"
    docker = world.docker
    refused = CommandResult("", "kill: (88): Operation not permitted", 1)
    world.docker = lambda words, stdin=None: refused if "kill" in words else docker(words, stdin)  # type: ignore[method-assign]
    with pytest.raises(CommandFailed, match=r"process 88 on w-control-plane could not go on: .*not permitted"):
        go_on(bench.cluster.engine, node=NODE, pid="88")
