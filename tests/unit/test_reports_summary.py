"""Summary: what a person reads at the end of a run."""

import re
from pathlib import Path

import pytest

from tests.sessions import SCENARIOS, Session, run


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Session:
    """One session with a test of every kind, whose output is not a terminal."""
    return run(tmp_path_factory.mktemp("session"), SCENARIOS, "--tb=no")


def _lines(session: Session, below: str) -> list[str]:
    """Return the lines below the one that is `below`, with single blanks, to the next test's name or empty line."""
    lines = session.output.splitlines()
    rest = lines[lines.index(below) + 1 :]
    end = next(number for number, line in enumerate(rest) if not line or line.startswith("scenarios/"))
    return [" ".join(line.split()) for line in rest[:end]]


def test_matrix_has_a_line_for_each_cell(session: Session) -> None:
    """A test's parameters, claim, expected and seen verdict, issue, first figure and time stand on one line."""
    cells = _lines(session, "scenarios/test_registry.py::test_pods_restart")

    told = "pods ready within 60 s violated gatekeeper#3839 violated recovered 62 s 0 s"
    assert cells == [f"✓ Always {told}", f"✓ IfNotPresent {told}"]


@pytest.mark.parametrize(
    ("test", "line"),
    [
        ("test_product", "✗ always served holds violated 0 s"),
        ("test_undecided", "? always served holds inconclusive 0 s"),
        ("test_harness", "! broken 0 s"),
        ("test_skipped", "- skipped 0 s"),
    ],
)
def test_what_is_no_pass_is_marked(session: Session, test: str, line: str) -> None:
    """Product's failures, undecided claims, harness's failures and skipped tests have a mark each."""
    assert _lines(session, f"scenarios/test_registry.py::{test}") == [line]


@pytest.mark.parametrize(
    ("title", "reason"),
    [
        ("inconclusive, which is not a pass:", "test_undecided: always served: 2 samples, 30 needed"),
        ("broken, which says nothing about Gatekeeper:", "test_harness: OSError: no space left"),
        ("skipped:", "test_skipped: no registry in this shape"),
    ],
)
def test_reasons_follow_the_table(session: Session, title: str, reason: str) -> None:
    """What was not decided, broke or was left out is listed with its reason."""
    assert _lines(session, title) == [reason]


def test_failure_beside_met_claims_is_listed(session: Session) -> None:
    """A test that failed although its claims came out as expected has a line and a reason of its own."""
    assert _lines(session, "scenarios/test_registry.py::test_mended")[1] == "✗ failed"
    assert "test_mended: conftest.InvariantViolated: gatekeeper#3839 no longer reproduces" in _lines(
        session, "not as expected:"
    )


def test_claims_are_counted(session: Session) -> None:
    """Only claims are counted, and an inconclusive one is not as expected."""
    assert "\n3 of 5 claims came out as expected\n" in session.output


def test_end_tells_where_the_report_lies(session: Session) -> None:
    """The last lines name the results directory and a command that shows it."""
    place = re.search(r"^results: (.*)$", session.output, re.MULTILINE)

    assert place is not None
    assert Path(place[1]).name == "results"
    assert re.search(
        r"^read it: npx --yes allure@\S+ open --config reports/out/latest/allurerc.json reports/out/latest/results$",
        session.output,
        re.MULTILINE,
    )


def test_output_in_a_log_is_plain(session: Session) -> None:
    """Without a terminal there are no colours."""
    assert "\033[" not in session.output


def test_colour_can_be_had_and_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """FORCE_COLOR colours a log, and NO_COLOR beats it."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    coloured = run(tmp_path, SCENARIOS, "-k", "Always").output
    monkeypatch.setenv("NO_COLOR", "1")
    plain = run(tmp_path, SCENARIOS, "-k", "Always").output

    assert "\033[32m✓" in coloured
    assert "\033[" not in plain
