"""Gate: what is called worse, and how rarely that is wrong."""

import random
from collections.abc import Sequence

import pytest

from chaos_harness.reports.trends.figures import FigureSample
from chaos_harness.reports.trends.regression import FEWEST, bound, judge_figures, quantile
from tests.thorough import examples


def _sample(value: float, figure: str = "serving_seconds", test: str = "t") -> FigureSample:
    return FigureSample(test, "v", "c", figure, value, 0, 0)


def _outcome(value: float, earlier: Sequence[float], figure: str = "serving_seconds") -> str:
    sample = _sample(value, figure)
    judgements = judge_figures([sample], {sample.key: earlier})
    return judgements[0].outcome if judgements else "not gated"


@pytest.mark.parametrize(
    ("value", "earlier", "outcome"),
    [
        (13.0, [11, 12, 13, 12, 11, 12], "as before"),
        (62.0, [11, 12, 13, 12, 11, 12], "worse"),
        (2.0, [11, 12, 13, 12, 11, 12], "better"),
        (40.0, [11, 60, 25, 12, 45, 30], "as before"),
        (12.4, [12.0] * 8, "as before"),
        (14.0, [12.0] * 8, "worse"),
        (1.0, [0.0] * 5, "as before"),
        (600.0, [0.0] * 5, "worse"),
        (62.0, [12] * (FEWEST - 1), "too few runs"),
        (62.0, [], "too few runs"),
    ],
)
def test_worse_is_what_noise_does_not_explain(value: float, earlier: list[float], outcome: str) -> None:
    """A jump beyond quiet earlier values is worse, the same jump among noisy ones is not, and few say nothing."""
    assert _outcome(value, earlier) == outcome


@pytest.mark.parametrize(
    "figure",
    [
        "cut_seconds",
        "first_lost_seconds",
        "created_pods",
        "mutate_pods_asked_requests",
        "unmutated_low_percent",
        "ready_median_high_seconds",
        "repetitions",
    ],
)
def test_what_is_no_harm_is_not_gated(figure: str) -> None:
    """What the scenario itself chooses, how much was asked, and bounds of intervals are not called worse."""
    assert _outcome(500.0, [10] * 10, figure) == "not gated"


@pytest.mark.parametrize("figure", ["ready_median_seconds", "mutate_pods_lost_least_seconds", "unmutated_percent"])
def test_recovery_and_loss_are_gated(figure: str) -> None:
    """How long it took, how long enforcement was lost, and how much of it: more is worse."""
    assert _outcome(500.0, [10] * 10, figure) == "worse"


@pytest.mark.parametrize("shape", ["even", "skewed"])
@pytest.mark.parametrize("runs", [FEWEST, 10, 30])
def test_false_alarms_are_as_rare_as_said(shape: str, runs: int) -> None:
    """Of runs in which nothing changed about one in a hundred calls any of 40 figures worse, whatever their noise."""
    noise = random.Random(7)  # noqa: S311 - the same numbers each time

    def draw() -> float:
        return noise.gauss(20, 4) if shape == "even" else noise.lognormvariate(2.5, 0.5)

    alarms, turns = 0, examples(150)
    for _ in range(turns):
        samples = [_sample(draw(), test=str(number)) for number in range(40)]
        earlier = {sample.key: [draw() for _ in range(runs)] for sample in samples}
        alarms += any(judgement.outcome == "worse" for judgement in judge_figures(samples, earlier))

    assert alarms <= 0.03 * turns


@pytest.mark.parametrize(
    ("probability", "freedom", "value"),
    [(0.95, 4, 2.132), (0.99, 4, 3.747), (0.999, 4, 7.173), (0.999, 9, 4.297), (0.95, 29, 1.699)],
)
def test_quantile_is_students(probability: float, freedom: int, value: float) -> None:
    """The expansion agrees with the printed tables."""
    assert quantile(probability, freedom) == pytest.approx(value, rel=0.02)


def test_bound_widens_with_more_figures() -> None:
    """The more figures there are, the further one must be off."""
    assert bound([10, 11, 12, 11, 10], 0.05 / 100) > bound([10, 11, 12, 11, 10], 0.05)


def test_few_quiet_runs_do_not_explain_everything() -> None:
    """However many figures there are, and however few runs, ten minutes after five runs of nothing are worse."""
    samples = [_sample(600.0 if number == 7 else 0.0, test=str(number)) for number in range(200)]
    judged = judge_figures(samples, {sample.key: [0.0] * FEWEST for sample in samples})
    assert [line.sample.test for line in judged if line.outcome == "worse"] == ["7"]


def test_words_tell_the_comparison() -> None:
    """A line says value, verdict, what was before and what noise explains."""
    sample = _sample(62.0)
    (judgement,) = judge_figures([sample], {sample.key: [11, 12, 13, 12, 11, 12]})

    assert judgement.words.startswith("t: c: serving seconds 62, worse: 11.83 in 6 earlier runs, up to 1")
