"""Faults that replace webhook pods, in a world of our own: each proves that it bit, and half a harm is found out."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.harness.errors import FaultNotApplied
from chaos_harness.harness.faults import ONE_SHOT, Fault
from chaos_harness.harness.faults.workloads.rollouts import (
    delete_replicas,
    evict_replicas,
    restart_rollout,
    scale_to_zero,
)
from chaos_harness.harness.history import read
from chaos_harness.harness.undo import journal
from chaos_harness.harness.undo.journal import Undo
from tests.fakes.bench import Bench
from tests.fakes.rollout_server import RolloutServer


@pytest.fixture
def world() -> RolloutServer:
    return RolloutServer()


@pytest.fixture
def cluster(world: RolloutServer, tmp_path: Path) -> Iterator[Cluster]:
    with world.cluster(tmp_path) as cluster:
        yield cluster


@pytest.mark.parametrize(
    ("fault", "how"),
    [(restart_rollout(), "rolled out"), (delete_replicas(), "deleted"), (evict_replicas(), "evicted")],
    ids=lambda argument: getattr(argument, "name", argument),
)
def test_all_replicas_are_replaced(bench: Bench, world: RolloutServer, fault: Fault, how: str) -> None:
    """All replicas go and others come; the history has who was harmed, and there is nothing to undo."""
    bench.inject(fault)
    proof = bench.observed(fault)
    assert f"a, b {how}, new-a, new-b came" in proof
    assert bench.pending() == []
    assert fault.healed is ONE_SHOT
    harm = [entry for entry in read(bench.history.path).entries if entry.process == "harm"]
    assert [(entry.f, entry.value["pod"]) for entry in harm] == [(how, "a"), (how, "b")]


def test_half_a_deletion_is_none(bench: Bench, world: RolloutServer) -> None:
    """If one of the replicas stays, not all of them were deleted."""
    world.stays = "b"
    fault = delete_replicas()
    bench.inject(fault)
    with pytest.raises(FaultNotApplied, match="to be deleted"):
        bench.observed(fault, 0.3)


def test_eviction_waits_for_the_budget(bench: Bench, world: RolloutServer) -> None:
    """A budget that refuses is asked again, and how often is told."""
    world.refusals = 2
    fault = evict_replicas()
    bench.inject(fault)
    assert bench.observed(fault).startswith("the disruption budget refused 2 times; ")


def test_budget_that_never_lets_go(bench: Bench, world: RolloutServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A budget that refuses for too long makes the fault not applied, in its words."""
    monkeypatch.setattr("chaos_harness.harness.faults.workloads.rollouts._EVICT_SECONDS", 0.2)
    world.refusals = 1000
    with pytest.raises(FaultNotApplied, match="Cannot evict pod"):
        bench.inject(evict_replicas())


def test_eviction_is_sent_again_when_there_was_no_answer(bench: Bench, world: RolloutServer) -> None:
    """A request without an answer was done or not: it is sent again, and the budget has refused nothing."""
    world.silences["POST"] = 2
    fault = evict_replicas()
    bench.inject(fault)
    assert world.silences["POST"] == 0
    assert bench.observed(fault).startswith("the disruption budget refused 0 times; ")


@pytest.mark.parametrize(
    ("fault", "verb"),
    [(restart_rollout, "PATCH"), (delete_replicas, "DELETE"), (evict_replicas, "POST"), (scale_to_zero, "PATCH")]
    + [(fault, "GET") for fault in (restart_rollout, delete_replicas, evict_replicas, scale_to_zero)],
)
def test_api_server_that_does_not_answer(
    bench: Bench, world: RolloutServer, monkeypatch: pytest.MonkeyPatch, fault: Callable[[], Fault], verb: str
) -> None:
    """A fault that needs an API server which does not answer is not applied, and says which request it was."""
    monkeypatch.setattr("chaos_harness.harness.faults.workloads.rollouts._EVICT_SECONDS", 0.2)
    world.silences[verb] = 1000
    with pytest.raises(FaultNotApplied, match=f"{verb} .*no answer"):
        bench.inject(fault())


def test_scales(bench: Bench, world: RolloutServer) -> None:
    """No replica is left, and as many as before are wanted afterwards."""
    fault = scale_to_zero()
    bench.inject(fault)
    assert world.replicas == 0
    assert [undo.action for undo in bench.pending()] == ["edits.restore"]
    assert "no webhook pod is left" in bench.observed(fault)
    with pytest.raises(FaultNotApplied, match="expected 2 replicas"):
        bench.healed(fault)
    bench.heal(fault)
    assert bench.healed(fault) == "2 replicas are wanted again"
    assert bench.pending() == []


def test_a_journal_of_an_earlier_version_is_replayed(bench: Bench, world: RolloutServer) -> None:
    """What was scaled by another version, whose undo had a name of its own, is scaled back."""
    world.replicas = 0
    bench.journal.record(Undo("rollouts.scale", {"control_plane": bench.cluster.control_planes[0], "replicas": 2}))
    journal.replay(bench.journal.path, bench.cluster.engine)
    assert world.replicas == 2
