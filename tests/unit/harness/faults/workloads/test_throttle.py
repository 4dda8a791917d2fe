"""Throttle, in a world of our own: the limit is written, proved, given back, and a no-op is found out."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.machine.process import CommandResult
from chaos_harness.harness.errors import BadScenario, FaultNotApplied, UndoFailed
from chaos_harness.harness.faults.workloads.throttle import _BURN as BURN
from chaos_harness.harness.faults.workloads.throttle import throttle
from chaos_harness.harness.undo import journal
from tests.fakes.bench import Bench
from tests.fakes.docker import Container
from tests.fakes.world import World

V1, V2 = "/cgroup/cpu/pod/cpu.cfs_quota_us", "/cgroup/pod/cpu.max"
SELECTOR = "gatekeeper.sh/operation=audit"


class Cgroups(World):
    """A node with one container's cgroup; of `periods` so many are `held` in which who wanted more had to wait."""

    def __init__(self) -> None:
        super().__init__()
        self.files = {V1: "-1"}
        self.held, self.periods = 2, 3

    @property
    def files(self) -> dict[str, str]:
        """What limits the one container, and to what."""
        return self.containers["w-worker"].files

    @files.setter
    def files(self, files: dict[str, str]) -> None:
        self.containers["w-worker"].files = files

    def limiting_file(self, container: Container) -> str:
        (file,) = container.files
        return file

    def script(self, container: Container, script: str, words: Sequence[str]) -> CommandResult:
        if script == BURN:
            return CommandResult(f"{self.held} {self.periods}\n", "", 0)
        return super().script(container, script, words)


@pytest.fixture
def world() -> Cgroups:
    world = Cgroups()
    world.pod("audit", "w-worker")
    return world


@pytest.fixture
def cluster(world: Cgroups, tmp_path: Path) -> Iterator[Cluster]:
    with world.cluster(tmp_path) as cluster:
        yield cluster


@pytest.mark.parametrize(
    ("file", "before", "limit"), [(V1, "-1", "10000"), (V2, "max 100000", "10000 100000")], ids=["v1", "v2"]
)
def test_a_limit_is_set_proved_and_given_back(bench: Bench, world: Cgroups, file: str, before: str, limit: str) -> None:
    """The kernel's limit is what was asked for, the kernel counts by it, and afterwards it is as before."""
    world.files = {file: before}
    fault = throttle(SELECTOR, 0.1)
    bench.inject(fault)
    assert world.files == {file: limit}
    assert bench.observed(fault) == f"{file} on w-worker says {limit}; throttled in 2 of 3 periods"
    assert [undo.arguments["limit"] for undo in bench.pending()] == [before]
    bench.heal(fault)
    assert world.files == {file: before}
    assert "1 containers have" in bench.healed(fault)
    assert bench.pending() == []


def test_a_container_that_restarted(bench: Bench, world: Cgroups) -> None:
    """With a container its limit goes: that is no proof any more, and nothing that keeps it from being healed."""
    fault = throttle(SELECTOR, 0.1)
    bench.inject(fault)
    world.files = {}
    with pytest.raises(FaultNotApplied, match="faded: a container of audit on w-worker has ended, and its limit"):
        bench.observed(fault)

    bench.heal(fault)
    assert bench.pending() == []
    assert "1 containers have" in bench.healed(fault)


def test_no_op(bench: Bench, world: Cgroups) -> None:
    """A limit that was not written, or that holds back nobody, is not applied, however long it has been counted by."""
    fault = throttle(SELECTOR, 0.1)
    bench.inject(fault)
    world.held, world.periods = 0, 90000
    with pytest.raises(FaultNotApplied, match="it did so in none of 90000 periods"):
        bench.observed(fault, 0.3)
    world.files[V1] = "-1"
    with pytest.raises(FaultNotApplied, match="to say 10000, it says -1"):
        bench.observed(fault, 0.3)


def test_a_limit_that_stays_is_not_healed(bench: Bench, world: Cgroups) -> None:
    """A limit that is still there is not healed."""
    fault = throttle(SELECTOR, 0.1)
    bench.inject(fault)
    with pytest.raises(FaultNotApplied, match=r"throttle still in effect: .* to be -1, it is 10000"):
        bench.healed(fault)


def test_undone_after_a_crash(bench: Bench, world: Cgroups, cluster: Cluster) -> None:
    """The journal gives the limit back; a container or node that is gone needs nothing."""
    bench.inject(throttle(SELECTOR, 0.1))
    assert journal.replay(bench.journal.path, cluster.engine)
    assert world.files == {V1: "-1"}
    bench.inject(throttle(SELECTOR, 0.1))
    world.files.clear()
    assert journal.replay(bench.journal.path, cluster.engine)
    world.files[V1] = "-1"
    bench.inject(throttle(SELECTOR, 0.1))
    del world.containers["w-worker"]
    assert journal.replay(bench.journal.path, cluster.engine)


def test_limit_that_cannot_be_given_back(bench: Bench, world: Cgroups, monkeypatch: pytest.MonkeyPatch) -> None:
    """An undo that fails says so, and stays in the journal."""
    fault = throttle(SELECTOR, 0.1)
    bench.inject(fault)
    monkeypatch.setattr(Cgroups, "script", lambda *_: CommandResult("", "Permission denied", 1))
    with pytest.raises(UndoFailed, match="Permission denied"):
        bench.heal(fault)
    assert len(bench.pending()) == 1


@pytest.mark.parametrize("cpu", [0, 0.001, 2])
def test_shares_that_mean_nothing(cpu: float) -> None:
    """Less than the kernel takes, or more than one CPU, is refused before anything is touched."""
    with pytest.raises(BadScenario, match="CPUs"):
        throttle(SELECTOR, cpu)
