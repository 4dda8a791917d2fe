"""Compare: what is worse, better and undecided; and by simulation, how often equal arms are called worse."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from math import sqrt
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaos_harness.harness.incident.ab.arms import LABELS
from chaos_harness.harness.incident.ab.compare import ALPHA, Comparison, Judgement, compare
from chaos_harness.harness.incident.ab.observed import ObservedRun
from chaos_harness.harness.incident.ab.status import exit_status
from chaos_harness.harness.incident.ab.visible import POWER, visible_difference, visible_rate
from chaos_harness.harness.run.exit_status import ExitStatus
from tests.fakes.comparisons import chance, drawn, observed, outcomes
from tests.thorough import examples, thorough

_CERTAINTY: dict[Judgement, int] = {"worse": 2, "better": -1, "not worse": -1, "undecided": 0}


@pytest.mark.parametrize(
    ("a", "b", "judgement", "relation", "status"),
    [
        ("hhhh", "vvvv", "worse", "only B", ExitStatus.OTHERWISE),
        ("hhh", "vvv", "undecided", "only B", ExitStatus.INCONCLUSIVE),
        ("vvvvv", "hhhhh", "better", "only A", ExitStatus.AS_EXPECTED),
        ("hhhhh", "hhhhh", "not worse", "same", ExitStatus.AS_EXPECTED),
        ("vvvvv", "vvvvv", "not worse", "same", ExitStatus.AS_EXPECTED),
        ("hhhhh", "hhhhv", "not worse", "only B", ExitStatus.AS_EXPECTED),
        ("hhhhh", "hhvvv", "undecided", "only B", ExitStatus.INCONCLUSIVE),
        ("vhhhhhhhhh", "vvvvvvvvvv", "worse", "both", ExitStatus.OTHERWISE),
        ("hhhhh", "?????", "undecided", "unknown", ExitStatus.INCONCLUSIVE),
        ("?????", "vvvvv", "undecided", "unknown", ExitStatus.INCONCLUSIVE),
        ("h?hhhhhh", "vvv?vvvv", "worse", "only B", ExitStatus.OTHERWISE),
        ("hhhhh?", "vvvvv?", "undecided", "only B", ExitStatus.INCONCLUSIVE),
        ("hhhhhhhh", "hhhhhhh?", "not worse", "same", ExitStatus.AS_EXPECTED),
    ],
)
def test_one_claim(a: str, b: str, judgement: Judgement, relation: str, status: ExitStatus) -> None:
    """Worse only if it is so whatever the undecided runs would have been, and never a pass because of them."""
    comparison = compare(outcomes(a, b))

    (claim,) = comparison.claims
    assert (claim.judgement, claim.relation, comparison.judgement) == (judgement, relation, judgement)
    assert exit_status(comparison) == status
    assert (claim.a.undecided, claim.b.undecided) == (a.count("?"), b.count("?"))


def _figures(a: Sequence[float], b: Sequence[float], name: str = "lost_least_seconds") -> list[ObservedRun]:
    return [
        observed(label, seed, {"c": "holds"}, {name: value})
        for label, values in zip(LABELS, (a, b), strict=True)
        for seed, value in enumerate(values)
    ]


_TEN = [10.0, 10.4, 9.7, 10.1, 9.9, 10.2, 10.3, 9.8, 10.5, 9.6]


@pytest.mark.parametrize(
    ("b", "name", "judgement"),
    [
        ([value + 3 for value in _TEN], "lost_least_seconds", "worse"),
        ([value - 3 for value in _TEN], "lost_least_seconds", "better"),
        ([value + 0.4 for value in _TEN], "lost_least_seconds", "not worse"),
        (_TEN, "lost_least_seconds", "not worse"),
        (_TEN[::-1], "lost_least_seconds", "not worse"),
        ([value - 3 for value in _TEN], "first_lost_seconds", "worse"),
        ([value + 3 for value in _TEN], "first_lost_seconds", "better"),
    ],
)
def test_one_figure(b: list[float], name: str, judgement: Judgement) -> None:
    """Worse is what is larger beyond dice and the floor; of the time before the first loss, what is smaller."""
    (figure,) = compare(_figures(_TEN, b, name)).figures

    assert figure.judgement == judgement


def test_figures_that_are_not_judged() -> None:
    """Sample sizes, figures that an arm lacks, and those of undecided runs say nothing of better or worse."""
    runs = _figures(_TEN, _TEN, "asked_requests")
    runs += [observed("A", 99, {"c": "inconclusive"}, {"lost_least_seconds": 1.0})]
    runs += [observed("B", 99, {"c": "holds"}, {"lost_least_seconds": 1.0})]

    assert compare(runs).figures == ()


def test_five_pairs_call_no_figure_worse() -> None:
    """However large the difference: all five being larger is dice in one of 32 comparisons."""
    comparison = compare(_figures(_TEN[:5], [value + 100 for value in _TEN[:5]]))

    assert comparison.figures[0].judgement == "undecided"
    assert not comparison.figures[0].testable


@pytest.mark.parametrize(
    ("others", "judgement", "level"),
    [(("hhhh", "hhhh"), "worse", ALPHA), (("hhvv", "hhvv"), "undecided", ALPHA / 10)],
    ids=["never", "at times"],
)
def test_what_cannot_be_worse_costs_nothing(others: tuple[str, str], judgement: Judgement, level: float) -> None:
    """Beside nine claims that are violated at times four pairs are too few; beside nine that always hold they do."""
    comparison = _judge_all([("hhhh", "vvvv"), *[others] * 9])

    first = comparison.claims[0]
    assert first.judgement == judgement
    assert comparison.level(first) == pytest.approx(level)


def test_incidents_are_apart() -> None:
    """The same claim of two incidents is two claims."""
    good = outcomes("hhhhhhh", "hhhhhhh")
    bad = [replace(run, incident="b") for run in outcomes("hhhhhhh", "vvvvvvv")]

    comparison = compare(good + bad)

    assert [(claim.incident, claim.judgement) for claim in comparison.claims] == [("a", "not worse"), ("b", "worse")]


@pytest.mark.parametrize(
    ("broken", "status"), [(True, ExitStatus.BROKEN), (False, ExitStatus.INCONCLUSIVE)], ids=["broken", "silent"]
)
def test_nothing_was_judged(broken: bool, status: ExitStatus) -> None:
    """An incident without a verdict on either arm is not passed over; if the harness failed each time, that is told."""
    runs = [replace(run, claims={}, broken=broken) for run in outcomes("hhhhh", "hhhhh")]

    comparison = compare(runs)

    assert comparison.silent == ("a",)
    assert comparison.unjudged == {"A": 5, "B": 5}
    assert exit_status(comparison) == status
    assert exit_status(replace(compare([]), runs={"A": 1, "B": 1})) == ExitStatus.NOTHING


@pytest.mark.hypothesis
@given(st.data())
def test_undecided_runs_make_it_less_sure(data: Any) -> None:
    """With a run undecided that was decided, nothing that was not worse becomes worse, or the other way round."""
    letters = st.text("vh?", min_size=4, max_size=9)
    arms = [(data.draw(letters), data.draw(letters)) for _ in range(data.draw(st.integers(1, 3)))]
    before = _judge_all(arms)
    claim, arm = data.draw(st.integers(0, len(arms) - 1)), data.draw(st.integers(0, 1))
    place = data.draw(st.integers(0, len(arms[claim][arm]) - 1))
    text = arms[claim][arm]
    pair = [*arms[claim]]
    pair[arm] = f"{text[:place]}?{text[place + 1 :]}"
    after = _judge_all([*arms[:claim], (pair[0], pair[1]), *arms[claim + 1 :]])

    for then, now in zip(before.claims, after.claims, strict=True):
        assert now.judgement == then.judgement or _CERTAINTY[now.judgement] <= max(0, _CERTAINTY[then.judgement])
        assert not (_CERTAINTY[then.judgement] <= 0 and now.judgement == "worse")
        assert not (then.judgement != "better" and now.judgement == "better")
        assert not (then.judgement == "undecided" and now.judgement == "not worse")


def _judge_all(arms: Sequence[tuple[str, str]]) -> Comparison:
    return compare([replace(run, incident=f"i{place}") for place, pair in enumerate(arms) for run in outcomes(*pair)])


@thorough
@pytest.mark.parametrize(
    ("pairs", "rates"), [(5, [(0.5, 0.5), (0.1, 0.1)]), (10, [(0.3, 0.3), (0.0, 0.0)])], ids=["5 pairs", "10 pairs"]
)
def test_equal_arms_are_silent(pairs: int, rates: list[tuple[float, float]]) -> None:
    """Of 1,000 comparisons of equal arms no more are called worse than is stated, and most are decided."""
    dice, number = chance(17), 1000
    seen = Counter(compare(drawn(dice, pairs, rates)).judgement for _ in range(number))

    assert seen["worse"] <= number * ALPHA + 2 * sqrt(number * ALPHA)
    assert seen["undecided"] < number / 4


@thorough
@pytest.mark.parametrize("pairs", [5, 10])
def test_a_known_difference_of_a_claim_is_found(pairs: int) -> None:
    """The rate that a comparison says it would have seen is seen as often as it says."""
    dice = chance(5)
    equal = compare(drawn(dice, pairs, [(0.0, 0.0)], figures=0))
    rate = visible_rate(equal.claims[0], equal.level(equal.claims[0]))
    assert rate

    found = [compare(drawn(dice, pairs, [(0.0, rate)], figures=0)).claims[0].judgement for _ in range(examples(400))]

    assert POWER - 0.1 < found.count("worse") / len(found) < POWER + 0.15
    rare = [compare(drawn(dice, pairs, [(0.0, rate / 3)], figures=0)).claims[0] for _ in range(examples(100))]
    assert sum(claim.judgement == "worse" for claim in rare) < len(rare) / 3


@thorough
@pytest.mark.parametrize("pairs", [8, 20])
def test_a_known_difference_of_a_figure_is_found(pairs: int) -> None:
    """So it is with the difference of a figure, whose noise is estimated from the same runs."""
    dice = chance(11)
    equal = [compare(drawn(dice, pairs, [(0.0, 0.0)], figures=1)) for _ in range(50)]
    sizes = [visible_difference(one.figures[0], one.level(one.figures[0])) or 0.0 for one in equal]
    size = sum(sizes) / len(sizes)

    slower = (compare(drawn(dice, pairs, [(0.0, 0.0)], figures=1, slower=size)) for _ in range(300))
    found = [comparison.figures[0].judgement for comparison in slower]

    assert POWER - 0.1 < found.count("worse") / len(found) < POWER + 0.15


@pytest.mark.parametrize(("pairs", "percent"), [(4, 95), (5, 84), (10, 59), (20, 32)])
def test_what_the_docs_say_of_pairs(pairs: int, percent: int) -> None:
    """How many pairs it takes stands in a table of docs/how-to/compare-two-versions.md."""
    comparison = compare(outcomes("h" * pairs, "h" * pairs))

    assert visible_rate(comparison.claims[0], comparison.level(comparison.claims[0])) == percent / 100
    page = (Path(__file__).parents[5] / "docs/how-to/compare-two-versions.md").read_text(encoding="utf-8")
    assert re.search(rf"^\| {pairs}( \(the default\))? \| {percent} % \|$", page, re.MULTILINE)


def test_what_cannot_be_seen() -> None:
    """Three pairs would not see even "never" against "always", and five no difference of a figure."""
    comparison = compare(outcomes("hhh", "hhh"))
    assert visible_rate(comparison.claims[0], comparison.level(comparison.claims[0])) is None
    comparison = compare(_figures(_TEN[:5], _TEN[:5]))
    assert visible_difference(comparison.figures[0], comparison.level(comparison.figures[0])) is None
    comparison = compare(_figures(_TEN, _TEN))
    assert visible_difference(comparison.figures[0], comparison.level(comparison.figures[0])) == pytest.approx(
        1.0, abs=0.1
    )
