"""Markdown: a comparison as the comment of a pull request."""

from collections.abc import Iterable, Sequence

from chaos_harness.clusters.checkout import command_line
from chaos_harness.clusters.terminal.escape import escape_controls
from chaos_harness.harness.incident.ab.arms import LABELS
from chaos_harness.harness.incident.ab.compare import ALPHA, ClaimDifference, Comparison, FigureDifference
from chaos_harness.harness.incident.ab.visible import POWER
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
from chaos_harness.harness.redaction import redact

__all__ = ["MARKER", "render_markdown"]

MARKER = "<!-- chaos-harness ab -->"
"""The first line: by it the comment of an earlier run is found, to be replaced."""

_MOST_ROWS = 60
_LONGEST = 300
_SPECIAL = str.maketrans({**{letter: f"\\{letter}" for letter in "\\`*_[]<>|#~"}, "@": "&#64;", "&": "&amp;"})


def render_markdown(told: ComparisonReport) -> str:
    """Return the comment: what is decided, the claims, and the figures, folded up if none is worse or undecided."""
    comparison = told.comparison
    arms = " · ".join(f"**{label}** {_text(told.arms[label])}" for label in LABELS)
    runs = f"{comparison.runs['A']} runs of A, {comparison.runs['B']} of B, seeds {told.seeds[0]} to {told.seeds[-1]}"
    loud = any(figure.judgement in ("worse", "undecided") for figure in comparison.figures)
    figures = _figures(comparison)
    number = len(comparison.figures)
    summary = f"{number} figure{'s' if number > 1 else ''}, not worse"
    folded = f"<details><summary>{summary}</summary>\n\n{figures}\n\n</details>" if number else ""
    parts = [
        MARKER,
        f"### {MARKS[comparison.judgement]} {_sentence(headline(comparison))}",
        f"{arms} · {runs}",
        *(f"- {_text(line)}" for line in notes(comparison)),
        _claims(comparison),
        figures if loud else folded,
        _legend(),
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def _claims(comparison: Comparison) -> str:
    rows = (_claim(claim, comparison) for claim in comparison.claims)
    return _table(("", "claim", "violated on A", "violated on B", "seen from", "verdict"), rows, len(comparison.claims))


def _claim(claim: ClaimDifference, comparison: Comparison) -> tuple[str, ...]:
    arms = (
        f"{violations(counted)} ({rate(counted)})" + (f", {counted.undecided} undecided" if counted.undecided else "")
        for counted in (claim.a, claim.b)
    )
    name = _text(f"{claim.incident}: {claim.name}")
    return MARKS[claim.judgement], name, *arms, visible(claim, comparison), f"{claim.judgement} ({claim.relation})"


def _figures(comparison: Comparison) -> str:
    rows = (_figure(figure, comparison) for figure in comparison.figures)
    return _table(("", "figure", "A", "B", "B - A (95 %)", "seen from", "verdict"), rows, len(comparison.figures))


def _figure(figure: FigureDifference, comparison: Comparison) -> tuple[str, ...]:
    first, second, between, low, high = difference(figure)
    name = _text(f"{figure.incident}: {figure.name}: {figure_name(figure)}")
    cells = (first, second, f"{between} ({low} to {high})", visible(figure, comparison), figure.judgement)
    return MARKS[figure.judgement], name, *cells


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], count: int) -> str:
    lines = [_row(head), _row(["---"] * len(head))]
    for number, row in enumerate(rows):
        if number == _MOST_ROWS:
            lines.append(f"\nand {count - _MOST_ROWS} more")
            break
        lines.append(_row(row))
    return "\n".join(lines) if count else ""


def _legend() -> str:
    return (
        "<sub>Worse is a claim that is violated more often on B, and a figure that is worse by a second or a tenth, "
        f"beyond chance: equal arms are called worse in at most {ALPHA:.1%} of comparisons, for all rows together. "
        f"“Seen from” says what would have been called worse {POWER:.0%} of the time. Undecided runs are no pass. "
        f"The same from the bundles: <code>{command_line('ab --')} --from FOLDER</code></sub>"
    )


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _text(text: str) -> str:
    return escape_controls(redact(text), most=_LONGEST).translate(_SPECIAL)
