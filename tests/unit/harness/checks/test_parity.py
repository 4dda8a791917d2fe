"""Parity: the same request, decided at two places, has one answer."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaos_harness.harness.checks.parity import enforcement_parity
from chaos_harness.harness.history import EntryKind, History
from chaos_harness.harness.history.vocabulary import END, EXPERIMENT, HISTORY, JUDGE
from tests.fakes.canary_histories import CanaryHistory
from tests.thorough import some

WEBHOOK, VAP = "deny by cel (webhook)", "deny by cel (vap)"
CHECK = enforcement_parity()


def both(rounds: list[tuple[EntryKind, EntryKind]]) -> CanaryHistory:
    """Return a history in which both are asked once a second, and the webhook answers first."""
    history = CanaryHistory()
    for number, (webhook, vap) in enumerate(rounds):
        history.ask(number, webhook, policy=WEBHOOK, round_=number)
        history.ask(number + 0.1, vap, policy=VAP, round_=number)
    return history


ALIKE: list[tuple[EntryKind, EntryKind]] = [("ok", "ok")] * 60
DIFFERENT: list[tuple[EntryKind, EntryKind]] = [("fail", "ok")] * 3
UNHEARD: list[tuple[EntryKind, EntryKind]] = [("info", "ok")] * 5


def test_holds() -> None:
    """Both deny all the time."""
    verdict = CHECK(both(ALIKE).recorded())
    assert verdict.outcome == "holds"
    seen = "gaps of up to 1.5 s count as seen"
    assert verdict.summary == f"0 of 60 decisions differ, for at most 0.0 s at a time; {seen}"


def test_both_fail_alike() -> None:
    """Where both admit what is forbidden, they are at one: that is another check's business."""
    assert CHECK(both([*ALIKE, ("fail", "fail")]).recorded()).outcome == "holds"


@pytest.mark.parametrize(
    ("seconds", "outcome"), [(0.0, "violated"), (1.8, "violated"), (3.0, "inconclusive"), (4.2, "holds")]
)
def test_disagreement(seconds: float, outcome: str) -> None:
    """Three rounds that differ last from the agreement before to that after, 4.11 s, and surely 1.89 s between them."""
    history = both([*ALIKE, *DIFFERENT, *ALIKE])
    verdict = enforcement_parity(seconds)(history.recorded())
    assert verdict.outcome == outcome
    assert verdict.evidence == (
        "59.0 s to 63.1 s (3 times): deny by cel (webhook): admitted, deny by cel (vap): denied by policy",
    )
    assert verdict.figures["different_rounds"] == 3
    assert verdict.figures["longest_difference_seconds"] == pytest.approx(4.11)
    assert verdict.at == (pytest.approx(60.11 + seconds) if outcome == "violated" else None)


def test_differences_that_are_far_apart_are_two() -> None:
    """Between two rounds that differ nobody answered for 6 s: it may have lasted, and nobody knows."""
    history = both([*ALIKE, *DIFFERENT[:1], *UNHEARD, *DIFFERENT[:1], *ALIKE])
    assert enforcement_parity(3.0)(history.recorded()).outcome == "inconclusive"


def judged(history: CanaryHistory, at: float, *, end: float = 90.0) -> History:
    """Return a history in which claims are judged at a moment, and which ends at another one."""
    return history.add(at, "mark", EXPERIMENT, JUDGE).add(end, "mark", HISTORY, END).written()


@pytest.mark.parametrize(("seconds", "outcome"), [(3.0, "holds"), (1.0, "inconclusive"), (0.5, "violated")])
def test_what_differs_when_it_is_judged(seconds: float, outcome: str) -> None:
    """It has lasted up to that moment, however long it is until the history ends; nobody asks any more."""
    verdict = enforcement_parity(seconds)(judged(both([*ALIKE, *DIFFERENT]), 61.5))
    assert verdict.outcome == outcome
    assert verdict.figures["longest_difference_seconds"] == pytest.approx(2.5)


def test_what_differs_only_after_it_is_judged() -> None:
    """What is asked after that changes nothing; unless the line that says when it is judged is missing."""
    recorded = judged(both([*ALIKE, *DIFFERENT]), 59.5)
    assert CHECK(recorded).outcome == "holds"
    entries = [entry for entry in recorded.entries if entry.f != JUDGE]
    assert CHECK(replace(recorded, entries=entries)).outcome == "inconclusive"


def test_few_rounds_prove_that_they_differ() -> None:
    """Three rounds that differ are enough to say so, and seven that agree are none for saying that they never do."""
    history = both([*ALIKE[:2], *DIFFERENT, *ALIKE[:2]])
    assert CHECK(history.recorded()).outcome == "violated"
    assert enforcement_parity(5)(history.recorded()).outcome == "inconclusive"


def test_rounds_without_an_answer_are_not_compared() -> None:
    """What is not known does not differ, and does not agree."""
    history = both([*ALIKE, ("info", "ok"), ("fail", "info")])
    assert CHECK(history.recorded()).figures["compared_rounds"] == 60


@pytest.mark.parametrize(
    ("history", "words"),
    [
        (both(ALIKE[:40]), "40 rounds can be compared"),
        (CanaryHistory().asks(0, 60, policy=VAP), "0 rounds"),
        (both([("info", "ok")] * 60), "asked deny by cel (webhook) was not seen from"),
        (both([*ALIKE, *UNHEARD[:3], *ALIKE]), "asked deny by cel (webhook) was not seen from 59.0 to 63.0 s"),
        (both(ALIKE).add(70, "mark", "history", "end"), "was not seen from 59.0 to 70.0 s"),
    ],
)
def test_inconclusive(history: CanaryHistory, words: str) -> None:
    """Too few rounds, or too few in a row, leave it open."""
    verdict = CHECK(history.recorded())
    assert verdict.outcome == "inconclusive"
    assert words in verdict.summary


@settings(deadline=None)
@given(st.lists(st.tuples(*[st.sampled_from(["ok", "fail", "info"])] * 2), min_size=60, max_size=120))
def test_as_counted(rounds: list[tuple[EntryKind, EntryKind]]) -> None:
    """As many rounds differ as by hand, whatever else happens."""
    known = [pair for pair in rounds if "info" not in pair]
    verdict = enforcement_parity(enough=1)(both(rounds).recorded())
    if not known:
        assert verdict.outcome == "inconclusive"
        return
    different = sum(webhook != vap for webhook, vap in known)
    assert verdict.figures["different_rounds"] == different
    assert verdict.figures["compared_rounds"] == len(known)
    gaps = len(known) < len(rounds)
    sandwiched = any(
        one == two and one[0] == one[1] != "info" and other[0] != other[1] and "info" not in other
        for one, other, two in zip(rounds, rounds[1:], rounds[2:], strict=False)
    )
    if sandwiched:
        assert verdict.outcome == "violated"
    elif not different:
        assert verdict.outcome in (("holds", "inconclusive") if gaps else ("holds",))


@pytest.mark.parametrize(
    ("after", "outcome"), [(("ok", "ok"), "violated"), (("fail", "fail"), "holds"), (None, "inconclusive")]
)
def test_both_at_once(after: tuple[EntryKind, EntryKind] | None, outcome: str) -> None:
    """Who denied before and admits after may have changed between two questions, as the other did: no quarrel."""
    history = both([*ALIKE, ("ok", "fail"), *([after] * 60 if after else [])])
    assert CHECK(history.recorded()).outcome == outcome


def test_late_questions_hide_nothing() -> None:
    """A question that came late was asked when it was asked: two that differ differ."""
    history = CanaryHistory()
    for number in range(60):
        history.ask(number, "fail" if number == 30 else "ok", policy=WEBHOOK, round_=number, late=1.5)
        history.ask(number + 0.1, policy=VAP, round_=number, late=1.5)
    assert CHECK(history.recorded()).outcome == "violated"


def test_a_short_silence_is_borne_by_a_bound() -> None:
    """What is not known for some seconds may be a disagreement: a bound that is longer bears it, a shorter one not."""
    recorded = both([*ALIKE, *UNHEARD, *ALIKE]).recorded()
    assert enforcement_parity(4)(recorded).outcome == "inconclusive"
    assert enforcement_parity(8)(recorded).outcome == "holds"


def test_two_short_disagreements_are_two() -> None:
    """Two that have an agreement between them do not add up."""
    history = both([*ALIKE, *DIFFERENT, ("ok", "ok"), *DIFFERENT, *ALIKE])
    assert enforcement_parity(4.2)(history.recorded()).outcome == "holds"


def test_looked_at_while_in_force() -> None:
    """Before both policies are in force, and once one is to be removed, nobody need look at them."""
    history = both(ALIKE).in_force(1, "deny by cel", until=59.5).add(300, "mark", "history", "end")
    assert CHECK(history.recorded()).outcome == "holds"


def test_more_rounds_after_a_new_start() -> None:
    """A canary that numbers its rounds anew does not mix them with those of the one before."""
    history = both(ALIKE)
    history.ask(60, "fail", policy=WEBHOOK, round_=60)
    history.again()
    for number in range(61):
        history.ask(80 + number, policy=WEBHOOK, round_=number)
        history.ask(80.1 + number, policy=VAP, round_=number)
    assert CHECK(history.recorded()).figures["different_rounds"] == 0


def test_any_line_may_be_missing() -> None:
    """Without any one of its lines, or of those at its end, a verdict stays or decides nothing."""
    for history in (both(ALIKE), both([*ALIKE, *DIFFERENT[:1], *ALIKE[:5]])):
        recorded = history.recorded()
        entries = list(recorded.entries)
        expected = {CHECK(recorded).outcome, "inconclusive"}
        for index in some(range(len(entries))):
            missing = replace(recorded, entries=entries[:index] + entries[index + 1 :])
            assert CHECK(missing).outcome in expected
            assert CHECK(replace(recorded, entries=entries[:index], ended=False)).outcome in expected
