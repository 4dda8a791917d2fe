"""Words: what a comparison showed, in words for a cell of a table, and as data for a script."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from chaos_harness.harness.incident.ab.arms import LABELS, Label
from chaos_harness.harness.incident.ab.compare import (
    ALPHA,
    ClaimDifference,
    Comparison,
    Counted,
    Difference,
    FigureDifference,
    Judgement,
)
from chaos_harness.harness.incident.ab.visible import POWER, visible_difference, visible_rate
from chaos_harness.harness.statistics import exact

__all__ = [
    "MARKS",
    "ComparisonReport",
    "describe",
    "difference",
    "figure_name",
    "headline",
    "notes",
    "rate",
    "violations",
    "visible",
]

MARKS: Mapping[Judgement, str] = {"worse": "✗", "better": "✓", "undecided": "?", "not worse": "✓"}


@dataclass(frozen=True)
class ComparisonReport:
    """A comparison with what its reader must know: how the arms were typed, the seeds, and where the bundles are."""

    arms: Mapping[Label, str]
    comparison: Comparison
    seeds: tuple[int, ...]
    folder: Path


def headline(comparison: Comparison) -> str:
    """Return the result in one sentence."""
    parts = comparison.parts
    counts = {word: sum(part.judgement == word for part in parts) for word in ("worse", "better")}
    if comparison.judgement == "worse":
        return f"B is worse than A, in {counts['worse']} of {len(parts)} claims and figures"
    if comparison.judgement == "undecided":
        return "it is undecided whether B is worse than A"
    better = f", and better in {counts['better']} of {len(parts)} claims and figures" if counts["better"] else ""
    return f"B is not worse than A{better}"


def notes(comparison: Comparison) -> Iterator[str]:
    """Yield what limits the result: runs that say nothing, and incidents without any that could be judged."""
    for label in LABELS:
        unjudged, broken = comparison.unjudged[label], comparison.broken[label]
        if unjudged or broken:
            yield f"{label}: {unjudged} of {comparison.runs[label]} runs could not be judged, {broken} broke"
    for incident in comparison.silent:
        yield f"{incident}: no run could be judged"
    if comparison.figures and not any(figure.testable for figure in comparison.figures):
        yield "so few pairs can call no figure worse; 6 can"


def violations(counted: Counted) -> str:
    """Return in how many runs a claim was violated; runs that did not decide are not among them."""
    return f"{counted.violated} of {counted.decided}"


def rate(counted: Counted) -> str:
    """Return the interval that holds the rate, with 95 % confidence."""
    interval = exact(counted.violated, counted.decided)
    return f"{interval.low:.0%} to {interval.high:.0%}"


def figure_name(figure: FigureDifference) -> str:
    """Return a figure's name in words, with its unit in brackets."""
    name = figure.figure.removesuffix("_seconds").removesuffix("_percent").removesuffix("_bytes").replace("_", " ")
    return f"{name} ({figure.unit})" if figure.unit else name


def difference(figure: FigureDifference) -> tuple[str, str, str, str, str]:
    """Return the medians on A and on B, the difference, and the ends of its 95 % interval."""
    between = figure.difference
    first, second = (f"{value:.4g}" for value in figure.medians)
    return first, second, f"{between.estimate:+.3g}", _bound(between.low), _bound(between.high)


def visible(part: Difference, comparison: Comparison) -> str:
    """Return from what on a difference would have been seen; "nothing" if none would, "-" if it cannot be worse."""
    if isinstance(part, ClaimDifference):
        if part.a.decided and part.a.violated == part.a.decided:
            return "-"
        rate_seen = visible_rate(part, comparison.level(part))
        return "nothing" if rate_seen is None else f"{rate_seen:.0%}"
    seen = visible_difference(part, comparison.level(part))
    return "nothing" if seen is None else f"{seen * part.towards:+.2g}"


def describe(told: ComparisonReport) -> dict[str, Any]:
    """Return the whole comparison as JSON has it; what is infinite is null."""
    comparison = told.comparison
    return {
        "judgement": comparison.judgement,
        "arms": {label: told.arms[label] for label in LABELS},
        "seeds": list(told.seeds),
        "runs": dict(comparison.runs),
        "unjudged": dict(comparison.unjudged),
        "broken": dict(comparison.broken),
        "silent": list(comparison.silent),
        "alpha": ALPHA,
        "power": POWER,
        "claims": [_claim(claim, comparison) for claim in comparison.claims],
        "figures": [_figure(figure, comparison) for figure in comparison.figures],
        "folder": str(told.folder),
    }


def _claim(claim: ClaimDifference, comparison: Comparison) -> dict[str, Any]:
    arms: dict[str, Any] = {}
    for label, counted in zip(LABELS, (claim.a, claim.b), strict=True):
        interval = exact(counted.violated, counted.decided)
        arms[label] = {
            "violated": counted.violated,
            "decided": counted.decided,
            "undecided": counted.undecided,
            "interval": [interval.low, interval.high],
        }
    return {
        "incident": claim.incident,
        "id": claim.id,
        "name": claim.name,
        **arms,
        "relation": claim.relation,
        "judgement": claim.judgement,
        "by_chance": claim.by_chance,
        "visible_rate": visible_rate(claim, comparison.level(claim)),
    }


def _figure(figure: FigureDifference, comparison: Comparison) -> dict[str, Any]:
    between = figure.difference
    return {
        "incident": figure.incident,
        "claim": figure.claim,
        "figure": figure.figure,
        "unit": figure.unit,
        "worse_if": "more" if figure.towards > 0 else "less",
        "pairs": [list(pair) for pair in figure.pairs],
        "missing": figure.missing,
        "medians": list(figure.medians),
        "difference": between.estimate,
        "interval": [bound if isfinite(bound) else None for bound in (between.low, between.high)],
        "floor": figure.floor,
        "judgement": figure.judgement,
        "visible_difference": visible_difference(figure, comparison.level(figure)),
    }


def _bound(bound: float) -> str:
    return f"{bound:+.3g}" if isfinite(bound) else "-∞" if bound < 0 else "∞"
