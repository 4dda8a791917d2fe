"""Words: what a comparison showed, as sections of lines, for a terminal and for Markdown."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isfinite

from chaos_harness.harness.statistics import Interval, bootstrap
from chaos_harness.reports.comparison.compare import ClaimChange, Comparison, Counts, FigureChange, Judgement

__all__ = ["SHARES", "Section", "groups", "headline", "sections"]

SHARES = (0.5, 0.95)
"""The percentiles that are shown."""

_CLAIMS: tuple[tuple[Judgement, str], ...] = (
    ("worse", "violated, and held before"),
    ("undecided", "undecided, and decided before"),
    ("better", "violated no longer"),
    ("only B", "new in B"),
    ("only A", "not in B"),
)
_FIGURES: tuple[tuple[Judgement, str], ...] = (("worse", "worse beyond noise"), ("better", "better beyond noise"))


@dataclass(frozen=True)
class Line:
    """One claim or figure: what it is, on what, and what was seen of it."""

    name: str
    on: str
    seen: str


@dataclass(frozen=True)
class Section:
    """Claims or figures of one kind, under a title. `loud`: a reader must not miss them."""

    title: str
    lines: tuple[Line, ...]
    loud: bool


def headline(comparison: Comparison) -> str:
    """Return the answer in one sentence."""
    claims = [claim.judgement for claim in comparison.claims]
    figures = [figure.judgement for figure in comparison.figures]
    compared = sum(judgement not in ("only A", "only B") for judgement in claims)
    if not compared:
        return "undecided: A and B have no claim in common"
    counts = (
        (claims.count("worse"), "no longer hold"),
        (figures.count("worse"), "figures are worse beyond noise"),
        (claims.count("undecided"), "are undecided"),
        (claims.count("better"), "are violated no longer"),
    )
    parts = [f"{count} {words}" for count, words in counts if count]
    few = figures.count("too few runs")
    measured = f"{len(figures) - few} of {len(figures)} figures had runs enough to be compared"
    said = ", ".join(parts) or "nothing is worse"
    return f"{comparison.judgement}: of {compared} claims that both have, {said}; {measured}"


def groups(comparison: Comparison) -> Iterator[str]:
    """Yield a line about each group, and what both are not the same in."""
    for at, label in enumerate("AB"):
        runs, commits = comparison.runs[at], comparison.commits[at]
        commit = f", commit {' '.join(commits[-2:])}" if commits else ""
        more = f" and {len(commits) - 2} before" if len(commits) > len("AB") else ""
        apart = f", {comparison.apart[at]}" if comparison.apart else ""
        yield f"{label}: {comparison.words[at]}: {_number(len(runs), 'run')}{commit}{more}{apart}"
    other = sum(claim.other_judge for claim in comparison.claims)
    if other:
        yield f"{_number(other, 'claim')} were judged by other checks in B than in A: `truth` judges them again"
    for test, (a, b) in comparison.broken.items():
        yield f"broken beside its claims: {test}, in {_number(a, 'run')} of A and {b} of B"


def sections(comparison: Comparison) -> Iterator[Section]:
    """Yield what changed, the worst first; what is as before is left out."""
    for judgement, title in _CLAIMS:
        claims = [claim for claim in comparison.claims if claim.judgement == judgement]
        if claims:
            yield Section(title, tuple(map(_claim, claims)), judgement in ("worse", "undecided"))
        if judgement == "worse":
            yield from _figure_sections(comparison, "worse")
    yield from _figure_sections(comparison, "better")


def _figure_sections(comparison: Comparison, judgement: Judgement) -> Iterator[Section]:
    figures = [figure for figure in comparison.figures if figure.judgement == judgement]
    if figures:
        yield Section(dict(_FIGURES)[judgement], tuple(map(_figure, figures)), judgement == "worse")


def interval(values: Sequence[Sequence[float]], share: float, unit: str) -> str:
    """Return a percentile over runs with its interval; with one run there is none."""
    found: Interval = bootstrap(values, share)
    space = f" {unit}" if unit else ""
    if not isfinite(found.low):
        return f"{found.estimate:.4g}{space} (one run)"
    return f"{found.estimate:.4g}{space} ({found.low:.4g} to {found.high:.4g})"


def _claim(claim: ClaimChange) -> Line:
    seen = f"A: {_counts(claim.a)}; B: {_counts(claim.b)}"
    if claim.a.decided and claim.b.decided:
        seen += f"; by chance in {claim.by_chance:.2g}"
    return Line(f"{_test(claim.key.test)}: {claim.name}", claim.key.on, seen)


def _counts(counts: Counts) -> str:
    if not counts.runs:
        return "not run"
    parts = ((counts.held, "held"), (counts.violated, "violated"), (counts.undecided, "undecided"))
    return f"{', '.join(f'{words} in {count}' for count, words in parts if count)} of {_number(counts.runs, 'run')}"


def _figure(figure: FigureChange) -> Line:
    name = f"{_test(figure.key.test)}: {figure.name}: {figure.figure.replace('_', ' ')}"
    shown = (
        f"p{share * 100:g} {interval(figure.a, share, figure.unit)}, then {interval(figure.b, share, figure.unit)}"
        for share in SHARES
    )
    noise = f"a run of A is up to {figure.most:.4g}" if figure.most is not None else f"p = {figure.by_chance:.2g}"
    return Line(name, figure.key.on, "; ".join([*shown, noise]))


def _test(test: str) -> str:
    return test.rpartition("::")[2].removeprefix("test_")


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
