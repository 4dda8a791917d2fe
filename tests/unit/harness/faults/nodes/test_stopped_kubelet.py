"""Stopped kubelet, in a world of our own: nobody renews the node's lease while its containers run, and then it does."""

import pytest

from chaos_harness.clusters.machine.process import CommandResult
from chaos_harness.harness.errors import BadScenario, CommandFailed, FaultNotApplied
from chaos_harness.harness.faults.nodes.stopped_kubelet import STOPPED_KUBELET, start_kubelet, stop_kubelet
from chaos_harness.harness.history import read
from tests.fakes.bench import Bench
from tests.fakes.node_world import NODE, NodeWorld

PLANE = "w-control-plane"


@pytest.fixture
def world() -> NodeWorld:
    return NodeWorld.inhabited()


def test_proved_and_healed(bench: Bench, world: NodeWorld) -> None:
    """It is proved by a lease that is due and containers that run, and healed by the next renewal."""
    fault = stop_kubelet(NODE)
    bench.inject(fault)
    proof = bench.observed(fault)
    assert proof.startswith(f"1 containers run on {NODE}; its lease, due every 0 s, is not renewed for")
    with pytest.raises(FaultNotApplied, match="lease renewed since"):
        bench.healed(fault, 0.1)
    assert [undo.action for undo in bench.pending()] == ["kubelet.start"]
    bench.heal(fault)
    assert bench.healed(fault).startswith(f"{NODE} is Ready, its lease renewed")
    assert world.containers[NODE].halted == set()
    harm = [entry for entry in read(bench.history.path).entries if entry.process == "harm"]
    assert [(entry.f, entry.value) for entry in harm] == [(STOPPED_KUBELET, {"node": NODE})]


def test_a_kubelet_that_goes_on(bench: Bench, world: NodeWorld) -> None:
    """A kubelet that somebody else starts renews the lease: the fault did not last."""
    fault = stop_kubelet(NODE)
    bench.inject(fault)
    world.containers[NODE].halted.clear()
    with pytest.raises(FaultNotApplied, match="renewed its lease"):
        bench.observed(fault)


def test_a_node_on_which_nothing_runs(bench: Bench, world: NodeWorld) -> None:
    """If the containers ended with the kubelet, more was done than was meant."""
    fault = stop_kubelet(NODE)
    bench.inject(fault)
    world.pod_containers["c1"]["running"] = False
    with pytest.raises(FaultNotApplied, match=f"expected containers on {NODE} to go on without its kubelet, none runs"):
        bench.observed(fault)


def test_it_reports_anew(bench: Bench, world: NodeWorld) -> None:
    """A node that says Ready from before is not back, whatever becomes of its lease."""
    fault = stop_kubelet(NODE)
    bench.inject(fault)
    bench.heal(fault)
    world._reported.clear()
    with pytest.raises(FaultNotApplied, match="lease renewed since"):
        bench.healed(fault, 0.3)


def test_of_two_the_last_one_heals(bench: Bench, world: NodeWorld) -> None:
    """As long as one of two such faults lasts, the kubelet stays stopped."""
    faults = [stop_kubelet(NODE), stop_kubelet(NODE)]
    for fault in faults:
        bench.inject(fault)
    bench.heal(faults[0])
    assert world.containers[NODE].halted == {"kubelet"}
    bench.heal(faults[1])
    assert world.containers[NODE].halted == set()


def test_the_only_control_plane_may_be_harmed(bench: Bench, world: NodeWorld) -> None:
    """Its API server goes on, and tells of it; a node that is not there is refused."""
    world.pod_containers["a1"] = {"node": PLANE, "uid": "", "pid": 1, "running": True}
    fault = stop_kubelet(PLANE)
    bench.inject(fault)
    assert "1 containers run on w-control-plane" in bench.observed(fault)
    with pytest.raises(BadScenario, match="has no node 'nobody'"):
        bench.inject(stop_kubelet("nobody"))


def test_an_undo_that_fails_is_told(bench: Bench, world: NodeWorld) -> None:
    """What systemd says is told, so that the undo stays in the journal; a node that is stopped needs none."""
    world.containers[NODE].status = "exited"
    start_kubelet(bench.cluster.engine, node=NODE)
    world.containers[NODE].status = "running"
    docker = world.docker
    refused = CommandResult("", "Failed to start kubelet.service: Unit kubelet.service is masked.", 1)
    world.docker = lambda words, stdin=None: refused if "systemctl" in words else docker(words, stdin)  # type: ignore[method-assign]
    with pytest.raises(CommandFailed, match="is masked"):
        start_kubelet(bench.cluster.engine, node=NODE)
