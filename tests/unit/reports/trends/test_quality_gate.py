"""Quality: what a run must meet, both ways, and the form in which Allure reads it."""

import json
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from chaos_harness.harness.experiment.record import ClaimRecord, Record
from chaos_harness.reports.trends import quality_gate
from chaos_harness.reports.trends.figures import FigureSample
from chaos_harness.reports.trends.regression import FigureVerdict, judge_figures

_NODE = "scenarios/test_a.py::test_b"


def _record(*outcomes: str) -> Record:
    claims = [ClaimRecord(f"claim {outcome}", "holds", outcome, None, "", [], {}) for outcome in outcomes]
    return Record("x", {}, 7, "", "", claims=claims)


def _judged(value: float, earlier: Sequence[float]) -> list[FigureVerdict]:
    sample = FigureSample(_NODE, "v", "pods recover", "serving_seconds", value, 0, 0)
    return judge_figures([sample], {sample.key: earlier})


@pytest.mark.parametrize(
    ("outcomes", "ended", "met", "message"),
    [
        (["holds", "holds"], {_NODE: "passed"}, True, "2 of 2 claims came out as expected"),
        (["holds", "violated"], {_NODE: "failed"}, False, "1 of 2 claims came out as expected"),
        (["holds", "inconclusive"], {_NODE: "failed"}, False, "1 of 2 claims came out as expected"),
        (
            ["holds"],
            {_NODE: "passed", "b": "failed"},
            False,
            "1 of 1 claims came out as expected; 1 of 2 tests broke besides their claims",
        ),
        (
            ["holds"],
            {_NODE: "failed"},
            False,
            "1 of 1 claims came out as expected; 1 of 1 tests broke besides their claims",
        ),
        ([], {"b": "skipped"}, True, "0 of 0 claims came out as expected"),
        ([], {}, False, "no test ran"),
    ],
)
def test_claims_are_a_rule(outcomes: list[str], ended: dict[str, str], met: bool, message: str) -> None:
    """One claim that came out otherwise, one test that broke, or no test at all, and the rule is not met."""
    (rule,) = quality_gate.evaluate_rules({_NODE: _record(*outcomes)} if outcomes else {}, ended, [])

    assert (rule.met, rule.message) == (met, message)


@pytest.mark.parametrize(
    ("value", "earlier", "expected"),
    [
        (12.0, [11, 12, 13, 12, 11, 12], [("no figure is worse, beyond noise", True)]),
        (62.0, [11, 12, 13, 12, 11, 12], [("worse, beyond noise: b: pods recover: serving", False)]),
        (62.0, [12, 12], []),
    ],
)
def test_figures_are_a_rule_once_they_can_be_compared(
    value: float, earlier: list[float], expected: list[tuple[str, bool]]
) -> None:
    """A regression is a rule of its own that is not met; with too few earlier runs nothing is claimed."""
    _, *rules = quality_gate.evaluate_rules({}, {}, _judged(value, earlier))

    assert [(rule.name, rule.met) for rule in rules] == expected


def test_worse_tells_what_noise_explains() -> None:
    """The rule carries the figure, its bound, and the comparison in words."""
    _, rule = quality_gate.evaluate_rules({}, {}, _judged(62.0, [11, 12, 13, 12, 11, 12]))

    assert rule.actual == 62.0
    assert 13 < rule.expected < 20
    assert "62, worse: 11.83 in 6 earlier runs, up to " in rule.message


def test_rules_of_a_run_are_read_back(tmp_path: Path) -> None:
    """What was written is read; a run without, or with half of it, has none."""
    rules = quality_gate.evaluate_rules({_NODE: _record("violated")}, {_NODE: "failed"}, [])
    assert quality_gate.read(tmp_path) == []
    quality_gate.write(tmp_path, rules)
    assert quality_gate.read(tmp_path) == rules
    (tmp_path / quality_gate.FILE).write_text('[{"na', encoding="utf-8")
    assert quality_gate.read(tmp_path) == []


def test_secrets_do_not_get_into_rules() -> None:
    """A token in a test's name is not told."""
    sample = FigureSample("t[Bearer planted-0123456789abcdef]", "v", "c", "serving_seconds", 62.0, 0, 0)
    rules = quality_gate.evaluate_rules({}, {}, judge_figures([sample], {sample.key: [12.0] * 6}))

    assert "planted" not in str(rules)


def test_archive_holds_the_results_and_nothing_else(tmp_path: Path) -> None:
    """Each rule is a result of the quality gate; all that Allure asks of an archive is there, and empty."""
    rules = quality_gate.evaluate_rules({_NODE: _record("violated")}, {_NODE: "failed"}, [])
    with zipfile.ZipFile(quality_gate.archive(rules, tmp_path / "gate.zip")) as file:
        content = {name: json.loads(file.read(name)) for name in file.namelist()}
    (result,) = content.pop("quality-gate-results.json")

    assert (result["success"], result["rule"]) == (False, "claims come out as expected")
    assert not any(content.values())
    assert "test-results.json" in content
