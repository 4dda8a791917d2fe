"""Running: the probes of an experiment live and die together, and one takes the place of another."""

import pytest

from harness.errors import ProbeBroken
from harness.probes import Probe
from harness.probes.running import Probes


def asks(probe: Probe) -> None:
    for _ in probe.every(0.01):
        pass


def dies(probe: Probe) -> None:
    probe.beat()
    raise ValueError("bad luck")


def test_all_are_stopped() -> None:
    """Probes ask until all are stopped; one that is stopped is not waited for."""
    probes, one, two = Probes(), Probe("one", asks), Probe("two", asks)
    probes.start(one, two)
    assert probes.names == ["one", "two"]
    probes.healthy()
    probes.settle()
    probes.stop()
    probes.settle()
    assert one.stopping.is_set()
    assert two.stopping.is_set()


def test_one_takes_the_place_of_another() -> None:
    """Of two probes of one name the newer asks, and the older is stopped before."""
    probes, older, newer = Probes(), Probe("one", asks), Probe("one", asks)
    probes.start(older)
    probes.start(newer)
    assert older.stopping.is_set()
    assert not newer.stopping.is_set()
    probes.remove("one")
    probes.remove("nobody")
    assert newer.stopping.is_set()
    assert probes.names == []


def test_one_that_dies_is_told_and_the_others_are_stopped() -> None:
    """A dead probe makes the rest no worse: they are stopped, and the death is told."""
    probes, lives = Probes(), Probe("lives", asks)
    probes.start(lives)
    with pytest.raises(ProbeBroken, match="bad luck"):
        probes.start(Probe("dead", dies))
    with pytest.raises(ProbeBroken, match="bad luck"):
        probes.stop()
    assert lives.stopping.is_set()
