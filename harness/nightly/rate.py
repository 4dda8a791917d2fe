"""Rate: how often a cell that flips is repeated, so that how often it comes out otherwise is known."""

from collections.abc import Iterable, Sequence
from functools import cache

from chaos_harness.harness.nightly.ledger import DECIDED, Ended, Outcome
from chaos_harness.harness.statistics import Interval, exact

__all__ = ["flips", "rate_of", "repeats_needed"]

_MOST = 1000


@cache
def repeats_needed(confidence: float, width: float) -> int:
    """Return how many repeats have an interval (Clopper and Pearson) of at most `width`, whatever they come to.

    The number does not depend on what comes out: who stops as soon as it looks good has no such confidence.
    """
    for total in range(1, _MOST):
        widest = exact(total // 2, total, confidence)
        if widest.high - widest.low <= width:
            return total
    return _MOST


def flips(runs: Sequence[Ended], before: set[Outcome]) -> bool:
    """Whether the first decided run of a night came out as none did in the last night; with no night before: otherwise.

    `before` are the outcomes of that night; a cell that had both then is known to flip.
    """
    first = next((run.outcome for run in runs if run.outcome in DECIDED and not run.repeat), None)
    return first is not None and first not in (before or {"as expected"})


def rate_of(runs: Iterable[Ended], confidence: float) -> Interval | None:
    """Return how often the repeats came out otherwise, of those that were decided; None without any.

    The run that led to the repeats is not counted: it was chosen for what it came to.
    """
    repeats = [run.outcome for run in runs if run.repeat and run.outcome in DECIDED]
    return exact(repeats.count("otherwise"), len(repeats), confidence) if repeats else None
