"""End of an experiment: each step is tried even if others fail; a loss is reported as an error of the harness."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.machine.signals import defer_interrupts
from chaos_harness.harness import jsonl
from chaos_harness.harness.errors import HarnessError, UndoFailed
from chaos_harness.harness.experiment.lifecycle import Experiment
from chaos_harness.harness.faults.registry.cut import cut_registry
from chaos_harness.harness.history import HistoryWriter, read
from chaos_harness.harness.history.vocabulary import END, HISTORY
from chaos_harness.harness.probes import Probe
from chaos_harness.harness.verdict import Verdict
from tests.fakes.world import World


class Full:
    """A disk that takes no line of a history while it is full."""

    full = False


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Full:
    disk, add = Full(), jsonl.add

    def refuse(fd: int, path: Path, line: dict[str, object]) -> None:
        if disk.full and path.name == "history.jsonl":
            raise HarnessError(f"{path}: cannot be written: No space left on device; see `df {path.parent}`")
        add(fd, path, line)

    monkeypatch.setattr("chaos_harness.harness.jsonl.add", refuse)
    return disk


@pytest.fixture
def experiment(cluster: Cluster, tmp_path: Path) -> Iterator[Experiment]:
    def ask(probe: Probe) -> None:
        for _ in probe.every(0.05):
            pass

    asking = Probe("p", ask)
    yield Experiment(cluster, tmp_path / "try", name="a try", seed=7, probes=lambda *_: [asking])
    assert not asking._thread.is_alive()


def whole(experiment: Experiment) -> bool:
    """Return whether its history says that it is all."""
    *_, last = read(experiment.history.path, so_far=True).entries
    return (last.process, last.f) == (HISTORY, END)


def holds(_: object) -> Verdict:
    return Verdict("holds", "well")


def test_a_history_that_lost_a_line_is_no_history(experiment: Experiment, world: World, disk: Full) -> None:
    """The fault is healed, the error is told at the end, and neither then nor later is anything judged."""

    def lose() -> None:
        with experiment:
            with experiment.fault(cut_registry()):
                disk.full = True
            assert world.running
            disk.full = False
            with pytest.raises(HarnessError, match="the history ends here and is not judged"):
                experiment.claim(holds)

    with pytest.raises(
        HarnessError, match=r"(?s)cannot be written: No space left.*df.*the history ends here and is not judged"
    ):
        lose()
    with pytest.raises(HarnessError, match="the history ends here and is not judged"):
        experiment.claim(holds)
    assert experiment.record.claims == []
    assert not whole(experiment)
    assert experiment.record.faults[0].healed_at


def test_a_line_that_is_lost_before_the_end_is_told_at_once(experiment: Experiment, world: World, disk: Full) -> None:
    """What is to be measured is not measured without its history: the block ends, and is healed."""

    def lose() -> None:
        with experiment, experiment.fault(cut_registry()):
            disk.full = True
            experiment.hold(30)

    with pytest.raises(HarnessError, match="the history ends here and is not judged"):
        lose()
    assert world.running


def test_evidence_that_no_disk_takes_ends_no_ending(
    experiment: Experiment, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the journal's copy nor what is written beside the history keeps the rest from being done."""

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device", "events.txt")

    monkeypatch.setattr("chaos_harness.harness.experiment.attachments.write", refuse)
    experiment.record.journal = str(experiment.directory / "nowhere" / "journal.jsonl")

    def end() -> None:
        with experiment:
            experiment.act(cut_registry())

    with pytest.raises(HarnessError, match=r"nowhere/.*: cannot be written") as caught:
        end()
    assert "and besides: HarnessError: events.txt: cannot be written: No space left" in caught.value.__notes__[0]
    assert world.running
    assert whole(experiment)


def test_a_heal_that_fails_comes_before_what_could_not_be_told(
    experiment: Experiment, world: World, monkeypatch: pytest.MonkeyPatch, disk: Full
) -> None:
    """The error is the cluster's, and its notes say what else was lost."""

    def end() -> None:
        with experiment:
            experiment.act(cut_registry("drop", nodes=["w-worker"]))
            world.containers["w-worker"].status = "paused"
            disk.full = True

    with pytest.raises(UndoFailed, match="is paused") as caught:
        end()
    assert "the history ends here and is not judged" in "".join(caught.value.__notes__)


def test_an_interrupt_just_before_healing_leaves_it_to_the_end(
    experiment: Experiment, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A first Ctrl-C in the moment between a block and its healing does not lose the healing."""
    times = []

    def late(what: str, seconds: float) -> object:
        times.append(what)
        if what == "heal cut registry" and times.count(what) == 1:
            raise KeyboardInterrupt
        return defer_interrupts(what, seconds)

    monkeypatch.setattr("chaos_harness.harness.experiment.harm.defer_interrupts", late)

    def end() -> None:
        with experiment, experiment.fault(cut_registry()):
            pass

    with pytest.raises(KeyboardInterrupt):
        end()
    assert world.running
    assert times.count("heal cut registry") == 2


def test_an_interrupt_while_it_ends_comes_afterwards(
    experiment: Experiment, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever stops a program of his own in the middle of an ending has all of it done."""
    write = HistoryWriter.finish

    def finish(history: HistoryWriter) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        write(history)

    monkeypatch.setattr(HistoryWriter, "finish", finish)

    def end() -> None:
        with experiment:
            experiment.act(cut_registry())

    with pytest.raises(KeyboardInterrupt):
        end()
    assert world.running
    assert whole(experiment)
