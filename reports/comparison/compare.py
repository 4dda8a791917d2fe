"""Compare: which claims came out otherwise in B, and which figures are worse there beyond noise, a run a sample."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import comb, log
from statistics import median
from typing import Literal

from chaos_harness.harness.figures import least_difference, unit, worse_if
from chaos_harness.harness.significance import adjusted, fisher, rank_sum
from chaos_harness.reports.comparison.levels import LEAST_SHARE, levels
from chaos_harness.reports.comparison.samples import Group, Key, Samples
from chaos_harness.reports.trends.regression import ERROR, FEWEST, bound

__all__ = [
    "ALPHA",
    "ClaimChange",
    "Comparison",
    "Counts",
    "FigureChange",
    "Judgement",
    "compare",
    "judge_figures",
]

ALPHA = ERROR / 2
"""Probability that any figure is called worse although nothing changed, for all figures together; the same for better,
and for claims that were sometimes violated before."""

Judgement = Literal["worse", "better", "undecided", "as before", "only A", "only B", "too few runs"]

_MOST_RUNS = 30


@dataclass(frozen=True)
class Counts:
    """In how many runs a claim held, was violated at least once, or was decided in none of its tests."""

    held: int
    violated: int
    undecided: int

    @property
    def decided(self) -> int:
        """Runs that decided it."""
        return self.held + self.violated

    @property
    def runs(self) -> int:
        """Runs that have it."""
        return self.decided + self.undecided


@dataclass(frozen=True)
class ClaimChange:
    """One claim of one test in one cell, in both groups. `other_judge`: other checks judged it in B than in A.

    `by_chance` is how likely so many more violations in B, or so many fewer, are by chance.
    """

    key: Key
    name: str
    a: Counts
    b: Counts
    other_judge: bool
    by_chance: float = 1.0
    judgement: Judgement = "as before"


@dataclass(frozen=True)
class FigureChange:
    """One figure of a claim: its values in each run of A and of B.

    `by_chance` is how likely it is as much worse by chance. `most` is what one run's noise explains, where B has too
    few runs for a test of ranks; None, where it has enough.
    """

    key: Key
    name: str
    figure: str
    a: tuple[tuple[float, ...], ...]
    b: tuple[tuple[float, ...], ...]
    by_chance: float = 1.0
    most: float | None = None
    judgement: Judgement = "as before"

    @property
    def unit(self) -> str:
        """Its unit."""
        return unit(self.figure)

    @property
    def medians(self) -> tuple[float, float]:
        """The median over the runs of A and of B, each run counting by its own median."""
        first, second = (median(map(median, side)) for side in (self.a, self.b))
        return first, second

    @property
    def harm(self) -> float:
        """By how much its median is worse in B."""
        first, second = self.medians
        return second - first if worse_if(self.figure) == "more" else first - second


@dataclass(frozen=True)
class Comparison:
    """All claims and figures of two groups of runs; `apart` is in what their cells differ as a whole.

    `broken` are the tests that broke beside their claims, with the number of runs in A and in B.
    """

    words: tuple[str, str]
    runs: tuple[tuple[str, ...], tuple[str, ...]]
    commits: tuple[tuple[str, ...], tuple[str, ...]]
    apart: tuple[str, str] | None
    claims: tuple[ClaimChange, ...]
    figures: tuple[FigureChange, ...]
    broken: Mapping[str, tuple[int, int]]

    @property
    def judgement(self) -> Literal["worse", "undecided", "as before"]:
        """Whether anything is worse in B, else whether anything that A decided is undecided, or nothing is common."""
        seen = {claim.judgement for claim in self.claims} | {figure.judgement for figure in self.figures}
        if "worse" in seen:
            return "worse"
        common = any(claim.a.decided and claim.b.runs for claim in self.claims)
        return "as before" if common and "undecided" not in seen else "undecided"


def compare(samples: Samples) -> Comparison:
    """Return the comparison of two groups of runs.

    A claim that held in every run of A and is violated in a run of B is worse: a violation is a fact. Where it was
    violated sometimes in A, chance is asked. A figure is worse if it is beyond chance and by more than
    `harness.figures.least_difference`.
    """
    a, b = samples.a, samples.b
    claims = _judge_claims([_claim(samples, key) for key in samples.names])
    broken = {
        test: (len(a.broken.get(test, ())), len(b.broken.get(test, ()))) for test in sorted({*a.broken, *b.broken})
    }
    first, second = (group.selected for group in (a, b))
    return Comparison(
        (first.word, second.word),
        (tuple(first.ids), tuple(second.ids)),
        (_commits(a), _commits(b)),
        samples.apart,
        tuple(claims),
        tuple(judge_figures([_figure(samples, key) for key in a.figures if key in b.figures and worse_if(key[1])])),
        broken,
    )


def _commits(group: Group) -> tuple[str, ...]:
    return tuple(dict.fromkeys(run.commit for run in group.selected.runs if run.commit))


def _claim(samples: Samples, key: Key) -> ClaimChange:
    a, b = (_count(group.outcomes.get(key, {}).values()) for group in (samples.a, samples.b))
    judges = [group.judges.get(key, set()) for group in (samples.a, samples.b)]
    other = bool(judges[0] and judges[1]) and judges[0] != judges[1]
    return ClaimChange(key, samples.names[key], a, b, other)


def _count(runs: Iterable[Sequence[str]]) -> Counts:
    told = ["violated" if "violated" in of_run else "holds" if "holds" in of_run else "" for of_run in runs]
    return Counts(told.count("holds"), told.count("violated"), told.count(""))


def _judge_claims(claims: Sequence[ClaimChange]) -> list[ClaimChange]:
    more = [fisher(one.b.violated, one.b.decided, one.a.violated, one.a.decided) for one in claims]
    fewer = [fisher(one.a.violated, one.a.decided, one.b.violated, one.b.decided) for one in claims]
    mixed = [index for index, one in enumerate(claims) if _is_mixed(one)]
    worse = dict(zip(mixed, adjusted([more[index] for index in mixed]), strict=True))
    better = dict(zip(mixed, adjusted([fewer[index] for index in mixed]), strict=True))
    return [
        replace(
            one,
            judgement=_judge_claim(one, worse.get(index, 1.0), better.get(index, 1.0)),
            by_chance=min(more[index], fewer[index]),
        )
        for index, one in enumerate(claims)
    ]


def _is_mixed(claim: ClaimChange) -> bool:
    """Whether a claim was violated in some runs of A, so that both are expected of a run of B."""
    return bool(claim.a.held and claim.a.violated and claim.b.decided)


def _judge_claim(claim: ClaimChange, worse: float, better: float) -> Judgement:
    a, b = claim.a, claim.b
    if not a.runs or not b.runs:
        return "only B" if b.runs else "only A"
    if not a.decided or not b.decided:
        return "undecided" if a.decided else "as before"
    if _is_mixed(claim):
        return "worse" if worse <= ALPHA else "better" if better <= ALPHA else "as before"
    if a.violated:
        return "better" if not b.violated else "as before"
    return "worse" if b.violated else "as before"


def _figure(samples: Samples, key: tuple[Key, str]) -> FigureChange:
    a, b = (tuple(map(tuple, list(group.figures[key].values())[-_MOST_RUNS:])) for group in (samples.a, samples.b))
    return FigureChange(key[0], samples.names[key[0]], key[1], a, b)


def judge_figures(figures: Sequence[FigureChange]) -> list[FigureChange]:
    """Return figures with their judgements; ALPHA is for all of them together, in each direction.

    It is shared by those that could be called worse, whichever of their runs were B's: a figure that is about the same
    in all runs has no part. Of those with runs enough for a test of ranks at the least level, `levels` says how much
    each may use; the others have equal parts.
    """
    tested = [index for index, one in enumerate(figures) if len(one.a) >= FEWEST and _varies(one)]
    equal = ALPHA / max(1, len(tested))
    by_figure = dict.fromkeys(range(len(figures)), equal)
    by_ranks = [index for index in tested if _least_chance(figures[index]) <= LEAST_SHARE * equal]
    shared = levels([_logarithms(figures[index]) for index in by_ranks], equal * len(by_ranks))
    by_figure.update(zip(by_ranks, shared, strict=True))
    return [_judge_figure(one, by_figure[index]) for index, one in enumerate(figures)]


def _runs(figure: FigureChange) -> list[float]:
    """Return the median of each run, of A and of B."""
    return [median(of_run) for of_run in (*figure.a, *figure.b)]


def _varies(figure: FigureChange) -> bool:
    runs = _runs(figure)
    return max(runs) - min(runs) >= least_difference(figure.figure, min(map(abs, runs)))


def _least_chance(figure: FigureChange) -> float:
    """Return the probability below which no test of ranks can come with so many runs."""
    return 1 / comb(len(figure.a) + len(figure.b), len(figure.b))


def _logarithms(figure: FigureChange) -> list[float]:
    """Return the logarithm of each run, plus the difference that is none: figures vary by factors."""
    nothing = least_difference(figure.figure, 0.0)
    return [log(max(value, 0.0) + nothing) for value in _runs(figure)]


def _judge_figure(figure: FigureChange, level: float) -> FigureChange:
    if len(figure.a) < FEWEST:
        return replace(figure, judgement="too few runs")
    towards = 1 if worse_if(figure.figure) == "more" else -1
    a, b = ([towards * median(of_run) for of_run in side] for side in (figure.a, figure.b))
    if _least_chance(figure) > level:
        return _judge_by_bound(figure, level)
    chance, otherwise = rank_sum(b, a), rank_sum(a, b)
    enough = abs(figure.harm) >= least_difference(figure.figure, figure.medians[0])
    judgement: Judgement = (
        "worse" if enough and chance <= level else "better" if enough and otherwise <= level else "as before"
    )
    return replace(figure, judgement=judgement, by_chance=chance)


def _judge_by_bound(figure: FigureChange, level: float) -> FigureChange:
    """Judge a figure of few runs of B, whose median must be beyond what one run of A would be by chance."""
    if worse_if(figure.figure) != "more":
        return replace(figure, judgement="too few runs")
    most = bound([median(of_run) for of_run in figure.a], level)
    enough = figure.harm >= least_difference(figure.figure, figure.medians[0])
    is_worse = enough and figure.medians[1] > most
    return replace(figure, judgement="worse" if is_worse else "as before", most=most)
