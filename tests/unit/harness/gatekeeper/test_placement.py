"""Placement: Gatekeeper's pods are brought where an experiment wants them, in a world of our own."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.harness.errors import PreparationFailed
from chaos_harness.harness.gatekeeper.placement import place_gatekeeper
from tests.fakes.bench import Bench
from tests.fakes.node_world import NodeWorld

WORKERS = ("w-worker", "w-worker2")


class Placed(NodeWorld):
    """A world whose deleted pods come back where pods may go, the emptiest such node first."""

    def __init__(self) -> None:
        super().__init__()
        self.born = 0
        self.on_delete = self._replace
        for operation, node in (("webhook", 0), ("webhook", 0), ("webhook", 1), ("audit", 0)):
            self.add(operation, WORKERS[node])

    def add(self, operation: str, node: str) -> None:
        self.born += 1
        pod: dict[str, Any] = self.pod(f"{operation}-{self.born}", node, container=f"c{self.born}")
        pod["metadata"]["labels"] = {"gatekeeper.sh/operation": operation}
        pod["status"]["conditions"] = [{"type": "Ready", "status": "True"}]

    def count(self, operation: str, node: str) -> int:
        return sum(name.startswith(operation) for name, pod in self.pods.items() if pod["spec"]["nodeName"] == node)

    def _replace(self, name: str) -> None:
        operation = self.pods.pop(name)["metadata"]["labels"]["gatekeeper.sh/operation"]
        free = [node for node in WORKERS if node not in self.cordoned]
        self.add(operation, min(free, key=lambda node: self.count(operation, node)))


@pytest.fixture
def world() -> Placed:
    return Placed()


@pytest.fixture
def cluster(world: Placed, tmp_path: Path) -> Iterator[Cluster]:
    with world.cluster(tmp_path) as cluster:
        yield cluster


@pytest.mark.parametrize("webhooks", [0, 1, 3])
@pytest.mark.parametrize("audit", [False, True])
@pytest.mark.parametrize("node", WORKERS)
def test_places(bench: Bench, world: Placed, webhooks: int, audit: bool, node: str) -> None:
    """As many webhook pods as wanted are on the node, the audit pod or not, and every node takes pods afterwards."""
    with place_gatekeeper(node, webhooks=webhooks, audit=audit).make(bench.cluster, bench.journal) as proof:
        assert (world.count("webhook", node), world.count("audit", node)) == (webhooks, int(audit))
        assert len(world.pods) == 4
        assert proof.count(f"on {node}") >= webhooks + audit
    assert world.cordoned == set()
    assert bench.pending() == []


def test_nothing_to_do(bench: Bench, world: Placed) -> None:
    """Pods that are where they are wanted stay the same."""
    before = set(world.pods)
    with place_gatekeeper("w-worker", webhooks=2, audit=True).make(bench.cluster, bench.journal):
        assert set(world.pods) == before


def test_more_than_there_are(bench: Bench) -> None:
    """More webhook pods than Gatekeeper has cannot be placed."""
    with (
        pytest.raises(PreparationFailed, match=r"last seen .*; Gatekeeper has {'webhook': 3, "),
        place_gatekeeper("w-worker", webhooks=4, audit=False).make(bench.cluster, bench.journal),
    ):
        pytest.fail("the block was entered")


@pytest.mark.parametrize("node", ["w-control-plane", "nobody"])
def test_bad_node(bench: Bench, node: str) -> None:
    """Only a worker beside others can be chosen."""
    block = place_gatekeeper(node, webhooks=1, audit=True).make(bench.cluster, bench.journal)
    with pytest.raises(PreparationFailed, match="a worker beside others"):
        block.__enter__()
