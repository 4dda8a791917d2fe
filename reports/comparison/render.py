"""Render: a comparison as lines of a terminal, as the comment of a pull request, and as data for a script."""

import json
import textwrap
from collections.abc import Iterator
from dataclasses import asdict
from math import isfinite
from typing import Any

from chaos_harness.clusters.terminal.escape import escape_controls
from chaos_harness.harness.redaction import redact
from chaos_harness.harness.statistics import bootstrap
from chaos_harness.reports.comparison.compare import ALPHA, Comparison, FigureChange
from chaos_harness.reports.comparison.words import SHARES, Section, groups, headline, sections

__all__ = ["MARKER", "as_json", "as_markdown", "as_text"]

MARKER = "<!-- chaos-harness compare -->"
"""The first line: by it the comment of an earlier run is found, to be replaced."""

_SCHEMA = 1
_WIDTH = 79
_MOST_ROWS, _MOST_QUIET = 40, 5
_LONGEST = 300
_SPECIAL = str.maketrans({**{letter: f"\\{letter}" for letter in "\\`*_[]<>|#~"}, "@": "&#64;", "&": "&amp;"})
_LEGEND = (
    "A run is one sample: percentiles have 95 % intervals by drawing runs again. Worse beyond noise is a figure that is"
    f" worse by a second or a tenth, by chance in at most {ALPHA:.1%} of comparisons, for all figures together. A claim"
    " that held in every run of A, and is violated in B, is worse whatever chance says."
)


def as_text(comparison: Comparison) -> Iterator[str]:
    """Yield lines of at most 79 columns, the answer last."""
    for words in groups(comparison):
        yield from _wrapped(words, "")
    for section in sections(comparison):
        yield ""
        yield f"{section.title} ({len(section.lines)}):"
        most = _MOST_ROWS if section.loud else _MOST_QUIET
        for line in section.lines[:most]:
            yield from _wrapped(line.name, "  ")
            yield from _wrapped(f"on {line.on}: {line.seen}" if line.on else line.seen, "    ")
        if len(section.lines) > most:
            yield f"  and {len(section.lines) - most} more: --json has them all"
    yield ""
    yield from _wrapped(f"{headline(comparison)}.", "")


def as_markdown(comparison: Comparison) -> str:
    """Return the comment: the answer, both groups, and what changed, folded up unless a reader must not miss it."""
    parts = [MARKER, f"### {_text(headline(comparison))}", "\n".join(f"- {_text(line)}" for line in groups(comparison))]
    for section in sections(comparison):
        table, title = _table(section), f"{section.title} ({len(section.lines)})"
        folded = f"<details><summary>{title}</summary>\n\n{table}\n\n</details>"
        parts.append(f"**{title}**\n\n{table}" if section.loud else folded)
    return "\n\n".join([*parts, f"<sub>{_LEGEND}</sub>"]) + "\n"


def as_json(comparison: Comparison) -> str:
    """Return everything, also what is as before; figures with their percentiles, and no interval of one run."""
    told = asdict(comparison) | {"schema": _SCHEMA, "judgement": comparison.judgement, "headline": headline(comparison)}
    told["claims"] = [{**asdict(one), "key": one.key._asdict()} for one in comparison.claims]
    told["figures"] = [
        {**asdict(one), "key": one.key._asdict(), "unit": one.unit, "percentiles": _percentiles(one)}
        for one in comparison.figures
    ]
    return json.dumps(told, indent=1, allow_nan=False)


def _percentiles(figure: FigureChange) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for label, values in (("a", figure.a), ("b", figure.b)):
        for share in SHARES:
            found = bootstrap(values, share)
            ends = (found.low, found.high) if isfinite(found.low) else (None, None)
            told[f"{label}_p{share * 100:g}"] = (found.estimate, *ends)
    return told


def _table(section: Section) -> str:
    lines = ["| what | on | seen |", "| --- | --- | --- |"]
    lines += [f"| {_text(line.name)} | {_text(line.on)} | {_text(line.seen)} |" for line in section.lines[:_MOST_ROWS]]
    more = len(section.lines) - _MOST_ROWS
    return "\n".join(lines) + (f"\n\nand {more} more" if more > 0 else "")


def _text(text: str) -> str:
    return escape_controls(redact(text), most=_LONGEST).translate(_SPECIAL)


def _wrapped(line: str, indent: str) -> list[str]:
    text = escape_controls(redact(line))
    return textwrap.wrap(text, _WIDTH, initial_indent=indent, subsequent_indent=f"{indent}  ", break_on_hyphens=False)
