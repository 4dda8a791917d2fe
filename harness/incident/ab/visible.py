"""Visible: how small a difference so many runs would have seen, four times in five."""

from collections.abc import Iterator
from functools import cache
from math import comb, fsum, isfinite
from statistics import NormalDist

from chaos_harness.harness.incident.ab.compare import ClaimDifference, FigureDifference
from chaos_harness.harness.significance import fisher, shift

__all__ = ["POWER", "visible_difference", "visible_rate"]

POWER = 0.8
"""How often a difference of that size would have been seen."""

_STEPS = 100


def visible_rate(claim: ClaimDifference, level: float) -> float | None:
    """Return from which rate on B on a claim would be called worse with probability POWER, if A's rate is as seen.

    To whole percents, upwards; None if even "always" would not be seen so often. `level` is the probability of chance
    below which it is called worse; undecided runs are left out of both arms.
    """
    if not (claim.a.decided and claim.b.decided):
        return None
    usual = claim.a.violated / claim.a.decided
    first = next(step for step in range(_STEPS + 1) if step / _STEPS >= usual)
    return next(
        (
            step / _STEPS
            for step in range(first, _STEPS + 1)
            if _power(usual, claim.a.decided, step / _STEPS, claim.b.decided, level) >= POWER
        ),
        None,
    )


def visible_difference(figure: FigureDifference, level: float) -> float | None:
    """Return by how much a figure must be worse on B to be called so with probability POWER, if it varies as seen.

    By the width of its interval at this level: half of it is what chance explains, and the rest is for what chance
    takes away. None if so few pairs would never be enough.
    """
    bounds = shift(figure.harms, 1 - 2 * level)
    half = (bounds.high - bounds.low) / 2
    if not isfinite(half):
        return None
    normal = NormalDist()
    return max(figure.floor, half * (1 + normal.inv_cdf(POWER) / normal.inv_cdf(1 - level)))


def _power(usual: float, total: int, rate: float, other_total: int, level: float) -> float:
    """Return how often Fisher's test finds a `rate` on B larger than the `usual` one on A."""
    return fsum(
        chance * fsum(_chances(rate, other_total)[_critical(hits, total, other_total, level) :])
        for hits, chance in enumerate(_chances(usual, total))
        if chance
    )


@cache
def _critical(hits: int, total: int, other_total: int, level: float) -> int:
    """Return the fewest violations of B that are no chance beside `hits` of A; one more than there are, if none are."""
    return next(
        (more for more in range(other_total + 1) if fisher(more, other_total, hits, total) <= level), other_total + 1
    )


@cache
def _chances(rate: float, total: int) -> tuple[float, ...]:
    return tuple(_binomial(rate, total))


def _binomial(rate: float, total: int) -> Iterator[float]:
    for hits in range(total + 1):
        yield comb(total, hits) * rate**hits * (1 - rate) ** (total - hits)
