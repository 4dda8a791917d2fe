"""Text: a comparison as lines of a terminal of 80 columns."""

import textwrap
from collections.abc import Iterable, Iterator, Sequence

from chaos_harness.clusters.checkout import command_line
from chaos_harness.clusters.terminal.escape import escape_controls
from chaos_harness.clusters.terminal.width import text_columns
from chaos_harness.harness.incident.ab.arms import LABELS
from chaos_harness.harness.incident.ab.compare import ClaimDifference, Comparison, FigureDifference
from chaos_harness.harness.incident.ab.words import (
    MARKS,
    ComparisonReport,
    difference,
    figure_name,
    headline,
    notes,
    rate,
    violations,
    visible,
)

__all__ = ["render_text"]

_WIDTH = 79
_GAP = "  "
_NARROWEST = 12

_Row = Sequence[Sequence[str]]
"""The cells of a row, each with its lines."""

_FIGURES: _Row = [["figure"], ["A"], ["B"], ["B - A"], ["seen from"], ["verdict"]]


def render_text(told: ComparisonReport) -> Iterator[str]:
    """Yield the lines."""
    comparison = told.comparison
    for label in LABELS:
        yield from _wrapped(f"{label}: {told.arms[label]}")
    first, last = told.seeds[0], told.seeds[-1]
    yield f"{comparison.runs['A']} runs of A, {comparison.runs['B']} of B, seeds {first} to {last}, in turn"
    for incident in dict.fromkeys(part.incident for part in comparison.parts):
        yield ""
        head: _Row = [[f"{escape_controls(incident)}: violated"], ["A"], ["B"], ["seen from"], ["verdict"]]
        claims = [claim for claim in comparison.claims if claim.incident == incident]
        yield from _table([head, *(_claim(claim, comparison) for claim in claims)])
        figures = [figure for figure in comparison.figures if figure.incident == incident]
        for name in dict.fromkeys(figure.name for figure in figures):
            yield ""
            of_claim = (_figure(figure, comparison) for figure in figures if figure.name == name)
            yield from _wrapped(f"{name}: median")
            yield from _table([_FIGURES, *of_claim])
    yield ""
    yield from (f"  {line}" for line in notes(comparison))
    yield f"{headline(comparison)}."
    yield f"bundles:      {told.folder}"
    yield f"without a cluster: {command_line('ab --')} --from {told.folder}"


def _claim(claim: ClaimDifference, comparison: Comparison) -> _Row:
    arms = (
        [violations(counted), rate(counted), *([f"{counted.undecided} undecided"] if counted.undecided else [])]
        for counted in (claim.a, claim.b)
    )
    name = f"{MARKS[claim.judgement]} {escape_controls(claim.name)}"
    return [[name], *arms, [visible(claim, comparison)], [claim.judgement, claim.relation]]


def _figure(figure: FigureDifference, comparison: Comparison) -> _Row:
    first, second, between, low, high = difference(figure)
    name = f"{MARKS[figure.judgement]} {escape_controls(figure_name(figure))}"
    pairs = [f"{len(figure.pairs)} pairs", *([f"{figure.missing} undecided"] if figure.missing else [])]
    return [
        [name],
        [first],
        [second],
        [between, f"{low} to", high],
        [visible(figure, comparison)],
        [figure.judgement, *pairs],
    ]


def _table(rows: Sequence[_Row]) -> Iterator[str]:
    """Yield the lines of a table: the first column takes what the others leave, and breaks its lines."""
    widths = [max(text_columns(line) for row in rows for line in row[column]) for column in range(1, len(rows[0]))]
    room = max(_NARROWEST, _WIDTH - sum(widths) - len(_GAP) * len(widths))
    for row in rows:
        name = [line for part in row[0] for line in textwrap.wrap(part, room, subsequent_indent="  ")]
        cells = [name, *row[1:]]
        for line in range(max(map(len, cells))):
            padded = (
                _pad(cell[line] if line < len(cell) else "", width, left=column in (0, len(widths)))
                for column, (cell, width) in enumerate(zip(cells, [room, *widths], strict=True))
            )
            yield _GAP.join(padded).rstrip()


def _pad(text: str, width: int, *, left: bool) -> str:
    spaces = " " * (width - text_columns(text))
    return f"{text}{spaces}" if left else f"{spaces}{text}"


def _wrapped(line: str) -> Iterable[str]:
    return textwrap.wrap(escape_controls(line), _WIDTH, subsequent_indent="  ", break_on_hyphens=False)
