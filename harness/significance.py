"""Significance: exact tests of whether one of two samples is worse, and corrections for making many of them."""

from collections.abc import Sequence
from functools import lru_cache
from itertools import combinations_with_replacement
from math import comb, fsum, inf, isclose, sqrt
from statistics import NormalDist, median

from chaos_harness.harness.statistics import CONFIDENCE, Interval

__all__ = ["adjusted", "fisher", "rank_sum", "shift", "signed_rank"]

_MOST_EXACT = 60


@lru_cache(maxsize=2**14)
def fisher(hits: int, total: int, other_hits: int, other_total: int) -> float:
    """Return how likely `hits` of `total`, or more, are by chance, beside `other_hits` of `other_total`.

    Fisher's exact test, one-sided: given how many hits there are in both together, and that both have the same rate.
    Raises ValueError if there are more hits than samples.
    """
    if not (0 <= hits <= total and 0 <= other_hits <= other_total):
        raise ValueError(f"expected at most as many hits as samples, got {hits}/{total}, {other_hits}/{other_total}")
    both = hits + other_hits
    more = range(max(hits, both - other_total), min(both, total) + 1)
    ways: int = sum(comb(total, number) * comb(other_total, both - number) for number in more)
    return ways / comb(total + other_total, both)


def signed_rank(differences: Sequence[float]) -> float:
    """Return how likely differences as large as these, or larger, are by chance if they are about 0 on average.

    Wilcoxon's signed-rank test, one-sided and exact: each difference has either sign with the same probability. Those
    of 0 say nothing and are left out, equal ones share their ranks. 1.0 without differences.
    """
    ranks, positive = _signed_ranks(differences)
    counts = _rank_sums(ranks)
    ways: int = sum(counts[positive:])
    return ways / (1 << len(ranks))


def rank_sum(values: Sequence[float], others: Sequence[float]) -> float:
    """Return how likely these values are as large beside the others, or larger, by chance if both are of one kind.

    The test of Wilcoxon, Mann and Whitney, one-sided: each choice of so many out of all has the same probability. Equal
    values share their ranks. Exact for up to 60 values together, by the normal distribution for more. 1.0 if there are
    none on a side.
    """
    count, total = len(values), len(values) + len(others)
    if not values or not others:
        return 1.0
    ranks, sum_ = _shared_ranks(values, others)
    if total <= _MOST_EXACT:
        ways = _choices(tuple(sorted(ranks)), count)
        return sum(ways[sum_:]) / comb(total, count)
    middle = count * fsum(ranks) / total
    spread = count * (total - count) / (total - 1) * fsum((rank - fsum(ranks) / total) ** 2 for rank in ranks) / total
    return 1 - NormalDist().cdf((sum_ - 1 - middle) / sqrt(spread)) if spread else 1.0


def shift(differences: Sequence[float], confidence: float = CONFIDENCE) -> Interval:
    """Return by how much differences lie above 0 on average, with an interval that Wilcoxon's test does not refuse.

    The estimate is that of Hodges and Lehmann: the median of all means of two differences. A bound for which there are
    too few is infinite. Raises ValueError without differences.
    """
    if not differences or not 0 < confidence < 1:
        raise ValueError(f"expected differences and 0 < confidence < 1, got {len(differences)} and {confidence}")
    means = sorted(fsum(pair) / 2 for pair in combinations_with_replacement(differences, 2))
    tail = (1 - confidence) / 2 * 2 ** len(differences)
    outside, so_far = 0, 0
    for ways in _rank_sums(tuple(range(2, 2 * len(differences) + 1, 2)))[::2]:
        so_far += ways
        if so_far > tail:
            break
        outside += 1
    low, high = (means[outside - 1], means[-outside]) if outside else (-inf, inf)
    return Interval(median(means), low, high)


def adjusted(probabilities: Sequence[float]) -> list[float]:
    """Return each probability as it is when all these tests are made: Holm's correction, at most 1.0."""
    order = sorted(range(len(probabilities)), key=probabilities.__getitem__)
    corrected, highest = [1.0] * len(probabilities), 0.0
    for place, index in enumerate(order):
        highest = max(highest, min(1.0, (len(order) - place) * probabilities[index]))
        corrected[index] = highest
    return corrected


def _shared_ranks(values: Sequence[float], others: Sequence[float]) -> tuple[list[int], int]:
    """Return twice the rank of each value among all, and their sum over `values`."""
    marked = sorted([(value, 1) for value in values] + [(other, 0) for other in others])
    ranks: list[int] = []
    sum_ = begin = 0
    while begin < len(marked):
        end = begin
        while end < len(marked) and marked[end][0] == marked[begin][0]:
            end += 1
        ranks += [begin + end + 1] * (end - begin)
        sum_ += (begin + end + 1) * sum(mine for _, mine in marked[begin:end])
        begin = end
    return ranks, sum_


@lru_cache(maxsize=2**8)
def _choices(ranks: tuple[int, ...], count: int) -> tuple[int, ...]:
    """Return for each sum in how many ways so many of these ranks have it.

    The numbers for all sums are digits of one large number, so that a rank is added to all of them by one shift.
    """
    digit = len(ranks) + 1
    ways = [1] + [0] * count
    for rank in ranks:
        for chosen in range(count, 0, -1):
            ways[chosen] += ways[chosen - 1] << (rank * digit)
    mask = (1 << digit) - 1
    return tuple(ways[count] >> (place * digit) & mask for place in range(sum(ranks) + 1))


def _signed_ranks(differences: Sequence[float]) -> tuple[tuple[int, ...], int]:
    """Return twice the rank of each difference that is not 0, in order, and the sum of those that are positive."""
    sizes = sorted((abs(difference), difference > 0) for difference in differences if difference)
    ranks: list[int] = []
    positive = begin = 0
    while begin < len(sizes):
        end = begin
        while end < len(sizes) and isclose(sizes[end][0], sizes[begin][0], rel_tol=1e-9):
            end += 1
        shared = begin + end + 1
        ranks += [shared] * (end - begin)
        positive += shared * sum(above for _, above in sizes[begin:end])
        begin = end
    return tuple(ranks), positive


@lru_cache(maxsize=2**10)
def _rank_sums(ranks: tuple[int, ...]) -> tuple[int, ...]:
    """Return for each sum in how many ways signs give it to the positive ones of these ranks."""
    counts = [1] + [0] * sum(ranks)
    so_far = 0
    for rank in ranks:
        so_far += rank
        for total in range(so_far, rank - 1, -1):
            counts[total] += counts[total - rank]
    return tuple(counts)
