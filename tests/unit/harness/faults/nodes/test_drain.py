"""Faults by which nodes leave: what a drain waits for and spares, and a node that cannot come back."""

from typing import Any

import pytest
from kubernetes.client import ApiClient

from chaos_harness.clusters.api import rest
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.machine.process import CommandResult
from chaos_harness.harness.errors import ApiUnreachable, CommandFailed, FaultNotApplied
from chaos_harness.harness.faults.nodes import drain
from chaos_harness.harness.faults.nodes.drain import drain_node, register
from tests.fakes.bench import Bench
from tests.fakes.node_world import NODE, NodeWorld


@pytest.fixture
def world() -> NodeWorld:
    return NodeWorld.inhabited()


def test_a_node_that_cannot_be_registered(cluster: Cluster, world: NodeWorld) -> None:
    """A Node object that the API server refuses is an error; one that is there already is none."""
    place: dict[str, Any] = {"control_plane": "w-control-plane", "node": NODE, "manifest": {}}
    for said, refused in (("Error from server (AlreadyExists): nodes exists", False), ("Forbidden", True)):
        answers = iter([CommandResult("", said, 1), CommandResult("", "", 0)])
        world.docker = lambda *_, answers=answers: next(answers)  # type: ignore[method-assign]
        if refused:
            with pytest.raises(CommandFailed, match="Forbidden"):
                register(cluster.engine, **place)
        else:
            register(cluster.engine, **place)


def test_drain_waits_for_budgets(bench: Bench, world: NodeWorld) -> None:
    """Pods that a disruption budget does not let go are evicted when it does."""
    world.budget = 2
    fault = drain_node(NODE)
    bench.inject(fault)
    assert "budgets refused 2 times: a" in bench.observed(fault)


def test_drain_that_never_ends(bench: Bench, world: NodeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """A node on which evicted pods stay is not drained."""
    monkeypatch.setattr(drain, "_DRAIN_SECONDS", 0.3)
    world.ignored = {"evict"}
    fault = drain_node(NODE)
    bench.inject(fault)
    with pytest.raises(FaultNotApplied, match="a is left and 1 pods were evicted"):
        bench.observed(fault, 0.3)


def test_drain_leaves_what_would_come_back(bench: Bench, world: NodeWorld) -> None:
    """Pods of DaemonSets and static pods stay, and pods of other nodes."""
    world.pod("daemon", NODE)["metadata"]["ownerReferences"] = [{"uid": "d", "kind": "DaemonSet"}]
    world.pod("static", NODE)["metadata"]["annotations"] = {"kubernetes.io/config.mirror": "x"}
    world.pod("b", "w-worker2")
    fault = drain_node(NODE)
    bench.inject(fault)
    bench.observed(fault)
    assert set(world.pods) == {"daemon", "static", "b"}


@pytest.mark.parametrize("unanswered", ["POST", "GET"])
def test_drain_without_an_answer(
    bench: Bench, world: NodeWorld, monkeypatch: pytest.MonkeyPatch, unanswered: str
) -> None:
    """Evictions that an API server does not answer are tried until time is up; then the node is not drained."""

    def answer(api: ApiClient, method: str, path: str, **options: Any) -> Any:
        if method == unanswered:
            raise ApiUnreachable(f"{method} {path}", TimeoutError("timed out"), timed_out=True)
        return rest.request(api, method, path, **options)

    monkeypatch.setattr(drain, "_DRAIN_SECONDS", 0.3)
    monkeypatch.setattr(drain, "request", answer)
    fault = drain_node(NODE)
    bench.inject(fault)
    with pytest.raises(FaultNotApplied, match=f"{unanswered} .*: no answer: timed out"):
        bench.observed(fault, 0.3)
