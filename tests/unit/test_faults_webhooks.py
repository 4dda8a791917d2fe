"""Webhooks: the failurePolicy of mutation is set for a block and set back, in a world of our own."""

from typing import Any

import pytest

from clusters.cluster import Cluster
from clusters.process import Completed
from harness import journal
from harness.errors import BadScenario, CommandFailed
from harness.faults.webhooks import fail_mutation, set_failure_policy
from tests.fakes.bench import Bench
from tests.fakes.lossy import LossyWorld


@pytest.fixture
def world() -> LossyWorld:
    return LossyWorld()


def test_sets_and_sets_back(bench: Bench, world: LossyWorld) -> None:
    """The policy is what was asked for inside the block, and what it was before afterwards."""
    with fail_mutation("Fail").make(bench.cluster, bench.journal) as proof:
        assert world.policy_of_mutation == "Fail"
        assert proof == "failurePolicy of mutation.gatekeeper.sh is Fail, was Ignore"
        assert bench.pending()
    assert world.policy_of_mutation == "Ignore"
    assert bench.pending() == []


def test_a_crash_sets_it_back(bench: Bench, world: LossyWorld) -> None:
    """What the journal has sets the policy back after a crash."""
    block = fail_mutation("Fail").make(bench.cluster, bench.journal)
    block.__enter__()
    journal.replay(bench.journal.path, bench.cluster.engine)
    assert world.policy_of_mutation == "Ignore"
    block.__exit__(None, None, None)


def test_refused(cluster: Cluster, world: LossyWorld) -> None:
    """A patch that is refused is an error; a cluster or configuration that is gone needs none."""
    place = {"control_plane": "w-control-plane", "policy": "Ignore"}
    gone = (
        "Error: No such container: w-control-plane",
        'Error from server (NotFound): "gatekeeper" not found',
        "connection refused",
    )
    answers = iter([Completed("", said, 1) for said in gone])
    world.answer = lambda words: next(answers)  # type: ignore[method-assign]
    for _ in gone[:2]:
        set_failure_policy(cluster.engine, **place)
    with pytest.raises(CommandFailed, match="connection refused"):
        set_failure_policy(cluster.engine, **place)


def test_unknown_policy() -> None:
    """A failurePolicy that the API does not know is refused."""
    unknown: Any = "Maybe"
    with pytest.raises(BadScenario, match="expected one of Ignore, Fail"):
        fail_mutation(unknown)
