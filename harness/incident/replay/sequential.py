"""Sequential: a test on repeated runs that goes on until it is certain whether an incident still reproduces."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

__all__ = ["Sequential", "usual_rate"]

_RARER = 0.25
_LOWEST, _HIGHEST = 0.2, 0.95


def usual_rate(hits: int, runs: int) -> float:
    """Return the estimated rate of an incident that was seen `hits` times in `runs`: never 0 and never 1."""
    return min(_HIGHEST, max(_LOWEST, (hits + 1) / (runs + 2)))


@dataclass(frozen=True)
class Sequential:
    """Wald's sequential test of "as often as `usual`" against "a quarter as often, or never".

    Each decision is wrong with a probability of at most `risk`, in either direction. It never decides on one run: a
    flaky incident that was seen once without a part does not prove that the part is not needed.
    """

    usual: float
    risk: float

    def decide(self, outcomes: Sequence[bool]) -> Literal["as often", "rarer"] | None:
        """Return what the runs prove so far, or None if they prove nothing yet."""
        rare = self.usual * _RARER
        hits = sum(outcomes)
        misses = len(outcomes) - hits
        weight = hits * math.log(self.usual / rare) + misses * math.log((1 - self.usual) / (1 - rare))
        bound = math.log((1 - self.risk) / self.risk)
        if len(outcomes) < 2 or abs(weight) < bound:  # noqa: PLR2004 - one repetition is no proof
            return None
        return "as often" if weight > 0 else "rarer"
