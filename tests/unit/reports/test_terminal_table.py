"""Summary: what a person reads at the end of a run."""

import re
from pathlib import Path

import pytest

from chaos_harness.harness.verdict import Outcome
from chaos_harness.reports import terminal_table
from chaos_harness.reports.terminal_table import headline
from tests.sessions import SCENARIOS, Session, run
from tests.thorough import thorough


def _lines(session: Session, below: str) -> list[str]:
    """Return the lines below the one that is `below`, to the next name or gap, without their times and blanks."""
    lines = session.output.splitlines()
    rest = lines[lines.index(below) + 1 :]
    end = next(number for number, line in enumerate(rest) if not line or line.startswith("scenarios/"))
    return [re.sub(r" \d+ s$", "", " ".join(line.split())) for line in rest[:end]]


def test_matrix_has_a_line_for_each_cell(every_kind: Session) -> None:
    """A test's parameters, claim, expected and seen verdict, issue, first figure and time stand on one line."""
    assert len(re.findall(r"^✓ .* recovered 62 s +\d+ s$", every_kind.output, re.MULTILINE)) == 3
    cells = _lines(every_kind, "scenarios/test_registry.py::test_pods_restart")

    columns = "pods ready within 60 s violated gatekeeper#3839 violated recovered 62 s"
    assert cells == [f"✓ Always {columns}", f"✓ IfNotPresent {columns}"]


@pytest.mark.parametrize(
    ("outcome", "figures", "shown"),
    [
        ("violated", {"a_lost_requests": 0.0, "a_refused_requests": 408.0, "a_least_seconds": 61.0}, "a least 61 s"),
        ("violated", {"a_lost_requests": 0.0, "a_refused_requests": 408.0}, "a refused requests 408"),
        ("violated", {"a_lost_requests": 0.0}, "a lost requests 0"),
        ("holds", {"a_lost_requests": 0.0, "a_least_seconds": 61.0}, "a lost requests 0"),
        ("violated", {}, ""),
    ],
)
def test_the_figure_of_a_violation_says_what_was_violated(
    outcome: Outcome, figures: dict[str, float], shown: str
) -> None:
    """How long it lasted, if that is known; not how much there was of what did not happen."""
    assert headline(outcome, figures) == shown


@pytest.mark.parametrize(
    ("test", "line"),
    [
        ("test_product", "✗ Always-present always served holds violated"),
        ("test_undecided", "? always served holds inconclusive"),
        ("test_harness", "! broken"),
        ("test_skipped", "- skipped"),
    ],
)
def test_what_is_no_pass_is_marked(every_kind: Session, test: str, line: str) -> None:
    """Product's failures, undecided claims, harness's failures and skipped tests have a mark each."""
    assert _lines(every_kind, f"scenarios/test_registry.py::{test}") == [line]


@pytest.mark.parametrize(
    ("title", "reason"),
    [
        ("inconclusive, which is not a pass:", "test_undecided: always served: 2 samples, 30 needed"),
        ("broken, which says nothing about Gatekeeper:", "test_harness: OSError: no space left"),
        ("skipped:", "test_skipped: no registry in this shape"),
    ],
)
def test_reasons_follow_the_table(every_kind: Session, title: str, reason: str) -> None:
    """What was not decided, broke or was left out is listed with its reason."""
    assert _lines(every_kind, title) == [reason]


def test_failure_beside_met_claims_is_listed(every_kind: Session) -> None:
    """A test that failed although its claims came out as expected has a line and a reason of its own."""
    assert _lines(every_kind, "scenarios/test_registry.py::test_mended")[1] == "✗ failed"
    assert (
        "test_mended: chaos_harness.harness.errors.InvariantViolated: gatekeeper#3839 no longer reproduces"
        in _lines(every_kind, "not as expected:")
    )


def test_claims_are_counted(every_kind: Session) -> None:
    """Only claims are counted, and an inconclusive one is not as expected."""
    assert "\n3 of 5 claims came out as expected\n" in every_kind.output


def test_end_tells_where_the_report_lies(every_kind: Session) -> None:
    """The last lines name the results directory and a command that shows it."""
    place = re.search(r"^results: (.*)$", every_kind.output, re.MULTILINE)

    assert place is not None
    assert Path(place[1]).name == "results"
    assert f"overview: reports/out/latest/report/overview.html\n{place.group()}\n" in every_kind.output
    for line in ("JUnit XML: reports/out/latest/junit.xml", "OpenMetrics: reports/out/latest/metrics.prom"):
        assert f"\n{line}\n" in every_kind.output
    assert "\nread it: nox -s report -- --serve reports/out/latest\n" in every_kind.output


def test_overview_stands_above_the_table(every_kind: Session) -> None:
    """What was lost is said first, in lines of at most 80 columns, and its page is there without Allure's."""
    above, _, _ = every_kind.output.partition(" chaos =")
    overview = [line for line in above.rpartition(" overview =")[2].splitlines()[1:] if not line.startswith(("-", "="))]

    assert overview[:2] == ["The history of 5 experiments cannot be read, so nothing is known about", "enforcement."]
    assert "1 surprise, 2 broken by the harness, 1 inconclusive, 3 known defects reproduced" in " ".join(overview)
    assert max(map(len, overview)) <= 80
    assert (every_kind.results.parent / "report/overview.html").is_file()
    assert not (every_kind.results.parent / "report/index.html").exists()


def test_output_in_a_log_is_plain(every_kind: Session) -> None:
    """Without a terminal there are no colours."""
    assert "\033[" not in every_kind.output


@thorough
def test_colour_can_be_had_and_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """FORCE_COLOR colours a log, and NO_COLOR beats it."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    coloured = run(tmp_path, SCENARIOS, "-k", "restart and Always").output
    monkeypatch.setenv("NO_COLOR", "1")
    plain = run(tmp_path, SCENARIOS, "-k", "restart and Always").output

    assert "\033[32m✓" in coloured
    assert "\033[" not in plain


@pytest.mark.parametrize("columns", [119, 79, 40])
def test_a_narrow_terminal_shortens_columns_and_leaves_some_out(columns: int) -> None:
    """Mark and verdict stay; figure and time go first."""
    fitted = terminal_table._fit([1, 50, 70, 25, 12, 20, 6], columns)
    assert sum(fitted) + 2 * (sum(map(bool, fitted)) - 1) <= columns
    assert (fitted[0], fitted[4], fitted[5]) == (1, 12, 0)
    line = terminal_table._aligned(["✓", "s" * 50, "c" * 70, "e" * 25, "violated", "f", "9 s"], fitted)
    assert len(line) <= columns
    assert line.startswith("✓  sss")
    assert "violated" in line
