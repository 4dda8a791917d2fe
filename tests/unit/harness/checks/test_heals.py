"""Heals: how long it took from the undo of a fault to the proof that it is healed, and who may say so."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from chaos_harness.harness.checks.heals import heals, implied
from chaos_harness.harness.errors import HarnessError
from chaos_harness.harness.history import Entry, History
from chaos_harness.harness.history.vocabulary import HEAL, HEALED, INJECT, LATE, METRONOME, NOT_HEALED, OBSERVED, UNDONE
from tests.fakes.histories import HistoryBuilder

NAME = "kill node"


class _Counted(list[Entry]):
    """Entries that count how often they are read."""

    times = 0

    def __iter__(self) -> Iterator[Entry]:
        self.times += 1
        return super().__iter__()


class Taking(HistoryBuilder):
    """A history of faults and how they are taken back, with something else in it each second."""

    def __init__(self, until: int = 200) -> None:
        super().__init__()
        for second in range(until):
            self.add(second, "info", "registry", "read")

    def undo(
        self,
        heal: float,
        done: float | None,
        healed: float | None = None,
        given_up: float | None = None,
        *,
        name: str = NAME,
        process: str = "fault 1",
        within: float = 120.0,
    ) -> "Taking":
        """Add a fault that is injected 10 s before its undos begin, and what became of them; None: nothing tells."""
        value = {"name": name}
        self.fault(heal - 10, heal - 9, None, name=name, process=process)
        self.add(heal, "invoke", process, HEAL, value)
        if done is not None:
            self.add(done, "ok", process, UNDONE, {**value, "within": within})
        if healed is not None:
            self.add(healed, "ok", process, HEALED, {**value, "proof": "it is back"})
        if given_up is not None:
            self.add(given_up, "fail", process, NOT_HEALED, {**value, "said": "it is away"})
        return self

    def starved(self, begin: float, end: float) -> "Taking":
        """Add that nobody ran meanwhile."""
        self.add(end, "info", METRONOME, LATE, {"seconds": end - begin})
        return self

    def whole(self) -> History:
        """Return it with the mark that this is all."""
        return replace(self.recorded(), ended=True)

    def without(self, f: str) -> History:
        """Return it without the lines of one operation of the fault: they are lost."""
        entries = [entry for entry in self.recorded().entries if entry.f != f]
        return replace(self.whole(), entries=entries)


@pytest.mark.parametrize(
    ("history", "outcome", "words"),
    [
        (Taking().undo(20, 21, 51), "holds", "kill node is healed 30.0 s after it was undone"),
        (Taking().undo(20, 21, 51.01), "violated", "healed 30.0 s after it was undone"),
        (Taking().undo(20, 50, 51), "holds", "healed 1.0 s after it was undone"),
        (Taking().undo(20, 21, None, 52), "violated", "kill node is not healed 31.0 s after it was undone"),
        (Taking().undo(20, 21, None, 40), "inconclusive", "not healed 19.0 s after it was undone: 30 s are allowed"),
        (Taking().undo(20, 21), "inconclusive", "nothing tells for how long that was asked"),
        (Taking().undo(20, None), "inconclusive", "kill node was not undone"),
        (Taking().undo(20, None, 50), "holds", "healed 30.0 s after its undos began"),
        (Taking().undo(20, None, 60), "inconclusive", "healed 40.0 s after its undos began: 30 s are allowed"),
        (Taking().fault(10, 11, None, name=NAME), "inconclusive", "kill node was not undone"),
        (Taking().fault(10, None, 20, name=NAME), "inconclusive", "kill node was not proved"),
        (Taking(), "inconclusive", "there was no kill node"),
        (Taking().undo(20, 21, 56).starved(40, 44), "violated", "healed 35.0 s"),
        (Taking().undo(20, 21, 56).starved(40, 46), "inconclusive", "this machine was starved from 40.0 to 46.0 s"),
        (Taking().undo(20, 21, 56).starved(2, 19), "violated", "healed 35.0 s"),
        (Taking().undo(20, 21, 51).starved(30, 46), "holds", "healed 30.0 s"),
    ],
)
def test_heals(history: Taking, outcome: str, words: str) -> None:
    """What was seen of it decides; what was not seen counts as the worst, and what was starved as nothing."""
    verdict = heals(30, fault=NAME)(history.whole())
    assert verdict.outcome == outcome
    assert words in verdict.summary


def test_what_decides_is_told() -> None:
    """A verdict has the proof, or what was said instead of it, the seconds that it took, and when time was up."""
    late = heals(30, fault=NAME)(Taking().undo(20, 21, 61).starved(25, 30).whole())
    never = heals(30, fault=NAME)(Taking().undo(20, 21, None, 80).whole())
    assert (late.evidence, late.figures, late.at) == (("it is back",), {"heal_seconds": 40.0}, 56.0)
    assert (never.evidence, never.figures, never.at) == (("it is away",), {}, 51.0)
    assert heals(30, fault=NAME).id == "heals(30, kill node)"


def test_a_one_shot_has_nothing_to_heal() -> None:
    """Whose harm lasts no longer than the blow claims nothing, whoever claims it."""
    value = {"name": NAME, "proof": "nothing to heal: it was one blow"}
    history = Taking().undo(20, None)
    history.add(20.1, "ok", "fault 1", HEALED, value)
    assert "one-shot" in heals(30, fault=NAME)(history.whole()).summary
    assert implied(history.whole()) == []


def test_who_sees_less_is_less_sure() -> None:
    """Lines that are lost may have told that it was starved, or healed, or that there was another fault."""
    violated, holds = Taking().undo(20, 21, 61), Taking().undo(20, 21, 41)
    check = heals(30, fault=NAME)
    assert {check(holds.without(f)).outcome for f in (INJECT, HEAL, UNDONE)} == {"holds"}
    assert {check(holds.without(f)).outcome for f in (OBSERVED, HEALED)} == {"inconclusive"}
    for f in (INJECT, OBSERVED, HEAL, UNDONE, HEALED):
        assert check(violated.without(f)).outcome == "inconclusive"
    holes = [entry for entry in violated.recorded().entries if entry.at != 40]
    missing = check(replace(violated.whole(), entries=holes))
    assert (missing.outcome, "lines are missing from 39.0 to 41.0 s" in missing.summary) == ("inconclusive", True)
    never = Taking().undo(20, 21, None, 80)
    assert check(never.without(NOT_HEALED)).outcome == "inconclusive"
    for index in range(200):
        entries = list(never.recorded().entries)[:index]
        assert check(replace(never.recorded(), entries=entries, ended=False)).outcome != "holds"


def test_all_of_a_name() -> None:
    """Each fault of the name counts; one that may have come after the end of what is recorded, too."""
    history = Taking().undo(20, 21, 31).undo(60, 61, 111, process="fault 2")
    cut = replace(history.recorded(), ended=False)
    assert heals(30, fault=NAME)(history.whole()).outcome == "violated"
    assert heals(50, fault=NAME)(history.whole()).figures == {"heal_seconds": 50.0}
    assert heals(30, fault="fault 1")(history.whole()).outcome == "holds"
    assert heals(30, fault="fault 1")(cut).outcome == "holds"
    assert "no end" in heals(50, fault=NAME)(cut).summary
    assert heals(50, fault=["fault 1", "fault 2"])(cut).outcome == "holds"


@pytest.mark.parametrize(
    ("begin", "end", "outcome"),
    [(25, 34, "violated"), (25, 36, "inconclusive"), (5, 20, "violated"), (5, None, "inconclusive")],
)
def test_what_another_fault_kept_away(begin: float, end: float | None, outcome: str) -> None:
    """Seconds in which another fault lasted are not this one's."""
    history = Taking().undo(20, 21, 61).fault(begin, begin + 1, end, name="cut", process="fault 2")
    verdict = heals(30, fault=NAME)(history.whole())
    assert (verdict.outcome, "cut was there, too" in verdict.summary) == (outcome, outcome == "inconclusive")


@pytest.mark.parametrize("other", [{"a": []}, [1], None])
@pytest.mark.parametrize(("f", "field"), [(INJECT, "name"), (UNDONE, "within")])
def test_implied_by_values_that_no_fault_writes(f: str, field: str, other: Any) -> None:
    """A history with an entry of a fault whose value has another form is refused by an error of ours."""
    history = Taking().undo(20, 21, 30).whole()
    entries = [
        replace(entry, value={**entry.value, field: other}) if entry.f == f else entry for entry in history.entries
    ]
    with pytest.raises(HarnessError, match="whether the faults healed cannot be judged"):
        implied(replace(history, entries=entries))


def test_implied() -> None:
    """A history claims of each lasting fault that it heals in its time; what somebody else claims is left to them."""
    history = (
        Taking().undo(20, 21, 31).undo(60, 61, 111, process="fault 2").undo(150, 151, name="cut", process="fault 3")
    )
    recorded = history.whole()
    assert [check.id for check, _ in implied(recorded)] == ["heals(120, kill node)", "heals(120, cut)"]
    assert [check.id for check, _ in implied(recorded, ["cut"])] == ["heals(120, kill node)"]
    assert [check.id for check, _ in implied(recorded, [NAME])] == ["heals(120, cut)"]
    assert [check.id for check, _ in implied(recorded, ["fault 1"])] == ["heals(120, fault 2)", "heals(120, cut)"]


def test_implied_claims_are_judged_at_once() -> None:
    """Their verdicts are those of the checks, and the history is read once for all of them."""
    history = Taking().undo(20, 21, 31).undo(60, 61, 191, name="cut", process="fault 2")
    recorded = history.whole()
    read = _Counted(recorded.entries)
    claims = implied(replace(recorded, entries=read))
    assert (len(claims), read.times) == (2, 1)
    assert [verdict for _, verdict in claims] == [check(recorded) for check, _ in claims]
    assert [verdict.outcome for _, verdict in claims] == ["holds", "violated"]


def test_implied_by_those_that_are_alike() -> None:
    """Faults of one name are one claim only if it says of all of them what is so."""
    other = Taking().undo(20, 21, 31).undo(60, 61, 111, process="fault 2", within=30.0)
    open_one = Taking().undo(20, 21, 31).undo(60, None, process="fault 2")
    assert [check.id for check, _ in implied(other.whole())] == ["heals(120, fault 1)", "heals(30, fault 2)"]
    assert [check.id for check, _ in implied(open_one.whole())] == ["heals(120, fault 1)"]
    assert implied(Taking().fault(10, None, 20).whole()) == []
    assert implied(Taking().fault(10, 11, 20).whole()) == []
