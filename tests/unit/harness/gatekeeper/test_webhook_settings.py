"""Webhooks: failurePolicy and time-outs are set for a block and set back, in a world of our own."""

from typing import Any

import pytest

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.machine.process import CommandResult
from chaos_harness.harness.errors import BadScenario, CommandFailed, PreparationFailed
from chaos_harness.harness.gatekeeper.webhook_settings import fail_closed, fail_mutation, set_back, time_out_webhooks
from chaos_harness.harness.preparation import Preparation
from chaos_harness.harness.undo import journal
from tests.fakes.bench import Bench
from tests.fakes.node_world import NodeWorld

SHIPPED = NodeWorld().webhooks


@pytest.fixture
def world() -> NodeWorld:
    return NodeWorld()


def of(world: NodeWorld, field: str) -> list[Any]:
    """Return a field of both webhooks."""
    return [webhook[field] for webhook in world.webhooks.values()]


@pytest.mark.parametrize(
    ("preparation", "field", "inside", "sentence"),
    [
        (
            fail_mutation("Fail"),
            "failurePolicy",
            ["Fail", "Ignore"],
            "failurePolicy of mutation.gatekeeper.sh is Fail, was Ignore",
        ),
        (fail_closed(), "failurePolicy", ["Fail", "Fail"], "failurePolicy of validation.gatekeeper.sh is Fail"),
        (
            time_out_webhooks(validation=5),
            "timeoutSeconds",
            [1, 5],
            "timeoutSeconds of validation.gatekeeper.sh is 5, was 3",
        ),
    ],
    ids=["mutation", "both", "time-outs"],
)
def test_sets_and_sets_back(
    bench: Bench, world: NodeWorld, preparation: Preparation, field: str, inside: list[Any], sentence: str
) -> None:
    """A field is what was asked for inside the block, and what it was before afterwards."""
    with preparation.make(bench.cluster, bench.journal) as proof:
        assert of(world, field) == inside
        assert sentence in proof
        assert bench.pending()
    assert world.webhooks == SHIPPED
    assert bench.pending() == []


def test_a_crash_sets_it_back(bench: Bench, world: NodeWorld) -> None:
    """What the journal has sets all back after a crash."""
    block = fail_closed().make(bench.cluster, bench.journal)
    block.__enter__()
    assert world.webhooks != SHIPPED
    journal.replay(bench.journal.path, bench.cluster.engine)
    assert world.webhooks == SHIPPED
    block.__exit__(None, None, None)


def test_patches_that_are_refused_are_told(cluster: Cluster, world: NodeWorld) -> None:
    """A patch that is refused is an error; a cluster or configuration that is gone needs none."""
    place: dict[str, Any] = {"control_plane": "w-control-plane", "kind": "mutatingwebhookconfiguration"}
    gone = (
        "Error: No such container: w-control-plane",
        'Error from server (NotFound): "gatekeeper" not found',
        "connection refused",
    )
    answers = iter([CommandResult("", refusal, 1) for refusal in gone])
    world.docker = lambda *_: next(answers)  # type: ignore[method-assign]
    for _ in gone[:2]:
        set_back(cluster.engine, **place, configuration="g", patch="{}")
    with pytest.raises(CommandFailed, match="connection refused"):
        set_back(cluster.engine, **place, configuration="g", patch="{}")


def test_webhook_that_is_not_there(bench: Bench, world: NodeWorld) -> None:
    """A configuration without Gatekeeper's webhook, as without mutation, is told with what it has; nothing is set."""
    del world.webhooks["mutation.gatekeeper.sh"]
    before = dict(world.webhooks)
    with pytest.raises(PreparationFailed, match=r"expected a webhook mutation\.gatekeeper\.sh of gatekeeper-system"):
        fail_closed().make(bench.cluster, bench.journal).__enter__()
    assert world.webhooks == before
    assert bench.pending() == []


def test_an_unknown_failure_policy_is_refused() -> None:
    """A failurePolicy that the API does not know is refused."""
    unknown: Any = "Maybe"
    with pytest.raises(BadScenario, match="expected one of Ignore, Fail"):
        fail_mutation(unknown)


@pytest.mark.parametrize("seconds", [0, 31])
def test_impossible_time_out(seconds: int) -> None:
    """A time-out that the API server does not take is refused before anything is touched."""
    with pytest.raises(BadScenario, match="takes 1 to 30 s"):
        time_out_webhooks(mutation=seconds)
