"""Paused containers, in a world of our own: they stand still, go on, and a no-op is found out."""

from collections.abc import Sequence

import pytest

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.machine.process import CommandResult
from chaos_harness.harness.errors import BadScenario, FaultNotApplied, UndoFailed
from chaos_harness.harness.faults.workloads.pause_containers import _GO_ON, _STATES, PAUSED, pause_containers
from chaos_harness.harness.history import read
from chaos_harness.harness.undo import journal
from tests.fakes.bench import Bench
from tests.fakes.docker import Container
from tests.fakes.world import World

NODE = "w-worker"
SELECTOR = "k8s-app=kube-proxy"


class Threads(World):
    """A node with one container; what is `said` of its threads is told in turn in place of the truth."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []
        self.refuses = ""

    def script(self, container: Container, script: str, words: Sequence[str]) -> CommandResult:
        if script == _STATES and self.said:
            said = self.said.pop(0) if len(self.said) > 1 else self.said[0]
            return CommandResult(f"{said}\n", "", 0)
        if script == _GO_ON and self.refuses:
            return CommandResult(self.refuses, "", 1)
        return super().script(container, script, words)


@pytest.fixture
def world() -> Threads:
    world = Threads()
    world.pod("proxy", NODE)
    return world


def test_proved_and_healed(bench: Bench, world: Threads) -> None:
    """The kernel runs none of the threads for a while, then it does again, and the history has whom it was done to."""
    fault = pause_containers(selector=SELECTOR)
    bench.inject(fault)
    assert world.containers[NODE].halted == {"4711"}
    assert bench.observed(fault) == f"all 2 threads of proxy on {NODE} stand still, none ran for 0.2 s"
    with pytest.raises(FaultNotApplied, match=r"expected proxy on w-worker to go on, 2 of 2 threads stand still"):
        bench.healed(fault)
    assert [undo.action for undo in bench.pending()] == ["containers.go_on"]
    bench.heal(fault)
    assert bench.healed(fault) == f"proxy on {NODE} goes on"
    assert bench.pending() == []
    harm = [entry for entry in read(bench.history.path).entries if entry.process == "harm"]
    assert [(entry.f, entry.value["pod"], entry.value["node"]) for entry in harm] == [(PAUSED, "proxy", NODE)]


@pytest.mark.parametrize(
    ("said", "running"),
    [(["SS 7"], 2), (["TS 7"], 1), ([f"TT {times}" for times in range(99)], 0)],
    ids=["all run", "one runs", "they ran meanwhile"],
)
def test_no_op(bench: Bench, world: Threads, said: list[str], running: int) -> None:
    """Threads that run, or were scheduled since, do not stand still."""
    fault = pause_containers("proxy")
    bench.inject(fault)
    world.said = said
    with pytest.raises(FaultNotApplied, match=f"expected all threads of proxy on w-worker to .*, {running} run"):
        bench.observed(fault, 0.5)


def test_that_nobody_is_stopped_heals_nothing(bench: Bench, world: Threads) -> None:
    """A thread that was not scheduled since it stood still has not gone on."""
    fault = pause_containers("proxy")
    bench.inject(fault)
    world.said = ["TT 7"]
    bench.observed(fault)
    bench.heal(fault)
    world.said = ["SS 7"]
    with pytest.raises(FaultNotApplied, match="none of its threads has run since it stood still"):
        bench.healed(fault)
    world.said = ["SS 8"]
    assert bench.healed(fault) == f"proxy on {NODE} goes on"


def test_a_container_that_was_restarted(bench: Bench, world: Threads) -> None:
    """With its container the fault has faded, and its undo has nothing to do."""
    fault = pause_containers("proxy")
    bench.inject(fault)
    world.pod_containers.clear()
    with pytest.raises(FaultNotApplied, match="faded: a container of proxy on w-worker has ended"):
        bench.observed(fault)
    bench.heal(fault)
    assert bench.healed(fault) == f"the container of proxy on {NODE} that stood still has ended"


def test_one_that_stands_still_is_left_alone(bench: Bench, world: Threads) -> None:
    """Whoever stopped it has it go on: nothing is done, and nothing promised."""
    bench.inject(pause_containers("proxy"))
    before = bench.pending()
    with pytest.raises(FaultNotApplied, match="proxy on w-worker to run, it stands still already: is another fault"):
        bench.inject(pause_containers(selector=SELECTOR))
    assert bench.pending() == before


def test_undone_after_a_crash(bench: Bench, world: Threads, cluster: Cluster) -> None:
    """A replay has it go on; a container or node that is gone needs nothing."""
    bench.inject(pause_containers("proxy"))
    assert journal.replay(bench.journal.path, cluster.engine)
    assert world.containers[NODE].halted == set()
    bench.inject(pause_containers("proxy"))
    del world.containers[NODE]
    assert journal.replay(bench.journal.path, cluster.engine)


def test_an_undo_that_fails_is_told(bench: Bench, world: Threads) -> None:
    """If a process still stands still, the undo says so and stays in the journal."""
    fault = pause_containers("proxy")
    bench.inject(fault)
    world.refuses = "State:\tT (stopped)\n"
    with pytest.raises(UndoFailed, match=r"cpu/kubepods/4711 on w-worker could not go on: State: T \(stopped\)"):
        bench.heal(fault)
    assert len(bench.pending()) == 1


@pytest.mark.parametrize(("pods", "selector"), [((), ""), (("a",), "b=c")])
def test_pods_by_name_or_by_selector(pods: Sequence[str], selector: str) -> None:
    """Neither or both are refused before anything is touched."""
    with pytest.raises(BadScenario, match="expected either names of pods or a selector"):
        pause_containers(*pods, selector=selector)
