"""Faults of a history: which there were, and which time belongs to which."""

from math import inf

from chaos_harness.harness.history.faults import Faults
from chaos_harness.harness.history.following import follow
from tests.fakes.histories import HistoryBuilder


def _faults(history: HistoryBuilder) -> Faults:
    faults = Faults()
    follow(history.recorded(), faults)
    return faults


def test_moments() -> None:
    """A fault has the moments at which it began, was first proved, began to be healed and was healed."""
    history = (
        HistoryBuilder()
        .fault(1, 2, None)
        .add(8, "ok", "fault 1", "observed", {"name": "cut registry", "proof": "still"})
    )
    history.add(9, "invoke", "fault 1", "heal", {"name": "cut registry"})
    (fault,) = _faults(history).all
    assert (fault.injected, fault.proved, fault.healing, fault.healed, fault.proof) == (1, 2, 9, None, "seen")
    assert fault.harm == (1, inf)


def test_how_it_was_undone() -> None:
    """A fault has when its undos were done, and how long it was asked in vain whether it is healed, by which answer."""
    history = HistoryBuilder().fault(1, 2, None).add(9, "invoke", "fault 1", "heal", {"name": "cut registry"})
    (fault,) = _faults(history).all
    assert (fault.undone, fault.given_up, fault.heals_within) == (None, None, inf)
    history.add(10, "ok", "fault 1", "undone", {"name": "cut registry", "within": 30.0})
    history.add(50, "fail", "fault 1", "not healed", {"name": "cut registry", "said": "it is cut"})
    (fault,) = _faults(history).all
    assert (fault.undone, fault.given_up, fault.heals_within, fault.said) == (10, 50, 30, "it is cut")


def test_two_of_one_name_are_two() -> None:
    """A second fault of one name neither ends nor proves the first one."""
    history = HistoryBuilder().fault(10, None, 60).fault(20, 21, 30, process="fault 2")
    faults = _faults(history)
    assert [fault.proved for fault in faults.named("cut registry")] == [None, 21]
    assert [faults.window(fault) for fault in faults.all] == [(10, inf), (20, inf)]
    assert [fault.id for fault in faults.named("fault 2")] == ["fault 2"]


def test_a_fault_lasts_until_the_next_one_after_its_healing() -> None:
    """What is recovered from belongs to the fault; what begins within it does not end it."""
    history = HistoryBuilder().fault(10, 11, 60).fault(20, 21, 30, name="kill", process="fault 2")
    history.fault(80, 81, 90, name="drain", process="fault 3")
    faults = _faults(history)
    assert [faults.window(fault) for fault in faults.all] == [(10, 80), (20, 80), (80, inf)]


def test_others_are_those_whose_harm_overlaps() -> None:
    """A fault within another one's time is told as the other's; one that came after is not."""
    history = HistoryBuilder().fault(10, 11, 60).fault(20, 21, 30, name="kill", process="fault 2")
    history.fault(80, 81, 90, name="drain", process="fault 3")
    faults = _faults(history)
    assert [fault.name for fault in faults.others(faults.named("cut registry"))] == ["kill"]
    assert [fault.name for fault in faults.others(faults.named("kill"))] == ["cut registry"]
    assert faults.others(faults.named("drain")) == []
    assert faults.others(faults.named("kill", "cut registry")) == []


def test_a_blow_leaves_nothing_to_heal() -> None:
    """A fault whose healing proves that there was nothing to heal lasts no longer than its blow."""
    history = (
        HistoryBuilder()
        .fault(1, 2, None)
        .add(9, "ok", "fault 1", "healed", {"name": "kill", "proof": "nothing to heal: x"})
    )
    assert _faults(history).all[0].one_shot


def test_a_fault_whose_beginning_is_missing_began_at_an_unknown_moment() -> None:
    """What is told of a fault whose first line is missing says that there was one: it may have harmed all before."""
    history = (
        HistoryBuilder()
        .add(3, "ok", "fault 1", "healed", {"name": "kill", "proof": "x"})
        .fault(1, 2, 9, process="fault 2")
    )
    faults = _faults(history)
    assert [fault.harm for fault in faults.named("kill")] == [(-inf, 3)]
    assert faults.others(faults.named("fault 2")) == faults.named("kill")


def test_healed_is_no_earlier_than_healing() -> None:
    """A fault that was proved to be healed was healed, also where the line that says when that began is missing."""
    history = (
        HistoryBuilder().fault(1, 2, None).add(9, "ok", "fault 1", "healed", {"name": "cut registry", "proof": "x"})
    )
    assert _faults(history.fault(20, 21, 30, process="fault 2")).window(_faults(history).all[0]) == (1, 20)
