"""Against SciPy: our statistics are those of a library that is too large to be needed for running."""

import math
from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaos_harness.harness.significance import fisher, rank_sum, shift, signed_rank
from chaos_harness.harness.statistics import Interval, bootstrap, exact, percentile, wilson
from chaos_harness.reports.comparison.levels import levels
from chaos_harness.reports.trends.regression import quantile
from tests.thorough import examples, thorough

pytestmark = thorough

_counts = st.integers(1, 400).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total)))
_confidences = st.sampled_from([0.51, 0.83, 0.95, 0.987])
"""With none of them a tail is exactly as probable as a rank: then rounding decides which rank is the bound."""


@pytest.fixture(scope="module")
def stats() -> Any:
    """Import it only when a test runs: that takes a second."""
    return import_module("scipy.stats")


@pytest.mark.parametrize("interval", [wilson, exact])
@settings(deadline=None, max_examples=examples(40))
@given(pair=_counts, confidence=_confidences)
def test_interval_of_a_rate(
    stats: Any, interval: Callable[[int, int, float], Interval], pair: tuple[int, int], confidence: float
) -> None:
    """Wilson's and the exact interval of a rate, for every rate and number of samples."""
    ours = interval(*pair, confidence)
    theirs = stats.binomtest(*pair).proportion_ci(confidence, method=interval.__name__)
    assert [ours.low, ours.high] == pytest.approx([theirs.low, theirs.high], abs=1e-9)


@settings(deadline=None)
@given(total=st.integers(1, 300), share=st.sampled_from([0.1, 0.5, 0.9, 0.95, 0.99]), confidence=_confidences)
def test_interval_of_a_percentile(stats: Any, total: int, share: float, confidence: float) -> None:
    """The ranks that bound a percentile; infinite is what SciPy calls no number."""
    ranks = [float(rank) for rank in range(1, total + 1)]
    ours = percentile(ranks, share, confidence)
    theirs = stats.quantile_test(ranks, p=share).confidence_interval(confidence)
    low = -math.inf if math.isnan(theirs.low) else theirs.low
    high = math.inf if math.isnan(theirs.high) else theirs.high
    # Our interval also holds the estimate, which the ranks alone need not.
    assert (ours.low, ours.high) == (min(low, ours.estimate), max(high, ours.estimate))


@pytest.mark.parametrize(("most", "probabilities"), [(0.01, (0.6, 0.9, 0.99, 0.999)), (0.08, (0.9999, 0.99999))])
@pytest.mark.parametrize("freedom", [4, 5, 9, 29])
def test_quantile_of_student(stats: Any, freedom: int, most: float, probabilities: tuple[float, ...]) -> None:
    """It is too small by no more than is said, and never too large."""
    for probability in probabilities:
        ratio = quantile(probability, freedom) / float(stats.t.ppf(probability, freedom))
        assert 1 - most <= ratio <= 1 + 1e-6


@settings(deadline=None)
@given(pair=_counts, other=_counts)
def test_fisher(stats: Any, pair: tuple[int, int], other: tuple[int, int]) -> None:
    """Fisher's exact test, one-sided."""
    table = [[hits, total - hits] for hits, total in (pair, other)]
    assert fisher(*pair, *other) == pytest.approx(stats.fisher_exact(table, alternative="greater")[1], rel=1e-6)


_differences = st.lists(st.integers(1, 10**6), min_size=2, max_size=25, unique=True).flatmap(
    lambda sizes: st.tuples(*(st.sampled_from([float(size), -float(size)]) for size in sizes))
)
"""Without ties and zeros SciPy's test is exact, too."""


@settings(deadline=None)
@given(differences=_differences)
def test_signed_rank(stats: Any, differences: tuple[float, ...]) -> None:
    """Wilcoxon's signed-rank test, one-sided."""
    theirs = stats.wilcoxon(differences, alternative="greater", mode="exact").pvalue
    assert signed_rank(differences) == pytest.approx(theirs, rel=1e-9)


@settings(deadline=None)
@given(sizes=st.lists(st.integers(-(10**4), 10**4), min_size=2, max_size=9, unique=True))
def test_signed_rank_with_ties(stats: Any, sizes: list[int]) -> None:
    """With ties, which share their ranks, and zeros, which are left out: SciPy tries all signs."""
    differences = [size // 2000 for size in sizes]
    ranks = stats.rankdata([abs(difference) for difference in differences if difference])
    signs = [1 if difference > 0 else -1 for difference in differences if difference]
    if len(signs) < 2:
        return
    theirs = stats.permutation_test(
        ([rank * sign for rank, sign in zip(ranks, signs, strict=True)],),
        sum,
        permutation_type="samples",
        alternative="greater",
        vectorized=False,
    )
    assert signed_rank(differences) == pytest.approx(theirs.pvalue, rel=1e-9)


@settings(deadline=None)
@given(sizes=st.lists(st.integers(-(10**6), 10**6), min_size=6, max_size=15, unique=True))
def test_interval_of_a_shift(stats: Any, sizes: list[int]) -> None:
    """The ends are where SciPy's test begins to refuse a shift: just outside it does, just inside not."""
    differences = [size + 0.001 * index for index, size in enumerate(sizes)]
    ours = shift(differences)
    for end, outwards in ((ours.low, -1e-5), (ours.high, 1e-5)):
        outside, inside = (
            stats.wilcoxon([difference - moved for difference in differences], mode="exact").pvalue
            for moved in (end + outwards, end - outwards)
        )
        assert outside <= 0.05 < inside


@settings(deadline=None, max_examples=examples(40))
@given(values=st.lists(st.integers(), min_size=4, max_size=40, unique=True), data=st.data())
def test_rank_sum(stats: Any, values: list[int], data: st.DataObject) -> None:
    """The test of Wilcoxon, Mann and Whitney without ties, one-sided and exact."""
    cut = data.draw(st.integers(1, len(values) - 1))
    one, other = [float(value % 10**9) for value in values[:cut]], [float(value % 10**9) for value in values[cut:]]
    if len({*one, *other}) < len(values):
        return
    theirs = stats.mannwhitneyu(one, other, alternative="greater", method="exact").pvalue
    assert rank_sum(one, other) == pytest.approx(theirs, rel=1e-9)


@settings(deadline=None, max_examples=examples(40))
@given(values=st.lists(st.integers(0, 3), min_size=4, max_size=9), data=st.data())
def test_rank_sum_with_ties(stats: Any, values: list[int], data: st.DataObject) -> None:
    """With ties, which share their ranks: SciPy tries all choices."""
    cut = data.draw(st.integers(2, len(values) - 2))
    ranks = stats.rankdata(values)
    theirs = stats.permutation_test(
        (ranks[:cut], ranks[cut:]), lambda one, _: sum(one), alternative="greater", vectorized=False
    )
    ours = rank_sum([float(value) for value in values[:cut]], [float(value) for value in values[cut:]])
    assert ours == pytest.approx(theirs.pvalue, rel=1e-9)


@settings(deadline=None, max_examples=examples(40))
@given(sizes=st.lists(st.integers(0, 20), min_size=61, max_size=90), data=st.data())
def test_rank_sum_of_many(stats: Any, sizes: list[int], data: st.DataObject) -> None:
    """By the normal distribution, with a correction for ties and for steps."""
    cut = data.draw(st.integers(20, len(sizes) - 20))
    theirs = stats.mannwhitneyu(sizes[:cut], sizes[cut:], alternative="greater", method="asymptotic").pvalue
    if len(set(sizes)) > 1:
        ours = rank_sum([float(size) for size in sizes[:cut]], [float(size) for size in sizes[cut:]])
        assert ours == pytest.approx(theirs, rel=1e-6, abs=1e-12)


@pytest.mark.parametrize("share", [0.5, 0.95])
def test_bootstrap_of_single_values(stats: Any, share: float) -> None:
    """One value a run: SciPy draws other runs, and its interval by percentiles is the same but for that."""
    values = [float(value) for value in stats.norm.rvs(100, 15, size=60, random_state=3)]

    def rank(sample: Any) -> float:
        return float(sorted(sample)[max(0, math.ceil(share * len(sample)) - 1)])

    theirs = stats.bootstrap(
        (values,), rank, vectorized=False, method="percentile", n_resamples=2000, random_state=1
    ).confidence_interval
    ours = bootstrap([(value,) for value in values], share)
    assert [ours.low, ours.high] == pytest.approx([theirs.low, theirs.high], abs=3.0)


@settings(deadline=None, max_examples=examples(20))
@given(seed=st.integers(0, 2**32 - 1), number=st.integers(2, 60), count=st.integers(14, 60))
def test_levels_of_many_tests(stats: Any, seed: int, number: int, count: int) -> None:
    """A fifth of an equal part, and the rest by normal tails beyond one bound, in units of the common noise."""
    logs = stats.norm.rvs(3, 0.15, size=(number, count), random_state=seed)
    cut = round(count / 10)
    normal = stats.norm.ppf((stats.rankdata(range(count)) - 0.5) / count)[cut : count - cut]
    kept = [sorted(row)[cut : count - cut] for row in logs.tolist()]
    spreads = [math.log(max(stats.tstd(row) / stats.tstd(normal), 0.05)) for row in kept]
    alike = min(1.0, 0.8 / count / stats.tvar(spreads))
    middle = sorted(spreads)[(number - 1) // 2] / 2 + sorted(spreads)[number // 2] / 2
    ratios = [math.exp(alike * (spread - middle)) for spread in spreads]

    def tails(bound: float) -> Any:
        return stats.norm.sf([bound / ratio for ratio in ratios])

    bound = import_module("scipy.optimize").brentq(lambda bound: tails(bound).sum() - 0.005, 0, 40, xtol=1e-13)
    theirs = [0.2 * 0.005 / number + 0.8 * tail for tail in tails(bound)]
    assert levels(logs.tolist(), 0.005) == pytest.approx(theirs, rel=1e-6)
