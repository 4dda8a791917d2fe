"""Parity: the same request, decided at two places, has one answer."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.checks.parity import enforcement_parity
from harness.history import Kind
from tests.fakes.asked import Asked

WEBHOOK, VAP = "deny by cel (webhook)", "deny by cel (vap)"
CHECK = enforcement_parity()


def both(rounds: list[tuple[Kind, Kind]]) -> Asked:
    """Return a history in which both are asked once a second, and the webhook answers first."""
    told = Asked()
    for number, (webhook, vap) in enumerate(rounds):
        told.ask(number, webhook, policy=WEBHOOK, round_=number)
        told.ask(number + 0.1, vap, policy=VAP, round_=number)
    return told


ALIKE: list[tuple[Kind, Kind]] = [("ok", "ok")] * 60
DIFFERENT: list[tuple[Kind, Kind]] = [("fail", "ok")] * 3


def test_holds() -> None:
    """Both deny all the time."""
    verdict = CHECK(both(ALIKE).recorded())
    assert verdict.outcome == "holds"
    assert verdict.summary == "0 of 60 decisions differ, for at most 0.0 s at a time"


def test_both_fail_alike() -> None:
    """Where both admit what is forbidden, they are at one: that is another check's business."""
    assert CHECK(both([*ALIKE, ("fail", "fail")]).recorded()).outcome == "holds"


@pytest.mark.parametrize(("seconds", "outcome"), [(0.0, "violated"), (3.0, "violated"), (4.2, "holds")])
def test_disagreement(seconds: float, outcome: str) -> None:
    """Three rounds that differ last from the agreement before to that after: 4.11 s."""
    told = both([*ALIKE, *DIFFERENT, *ALIKE])
    verdict = enforcement_parity(seconds)(told.recorded())
    assert verdict.outcome == outcome
    assert verdict.evidence == (
        "59.0 s to 63.1 s (3 times): deny by cel (webhook): admitted, deny by cel (vap): denied by policy",
    )
    assert verdict.figures["different_rounds"] == 3
    assert verdict.figures["longest_difference_seconds"] == pytest.approx(4.11)
    assert verdict.at == (pytest.approx(59 + seconds, abs=0.01) if outcome == "violated" else None)


def test_few_rounds_prove_that_they_differ() -> None:
    """Three rounds that differ are enough to say so, and seven that agree are none for saying that they never do."""
    told = both([*ALIKE[:2], *DIFFERENT, *ALIKE[:2]])
    assert CHECK(told.recorded()).outcome == "violated"
    assert enforcement_parity(5)(told.recorded()).outcome == "inconclusive"


def test_rounds_without_an_answer_are_not_compared() -> None:
    """What is not known does not differ, and does not agree."""
    told = both([*ALIKE, ("info", "ok"), ("fail", "info")])
    assert CHECK(told.recorded()).figures["compared_rounds"] == 60


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (both(ALIKE[:40]), "40 rounds can be compared"),
        (Asked().asks(0, 60, policy=VAP), "0 rounds"),
        (both([("info", "ok")] * 60), "0 rounds"),
    ],
)
def test_inconclusive(told: Asked, words: str) -> None:
    """Too few rounds leave it open."""
    verdict = CHECK(told.recorded())
    assert verdict.outcome == "inconclusive"
    assert words in verdict.summary


@settings(deadline=None)
@given(st.lists(st.tuples(*[st.sampled_from(["ok", "fail", "info"])] * 2), min_size=60, max_size=120))
def test_as_counted(rounds: list[tuple[Kind, Kind]]) -> None:
    """As many rounds differ as by hand, whatever else happens."""
    known = [pair for pair in rounds if "info" not in pair]
    verdict = enforcement_parity(enough=1)(both(rounds).recorded())
    if not known:
        assert verdict.outcome == "inconclusive"
        return
    different = sum(webhook != vap for webhook, vap in known)
    assert verdict.figures["different_rounds"] == different
    assert verdict.figures["compared_rounds"] == len(known)
    assert verdict.outcome == ("violated" if different else "holds")
