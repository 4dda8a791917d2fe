"""Races: how orphans of repetitions are counted."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaos_harness.harness.checks.races import never_orphaned, no_orphan_stays
from chaos_harness.harness.history import History
from chaos_harness.harness.history.vocabulary import DECIDED, RACE
from tests.fakes.generated import BINDINGS, CONSTRAINTS, LISTS, POLICIES, TEMPLATES, Generating, gapped, new
from tests.fakes.histories import HistoryBuilder

REPETITION = 20


def races(stays: list[float], *, last: float = REPETITION) -> HistoryBuilder:
    """Return a history of one repetition each 20 s: a binding that nobody asks for stays so long after its decision."""
    history = HistoryBuilder()
    for process in (TEMPLATES, POLICIES, BINDINGS, CONSTRAINTS):
        history.add(0, "change", process, "LISTED", {"resource_version": "1"})
    binding = {"metadata": {"name": "gatekeeper-chaoslabels-c"}, "spec": {"policyName": "gatekeeper-chaoslabels"}}
    for number, seconds in enumerate(stays):
        decided = (number + 1) * REPETITION
        history.add(decided - 2, "change", BINDINGS, "ADDED", {"resource_version": "2", "object": binding})
        history.add(decided, "mark", RACE, DECIDED, {"repetition": number})
        history.add(decided + seconds, "change", BINDINGS, "DELETED", {"resource_version": "3", "object": binding})
    return history.add(len(stays) * REPETITION + last, "mark", "experiment", "end")


def judged(history: HistoryBuilder) -> tuple[str, dict[str, float]]:
    verdict = never_orphaned(gatekeeper="v3.23.1")(history.recorded())
    return verdict.outcome, dict(verdict.figures)


@given(st.lists(st.floats(0.1, 17), min_size=1, max_size=12))
def test_orphans_are_those_that_stay(stays: list[float]) -> None:
    """A repetition counts if something stayed for more than 5 s after it was decided."""
    too_long = [seconds for seconds in stays if seconds > 5]
    outcome, figures = judged(races(stays))
    assert outcome == ("violated" if too_long else "holds")
    assert (figures["orphaned"], figures["repetitions"]) == (len(too_long), len(stays))
    assert figures["oldest_orphan_seconds"] == pytest.approx(max(too_long, default=0.0), abs=0.001)
    assert figures["orphan_rate_low"] <= figures["orphan_rate"] <= figures["orphan_rate_high"]


def test_orphan_that_is_still_there() -> None:
    """An orphan that never goes counts, and is told."""
    history = races([1, 1])
    binding = {"metadata": {"name": "gatekeeper-x"}, "spec": {"policyName": "gatekeeper-y"}}
    history.add(39, "change", BINDINGS, "ADDED", {"resource_version": "4", "object": binding})
    verdict = never_orphaned(gatekeeper="v3.23.1")(history.recorded())
    assert verdict.at == 45, "5 s after the second repetition was decided"
    assert verdict.summary.startswith("1 of 2 repetitions left an orphan: 50.00 %")
    assert verdict.evidence == ("orphan binding gatekeeper-x of gatekeeper-y: since 39.0 s and still, 21.0 s old",)


@pytest.mark.parametrize(
    "recorded",
    [
        races([]).recorded(),
        races([1, 1], last=4).recorded(),
        HistoryBuilder().add(1, "mark", RACE, DECIDED, {}).add(30, "mark", "experiment", "end").recorded(),
        races([1])
        .add(21, "change", BINDINGS, "GAP", {"resource_version": "", "why": "refused", "detail": ""})
        .recorded(),
    ],
    ids=["none", "too-brief", "not-watched", "gap"],
)
def test_inconclusive(recorded: History) -> None:
    """Without repetitions, with one that was watched too briefly, or blindly, no rate is known."""
    assert never_orphaned(gatekeeper="v3.23.1")(recorded).outcome == "inconclusive"


def decided(*, first: float = 20, count: int = 3, history: Generating | None = None) -> Generating:
    """Return a history of a template that refuses its policy, and of repetitions each 20 s."""
    refusing = (history or Generating()).begin().template(1, generate=False, f="ADDED").constraint(1)
    for number in range(count):
        refusing.add(first + number * REPETITION, "mark", RACE, DECIDED, {"repetition": number})
    return refusing


def judged_today(history: Generating, end: float = 80) -> tuple[str, float]:
    verdict = never_orphaned(gatekeeper="v3.23.1")(new(history, end))
    return verdict.outcome, verdict.figures.get("orphaned", 0)


def test_orphan_that_comes_after_the_mark() -> None:
    """An orphan counts in the repetition in which it is there, also if it comes and goes after the mark (2.5)."""
    assert judged_today(decided()) == ("holds", 0)
    assert judged_today(decided().binding(20.5)) == ("violated", 3)
    assert judged_today(decided().binding(25).binding(31, "DELETED")) == ("violated", 1)
    assert judged_today(decided().binding(38).binding(42, "DELETED")) == ("holds", 0)
    assert never_orphaned(gatekeeper="v3.23.1")(new(decided().binding(20.5), 80)).at == 25.5


def test_what_is_asked_for_anew_is_another_race() -> None:
    """What is left of a policy that was asked for again after the mark is none of the repetition's."""
    again = decided(count=1).template(30, generate=True).policy(31).template(40, generate=False)
    assert judged_today(again.policy(60, "DELETED")) == ("holds", 0)
    hidden = new(decided(count=1).template(30, generate=True).template(40, generate=False).policy(45), 80)
    assert never_orphaned(gatekeeper="v3.23.1")(gapped(hidden, TEMPLATES, 26, 44)).outcome == "inconclusive"


def test_repetitions_that_nobody_watched() -> None:
    """Repetitions before anything was watched are not clean, and make the rate wider (truth.md 2.5)."""
    history = Generating()
    for process in LISTS:
        history.whole(63, process)
    for number in range(3):
        history.add(20 * (number + 1), "mark", RACE, DECIDED, {})
    verdict = never_orphaned(gatekeeper="v3.23.1")(new(history, 90))
    assert verdict.outcome == "inconclusive"
    assert "0 of 1 repetitions" in verdict.summary
    assert verdict.figures["orphan_rate_high"] > 0.9


def test_one_orphan_is_enough() -> None:
    """An orphan that was seen is one, whatever was not seen of other repetitions; the rate says how little is known."""
    blind = gapped(new(decided().binding(21).binding(30, "DELETED"), 80), BINDINGS, 41, 59)
    verdict = never_orphaned(gatekeeper="v3.23.1")(blind)
    assert verdict.outcome == "violated"
    assert verdict.figures["orphan_rate"] == 0.5
    assert f"{BINDINGS} was not seen from 40.0 to 59.0 s" in verdict.summary


def test_unknown_gatekeeper() -> None:
    """A history in which no Gatekeeper was watched decides nothing."""
    assert never_orphaned()(races([1]).recorded()).outcome == "inconclusive"


def template(*, asks: bool, generation: int, seen: int) -> dict[str, Any]:
    """Return a template that asks for a policy or not, of which two pods tell generations, one of them `seen`."""
    source = {"generateVAP": asks}
    code = [{"engine": "K8sNativeValidation", "source": source}]
    pods = [{"observedGeneration": generation}, {"observedGeneration": seen}]
    return {
        "metadata": {"name": "chaoslabels", "generation": generation},
        "spec": {"targets": [{"code": code}]},
        "status": {"byPod": pods},
    }


def refused(stays: list[float]) -> HistoryBuilder:
    """Return a history in which a template refuses its policy at 30 s, 60 s, …, and the binding stays so long."""
    history = HistoryBuilder()
    for process in (TEMPLATES, POLICIES, BINDINGS, CONSTRAINTS):
        history.add(0, "change", process, "LISTED", {"resource_version": "1"})
    binding = {"metadata": {"name": "gatekeeper-chaoslabels-c"}, "spec": {"policyName": "gatekeeper-chaoslabels"}}
    for number, seconds in enumerate(stays, start=1):
        at = 30 * number
        for moment, asks, generation, seen in ((-4, True, 1, 1), (-1, False, 2, 1), (0, False, 2, 2)):
            value = {"resource_version": "2", "object": template(asks=asks, generation=generation, seen=seen)}
            history.add(at + moment, "change", TEMPLATES, "MODIFIED", value)
        history.add(at, "change", BINDINGS, "ADDED", {"resource_version": "3", "object": binding})
        history.add(at + seconds, "change", BINDINGS, "DELETED", {"resource_version": "4", "object": binding})
    return history.add(30 * len(stays) + 29, "mark", "experiment", "end")


@given(st.lists(st.floats(0.1, 25), min_size=1, max_size=8))
def test_no_orphan_stays(stays: list[float]) -> None:
    """What is left for 15 s after all pods have seen that it is refused is an orphan, once for each refusal."""
    too_long = [seconds for seconds in stays if seconds > 15]
    verdict = no_orphan_stays(gatekeeper="v3.23.1")(refused(stays).recorded())
    assert verdict.outcome == ("violated" if too_long else "holds")
    assert (verdict.figures["orphaned"], verdict.figures["repetitions"]) == (len(too_long), len(stays))
    assert verdict.figures["oldest_orphan_seconds"] == pytest.approx(max(too_long, default=0.0), abs=0.001)
    assert len(verdict.evidence) == len(too_long)
    assert (verdict.at is not None) == bool(too_long)


def test_orphan_of_another_template() -> None:
    """What is left of another template's policy is not this one's, and its own evidence says since when all knew."""
    history = refused([20])
    other = {"metadata": {"name": "gatekeeper-x"}, "spec": {"policyName": "gatekeeper-y"}}
    history.add(59.5, "change", BINDINGS, "ADDED", {"resource_version": "5", "object": other})
    history.add(99, "mark", "experiment", "end")
    verdict = no_orphan_stays(gatekeeper="v3.23.1")(history.recorded())
    (evidence,) = verdict.evidence
    assert verdict.at == 45, "15 s after all pods had seen it"
    assert evidence.endswith("since 30.0 s until 50.0 s, 20.0 s old; all pods had seen that by 30.0 s")


def test_never_seen_by_all() -> None:
    """A template that some pod has not seen, or that was not refused for long, decides nothing."""
    for history in (refused([]), HistoryBuilder().add(1, "mark", "experiment", "end")):
        assert no_orphan_stays(gatekeeper="v3.23.1")(history.recorded()).outcome == "inconclusive"
    assert no_orphan_stays(late=40, gatekeeper="v3.23.1")(refused([29, 29]).recorded()).outcome == "inconclusive"
    assert no_orphan_stays()(refused([20]).recorded()).outcome == "inconclusive"


def test_refusal_that_nobody_saw() -> None:
    """While templates were not seen one of them may have refused its policy, and an orphan may have been left."""
    check, clean = no_orphan_stays(gatekeeper="v3.23.1"), refused([5])
    assert check(clean.recorded()).outcome == "holds"
    clean.add(70, "change", TEMPLATES, "GAP", {"why": "refused"}).add(100, "mark", "experiment", "end")
    assert check(clean.recorded()).outcome == "inconclusive"
    clean.add(80, "change", TEMPLATES, "LISTED", {"resource_version": "9"})
    assert check(clean.recorded()).outcome == "holds"


def test_an_orphan_that_nobody_saw_come_and_go() -> None:
    """Of a template that never asked for a policy one may have been there while policies were not seen."""
    whole = new(Generating().begin().template(1, generate=False, f="ADDED"), 100)
    check = no_orphan_stays(gatekeeper="v3.23.1")
    assert check(whole).outcome == "holds"
    verdict = check(gapped(whole, POLICIES, 20, 60))
    assert verdict.outcome == "inconclusive"
    assert "1 are undecided: 1 with policies or bindings not seen for more than 15 s" in verdict.summary
