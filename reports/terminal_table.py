"""Terminal table: the table at the end of a run, one line for each claim, and where to read the rest."""

import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

import pytest

from chaos_harness.clusters.terminal.escape import escape_controls
from chaos_harness.clusters.terminal.width import cut, terminal_columns, text_columns, wrap
from chaos_harness.harness.experiment.record import ClaimRecord, Record
from chaos_harness.harness.redaction import redact
from chaos_harness.reports import failure_origin
from chaos_harness.reports.allure.categories import viewer_command
from chaos_harness.reports.failure_origin import FailureOrigin, origin_of
from chaos_harness.reports.overview.write import PAGE
from chaos_harness.reports.records import read_record, reason_of

__all__ = ["headline", "pytest_addoption", "pytest_configure"]

_HEAD = ("", "scenario", "claim", "expected", "seen", "figure", "time")
_GAP = "  "
_SHRINK = ((5, 0), (6, 0), (2, 30), (1, 20), (3, 10), (2, 20), (1, 8), (3, 0), (2, 8))
"""Columns that a narrow terminal shortens, in this order, and to what; to 0: they are left out."""
_COLOURS = {"✓": "green", "✗": "red", "!": "red", "?": "yellow", "-": "light"}
_REASONS = {
    "✗": "not as expected",
    "?": "inconclusive, which is not a pass",
    "!": "broken, which says nothing about Gatekeeper",
    "-": "skipped",
}
_ORIGINS: dict[FailureOrigin, tuple[str, str]] = {
    "product": ("✗", "failed"),
    "inconclusive": ("?", "inconclusive"),
    "harness": ("!", "broken"),
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that makes the quality gate decide the exit status."""
    help_text = (
        "exit with 1, too, if a figure is worse than in earlier runs beyond noise; for a machine that does nothing else"
    )
    parser.getgroup("chaos").addoption("--fail-on-regression", action="store_true", help=help_text)


def pytest_configure(config: pytest.Config) -> None:
    """Show the table in the process with the terminal; workers only add the origin of failures to their reports."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Summary(), "chaos-summary")
    config.pluginmanager.register(failure_origin, "chaos-failure-origin")


@dataclass
class _Test:
    """What the reports of one test's phases contain, combined."""

    seconds: float = 0.0
    outcome: str = "passed"
    message: str = ""
    origin: FailureOrigin = "harness"
    record: Record | None = None

    def add(self, report: pytest.TestReport) -> None:
        self.seconds += report.duration
        self.record = read_record(report.user_properties) or self.record
        if report.outcome != "passed" and self.outcome == "passed":
            self.outcome, self.message, self.origin = report.outcome, reason_of(report), origin_of(report)

    @property
    def verdict(self) -> tuple[str, str]:
        """The mark and the word for a test without a deciding claim."""
        if self.outcome == "failed":
            return _ORIGINS[self.origin]
        return ("✓", "passed") if self.outcome == "passed" else ("-", "skipped")


@dataclass(frozen=True)
class _Row:
    """One line of the table: a claim, or a test besides its claims."""

    nodeid: str
    mark: str
    seen: str
    claim: str = ""
    expected: str = ""
    figure: str = ""
    time: str = ""
    reason: str = ""

    @property
    def function(self) -> str:
        """The test's function with its file, which all lines of a parametrised test share."""
        return self.nodeid.partition("[")[0]

    @property
    def cells(self) -> tuple[str, ...]:
        parameters = self.nodeid.partition("[")[2].removesuffix("]")
        return tuple(
            _safe_text(cell)
            for cell in (self.mark, parameters, self.claim, self.expected, self.seen, self.figure, self.time)
        )

    @property
    def why(self) -> str:
        """The line that explains the outcome."""
        return _safe_text(
            ": ".join(part for part in (self.nodeid.rpartition("::")[2], self.claim, self.reason) if part)
        )


class _Summary:
    """Collects the reports of all tests and prints the table at the end."""

    def __init__(self) -> None:
        self.tests: dict[str, _Test] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.tests.setdefault(report.nodeid, _Test()).add(report)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
        if self.tests:
            rows = _rows(self.tests)
            _write_table(terminalreporter, rows)
            _write_reasons(terminalreporter, rows)
        results = config.option.allure_report_dir
        if results and Path(results).is_dir():
            _write_place(terminalreporter, Path(results))


def _rows(tests: dict[str, _Test]) -> list[_Row]:
    """Return all lines, those of a function together: with workers, tests end in any order."""
    groups: dict[str, list[_Row]] = {}
    for nodeid, test in tests.items():
        groups.setdefault(nodeid.partition("[")[0], []).extend(_test_rows(nodeid, test))
    return [row for group in groups.values() for row in group]


def _test_rows(nodeid: str, test: _Test) -> list[_Row]:
    """Return a line for each claim of a test, and one for an error besides its claims."""
    claims = test.record.claims if test.record else []
    rows = [_claim_row(nodeid, claim) for claim in claims]
    if not rows or (test.outcome != "passed" and all(row.mark == "✓" for row in rows)):
        mark, seen = test.verdict
        rows.append(_Row(nodeid, mark, seen, reason=test.message))
    return [replace(rows[0], time=f"{test.seconds:.0f} s"), *rows[1:]]


def _claim_row(nodeid: str, claim: ClaimRecord) -> _Row:
    mark = "✓" if claim.as_expected else "✗"
    return _Row(
        nodeid,
        "?" if claim.outcome == "inconclusive" else mark,
        claim.outcome,
        claim.name,
        f"{claim.expectation} {(claim.issue or '').rpartition('/')[2]}".strip(),
        headline(claim.outcome, claim.figures),
        reason=claim.summary,
    )


def headline(outcome: str, figures: Mapping[str, float]) -> str:
    """Return the one figure that a line has room for: of a violation how long it lasted, or what there was of it."""
    chosen = list(figures.items())
    if outcome == "violated":
        there = [(name, value) for name, value in chosen if value]
        chosen = [*(each for each in there if each[0].endswith("_seconds")), *there, *chosen]
    return _figure(*chosen[0]) if chosen else ""


def _figure(name: str, value: float) -> str:
    """Return a figure as text: its name ends with its unit, mostly seconds."""
    words = name.removesuffix("_seconds").replace("_", " ")
    return f"{words} {value:.4g}{' s' if name.endswith('_seconds') else ''}"


def _write_table(terminal: pytest.TerminalReporter, rows: list[_Row]) -> None:
    widths = [max(map(text_columns, column)) for column in zip(_HEAD, *(row.cells for row in rows), strict=True)]
    if (columns := _columns(terminal)) is not None:
        widths = _fit(widths, columns)
    terminal.section("chaos")
    terminal.write_line(_aligned(_HEAD, widths))
    for function, group in groupby(rows, lambda row: row.function):
        terminal.write_line(_safe_text(function), bold=True)
        for row in group:
            terminal.write_line(_aligned(row.cells, widths), **{_COLOURS[row.mark]: True})


def _safe_text(words: str) -> str:
    """Return text of others made safe for a terminal and its log."""
    return escape_controls(redact(words))


def _columns(terminal: pytest.TerminalReporter) -> int | None:
    """Return how many columns a line may have; None where nobody looks at a terminal."""
    return terminal_columns(sys.stdout) - 1 if terminal.isatty else None


def _fit(widths: list[int], columns: int) -> list[int]:
    """Return the widths with which a line fits into `columns`; a column of width 0 is left out."""
    widths = list(widths)
    for column, least in _SHRINK:
        over = sum(widths) + len(_GAP) * (sum(map(bool, widths)) - 1) - columns
        if over > 0:
            widths[column] = max(widths[column] - over, least) if least else 0
    return widths


def _aligned(cells: Iterable[str], widths: list[int]) -> str:
    shown = [(cut(cell, width), width) for cell, width in zip(cells, widths, strict=True) if width]
    return _GAP.join(cell + " " * (width - text_columns(cell)) for cell, width in shown).rstrip()


def _write_reasons(terminal: pytest.TerminalReporter, rows: list[_Row]) -> None:
    for mark, title in _REASONS.items():
        reasons = [row.why for row in rows if row.mark == mark]
        if reasons:
            terminal.write_line("")
            terminal.write_line(f"{title}:", bold=True)
        for reason in reasons:
            terminal.write_line(wrap(f"  {reason}", _columns(terminal)))
    marks = [row.mark for row in rows if row.expected]
    terminal.write_line("")
    terminal.write_line(f"{marks.count('✓')} of {len(marks)} claims came out as expected")


def _write_place(terminal: pytest.TerminalReporter, results: Path) -> None:
    run = results.parent
    latest = run.parent / "latest"
    place = Path(os.path.relpath(latest if latest.exists() and latest.samefile(run) else run))
    terminal.write_line("")
    if (run / PAGE).is_file():
        terminal.write_line(f"overview: {place / PAGE}")
    terminal.write_line(f"results: {os.path.relpath(results)}")
    for name, what in (("junit.xml", "JUnit XML"), ("metrics.prom", "OpenMetrics"), ("figures.txt", "figures")):
        if (run / name).is_file():
            terminal.write_line(f"{what}: {place / name}")
    terminal.write_line(f"read it: {viewer_command(place)}")
