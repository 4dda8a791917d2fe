"""Regression: decides whether a figure of this run is worse than in earlier runs, beyond their noise."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import exp, log, sqrt
from statistics import NormalDist, fmean, stdev
from typing import Literal

from chaos_harness.reports.trends.figures import FigureSample

__all__ = ["ERROR", "FEWEST", "FigureVerdict", "bound", "judge_figures", "quantile"]

FEWEST = 5
"""With fewer earlier values the noise is unknown, and nothing is reported."""

ERROR = 0.01
"""Probability that a run in which nothing changed is called worse."""

_RESOLUTION, _OFFSET = 0.5, 1.0
_TIMES_THE_WORST, _AND_MORE = 4.0, 10.0
_MOST_EARLIER = 30


@dataclass(frozen=True)
class FigureVerdict:
    """A figure with its earlier values; `most` is the bound that noise explains."""

    sample: FigureSample
    earlier: int
    mean: float
    most: float | None
    outcome: Literal["as before", "worse", "better", "too few runs"]

    @property
    def words(self) -> str:
        """The comparison as text."""
        sample = self.sample
        figure = f"{sample.test}: {sample.claim}: {sample.figure.replace('_', ' ')} {sample.value:.4g}"
        if self.most is None:
            return f"{figure} ({self.outcome}: {self.earlier} of {FEWEST})"
        return (
            f"{figure}, {self.outcome}: {self.mean:.4g} in {self.earlier} earlier runs, up to {self.most:.4g} is noise"
        )


def judge_figures(samples: Sequence[FigureSample], earlier: Mapping[str, Sequence[float]]) -> list[FigureVerdict]:
    """Compare each figure with its values in earlier runs.

    The bound is that of a prediction interval: if nothing has changed, ERROR is the chance that any of this run's
    figures is called worse, for all figures together.
    """
    gated = [sample for sample in samples if sample.is_harm]
    known = {sample.key: list(earlier.get(sample.key, ()))[-_MOST_EARLIER:] for sample in gated}
    number = sum(len(values) >= FEWEST for values in known.values())
    return [_judge_figure(sample, known[sample.key], number) for sample in gated]


def bound(values: Sequence[float], error: float) -> float:
    """Return the value that the next value exceeds with probability `error` if it has the distribution of `values`.

    Figures vary by factors: a recovery that waits for a back-off takes twice as long, not a second longer. So
    logarithms are compared, and one slow run among fast ones gives a wide bound. A figure is measured to about half a
    second, so that equal values do not give a bound without room. And however noisy so few values are, more than four
    times the worst of them plus 10 (s, or percent) is worse: 600 s are not "as before" after five runs of 0 s.
    """
    return _bounds(values, error)[1]


def quantile(probability: float, freedom: int) -> float:
    """Return Student's quantile by Hill's expansion of the normal one; never too large.

    From 4 degrees of freedom on, it is at most 1 % too small up to a probability of 0.999, and 8 % up to 0.99999, which
    is 1000 figures after five runs.
    """
    z = NormalDist().inv_cdf(probability)
    terms: Iterable[float] = (
        z,
        (z**3 + z) / (4 * freedom),
        (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2),
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * freedom**3),
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / (92160 * freedom**4),
    )
    return sum(terms)


def _bounds(values: Sequence[float], error: float) -> tuple[float, float]:
    logs = [log(max(value, 0.0) + _OFFSET) for value in values]
    middle = fmean(logs)
    noise = max(stdev(logs), _RESOLUTION / exp(middle))
    room = quantile(1 - error, len(logs) - 1) * noise * sqrt(1 + 1 / len(logs))
    most = _TIMES_THE_WORST * max(values) + _AND_MORE
    return exp(middle - room) - _OFFSET, min(most, exp(middle + room) - _OFFSET)


def _judge_figure(sample: FigureSample, earlier: Sequence[float], number: int) -> FigureVerdict:
    if len(earlier) < FEWEST:
        return FigureVerdict(sample, len(earlier), 0.0, None, "too few runs")
    mean, (least, most) = fmean(earlier), _bounds(earlier, ERROR / number)
    outcome: Literal["worse", "better", "as before"] = (
        "worse" if sample.value > most else "better" if sample.value < least else "as before"
    )
    return FigureVerdict(sample, len(earlier), mean, most, outcome)
