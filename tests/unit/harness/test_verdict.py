"""Verdict: three values, and what a claim makes of them."""

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaos_harness.harness.causes import Cause
from chaos_harness.harness.checks import Check
from chaos_harness.harness.errors import Inconclusive, InvariantViolated
from chaos_harness.harness.history import Header, History
from chaos_harness.harness.verdict import Claim, Outcome, Verdict

RECORDED = History(Header(1, "run", 0.0, "0"), [])
OUTCOMES: tuple[Outcome, ...] = ("holds", "inconclusive", "violated")
VERDICTS = st.builds(
    Verdict,
    st.sampled_from(OUTCOMES),
    st.sampled_from("xyz"),
    st.lists(st.sampled_from("abc"), max_size=3, unique=True).map(tuple),
    st.dictionaries(st.sampled_from("fg"), st.integers(0, 3), max_size=2),
    st.none() | st.integers(0, 9),
)


def check(outcome: Outcome, *evidence: str) -> Check:
    def pods_recover(recorded: History) -> Verdict:
        assert recorded is RECORDED
        return Verdict(outcome, "3 of 4 Ready", evidence)

    return Check(pods_recover)


@given(VERDICTS, VERDICTS, VERDICTS)
def test_associative(a: Verdict, b: Verdict, c: Verdict) -> None:
    """How verdicts are grouped changes nothing."""
    assert (a & b) & c == a & (b & c)


@given(VERDICTS, VERDICTS)
def test_commutative(a: Verdict, b: Verdict) -> None:
    """The order of verdicts changes neither the outcome nor the summaries, only their order."""
    one, other = a & b, b & a
    assert (one.outcome, one.at) == (other.outcome, other.at)
    assert set(one.evidence) == set(other.evidence)
    assert set(one.summary.split("; ")) == set(other.summary.split("; "))


@given(VERDICTS)
def test_idempotent(a: Verdict) -> None:
    """A verdict joined with itself is itself."""
    assert a & a == a


@pytest.mark.parametrize(("one", "other"), list(itertools.product(OUTCOMES, OUTCOMES)))
def test_worst(one: Outcome, other: Outcome) -> None:
    """Violated beats inconclusive, which beats holds."""
    worst = OUTCOMES[max(OUTCOMES.index(one), OUTCOMES.index(other))]
    assert (Verdict(one, "") & Verdict(other, "")).outcome == worst


def test_first_of_what_decided_is_the_moment() -> None:
    """Of two violations the earlier one is the moment of both; that of one which did not decide is not."""
    late, early, none = Verdict("violated", "", at=9), Verdict("violated", "", at=3), Verdict("violated", "")
    assert (late & early & none & Verdict("inconclusive", "", at=1)).at == 3


def test_joint_summary() -> None:
    """The joint summary is of what decided; evidence and figures are of both."""
    joint = Verdict("holds", "fine", ("a",), {"x_seconds": 1}) & Verdict("violated", "late", ("b",), {"y_seconds": 2})
    assert joint == Verdict("violated", "late", ("a", "b"), {"x_seconds": 1, "y_seconds": 2})


def test_joint_summary_says_each_part_once() -> None:
    """Parts are values: a summary that itself contains the separator stays whole, also when it is said twice."""
    torn, whole = Verdict("violated", "late; later"), Verdict("violated", "late")
    joint = torn & whole & torn
    assert (joint.summary, joint.parts) == ("late; later; late", ("late; later", "late"))


def test_inconclusive_after_all() -> None:
    """A joint verdict that becomes inconclusive says why, and is joined further with these words only."""
    doubted = (Verdict("violated", "late", at=3) & Verdict("violated", "gone")).as_inconclusive("lines are missing")
    assert (doubted.outcome, doubted.summary, doubted.at) == ("inconclusive", "lines are missing", None)
    assert (doubted & Verdict("inconclusive", "no sample")).summary == "lines are missing; no sample"


def test_joint_check() -> None:
    """Checks joined by `&` judge the same history, each once, under both names."""
    joint = check("holds", "a") & check("violated", "b")
    assert joint(RECORDED) == Verdict("violated", "3 of 4 Ready", ("a", "b"))
    assert Claim(joint).name == "pods recover and pods recover"


def test_joint_of_plain_function() -> None:
    """A check that is a plain function can be joined to one that is not."""

    def plain(recorded: History) -> Verdict:
        return Verdict("inconclusive", "no sample")

    assert (check("holds") & plain)(RECORDED).outcome == "inconclusive"


@pytest.mark.parametrize("outcome", ["holds", "violated"])
def test_claim_passes(outcome: Any) -> None:
    """A claim passes with the outcome that is expected of it, good or bad, and gives the verdict."""
    assert Claim(check(outcome), outcome, "gatekeeper#1").judge(RECORDED).outcome == outcome


def test_violated() -> None:
    """A claim that should hold and does not is the product's failure, told with all evidence."""
    with pytest.raises(InvariantViolated) as caught:
        Claim(check("violated", "pod a: not Ready", "pod b: gone")).judge(RECORDED)
    assert str(caught.value) == (
        "pods recover: expected holds, found violated: 3 of 4 Ready\n  pod a: not Ready\n  pod b: gone"
    )


def test_no_longer_reproduces() -> None:
    """A known defect that does not show is a failure, too: it says so, and which one."""
    with pytest.raises(InvariantViolated) as caught:
        Claim(check("holds", "pod a: Ready"), "violated", "gatekeeper#3839").judge(RECORDED)
    first, evidence, last = str(caught.value).splitlines()
    assert first == "pods recover: expected violated (gatekeeper#3839), found holds: 3 of 4 Ready"
    assert evidence == "  pod a: Ready"
    assert "no longer reproduces" in last


def test_a_race_that_does_not_show_is_not_called_mended() -> None:
    """One run in which a race was not lost does not say that the version is without the defect."""
    known = check("holds").expect("violated", issue="gatekeeper#3287", race=True)
    with pytest.raises(InvariantViolated) as caught:
        Claim.on(known, "v3.23.1").judge(RECORDED)
    assert str(caught.value).splitlines()[-1] == (
        "The known defect (gatekeeper#3287) is a race, and this run does not show it: run it again, or more often."
    )


@pytest.mark.parametrize("expected", ["holds", "violated"])
def test_inconclusive_never_passes(expected: Any) -> None:
    """A claim that could not be judged passes in no case, and is nobody's failure."""
    with pytest.raises(Inconclusive, match="found inconclusive: 3 of 4 Ready\n  one sample"):
        Claim(check("inconclusive", "one sample"), expected).judge(RECORDED)


def test_verdicts_are_values() -> None:
    """Equal verdicts are one in a set."""
    assert len({Verdict("holds", "x", (), {"a": 1}), Verdict("holds", "x", (), {"a": 1})}) == 1


@pytest.mark.parametrize(
    ("causes", "because", "surprise"),
    [
        (("image pull failed",), ("image pull failed",), False),
        (("timed out", "image pull failed"), ("image pull failed",), False),
        (("timed out",), ("image pull failed", "timed out"), False),
        (("timed out",), ("image pull failed",), True),
        ((), ("image pull failed",), True),
        (("timed out",), (), False),
    ],
)
def test_a_known_defect_is_told_by_its_cause(
    causes: tuple[Cause, ...], because: tuple[Cause, ...], *, surprise: bool
) -> None:
    """Violated as expected, but by something else than the defect that is known, is no success."""
    verdict = Verdict("violated", "3 of 4 Ready", causes=causes)
    claim = Claim(check("violated"), "violated", "gatekeeper#3839", because)
    assert claim.surprising(verdict) == surprise
    if surprise:
        with pytest.raises(InvariantViolated, match="not by the known cause: expected image pull failed, seen"):
            claim.accept(verdict)
    else:
        claim.accept(verdict)
    assert not Claim(check("violated"), "holds", None, because).surprising(verdict)


def test_joined_verdicts_name_the_causes_of_what_decided() -> None:
    """Of two verdicts the causes are those of the worse one, or of both if they are equally bad."""
    slow = Verdict("violated", "a", causes=("timed out",))
    gone = Verdict("violated", "b", causes=("no endpoint", "timed out"))
    assert (slow & gone).causes == ("timed out", "no endpoint")
    assert (slow & Verdict("holds", "c", causes=("no route",))).causes == ("timed out",)
