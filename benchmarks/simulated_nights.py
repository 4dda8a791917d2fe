"""Simulated nights: pairs of nights whose truth is known, by which the comparison is judged; no cluster is needed.

`python -m benchmarks.simulated_nights 1000` prints how often a recovery that is 30 % slower is found, and how often one
is claimed where there is none.
"""

import random
import sys
from collections.abc import Sequence

from chaos_harness.harness.statistics import exact
from chaos_harness.reports.comparison.compare import FigureChange, judge_figures
from chaos_harness.reports.comparison.samples import Key

__all__ = ["count_worse", "main"]

RUNS = 20
"""Runs of each night."""

NOISE = 0.15
"""Standard deviation of a recovery, as a share of it."""

SLOWER = 1.3
"""By what a recovery is slower where it is."""

_FIGURES = (1, 100)

_USUAL = (5.0, 120.0)
_PAIRS = 1000
_FIGURE = "recovered_seconds"
_FOUND, _CLAIMED = 0.90, 0.01


def count_worse(pairs: int, factor: float, figures: int = 1, seed: int = 0) -> int:
    """Return in how many pairs of nights any figure is called worse, if the first one is slower by a factor."""
    draws = (random.Random(f"{seed} {pair}") for pair in range(pairs))  # noqa: S311 - no secret
    return sum(_is_called_worse(draw, factor, figures) for draw in draws)


def _is_called_worse(draw: random.Random, factor: float, figures: int) -> bool:
    drawn = []
    for number in range(figures):
        usual = draw.uniform(*_USUAL)
        a, b = (
            tuple((max(0.0, draw.gauss(1.0, NOISE)) * usual * slower,) for _ in range(RUNS))
            for slower in (1.0, factor if number == 0 else 1.0)
        )
        drawn.append(FigureChange(Key("test", "claim", str(number)), "recovers", _FIGURE, a, b))
    return any(figure.judgement == "worse" for figure in judge_figures(drawn))


def main(arguments: Sequence[str]) -> int:
    """Print both rates, with one figure a night and with a hundred.

    Return 1 if a slower recovery is found too rarely where it is the only figure, or one is claimed too often.
    """
    pairs = int(arguments[0]) if arguments else _PAIRS
    good = True
    for figures in _FIGURES:
        found, claimed = (exact(count_worse(pairs, factor, figures), pairs) for factor in (SLOWER, 1.0))
        good &= (found.estimate >= _FOUND or figures > 1) and claimed.estimate <= _CLAIMED
        sys.stdout.write(
            f"{pairs} pairs of nights, {RUNS} runs each, {figures} figures: {SLOWER - 1:.0%} slower is found in "
            f"{found.percent()}, none is slower and one is claimed in {claimed.percent()}\n"
        )
    return int(not good)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
