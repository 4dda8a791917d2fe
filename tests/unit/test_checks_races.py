"""Races: how orphans of repetitions are counted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.checks.races import DECIDED, RACE, never_orphaned
from harness.history import Recorded
from harness.probes import objects
from tests.fakes.histories import Told

TEMPLATES, POLICIES, BINDINGS = (f"watch {each.name}" for each in objects.GENERATED)
CONSTRAINTS = f"{objects.CONSTRAINTS}chaoslabels"
REPETITION = 20


def races(stays: list[float], *, last: float = REPETITION) -> Told:
    """Return a history of one repetition each 20 s: a binding that nobody asks for stays so long after its decision."""
    told = Told()
    for process in (TEMPLATES, POLICIES, BINDINGS, CONSTRAINTS):
        told.add(0, "change", process, "LISTED", {"resource_version": "1"})
    binding = {"metadata": {"name": "gatekeeper-chaoslabels-c"}, "spec": {"policyName": "gatekeeper-chaoslabels"}}
    for number, seconds in enumerate(stays):
        decided = (number + 1) * REPETITION
        told.add(decided - 2, "change", BINDINGS, "ADDED", {"resource_version": "2", "object": binding})
        told.add(decided, "mark", RACE, DECIDED, {"repetition": number})
        told.add(decided + seconds, "change", BINDINGS, "DELETED", {"resource_version": "3", "object": binding})
    return told.add(len(stays) * REPETITION + last, "mark", "experiment", "end")


def judged(told: Told) -> tuple[str, dict[str, float]]:
    verdict = never_orphaned(gatekeeper="v3.23.1")(told.recorded())
    return verdict.outcome, dict(verdict.figures)


@given(st.lists(st.floats(0.1, 17), min_size=1, max_size=12))
def test_orphans_are_those_that_stay(stays: list[float]) -> None:
    """A repetition counts if something stayed for more than 5 s after it was decided."""
    left = [seconds for seconds in stays if seconds > 5]
    outcome, figures = judged(races(stays))
    assert outcome == ("violated" if left else "holds")
    assert (figures["orphaned"], figures["repetitions"]) == (len(left), len(stays))
    assert figures["oldest_orphan_seconds"] == pytest.approx(max(left, default=0.0), abs=0.001)
    assert figures["orphan_rate_low"] <= figures["orphan_rate"] <= figures["orphan_rate_high"]


def test_orphan_that_is_still_there() -> None:
    """An orphan that never goes counts, and is told."""
    told = races([1, 1])
    binding = {"metadata": {"name": "gatekeeper-x"}, "spec": {"policyName": "gatekeeper-y"}}
    told.add(39, "change", BINDINGS, "ADDED", {"resource_version": "4", "object": binding})
    verdict = never_orphaned(gatekeeper="v3.23.1")(told.recorded())
    assert verdict.summary.startswith("1 of 2 repetitions left an orphan: 50.00 %")
    assert verdict.evidence == ("orphan binding gatekeeper-x of gatekeeper-y: since 39.0 s and still, 21.0 s old",)


@pytest.mark.parametrize(
    "recorded",
    [
        races([]).recorded(),
        races([1, 1], last=4).recorded(),
        Told().add(1, "mark", RACE, DECIDED, {}).add(30, "mark", "experiment", "end").recorded(),
        races([1])
        .add(21, "change", BINDINGS, "GAP", {"resource_version": "", "why": "refused", "detail": ""})
        .recorded(),
    ],
    ids=["none", "too-brief", "not-watched", "gap"],
)
def test_inconclusive(recorded: Recorded) -> None:
    """Without repetitions, with one that was watched too briefly, or blindly, no rate is known."""
    assert never_orphaned(gatekeeper="v3.23.1")(recorded).outcome == "inconclusive"


def test_unknown_gatekeeper() -> None:
    """A history in which no Gatekeeper was watched decides nothing."""
    assert never_orphaned()(races([1]).recorded()).outcome == "inconclusive"
