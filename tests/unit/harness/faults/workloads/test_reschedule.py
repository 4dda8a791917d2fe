"""Faults on pods, in a world of our own: each proves that it bit and is healed, and half a harm is found out."""

import pytest

from chaos_harness.harness.errors import BadScenario, FaultNotApplied
from chaos_harness.harness.faults import ONE_SHOT
from chaos_harness.harness.faults.workloads.kill_containers import kill_containers
from chaos_harness.harness.faults.workloads.reschedule import reschedule_pod
from chaos_harness.harness.history import read
from tests.fakes.bench import Bench
from tests.fakes.world import World


def test_a_kill_is_proved_by_node_and_kubelet(bench: Bench, world: World) -> None:
    """Killed containers are proved by the node and by the kubelet; the history has who was killed when."""
    world.pod("a", "w-worker")
    fault = kill_containers("a")
    bench.inject(fault)
    proof = bench.observed(fault)
    assert "container c1 of a on w-worker is exited (exit code 137)" in proof
    assert "a restarts: 0, waiting" in proof
    assert fault.healed is ONE_SHOT
    harm = [entry for entry in read(bench.history.path).entries if entry.process == "harm"]
    assert [(entry.f, entry.value["pod"], entry.value["containers"]) for entry in harm] == [("killed", "a", ["c1"])]


def test_kill_that_the_kubelet_does_not_notice(bench: Bench, world: World) -> None:
    """A container that is dead on the node but still runs for the API proves nothing."""
    pod = world.pod("a", "w-worker")
    fault = kill_containers("a")
    bench.inject(fault)
    pod["status"]["containerStatuses"][0]["state"] = {"running": {}}
    with pytest.raises(FaultNotApplied, match="kubelet to notice"):
        bench.observed(fault, 0.3)


def test_kill_by_selector(bench: Bench, world: World) -> None:
    """A selector chooses the pods; the API server is asked for them."""
    world.pod("a", "w-worker")
    bench.inject(kill_containers(selector="app=a"))
    assert not world.pod_containers["c1"]["running"]


@pytest.mark.parametrize(
    ("pods", "selector", "message"),
    [((), "", "either names"), (("a",), "b=c", "either names"), (("nobody",), "", "no pod gatekeeper-system/nobody")],
)
def test_kills_of_nobody_are_refused(bench: Bench, pods: tuple[str, ...], selector: str, message: str) -> None:
    """Nobody, both ways at once, and a pod that does not exist are refused."""
    with pytest.raises(BadScenario, match=message):
        bench.inject(kill_containers(*pods, selector=selector))


def test_kill_of_what_restarts(bench: Bench, world: World) -> None:
    """A pod whose container the node does not have any more is not killed: it restarts by itself."""
    world.pod("a", "w-worker")
    world.pod_containers["c1"]["running"] = False
    with pytest.raises(FaultNotApplied, match="restarting by itself"):
        bench.inject(kill_containers("a"))


def _replacing(world: World, node: str) -> None:
    def on_delete(name: str) -> None:
        del world.pods[name]
        world.pod("new", node, container="c2")

    world.on_delete = on_delete


def test_a_rescheduled_pod_is_proved_by_its_replacement(bench: Bench, world: World) -> None:
    """A deleted pod is proved by the one that replaces it elsewhere; its node takes pods again afterwards."""
    world.pod("a", "w-worker")
    _replacing(world, "w-worker2")
    fault = reschedule_pod("a")
    bench.inject(fault)
    assert world.cordoned == {"w-worker"}
    assert bench.observed(fault) == "a on w-worker is deleted, new replaces it on w-worker2"
    with pytest.raises(FaultNotApplied, match="cordoned"):
        bench.healed(fault)
    bench.heal(fault)
    bench.healed(fault)
    assert world.cordoned == set()
    assert bench.pending() == []


def test_cordon_that_does_nothing(bench: Bench, world: World) -> None:
    """A replacement on the same node is no rescheduled pod."""
    world.pod("a", "w-worker")
    _replacing(world, "w-worker")
    fault = reschedule_pod("a")
    bench.inject(fault)
    with pytest.raises(FaultNotApplied, match="replaced on another node"):
        bench.observed(fault, 0.3)


def test_a_sibling_is_no_replacement(bench: Bench, world: World) -> None:
    """A pod of the same owner that ran on the other node before replaces nobody."""
    world.pod("a", "w-worker")
    world.pod("b", "w-worker2", container="c2")
    world.on_delete = world.pods.__delitem__
    fault = reschedule_pod("a")
    bench.inject(fault)
    with pytest.raises(FaultNotApplied, match="replaced on another node"):
        bench.observed(fault, 0.3)
