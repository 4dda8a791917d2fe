"""Simulated nights: pairs of nights whose truth is known, by which the comparison is judged; no cluster is needed.

`python -m benchmarks.simulated_nights 1000 --figures 100` prints how often a recovery that is 30 % slower is found
among a hundred figures, and how often anything is called worse where nothing is. With `--uneven` each of the other
figures has its own noise.
"""

import argparse
import math
import random
import sys
from collections.abc import Sequence

from chaos_harness.clusters.terminal.command_options import whole_number
from chaos_harness.harness.statistics import exact
from chaos_harness.reports.comparison.compare import FigureChange, judge_figures
from chaos_harness.reports.comparison.samples import Key

__all__ = ["count_found", "count_worse", "main"]

RUNS = 20
"""Runs of each night."""

NOISE = 0.15
"""Standard deviation of a recovery, as a share of it."""

SLOWER = 1.3
"""By what a recovery is slower where it is."""

_NOISES = (0.05, 0.4)
_USUAL = (5.0, 120.0)
_FIGURE = "recovered_seconds"
_FOUND, _CLAIMED = 0.90, 0.01


def count_found(pairs: int, figures: int = 1, *, uneven: bool = False) -> int:
    """Return in how many pairs of nights the figure that is slower, the first, is called worse."""
    return sum(0 in _worse(pair, SLOWER, figures, uneven=uneven) for pair in range(pairs))


def count_worse(pairs: int, figures: int = 1, *, uneven: bool = False) -> int:
    """Return in how many pairs of nights, of which none is slower, any figure is called worse."""
    return sum(bool(_worse(pair, 1.0, figures, uneven=uneven)) for pair in range(pairs))


def _worse(pair: int, factor: float, figures: int, *, uneven: bool) -> list[int]:
    """Return the numbers of the figures of a pair that are called worse."""
    draw = random.Random(f"0 {pair}")  # noqa: S311 - no secret
    drawn = []
    for number in range(figures):
        usual = draw.uniform(*_USUAL)
        noise = math.exp(draw.uniform(*map(math.log, _NOISES))) if uneven and number else NOISE
        a, b = (
            tuple((max(0.0, draw.gauss(1.0, noise)) * usual * slower,) for _ in range(RUNS))
            for slower in (1.0, 1.0 if number else factor)
        )
        drawn.append(FigureChange(Key("test", "claim", str(number)), "recovers", _FIGURE, a, b))
    return [number for number, figure in enumerate(judge_figures(drawn)) if figure.judgement == "worse"]


def main(arguments: Sequence[str]) -> int:
    """Print both rates; return 1 if a slower recovery is found too rarely, or one is claimed too often."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.simulated_nights", description="Judge the comparison.")
    most = 10**6
    parser.add_argument("pairs", nargs="?", type=whole_number(1, most), default=1000, metavar="PAIRS")
    parser.add_argument("--figures", type=whole_number(1, most), default=1, metavar="N", help="figures of each night")
    parser.add_argument("--uneven", action="store_true", help="each of the others has its own noise, from 5 to 40 %%")
    chosen = parser.parse_args(arguments)
    found, claimed = (
        exact(count(chosen.pairs, chosen.figures, uneven=chosen.uneven), chosen.pairs)
        for count in (count_found, count_worse)
    )
    noise = "noise of 5 to 40 %" if chosen.uneven else f"noise of {NOISE:.0%}"
    sys.stdout.write(
        f"{chosen.pairs} pairs of nights, {RUNS} runs each, figures {chosen.figures}, {noise}: {SLOWER - 1:.0%} slower "
        f"is found in {found.percent()}; none is slower, and one is claimed in {claimed.percent()}\n"
    )
    return int(found.estimate < _FOUND or claimed.estimate > _CLAIMED)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
