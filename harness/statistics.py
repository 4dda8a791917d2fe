"""Statistics: confidence intervals of rates and percentiles."""

import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, islice
from statistics import NormalDist

__all__ = ["CONFIDENCE", "Interval", "bootstrap", "exact", "percentile", "wilson"]

CONFIDENCE = 0.95
"""Confidence level: the share of intervals, over many repetitions, that hold the true value."""

_HALVINGS = 60
_RESAMPLES = 1000


@dataclass(frozen=True)
class Interval:
    """An estimate and the interval, from `low` to `high`, that holds the true value with some confidence."""

    estimate: float
    low: float
    high: float

    def percent(self) -> str:
        """Return it as the text of a rate: "0.49 % (0.13 to 1.25 %)"."""
        return f"{100 * self.estimate:.2f} % ({100 * self.low:.2f} to {100 * self.high:.2f} %)"


def wilson(hits: int, total: int, confidence: float = CONFIDENCE) -> Interval:
    """Return the rate `hits` of `total` with Wilson's score interval; good for most totals, and fast.

    Without samples the interval is (0, 1).
    """
    _check(hits, total, confidence)
    if total == 0:
        return Interval(0.0, 0.0, 1.0)
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    rate, square = hits / total, z * z / total
    middle = (rate + square / 2) / (1 + square)
    half = z * math.sqrt(rate * (1 - rate) / total + square / (4 * total)) / (1 + square)
    low = 0.0 if hits == 0 else max(0.0, middle - half)
    high = 1.0 if hits == total else min(1.0, middle + half)
    return Interval(rate, low, high)


def exact(hits: int, total: int, confidence: float = CONFIDENCE) -> Interval:
    """Return the rate `hits` of `total` with the interval of Clopper and Pearson, which is never too narrow.

    For few samples, and for none that hit: 0 of 10 may still be 31 %.
    """
    _check(hits, total, confidence)
    if total == 0:
        return Interval(0.0, 0.0, 1.0)
    tail = (1 - confidence) / 2
    low = 0.0 if hits == 0 else _solve(lambda rate: 1 - _at_most(hits - 1, total, rate) > tail)
    high = 1.0 if hits == total else _solve(lambda rate: _at_most(hits, total, rate) <= tail)
    return Interval(hits / total, low, high)


def percentile(values: Sequence[float], share: float, confidence: float = CONFIDENCE) -> Interval:
    """Return the value below which a `share` of all values lies, with an interval from the order of the samples alone.

    It assumes nothing about the distribution. A bound that the samples are too few for is infinite. Raises ValueError
    without a sample.
    """
    if not values or not 0 < share < 1:
        raise ValueError(f"expected values and a share between 0 and 1, got {len(values)} values and {share}")
    ordered, total, tail = sorted(values), len(values), (1 - confidence) / 2
    estimate = ordered[max(0, math.ceil(share * total) - 1)]
    below = list(accumulate(_terms(total, share)))
    # The number of samples below the true value is binomial: the rank-th sample (from 0) lies above it with
    # the probability that at most `rank` samples are below.
    lows = [rank for rank in range(total) if below[rank] <= tail]
    highs = [rank for rank in range(total) if 1 - below[rank] <= tail]
    low = ordered[lows[-1]] if lows else -math.inf
    high = ordered[highs[0]] if highs else math.inf
    return Interval(estimate, min(low, estimate), max(high, estimate))


def bootstrap(groups: Sequence[Sequence[float]], share: float, confidence: float = CONFIDENCE) -> Interval:
    """Return the value below which a `share` of all values lies, with the interval by drawing whole groups again.

    The values of a group, such as a run, vary less than those of two: so groups are drawn, with replacement, a thousand
    times, always the same ones. With one group nothing is known of how groups vary, and the interval is infinite.
    Raises ValueError without a value.
    """
    there = [group for group in groups if group]
    if not there or not 0 < share < 1:
        raise ValueError(f"expected values and a share between 0 and 1, got {len(there)} groups and {share}")
    estimate = _rank(sorted(value for group in there for value in group), share)
    if len(there) == 1:
        return Interval(estimate, -math.inf, math.inf)
    draw = random.Random(0)  # noqa: S311 - a sample, and no secret
    drawn = sorted(
        _rank(sorted(value for group in draw.choices(there, k=len(there)) for value in group), share)
        for _ in range(_RESAMPLES)
    )
    tail = (1 - confidence) / 2
    return Interval(estimate, min(_rank(drawn, tail), estimate), max(_rank(drawn, 1 - tail), estimate))


def _rank(ordered: Sequence[float], share: float) -> float:
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def _check(hits: int, total: int, confidence: float) -> None:
    if not 0 <= hits <= total or not 0 < confidence < 1:
        raise ValueError(f"expected 0 <= hits <= total and 0 < confidence < 1, got {hits}, {total}, {confidence}")


def _at_most(hits: int, total: int, rate: float) -> float:
    """Return the probability of at most `hits` in `total` at this rate."""
    if rate <= 0 or hits >= total:
        return 1.0
    return 0.0 if rate >= 1 else min(1.0, math.fsum(islice(_terms(total, rate), hits + 1)))


def _terms(total: int, rate: float) -> Iterator[float]:
    """Yield the probability of 0, 1, … hits in `total`."""
    whole, hit, miss = math.lgamma(total + 1), math.log(rate), math.log1p(-rate)
    for hits in range(total):
        ways = whole - math.lgamma(hits + 1) - math.lgamma(total - hits + 1)
        yield math.exp(ways + hits * hit + (total - hits) * miss)


def _solve(above: Callable[[float], bool]) -> float:
    """Return the value from 0 to 1 at which `above` becomes true."""
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if above(middle) else (middle, high)
    return (low + high) / 2
