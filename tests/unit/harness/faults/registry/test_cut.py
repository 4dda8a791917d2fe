"""Faults on registry and images, in a world of our own: each proves that it bit, and that it is healed."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.machine.process import CommandResult
from chaos_harness.harness.errors import BadScenario, DeadlineExceeded, FaultNotApplied, UndoFailed
from chaos_harness.harness.faults import Fault
from chaos_harness.harness.faults.registry.cut import cut_registry
from chaos_harness.harness.faults.registry.remove_image import pull, remove_image
from chaos_harness.harness.undo import journal
from tests.fakes.bench import Bench
from tests.fakes.world import IMAGE, World, WorldEngine

LASTING: dict[str, tuple[Callable[[], Fault], str]] = {
    "stop": (lambda: cut_registry("stop"), "is exited"),
    "drop": (lambda: cut_registry("drop"), "dropped 3 packets"),
    "drop-on-one": (lambda: cut_registry("drop", nodes=["w-worker"]), "w-worker2: 200"),
    "503": (lambda: cut_registry("503"), "requests with status 503"),
    "image": (lambda: remove_image(IMAGE), "does not list"),
}


@pytest.mark.parametrize("name", LASTING)
def test_proves_and_heals(bench: Bench, name: str) -> None:
    """A fault proves that it bit, heals, proves that too, and leaves nothing in the journal."""
    make, proof = LASTING[name]
    fault = make()
    bench.inject(fault)
    assert proof in bench.observed(fault)
    with pytest.raises(FaultNotApplied):
        bench.healed(fault, 0.1)
    assert bench.pending()
    bench.heal(fault)
    bench.healed(fault)
    assert bench.pending() == []


@pytest.mark.parametrize(
    "fault",
    [
        cut_registry("drop", nodes=["w-worker", "kind-control-plane"]),
        remove_image(IMAGE, ["w-worker", "kind-control-plane"]),
    ],
    ids=lambda fault: fault.name,
)
def test_a_node_of_another_cluster(bench: Bench, world: World, fault: Fault) -> None:
    """One name that is none of the cluster's own is told before the first node is touched."""
    with pytest.raises(BadScenario, match="cluster w has no node 'kind-control-plane'; there are w-control-plane, w-"):
        bench.inject(fault)
    assert bench.pending() == []
    assert world.asked == []


def test_undo_on_a_frozen_node(bench: Bench, world: World) -> None:
    """An undo that cannot be done yet, because the node is paused, stays in the journal."""
    bench.inject(cut_registry("drop", nodes=["w-worker"]))
    world.containers["w-worker"].status = "paused"
    with pytest.raises(UndoFailed, match="is paused"):
        journal.replay(bench.journal.path, bench.cluster.engine)
    assert len(bench.pending()) == 1


def test_rule_that_counts_nothing(bench: Bench, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule that drops no packet proves nothing, even if the registry does not answer for another reason."""
    fault = cut_registry("drop")
    bench.inject(fault)
    monkeypatch.setattr(world, "ask_registry", lambda *_: CommandResult("000", "curl: (28) Connection timed out", 28))
    with pytest.raises(FaultNotApplied, match="dropped none"):
        bench.observed(fault)


def test_the_password_is_no_argument(bench: Bench, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A node asks with the password, which it is told in a way that no list of processes shows."""
    inputs: list[str] = []
    run = WorldEngine.run

    def watched(engine: WorldEngine, argv: Sequence[str], deadline: Deadline, **options: Any) -> CommandResult:
        inputs.append(options.get("stdin") or "")
        return run(engine, argv, deadline, **options)

    monkeypatch.setattr(WorldEngine, "run", watched)
    fault = cut_registry("stop")
    bench.inject(fault)
    bench.observed(fault)
    bench.heal(fault)
    bench.healed(fault)
    assert bench.cluster.registry
    login = bench.cluster.registry.login
    assert set(inputs) == {"", f'header = "Authorization: {login.authorization}"\n'}
    secrets = (login.path.read_text(), login.authorization.removeprefix("Basic "))
    written = "".join(path.read_text() for path in (bench.journal.path, bench.history.path))
    assert [secret for secret in secrets if secret in "\n".join(world.asked) + written] == []


def test_unreachable_but_running(bench: Bench, world: World) -> None:
    """A registry that gives no answer, but whose container runs, is not stopped."""
    world.ignored = {"stop"}
    for node in bench.cluster.nodes():
        world.containers[node].rules = [("OUTPUT -d 10.0.0.254 -j DROP", 0)]
    fault = cut_registry("stop")
    bench.inject(fault)
    with pytest.raises(FaultNotApplied, match="to be exited, it is running"):
        bench.observed(fault, 0.1)


def test_503_of_somebody_else(bench: Bench, world: World) -> None:
    """A 503 that the registry did not log is not the registry's."""
    fault = cut_registry("503")
    bench.inject(fault)
    world.ignored = {"logs"}
    with pytest.raises(FaultNotApplied, match="logged no request"):
        bench.observed(fault)


def test_rule_that_is_left(bench: Bench, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A registry that answers does not prove that the rule is gone."""
    fault = cut_registry("drop")
    bench.inject(fault)
    monkeypatch.setattr(world, "ask_registry", lambda *_: CommandResult("200", "", 0))
    with pytest.raises(FaultNotApplied, match="it is still there"):
        bench.healed(fault)


def test_every_copy_of_a_rule_goes(bench: Bench, world: World) -> None:
    """Healing deletes each copy of the rule, should it stand there twice."""
    fault = cut_registry("drop", nodes=["w-worker"])
    bench.inject(fault)
    world.containers["w-worker"].rules *= 2
    bench.heal(fault)
    assert world.containers["w-worker"].rules == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"how": "burn"}, "expected 'stop', 'drop' or '503'"), ({"nodes": ["w"]}, "only 'drop' can choose nodes")],
)
def test_unknown_ways_to_cut_are_refused(arguments: dict[str, object], message: str) -> None:
    """A way to cut that does not exist is refused before anything is touched."""
    with pytest.raises(BadScenario, match=message):
        cut_registry(**arguments)  # type: ignore[arg-type]


def test_pull_gives_up(bench: Bench, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """An image that cannot be pulled is told with what the node said last."""
    monkeypatch.setattr("chaos_harness.harness.faults.registry.remove_image._PULL_SECONDS", 0.1)
    world.containers["w-worker"].images = set()
    world.running = False
    with pytest.raises(DeadlineExceeded, match="failed to pull"):
        pull(bench.cluster.engine, node="w-worker", image=IMAGE)
