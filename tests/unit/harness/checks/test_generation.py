"""Generation: how long a binding may take, in histories by hand."""

from dataclasses import replace
from typing import Self

import pytest

from chaos_harness.harness.checks.generation import generated_within
from chaos_harness.harness.history.vocabulary import END, EXPERIMENT, HISTORY, JUDGE, WATCH_BINDINGS
from tests.fakes.histories import HistoryBuilder

CHECK = generated_within(30, "c")
CONSTRAINTS = "watch constraints x"


class ToldGeneration(HistoryBuilder):
    """A history of constraints and bindings."""

    def constraint(self, at: float, name: str = "c", f: str = "ADDED") -> Self:
        """Add a constraint."""
        return self.add(at, "change", CONSTRAINTS, f, {"object": {"metadata": {"name": name}}})

    def binding(self, at: float, name: str = "gatekeeper-x-c", f: str = "ADDED") -> Self:
        """Add a binding."""
        value = {"object": {"metadata": {"name": name}}}
        return self.add(at, "change", WATCH_BINDINGS, f, value)

    def gap(self, at: float) -> Self:
        """Add that bindings are not watched from now on."""
        return self.add(at, "change", WATCH_BINDINGS, "GAP", {"why": "refused"})

    def whole(self, at: float, process: str = WATCH_BINDINGS, f: str = "LISTED") -> Self:
        """Add that a list is whole."""
        return self.add(at, "change", process, f, {})


def watched() -> ToldGeneration:
    """Return a history in which both lists are whole, and empty."""
    return ToldGeneration().whole(0).whole(0, CONSTRAINTS)


def listed() -> ToldGeneration:
    """Return a history in which the constraint was there before it was watched."""
    return ToldGeneration().constraint(0, f="LISTED").whole(0, CONSTRAINTS)


def constrained() -> ToldGeneration:
    return watched().constraint(10)


@pytest.mark.parametrize(
    ("history", "outcome", "words"),
    [
        (constrained().binding(12), "holds", "generated 2.0 s after"),
        (constrained().binding(90), "violated", "generated 80.0 s after"),
        (constrained().binding(11, "gatekeeper-x-other").constraint(100), "violated", "no binding of c for 90.0 s"),
        (constrained().binding(5).binding(11, f="DELETED").constraint(100), "violated", "no binding"),
        (constrained().constraint(20), "inconclusive", "for only 10.0 of 30 s"),
        (constrained().gap(12).binding(13), "inconclusive", "watched for only"),
        (constrained().gap(12).constraint(60), "inconclusive", f"{WATCH_BINDINGS} was not seen from 12.0 to 40.0 s"),
        (ToldGeneration().constraint(1, "other").binding(2), "inconclusive", "never seen"),
        (watched().gap(2).constraint(10).binding(12).whole(12), "holds", "2.0 s"),
        (watched().gap(2).constraint(10).binding(60).whole(60), "inconclusive", "was not seen from 10.0 to 40.0 s"),
    ],
)
def test_time_until_the_binding(history: ToldGeneration, outcome: str, words: str) -> None:
    """The binding in time holds; too late, or never while it was watched for long enough, is a violation."""
    verdict = CHECK(history.recorded())
    assert (verdict.outcome, words in verdict.summary) == (outcome, True)
    assert verdict.at == (40 if outcome == "violated" else None), "30 s after the constraint was made"


def test_one_that_was_made_too_late_to_be_judged_is_none() -> None:
    """Its binding may come after the mark, and late: what was made and judged before is what decides."""
    history = constrained().binding(12).constraint(50, f="DELETED").binding(51, f="DELETED")
    history.constraint(80).binding(112).add(105, "mark", EXPERIMENT, JUDGE).add(120, "mark", HISTORY, END)
    assert CHECK(replace(history.recorded(), ended=True)).outcome == "holds"


@pytest.mark.parametrize(
    ("history", "outcome"),
    [
        (watched().binding(9.995).constraint(10).binding(20, f="DELETED"), "holds"),
        (watched().binding(8.5).constraint(10).binding(20, f="DELETED"), "violated"),
        (watched().binding(5).constraint(10).binding(12, f="DELETED").binding(14), "holds"),
        (watched().binding(5).constraint(10).constraint(60, "other"), "holds"),
        (
            ToldGeneration().binding(0, f="LISTED").constraint(0, f="LISTED").whole(0).whole(0, CONSTRAINTS),
            "inconclusive",
        ),
        (ToldGeneration().constraint(0, f="LISTED").whole(0).whole(0, CONSTRAINTS).binding(90), "inconclusive"),
        (constrained().constraint(12, f="DELETED").constraint(20).binding(22), "holds"),
        (constrained().constraint(12, f="DELETED").constraint(60, "other"), "inconclusive"),
        (
            constrained()
            .binding(12)
            .constraint(13, f="DELETED")
            .binding(14, f="DELETED")
            .constraint(20)
            .constraint(60, "other"),
            "violated",
        ),
        (constrained().gap(15).binding(35).whole(35, f="RESUMED"), "holds"),
        (constrained().gap(15).binding(60).whole(60, f="RESUMED"), "inconclusive"),
        (constrained().gap(15).whole(35, f="RESUMED").constraint(60, "other"), "violated"),
        (constrained().gap(15).whole(35).constraint(60, "other"), "inconclusive"),
    ],
    ids=[
        "order",
        "before",
        "leftover",
        "stays",
        "both-listed",
        "listed",
        "second",
        "deleted",
        "again",
        "resumed",
        "late",
        "none",
        "gap",
    ],
)
def test_which_came_first(history: ToldGeneration, outcome: str) -> None:
    """The order of two watches decides nothing; what was there before is told from what came (truth.md 2.6)."""
    assert CHECK(history.constraint(60, "another").recorded()).outcome == outcome


def test_another_life_that_nobody_saw() -> None:
    """A constraint that may have been made anew, long enough ago to be judged, is not known to have its binding."""
    history = constrained().binding(12).constraint(50, f="DELETED").binding(51, f="DELETED")
    blind = history.add(58, "change", CONSTRAINTS, "GAP", {"why": "refused"}).binding(90, "other")
    verdict = CHECK(blind.recorded())
    assert (verdict.outcome, verdict.summary) == ("inconclusive", f"{CONSTRAINTS} was not seen from 58.0 to 90.0 s")
    gone = constrained().binding(12).constraint(50, f="DELETED").binding(60, "other")
    assert CHECK(gone.recorded()).outcome == "holds"


def test_another_life_that_is_too_young() -> None:
    """What is made, or may have been, so late that its time is not over, says nothing against an earlier time."""
    history = constrained().binding(12).constraint(50, f="DELETED").binding(51, f="DELETED")
    assert CHECK(history.constraint(58).constraint(60, "other").recorded()).outcome == "holds"
    history = constrained().binding(12).constraint(50, f="DELETED").binding(51, f="DELETED")
    blind = history.add(58, "change", CONSTRAINTS, "GAP", {"why": "refused"}).binding(60, "other")
    assert CHECK(blind.recorded()).outcome == "holds"


def test_another_life_whose_begin_nobody_saw() -> None:
    """What was first seen too late to be judged, but may have been made much earlier, is not known to be too young."""
    history = constrained().binding(12).constraint(50, f="DELETED").binding(51, f="DELETED").gap(52)
    blind = history.add(53, "change", CONSTRAINTS, "GAP", {"why": "refused"}).constraint(85)
    late = blind.whole(85, CONSTRAINTS, "RESUMED").whole(85, f="RESUMED").constraint(90, "other")
    assert CHECK(late.recorded()).outcome == "inconclusive"


def test_a_life_whose_begin_nobody_saw_is_not_known_to_be_short() -> None:
    """What was first seen shortly before it was deleted may have been made long before: it is not passed over."""
    blind = constrained().constraint(1, f="DELETED").gap(2).add(2, "change", CONSTRAINTS, "GAP", {"why": "refused"})
    short = blind.constraint(22).whole(22, CONSTRAINTS).whole(22).constraint(40, f="DELETED")
    again = short.constraint(60).binding(62).constraint(200, "other")
    assert CHECK(again.recorded()).outcome == "inconclusive"


def test_limited() -> None:
    """A binding that is not there when a limited part ends is too late, also before its own time."""
    history = watched().constraint(25).constraint(60, "other").fault(1, 2, 20)
    assert CHECK.within(10)(history.recorded()).outcome == "violated"
    assert CHECK.within(10)(history.binding(29).recorded()).outcome == "holds"


def test_figure() -> None:
    """How long it took is a figure, also when that was too long."""
    assert dict(CHECK(constrained().binding(90).recorded()).figures) == {"generation_seconds": 80}
