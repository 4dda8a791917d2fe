"""Significance: what is chance and what is not, in cases that can be counted by hand."""

from math import comb, inf

import pytest

from chaos_harness.harness.significance import adjusted, fisher, rank_sum, shift, signed_rank
from chaos_harness.harness.statistics import Interval


@pytest.mark.parametrize(
    ("violated", "probability"),
    [
        ((5, 5, 0, 5), 1 / comb(10, 5)),
        ((4, 4, 0, 4), 1 / comb(8, 4)),
        ((0, 5, 5, 5), 1.0),
        ((0, 5, 0, 5), 1.0),
        ((0, 0, 3, 5), 1.0),
        ((1, 1, 0, 1), 0.5),
    ],
)
def test_fisher(violated: tuple[int, int, int, int], probability: float) -> None:
    """The share of the ways to deal the violations out that give B so many or more."""
    assert fisher(*violated) == pytest.approx(probability)


@pytest.mark.parametrize("wrong", [(2, 1, 0, 1), (0, 1, -1, 1)])
def test_fisher_refuses(wrong: tuple[int, int, int, int]) -> None:
    """More hits than samples are a mistake."""
    with pytest.raises(ValueError, match="at most as many"):
        fisher(*wrong)


@pytest.mark.parametrize(
    ("differences", "probability"),
    [
        ([1, 2, 3, 4, 5, 6], 1 / 64),
        ([-1, -2, -3], 1.0),
        ([-1, 2, 3], 2 / 8),
        ([1, -1], 3 / 4),
        ([0, 0, 1, 2], 1 / 4),
        ([0, 0], 1.0),
        ([], 1.0),
    ],
)
def test_signed_rank(differences: list[float], probability: float) -> None:
    """The share of all signs that give the positive differences so large ranks; those of 0 are left out."""
    assert signed_rank(differences) == pytest.approx(probability)


def test_shift() -> None:
    """Six pairs are the fewest of which the interval has ends: the smallest difference, and the largest."""
    assert shift([3, 1, 2, 4, 6, 5]) == Interval(3.5, 1, 6)
    assert shift([3, 1, 2, 4, 6]) == Interval(3.0, -inf, inf)
    with pytest.raises(ValueError, match="got 0"):
        shift([])


def test_adjusted() -> None:
    """Holm: the smallest counts as often as there are tests, the next once less, and none below one before it."""
    assert adjusted([0.01, 0.04, 0.03, 0.9]) == pytest.approx([0.04, 0.09, 0.09, 0.9])
    assert adjusted([0.5, 0.6]) == [1.0, 1.0]
    assert adjusted([]) == []


@pytest.mark.parametrize(
    ("values", "others", "probability"),
    [
        ([4.0, 5.0], [1.0, 2.0, 3.0], 1 / comb(5, 2)),
        ([3.0, 5.0], [1.0, 2.0, 4.0], 2 / comb(5, 2)),
        ([1.0, 2.0], [3.0, 4.0, 5.0], 1.0),
        ([1.0, 1.0], [1.0, 1.0], 1.0),
        ([2.0], [1.0, 2.0], 2 / 3),
        ([], [1.0], 1.0),
        ([1.0], [], 1.0),
    ],
)
def test_rank_sum(values: list[float], others: list[float], probability: float) -> None:
    """The share of the ways to choose so many of all values whose ranks sum up to so much or more."""
    assert rank_sum(values, others) == pytest.approx(probability)


def test_rank_sum_of_many() -> None:
    """For more than 60 values it is by the normal distribution, which goes on where the exact one ends."""
    values, others = ([float(2 * number + more) for number in range(30)] for more in (9, 0))
    assert rank_sum([*values, 40.0], others) == pytest.approx(rank_sum(values, others), rel=0.2)
    assert rank_sum([1.0] * 40, [1.0] * 40) == 1.0
