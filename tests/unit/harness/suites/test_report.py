"""A run of suites is reported case by case, and ends with the status of the worst case."""

from typing import Any

import pytest

from chaos_harness.harness.suites.answered import Agreement, CaseResult
from chaos_harness.harness.suites.during import LostAnswers
from chaos_harness.harness.suites.report import describe, exit_status, report


def _case(agreement: Agreement, **changes: Any) -> CaseResult:
    fields = {"expected": "violations", "answered": "admitted", "why": "", **changes}
    return CaseResult("s.yaml", "one", "a", "s.yaml:5", agreement=agreement, **fields)


_KEPT = LostAnswers("s.yaml: one: a", 40, 0, 0, 0.0, 0.0)
_LOST = LostAnswers("s.yaml: one: a", 40, 12, 12, 8.5, 9.75, ("no endpoint",))


@pytest.mark.parametrize(
    ("results", "lost", "status"),
    [
        (["as expected"], None, 0),
        (["as expected", "skipped", "cannot be asked"], None, 0),
        (["as expected", "otherwise", "undecided"], None, 1),
        (["as expected", "undecided"], None, 3),
        (["skipped", "cannot be asked"], None, 5),
        ([], None, 5),
        (["as expected"], [_KEPT], 0),
        (["as expected"], [_KEPT, _LOST], 1),
        (["as expected"], [LostAnswers("a", 0, 0, 0, 0.0, 0.0)], 3),
    ],
)
def test_status(results: list[Agreement], lost: list[LostAnswers] | None, status: int) -> None:
    """A disagreement or a lost answer is 1, what is not decided 3, and nothing that could be asked 5."""
    assert exit_status([_case(agreement) for agreement in results], lost) == status


def test_lines() -> None:
    """Each case has a line, with what the suite expects and what the cluster answered, or why it cannot be asked."""
    cases = [_case("otherwise"), _case("cannot be asked", answered="", why="it has no name"), _case("skipped")]
    assert list(report(cases, None, "")) == [
        "s.yaml: one",
        "  ✗ a: violations: otherwise: admitted",
        "  - a: cannot be asked (it has no name)",
        "  - a: skipped",
        "",
        "3 cases: 1 otherwise, 1 cannot be asked, 1 skipped",
    ]


def test_lost_answers() -> None:
    """Under a fault, each case says how many answers were lost, for how long, and why."""
    lines = list(report([_case("as expected")], [_KEPT, _LOST], "kill_node for 30 s"))
    bypassed = "12 admitted though they violate the policy (no endpoint)"
    assert lines[-4:] == [
        "during kill_node for 30 s:",
        "  ✓ s.yaml: one: a: none of 40 answers lost",
        f"  ✗ s.yaml: one: a: 12 of 40 answers lost, for 8.5 to 9.8 s, {bypassed}",
        "1 of 2 cases lost answers",
    ]
    described = describe([_case("as expected")], [_LOST], "kill_node for 30 s")
    assert described["lost"][0]["least"] == 8.5
    assert "lost" not in describe([], None, "")
