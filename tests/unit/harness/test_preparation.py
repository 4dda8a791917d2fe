"""Preparation: what an experiment brings about and takes back, in a world of our own."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.harness.errors import CommandFailed, HarnessError
from chaos_harness.harness.experiment.lifecycle import Experiment
from chaos_harness.harness.preparation import Preparation
from chaos_harness.harness.undo.journal import Journal
from tests.fakes.world import World


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[[], Experiment]]:
    world = World()
    world.pod("a", "w-worker")
    with world.cluster(tmp_path) as cluster:
        yield lambda: Experiment(cluster, tmp_path / "try", name="a try", seed=7, probes=lambda *_: [])


def test_preparation(make: Callable[[], Experiment]) -> None:
    """A preparation lasts for its block, or to the end of the experiment; it is reported as a phase, not as a fault."""
    done: list[str] = []

    @contextmanager
    def ready(cluster: Cluster, written: Journal) -> Iterator[str]:
        done.append(f"{cluster.name} {written.path.name}")
        yield "it is so"
        done.append("as before")

    state = Preparation("make ready", ready)
    with make() as experiment:
        with experiment.prepare_for_block(state) as proof:
            assert (proof, done) == ("it is so", ["w journal.jsonl"])
        assert done.pop() == "as before"
        assert experiment.prepare(state) == "it is so"
        assert "as before" not in done
    assert done[-1] == "as before"
    assert [phase.detail for phase in experiment.record.phases if phase.name == "make ready"] == ["it is so"] * 2
    assert experiment.record.faults == []
    with pytest.raises(HarnessError, match="make ready: the experiment is not open"):
        experiment.prepare(state)


def test_preparation_that_fails(make: Callable[[], Experiment]) -> None:
    """A state that cannot be brought about ends the experiment before any fault."""

    @contextmanager
    def never(_cluster: Cluster, _written: Journal) -> Iterator[str]:
        raise CommandFailed("no")
        yield ""

    with pytest.raises(CommandFailed), make() as experiment:
        experiment.prepare(Preparation("never ready", never))
    assert [phase.status for phase in experiment.record.phases if phase.name == "never ready"] == ["broken"]
