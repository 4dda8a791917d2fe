"""Answer times: how long answers took, in memory that does not grow with their number."""

from collections import Counter
from dataclasses import dataclass, field
from math import ceil, exp, log

__all__ = ["AnswerTimes"]

_STEP = log(1.02)
_LEAST_SECONDS = 1e-4


@dataclass
class AnswerTimes:
    """How long some answers took: counts in classes that are 2 % wide, so that a percentile is right to 1 %."""

    number: int = 0
    _classes: Counter[int] = field(default_factory=Counter)

    def add(self, seconds: float) -> None:
        """Count one answer."""
        self.number += 1
        self._classes[int(log(max(seconds, _LEAST_SECONDS)) // _STEP)] += 1

    def percentile(self, share: float) -> float | None:
        """Return the seconds within which a `share` of the answers came; None if there was none."""
        rank, counted = ceil(share * self.number), 0
        for which in sorted(self._classes):
            counted += self._classes[which]
            if counted >= rank:
                return exp((which + 0.5) * _STEP)
        return None
