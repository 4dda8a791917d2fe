"""Statistics: intervals hold what they must, narrow with more samples, and agree with known values."""

import math
import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaos_harness.harness.statistics import CONFIDENCE, Interval, bootstrap, exact, percentile, wilson

counts = st.integers(1, 400).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total)))


@pytest.mark.parametrize(
    ("hits", "total", "low", "high"), [(8, 975, 0.0042, 0.0161), (1, 2044, 0.0001, 0.0028), (0, 10, 0.0, 0.2775)]
)
def test_wilson_as_in_tables(hits: int, total: int, low: float, high: float) -> None:
    """Wilson's interval is that of the textbook."""
    interval = wilson(hits, total)
    assert [interval.low, interval.high] == pytest.approx([low, high], abs=1e-4)


@pytest.mark.parametrize(
    ("hits", "total", "low", "high"), [(0, 10, 0.0, 0.3085), (5, 10, 0.1871, 0.8129), (10, 10, 0.6915, 1.0)]
)
def test_exact_as_in_tables(hits: int, total: int, low: float, high: float) -> None:
    """The exact interval is that of the textbook."""
    interval = exact(hits, total)
    assert [interval.low, interval.high] == pytest.approx([low, high], abs=1e-4)


@pytest.mark.parametrize("interval", [wilson, exact])
@settings(deadline=None)
@given(counts)
def test_holds_the_estimate(interval: Callable[[int, int], Interval], pair: tuple[int, int]) -> None:
    """An interval lies within 0 and 1 and around its estimate, and mirrors when hits and misses swap."""
    hits, total = pair
    direct, mirrored = interval(hits, total), interval(total - hits, total)
    assert 0 <= direct.low <= direct.estimate <= direct.high <= 1
    assert direct.low == pytest.approx(1 - mirrored.high, abs=1e-9)


@settings(deadline=None)
@given(counts)
def test_exact_covers_at_its_bounds(pair: tuple[int, int]) -> None:
    """At the lower bound so many hits, or more, are as improbable as promised."""
    hits, total = pair
    interval = exact(hits, total)
    if hits:
        more = sum(
            math.comb(total, count) * interval.low**count * (1 - interval.low) ** (total - count)
            for count in range(hits)
        )
        assert 1 - more == pytest.approx((1 - CONFIDENCE) / 2, abs=1e-6)


@given(counts, st.integers(2, 10))
def test_more_samples_are_surer(pair: tuple[int, int], times: int) -> None:
    """The same rate of more samples has a narrower interval."""
    hits, total = pair
    few, many = wilson(hits, total), wilson(hits * times, total * times)
    assert many.high - many.low < few.high - few.low


def test_nothing_is_known_of_nothing() -> None:
    """Without a sample every rate is possible, and no percentile."""
    assert (wilson(0, 0).low, wilson(0, 0).high) == (exact(0, 0).low, exact(0, 0).high) == (0.0, 1.0)
    with pytest.raises(ValueError, match="expected values"):
        percentile([], 0.5)


@pytest.mark.parametrize(("hits", "total", "confidence"), [(2, 1, 0.9), (-1, 1, 0.9), (0, 1, 1.0)])
def test_nonsense_is_refused(hits: int, total: int, confidence: float) -> None:
    """More hits than samples, and a confidence of 1, are refused."""
    for interval in (wilson, exact):
        with pytest.raises(ValueError, match="expected 0 <= hits"):
            interval(hits, total, confidence)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=200), st.sampled_from([0.1, 0.5, 0.9, 0.99]))
def test_percentile_is_a_sample(values: list[float], share: float) -> None:
    """A percentile is one of the samples, its bounds are samples or infinite, and the order of samples is nothing."""
    interval = percentile(values, share)
    assert interval.estimate in values
    assert interval.low <= interval.estimate <= interval.high
    assert {interval.low, interval.high} <= {*values, -math.inf, math.inf}
    assert percentile(values[::-1], share) == interval


def test_percentile_covers() -> None:
    """Of many intervals for the median, about as many as promised hold it, and never far fewer."""
    chance = random.Random(7)  # noqa: S311 - the same samples each time
    intervals = [percentile([chance.random() for _ in range(25)], 0.5) for _ in range(1000)]
    held = sum(interval.low <= 0.5 <= interval.high for interval in intervals)
    assert held >= 1000 * CONFIDENCE - 15


@pytest.mark.parametrize(("total", "low", "high"), [(6, 1, 6), (10, 2, 9), (25, 8, 18), (5, -math.inf, math.inf)])
def test_bounds_of_a_median_are_those_of_tables(total: int, low: float, high: float) -> None:
    """The median of so many samples lies between these ranks, as in tables of its 95 % interval."""
    interval = percentile([float(rank) for rank in range(1, total + 1)], 0.5)
    assert (interval.low, interval.high) == (low, high)


def test_few_samples_bound_nothing() -> None:
    """Five samples say nothing of how bad the worst twentieth may be."""
    assert percentile([1.0, 2.0, 3.0, 4.0, 5.0], 0.95).high == math.inf


def test_rate_in_words() -> None:
    """A rate is told with its interval."""
    assert wilson(8, 975).percent() == "0.82 % (0.42 to 1.61 %)"


def test_bootstrap_draws_whole_groups() -> None:
    """The interval is as wide as the groups differ, however many values they have."""
    alike = bootstrap([(1.0, 2.0, 3.0)] * 8, 0.5)
    differing = bootstrap([(1.0,) * 3, (2.0,) * 3, (3.0,) * 3] * 3, 0.5)
    assert alike == Interval(2.0, 2.0, 2.0)
    assert differing.estimate == 2.0
    assert (differing.low, differing.high) == (1.0, 3.0)
    assert bootstrap([(5.0, 6.0)], 0.5) == Interval(5.0, -math.inf, math.inf)
    assert bootstrap([(5.0,), (), (6.0,)], 0.95).estimate == 6.0


def test_bootstrap_holds_the_median() -> None:
    """The interval of twenty runs holds the true median about as often as it says, and is always the same one."""
    draw = random.Random(5)  # noqa: S311
    nights = [[(draw.gauss(100, 15),) for _ in range(20)] for _ in range(60)]
    found = [bootstrap(night, 0.5) for night in nights]
    assert sum(one.low <= 100 <= one.high for one in found) >= 0.85 * len(found)
    assert found[0] == bootstrap(nights[0], 0.5)


@pytest.mark.parametrize(("groups", "share"), [([], 0.5), ([()], 0.5), ([(1.0,)], 0.0), ([(1.0,)], 1.0)])
def test_bootstrap_refuses(groups: list[tuple[float, ...]], share: float) -> None:
    """Without a value, or for all of them, there is nothing to say."""
    with pytest.raises(ValueError, match="expected values and a share"):
        bootstrap(groups, share)
