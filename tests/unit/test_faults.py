"""Faults, in a world of our own: each proves that it bit and that it is healed, and a no-op is found out."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from clusters.cluster import Cluster
from clusters.deadline import Deadline
from clusters.process import Completed
from harness import journal
from harness.errors import BadScenario, CommandFailed, FaultNotApplied, UndoFailed
from harness.faults import Fault
from harness.faults.containers import kill_containers
from harness.faults.images import pull, remove_image
from harness.faults.pods import reschedule_pod
from harness.faults.registry import cut_registry
from harness.history import History, read
from harness.journal import Journal, Undo
from tests.fakes.world import IMAGE, World


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def cluster(world: World, tmp_path: Path) -> Iterator[Cluster]:
    with world.cluster(tmp_path) as cluster:
        yield cluster


class Bench:
    """A cluster with journal and history, on which faults are tried."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self.cluster = cluster
        self.journal = Journal(folder / "journal.jsonl")
        self.history = History(folder / "history.jsonl")

    def inject(self, fault: Fault) -> None:
        fault.inject(self.cluster, self.journal, self.history)

    def heal(self, fault: Fault) -> None:
        fault.heal(self.cluster, self.journal, self.history)

    def observed(self, fault: Fault, seconds: float = 5) -> str:
        return fault.observed(self.cluster, Deadline.after(seconds, "the proof"))

    def healed(self, fault: Fault, seconds: float = 5) -> str:
        return fault.healed(self.cluster, Deadline.after(seconds, "the proof"))

    def pending(self) -> list[Undo]:
        return journal.pending(self.journal.path)

    def close(self) -> None:
        self.journal.close()
        self.history.close()


@pytest.fixture
def bench(cluster: Cluster, tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(cluster, tmp_path)
    yield bench
    bench.close()


LASTING: dict[str, tuple[Callable[[], Fault], str, str]] = {
    "stop": (lambda: cut_registry("stop"), "stop", "is exited"),
    "drop": (lambda: cut_registry("drop"), "-I", "dropped 3 packets"),
    "drop-on-one": (lambda: cut_registry("drop", nodes=["w-worker"]), "-I", "w-worker2: 200"),
    "503": (lambda: cut_registry("503"), "touch", "requests with status 503"),
    "image": (lambda: remove_image(IMAGE), "rmi", "does not list"),
}
lasting = pytest.mark.parametrize("name", LASTING)


@lasting
def test_proves_and_heals(bench: Bench, name: str) -> None:
    """A fault proves that it bit, heals, proves that too, and leaves nothing in the journal."""
    make, _, proof = LASTING[name]
    fault = make()
    bench.inject(fault)
    assert proof in bench.observed(fault)
    with pytest.raises(FaultNotApplied):
        bench.healed(fault, 0.1)
    assert bench.pending()
    bench.heal(fault)
    bench.healed(fault)
    assert bench.pending() == []


@lasting
def test_no_op_is_found_out(bench: Bench, world: World, name: str) -> None:
    """A fault whose harm does nothing is not applied, however well its commands ended."""
    make, command, _ = LASTING[name]
    world.ignored = {command}
    fault = make()
    bench.inject(fault)
    with pytest.raises(FaultNotApplied):
        bench.observed(fault, 0.1)


@lasting
def test_undo_stands_before_the_harm(bench: Bench, world: World, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """The undo is in the journal when the harm is done, and a replay after a crash heals it, twice too."""
    make, command, _ = LASTING[name]
    seen: list[int] = []
    answer = world.answer

    def watched(words: list[str]) -> Completed:
        if command in words:
            seen.append(len(bench.pending()))
        return answer(words)

    monkeypatch.setattr(world, "answer", watched)
    fault = make()
    bench.inject(fault)
    assert seen
    assert all(seen)
    undos = bench.pending()
    assert journal.replay(bench.journal.path, bench.cluster.engine)
    bench.healed(fault)
    for undo in undos:
        bench.journal.record(undo)
    journal.replay(bench.journal.path, bench.cluster.engine)
    bench.healed(fault)


@lasting
def test_undo_of_what_is_gone(bench: Bench, world: World, name: str) -> None:
    """An undo succeeds when the container that it would heal is gone."""
    bench.inject(LASTING[name][0]())
    world.gone = {"w-registry", *bench.cluster.nodes()}
    assert journal.replay(bench.journal.path, bench.cluster.engine)


def test_undo_on_a_frozen_node(bench: Bench, world: World) -> None:
    """An undo that cannot be done yet, because the node is paused, stays in the journal."""
    bench.inject(cut_registry("drop", nodes=["w-worker"]))
    world.paused = {"w-worker"}
    with pytest.raises(UndoFailed, match="is paused"):
        journal.replay(bench.journal.path, bench.cluster.engine)
    assert len(bench.pending()) == 1


def test_rule_that_counts_nothing(bench: Bench, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule that drops no packet proves nothing, even if the registry does not answer for another reason."""
    fault = cut_registry("drop")
    bench.inject(fault)
    monkeypatch.setattr(world, "_curl", lambda *_: Completed("000", "curl: (28) Connection timed out", 28))
    with pytest.raises(FaultNotApplied, match="dropped none"):
        bench.observed(fault)


def test_unreachable_but_running(bench: Bench, world: World) -> None:
    """A registry that gives no answer, but whose container runs, is not stopped."""
    world.ignored = {"stop"}
    world.rules = {node: [("another rule", 0)] for node in bench.cluster.nodes()}
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
    monkeypatch.setattr(world, "_curl", lambda *_: Completed("200", "", 0))
    with pytest.raises(FaultNotApplied, match="to be gone"):
        bench.healed(fault)


def test_every_copy_of_a_rule_goes(bench: Bench, world: World) -> None:
    """Healing deletes each copy of the rule, should it stand there twice."""
    fault = cut_registry("drop", nodes=["w-worker"])
    bench.inject(fault)
    world.rules["w-worker"] *= 2
    bench.heal(fault)
    assert world.rules["w-worker"] == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"how": "burn"}, "expected 'stop', 'drop' or '503'"), ({"nodes": ["w"]}, "only 'drop' can choose nodes")],
)
def test_bad_cut(arguments: dict[str, object], message: str) -> None:
    """A way to cut that does not exist is refused before anything is touched."""
    with pytest.raises(BadScenario, match=message):
        cut_registry(**arguments)  # type: ignore[arg-type]


def test_pull_gives_up(bench: Bench, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """An image that cannot be pulled is told with what the node said last."""
    monkeypatch.setattr("harness.faults.images._PULL_SECONDS", 0.1)
    world.images["w-worker"] = set()
    world.running = False
    with pytest.raises(CommandFailed, match="failed to pull"):
        pull(bench.cluster.engine, node="w-worker", image=IMAGE)


def test_kills(bench: Bench, world: World) -> None:
    """Killed containers are proved by the node and by the kubelet; the history has who was killed when."""
    world.pod("a", "w-worker")
    fault = kill_containers("a")
    bench.inject(fault)
    proof = bench.observed(fault)
    assert "container c1 of a on w-worker is exited (exit code 137)" in proof
    assert "a restarts: 0, waiting" in proof
    bench.heal(fault)
    bench.healed(fault)
    harm = [entry for entry in read(bench.history.path).entries if entry.process == "harm"]
    assert [(entry.f, entry.value["pod"], entry.value["containers"]) for entry in harm] == [("killed", "a", ["c1"])]


def test_kill_that_does_nothing(bench: Bench, world: World) -> None:
    """A kill after which the container still runs is not applied."""
    world.pod("a", "w-worker")
    world.ignored = {"kill"}
    fault = kill_containers("a")
    bench.inject(fault)
    with pytest.raises(FaultNotApplied, match="to be dead"):
        bench.observed(fault, 0.1)


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
    assert not world.containers["c1"]["running"]


@pytest.mark.parametrize(
    ("pods", "selector", "message"),
    [((), "", "either names"), (("a",), "b=c", "either names"), (("nobody",), "", "no pod gatekeeper-system/nobody")],
)
def test_bad_kill(bench: Bench, pods: tuple[str, ...], selector: str, message: str) -> None:
    """Nobody, both ways at once, and a pod that does not exist are refused."""
    with pytest.raises(BadScenario, match=message):
        bench.inject(kill_containers(*pods, selector=selector))


def test_kill_of_what_restarts(bench: Bench, world: World) -> None:
    """A pod whose container the node does not have any more is not killed: it restarts by itself."""
    world.pod("a", "w-worker")
    world.containers["c1"]["running"] = False
    with pytest.raises(FaultNotApplied, match="restarting by itself"):
        bench.inject(kill_containers("a"))


def _replacing(world: World, node: str) -> None:
    def on_delete(name: str) -> None:
        del world.pods[name]
        world.pod("new", node, container="c2")

    world.on_delete = on_delete


def test_reschedules(bench: Bench, world: World) -> None:
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


def test_cordon_is_undone_after_a_crash(bench: Bench, world: World) -> None:
    """What the journal has of a rescheduled pod lets its node take pods again."""
    world.pod("a", "w-worker")
    bench.inject(reschedule_pod("a"))
    journal.replay(bench.journal.path, bench.cluster.engine)
    assert world.cordoned == set()


def test_delete_that_does_nothing(bench: Bench, world: World) -> None:
    """A pod that is not deleted is not rescheduled."""
    world.pod("a", "w-worker")
    fault = reschedule_pod("a")
    bench.inject(fault)
    with pytest.raises(FaultNotApplied, match="replaced on another node"):
        bench.observed(fault, 0.3)


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
