"""Levels: how much of one probability of error each of many tests may use, by how much their values vary."""

from collections.abc import Sequence
from math import erfc, exp, fsum, log, sqrt
from statistics import NormalDist, fmean, median, stdev, variance

__all__ = ["LEAST_SHARE", "levels"]

LEAST_SHARE = 0.2
"""Of the level that each test would have if all had the same, it has this much at least."""

_CUT = 0.1
_VARIANCE = 0.8
_LEAST_SPREAD = 0.05
_FEWEST = 4
_HALVINGS = 50
_FARTHEST = 40.0


def levels(pooled: Sequence[Sequence[float]], error: float) -> list[float]:
    """Return the level of each test; together they are `error`.

    `pooled` are the values of each test, those of both groups in one, as logarithms. A difference between the groups
    lets their values together vary more than noise does; how much that is, all tests tell. Where they vary alike, one
    whose values vary more has a higher level; where each varies in its own way, all have about the same (noise learned
    from all tests: Smyth 2004, Statistical Applications in Genetics and Molecular Biology 3). Nothing here knows which
    value is of which group, so that a test by permutation stays exact at its level (Bourgon, Gentleman and Huber 2010,
    PNAS 107). Raises ValueError for fewer than four values of a test.
    """
    if any(len(values) < _FEWEST for values in pooled):
        raise ValueError(f"expected {_FEWEST} values of each test, got {min(map(len, pooled))}")
    if not pooled:
        return []
    tails = _tails(_ratios(pooled), error)
    least, weighted = LEAST_SHARE * error / len(pooled), (1 - LEAST_SHARE) * error / fsum(tails)
    return [least + weighted * tail for tail in tails]


def _ratios(pooled: Sequence[Sequence[float]]) -> list[float]:
    """Return by which factor the values of each test vary more than is usual, so far as tests vary alike."""
    spreads = [log(max(_spread(values), _LEAST_SPREAD)) for values in pooled]
    by_chance = fmean(_VARIANCE / len(values) for values in pooled)
    alike = by_chance / max(by_chance, variance(spreads) if len(spreads) > 1 else 0.0)
    usual = median(spreads)
    return [exp(alike * (spread - usual)) for spread in spreads]


def _spread(values: Sequence[float]) -> float:
    """Return the standard deviation by the middle four fifths, as if they were those of a normal distribution.

    One slow run among many says nothing of the others. The variance of its logarithm is about 0.8 by their number.
    """
    total = len(values)
    kept = slice(round(_CUT * total), total - round(_CUT * total))
    normal = [NormalDist().inv_cdf((rank + 0.5) / total) for rank in range(total)]
    return stdev(sorted(values)[kept]) / stdev(normal[kept])


def _tails(ratios: Sequence[float], error: float) -> list[float]:
    """Return how likely each test is beyond one bound for all, in units of the common noise: together `error`."""
    low, high = 0.0, _FARTHEST
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if fsum(_beyond(middle / ratio) for ratio in ratios) > error else (low, middle)
    return [_beyond(high / ratio) for ratio in ratios]


def _beyond(distance: float) -> float:
    return erfc(distance / sqrt(2)) / 2
