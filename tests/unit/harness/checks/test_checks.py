"""Checks: how they are joined, limited in time, and expected to come out."""

from collections.abc import Sequence
from dataclasses import replace
from math import inf
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaos_harness.harness.checks import Check, identified
from chaos_harness.harness.errors import BadScenario, CheckBroken
from chaos_harness.harness.history import Header, History, HistoryWriter, read
from chaos_harness.harness.history.coverage import Coverage
from chaos_harness.harness.history.following import follow
from chaos_harness.harness.history.spans import Spans
from chaos_harness.harness.history.until import Until
from chaos_harness.harness.history.vocabulary import WATCH_PODS
from chaos_harness.harness.verdict import Claim, Outcome, Verdict
from tests.fakes.histories import STARTED, HistoryBuilder

OUTCOMES: st.SearchStrategy[Outcome] = st.sampled_from(["holds", "inconclusive", "violated"])


def finds(outcome: Outcome, name: str = "pods recover") -> Check:
    """Return a check that finds this whatever the history says."""

    def check(_: History) -> Verdict:
        return Verdict(outcome, "because")

    check.__name__ = name
    return Check(check)


@Check
def no_more_than_five(recorded: History) -> Verdict:
    """Tell whether there are more than five canaries."""
    count = sum(entry.process == "canary 0" for entry in recorded.entries)
    return Verdict("holds" if count <= 5 else "violated", f"{count} canaries", figures={"canaries": count})


def canaries(*moments: float) -> HistoryBuilder:
    """Return a history of canaries and a fault, healed at 10 s."""
    history = HistoryBuilder().fault(1, 2, 10)
    for at in moments:
        history.add(at, "ok", "canary 0", "ask")
    return history


@given(OUTCOMES, OUTCOMES, OUTCOMES)
def test_joined_checks_find_what_joined_verdicts_do(one: Outcome, two: Outcome, three: Outcome) -> None:
    """How checks are grouped changes nothing, and the worst of their outcomes is that of all."""
    recorded = HistoryBuilder().recorded()
    grouped = (finds(one) & finds(two)) & finds(three)
    otherwise = finds(one) & (finds(two) & finds(three))
    assert grouped(recorded) == otherwise(recorded)
    assert grouped(recorded) == finds(one)(recorded) & finds(two)(recorded) & finds(three)(recorded)


@given(st.lists(st.floats(0, 40), max_size=12), st.floats(0, 20))
def test_within_judges_the_beginning_only(moments: list[float], seconds: float) -> None:
    """A limited check counts what came up to then, and nothing of what came later."""
    history = canaries(*moments).add(41, "mark", "experiment", "end")
    figures = no_more_than_five.within(seconds)(history.recorded()).figures
    assert figures == {"canaries": sum(at <= 10 + seconds for at in moments)}


def test_within_of_a_file(tmp_path: Path) -> None:
    """A history on disk is cut off like one in memory."""
    history = HistoryWriter(tmp_path / "history.jsonl")
    history.append("invoke", "fault 1", "inject", {"name": "cut registry"})
    history.append("ok", "fault 1", "observed", {"name": "cut registry", "proof": "seen"})
    history.append("ok", "fault 1", "healed", {"name": "cut registry", "proof": "seen"})
    for _ in range(9):
        history.append("ok", "canary 0", "ask")
    history.close()
    assert no_more_than_five(read(history.path)).outcome == "violated"
    assert no_more_than_five.within(0)(read(history.path)).outcome == "holds"


def test_within_needs_an_end_of_the_fault() -> None:
    """A fault that was never healed, or of another name, has no time after it."""
    assert no_more_than_five.within(5)(HistoryBuilder().fault(1, 2, None).recorded()).outcome == "inconclusive"
    verdict = no_more_than_five.within(5, after="kill node")(canaries(1, 50).recorded())
    assert verdict == Verdict("inconclusive", "kill node was not proved, or not healed")


def test_within_needs_enough_of_a_history() -> None:
    """What was recorded for a shorter time than allowed cannot tell."""
    verdict = no_more_than_five.within(5)(canaries(1, 13.2).recorded())
    assert verdict == Verdict("inconclusive", "only 3.2 of 5 s after a fault were recorded")


def test_within_counts_from_the_last_fault_of_the_name() -> None:
    """Several faults of one name: time begins with the end of the last."""
    history = canaries(1, 2, 3, 4, 5, 31).fault(20, 21, 30, process="fault 2").add(50, "mark", "experiment", "end")
    assert no_more_than_five.within(5)(history.recorded()).outcome == "violated"
    assert no_more_than_five.within(0.5, after="cut registry")(history.recorded()).outcome == "holds"


def test_within_needs_every_fault_of_the_name() -> None:
    """Each of the faults of a name must be proved and healed; an id names one of them."""
    history = canaries(1, 2).fault(20, None, 30, process="fault 2").add(50, "mark", "experiment", "end")
    assert no_more_than_five.within(5)(history.recorded()).outcome == "inconclusive"
    assert no_more_than_five.within(5, after="fault 2")(history.recorded()).outcome == "inconclusive"
    assert no_more_than_five.within(5, after="fault 1")(history.recorded()).outcome == "holds"
    history.fault(35, 36, None, process="fault 3")
    assert no_more_than_five.within(5, after="cut registry")(history.recorded()).outcome == "inconclusive"


def test_within_needs_all_lines() -> None:
    """A line that is missing may have told of another fault, from which time would count."""
    recorded = canaries(1, 2, 50).recorded()
    entries = [entry for entry in recorded.entries if entry.index != 1]
    verdict = no_more_than_five.within(5)(replace(recorded, entries=entries))
    assert verdict == Verdict("inconclusive", "lines are missing from 1.0 s on, which may have recorded a fault")


def test_within_ends_where_it_was_judged() -> None:
    """What was recorded after the history was judged is none of its time."""
    history = canaries(1, 50).add(12, "mark", "experiment", "judge")
    assert no_more_than_five.within(5)(history.recorded()).summary == "only 2.0 of 5 s after a fault were recorded"


@pytest.mark.parametrize(
    ("next_", "seen"),
    [("BOOKMARK", True), ("MODIFIED", True), ("ended", True), ("silent", False), ("refused", False)],
)
def test_watch_that_was_alive_at_the_end_of_a_part(next_: str, *, seen: bool) -> None:
    """A watch whose next sign of life comes after the end of a part saw all up to that end."""
    history = HistoryBuilder().add(0, "change", WATCH_PODS, "LISTED", {}).add(8, "change", WATCH_PODS, "BOOKMARK", {})
    if next_ in ("silent", "refused", "ended"):
        history.add(40, "change", WATCH_PODS, "GAP", {"why": next_})
    else:
        history.add(40, "change", WATCH_PODS, next_, {})
    whole = replace(history.add(50, "mark", "experiment", "end").recorded(), header=Header(2, "test", STARTED, "0"))
    part = replace(whole, entries=Until(whole, 20), until=20)
    coverage = Coverage(part)
    follow(part, coverage)
    assert coverage.unseen([WATCH_PODS], 0, inf) == (Spans() if seen else Spans.of([(8, 20)]))
    assert not coverage.lost


def test_names() -> None:
    """A claim's name tells all that was joined, and the limit."""
    joint = (finds("holds", "pods recover") & finds("holds", "leases are renewed")).within(60, after="stop node")
    assert Claim(joint).name == "pods recover and leases are renewed within 60 s after stop node"


@pytest.mark.parametrize(
    ("version", "claim"),
    [
        ("v3.17.1", ("violated", "gatekeeper#3287")),
        ("v3.20.1", ("violated", "gatekeeper#4441")),
        ("v3.22.1", ("holds", None)),
        (None, ("violated", "gatekeeper#3287")),
    ],
)
def test_expectations_depend_on_the_version(version: str | None, claim: tuple[str, str | None]) -> None:
    """The first expectation that speaks of a version counts; else a check is expected to hold."""
    check = (
        finds("violated")
        .expect("violated", issue="gatekeeper#3287", on="<3.18")
        .within(5)
        .expect("violated", issue="gatekeeper#4441", on="<3.22.1")
    )
    made = Claim.on(check, version)
    assert (made.expected, made.issue) == claim


def test_expectation_of_every_version() -> None:
    """An expectation without a range is of every version, also of a cluster without Gatekeeper."""
    check = finds("violated").expect("violated")
    assert {Claim.on(check, version).expected for version in ("v3.17.1", "v3.23.1", None)} == {"violated"}


def test_plain_functions_are_expected_to_hold() -> None:
    """A check that is a plain function expects nothing else than to hold."""

    def plain(_: History) -> Verdict:
        return Verdict("holds", "")

    assert Claim.on(plain, "v3.23.1") == Claim(plain, "holds", None)


@pytest.mark.parametrize(("race", "known"), [(False, "version"), (True, None)])
def test_a_race_is_not_known_by_its_version(*, race: bool, known: str | None) -> None:
    """Where a defect does not show in every run, one run's truth is a prediction; not so on versions without it."""
    raced = finds("violated").expect("violated", issue="gatekeeper#1", on=">=3.18", race=race)
    assert Claim.on(raced, "v3.23.1").known == known
    mended = raced.expect("holds")
    assert Claim.on(mended, "v3.17.1").known == "version"


def test_expectations_of_parts_are_refused() -> None:
    """What is expected of one part of a joint check says nothing of the whole."""
    expected = finds("violated").expect("violated")
    with pytest.raises(BadScenario, match="expected of both together"):
        assert finds("holds") & expected
    with pytest.raises(BadScenario, match="expected of both together"):
        assert expected & finds("holds")


@identified
def loses_at_most(
    seconds: float, *, fault: str = "", policies: Sequence[str] = (), share: float = 0.0, sure: bool = True
) -> Check:
    """Return a check that finds nothing, whatever it is given."""
    return finds("holds", f"worded {fault} {seconds} {policies} {share} {sure} as somebody liked")


@pytest.mark.parametrize(
    ("check", "wanted"),
    [
        (loses_at_most(60), "loses_at_most(60)"),
        (loses_at_most(seconds=60, fault=""), "loses_at_most(60)"),
        (loses_at_most(0.5, fault="kill node"), "loses_at_most(0.5, fault=kill node)"),
        (loses_at_most(1, policies=["b", "a"]), "loses_at_most(1, policies=[a, b])"),
        (loses_at_most(1, policies=("a, b",)), 'loses_at_most(1, policies=["a, b"])'),
        (loses_at_most(1, sure=False), "loses_at_most(1, sure=False)"),
        (loses_at_most(1).expect("violated", issue="a#1"), "loses_at_most(1)"),
        (loses_at_most(1).within(5, after="kill node"), "(loses_at_most(1)).within(5, after=kill node)"),
        (loses_at_most(1) & loses_at_most(2), "loses_at_most(1) & loses_at_most(2)"),
        (finds("holds"), "pods recover"),
    ],
)
def test_an_id_is_of_the_check_and_its_parameters(check: Check, wanted: str) -> None:
    """The id of a claim has what decides what is claimed, and nothing of how it is worded."""
    assert Claim(check).id == check.id == wanted


def test_a_check_that_raises_is_our_fault() -> None:
    """It is inconclusive, told apart from too little that was seen, and its error is raised as ours."""

    @Check
    def check(recorded: History) -> Verdict:
        raise KeyError("spec")

    verdict = check(HistoryBuilder().recorded())
    assert (verdict.outcome, verdict.broken) == (
        "inconclusive",
        verdict.summary.removeprefix("the check itself failed: "),
    )
    assert verdict.broken.startswith("KeyError: 'spec' (test_checks.py:")
    with pytest.raises(CheckBroken, match="KeyError"):
        Claim(check).judge(HistoryBuilder().recorded())
    joined = (check & finds("holds"))(HistoryBuilder().recorded())
    assert (joined.outcome, joined.broken) == ("inconclusive", verdict.broken)
    assert not (check & finds("violated"))(HistoryBuilder().recorded()).broken


def test_a_cause_that_nobody_names_is_refused() -> None:
    """What is expected because of something that no verdict can name would never be met."""
    with pytest.raises(BadScenario, match=r"no verdict names bad luck; there are timed out, "):
        finds("violated").expect("violated", because=["bad luck"])  # type: ignore[list-item]
