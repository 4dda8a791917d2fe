"""Rollouts: when a replacement counts, and an API server that does not answer; how they work is in tests/api."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.harness.errors import FaultNotApplied
from chaos_harness.harness.faults import Fault
from chaos_harness.harness.faults.targets import Target
from chaos_harness.harness.faults.workloads.rollouts import (
    DELETED,
    ROLLED,
    _Replacement,
    delete_replicas,
    evict_replicas,
    restart_rollout,
    scale_to_zero,
)
from tests.fakes.bench import Bench
from tests.fakes.rollout_server import RolloutServer


@pytest.fixture
def world() -> RolloutServer:
    return RolloutServer()


@pytest.fixture
def cluster(world: RolloutServer, tmp_path: Path) -> Iterator[Cluster]:
    with world.cluster(tmp_path) as cluster:
        yield cluster


def pods(**leaving: bool) -> dict[str, dict[str, dict[str, str]]]:
    return {
        name: {"metadata": {"name": name, "uid": name, **({"deletionTimestamp": "now"} if gone else {})}}
        for name, gone in leaving.items()
    }


@pytest.mark.parametrize(
    ("how", "state", "seen"),
    [
        (DELETED, pods(a=True, new=False), "a, b deleted, new came"),
        (DELETED, pods(a=False, new=False), ""),
        (DELETED, pods(a=True, b=True), ""),
        (ROLLED, pods(a=False, new=False), "b of 2 webhook pods rolled out, new came"),
        (ROLLED, pods(a=False, b=False, new=False), ""),
    ],
)
def test_half_a_deletion_is_none(how: str, state: dict[str, dict[str, dict[str, str]]], seen: str) -> None:
    """All must be on their way out, or one in a rollout, and another one must have come."""
    fault = _Replacement("x", how, lambda *_: "")
    fault._targets = [Target(name, name, "node", (), "owner") for name in ("a", "b")]
    assert fault._describe_replacement(state).startswith(seen)
    assert bool(fault._describe_replacement(state)) == bool(seen)


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
