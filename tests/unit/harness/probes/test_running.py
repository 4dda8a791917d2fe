"""Running: the probes of an experiment live and die together, and one takes the place of another."""

import threading
from collections.abc import Callable

import pytest

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.harness.errors import ProbeBroken
from chaos_harness.harness.history import HistoryWriter, read
from chaos_harness.harness.history.coverage import LAG
from chaos_harness.harness.history.vocabulary import LATE, METRONOME
from chaos_harness.harness.probes import Probe
from chaos_harness.harness.probes.running import Probes


def asks(probe: Probe) -> None:
    for _ in probe.every(0.01):
        pass


def dies(probe: Probe) -> None:
    probe.beat()
    raise ValueError("bad luck")


def test_all_are_stopped(history: HistoryWriter) -> None:
    """Probes ask until all are stopped; one that is stopped is not waited for."""
    probes, one, two = Probes(history), Probe("one", asks), Probe("two", asks)
    probes.start(one, two)
    assert probes.names == ["one", "two"]
    probes.require_healthy()
    probes.settle()
    probes.stop()
    probes.settle()
    probes.give_signs()
    assert one.stopping.is_set()
    assert two.stopping.is_set()


def test_one_takes_the_place_of_another(history: HistoryWriter) -> None:
    """Of two probes of one name the newer asks, and the older is stopped before."""
    probes, older, newer = Probes(history), Probe("one", asks), Probe("one", asks)
    probes.start(older)
    probes.start(newer)
    assert older.stopping.is_set()
    assert not newer.stopping.is_set()
    probes.remove("one")
    probes.remove("nobody")
    assert newer.stopping.is_set()
    assert probes.names == []


def test_one_that_dies_is_told_and_the_others_are_stopped(history: HistoryWriter) -> None:
    """A dead probe makes the rest no worse: they are stopped, and the death is told."""
    probes, lives = Probes(history), Probe("lives", asks)
    probes.start(lives)
    with pytest.raises(ProbeBroken, match="bad luck"):
        probes.start(Probe("dead", dies))
    with pytest.raises(ProbeBroken, match="bad luck"):
        probes.stop()
    assert lives.stopping.is_set()


def test_all_settle_at_once(history: HistoryWriter) -> None:
    """Nobody waits until another has asked: each answer here comes only when all ten are asked for."""
    together = threading.Barrier(10)

    def ask(probe: Probe) -> None:
        for number, _ in enumerate(probe.every(600)):
            if number:
                together.wait(60)

    probes = Probes(history)
    probes.start(*(Probe(str(number), ask) for number in range(10)))
    probes.settle()
    probes.stop()
    assert not together.broken


def test_a_round_is_brought_forward(history: HistoryWriter) -> None:
    """Who asks now and then asks at once when all are to settle; who copies what others cause asks after them."""
    rounds: list[str] = []

    def asks_as(name: str) -> Callable[[Probe], None]:
        def ask(probe: Probe) -> None:
            rounds.extend(name for _ in probe.every(600))

        return ask

    probes = Probes(history)
    log, costly = Probe("log", asks_as("log"), settles="last"), Probe("costly", asks_as("costly"), settles="never")
    probes.start(log, costly, Probe("one", asks_as("one")))
    probes.settle()
    assert (sorted(rounds[:3]), rounds[3:]) == (["costly", "log", "one"], ["one", "log"])
    probes.stop()


def test_signs_follow_a_mark(history: HistoryWriter) -> None:
    """Each probe asks once more behind the mark; marks that follow one another at once are one, unless more is done."""

    def writes(probe: Probe) -> None:
        for _ in probe.every(600):
            history.append("ok", "probe", "asked")

    def marked() -> list[str]:
        return [entry.f for entry in read(history.path).entries]

    probes = Probes(history)
    probes.start(Probe("one", writes))
    for _ in Deadline.after(20, "a first round").attempts(0.01):
        if marked():
            break
    probes.give_signs()
    probes.give_signs()
    assert marked() == ["asked", "judge", "asked"]
    history.append("mark", "experiment", "begin", "more")
    probes.give_last_signs()
    assert marked() == ["asked", "judge", "asked", "begin", "judge", "asked"]
    probes.stop()
    probes.give_last_signs()
    assert marked()[-1] == "asked"


def test_who_cannot_ask_leaves_no_sign(history: HistoryWriter) -> None:
    """A probe whose round does not end is not waited for without end, and is no error: it was not seen since."""
    release = threading.Event()

    def hangs(probe: Probe) -> None:
        for _ in probe.every(0.01):
            release.wait(20)

    probes = Probes(history)
    probes.start(Probe("hangs", hangs, late_after=60))
    probes.give_signs(0.1)
    release.set()
    probes.stop()


def test_a_calm_machine_is_waited_for_but_not_for_ever(history: HistoryWriter) -> None:
    """Without starvation there is no wait; after it, until its reports are in; at most for as long as is given."""
    probes = Probes(history)
    probes.wait_for_calm(0)
    history.append("info", f"{METRONOME} node", LATE, {"seconds": 0.5})
    probes.wait_for_calm(0)
    assert history.since(METRONOME, "info") < LAG
    probes.wait_for_calm(600)
    assert history.since(METRONOME, "info") > LAG
