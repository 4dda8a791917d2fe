"""Ending: what a run leaves for later ones, and what it finds by them."""

import json
import os
from pathlib import Path

import pytest

from chaos_harness.harness.experiment.record import ClaimRecord, Record
from chaos_harness.reports import run_directory
from chaos_harness.reports.allure import categories, run_end

_NODE = "scenarios/test_a.py::test_b"


def _run(root: Path, name: str, seconds: float, outcome: str = "passed") -> list[str]:
    """End a run of one test with one figure; return what was found."""
    run = root / name
    (run / "results").mkdir(parents=True, exist_ok=True)
    categories.write_categories(run / "results")
    run_directory.record_start(run)
    claim = ClaimRecord("pods recover", "holds", "holds", None, "", [], {"serving_seconds": seconds})
    shape = {"gatekeeper": "v3.23.1", "kubernetes": "v1.36.4"}
    records = {_NODE: Record("x", {"shape": shape}, 7, "", "", claims=[claim])}
    return [finding.message for finding in run_end.write(run / "results", run, records, {_NODE: outcome})]


def test_regression_is_found_against_earlier_runs(tmp_path: Path) -> None:
    """After runs that agree, one that is far slower is told to be a regression; they themselves were not."""
    quiet = [_run(tmp_path, f"run {number}", 12 + number % 3) for number in range(8)]
    (message,) = _run(tmp_path, "slow", 62)

    assert quiet == [[]] * 8
    assert message.startswith(f"regression: {_NODE}: pods recover: serving seconds 62, worse")
    assert "worse" in (tmp_path / "slow/figures.txt").read_text(encoding="utf-8")


def test_flaky_test_is_a_finding(tmp_path: Path) -> None:
    """A test that came out otherwise before, on the same versions, is named though it passes now."""
    _run(tmp_path, "first", 12, "failed")
    results = tmp_path / "second" / "results"
    results.mkdir(parents=True)
    for name in ("test_b", "test_c"):
        result = {"name": name, "titlePath": ["scenarios", "test_a.py"], "status": "passed"}
        (results / f"{name}-result.json").write_text(json.dumps(result), encoding="utf-8")

    assert _run(tmp_path, "second", 12) == [
        f"flaky: {_NODE} | v3.23.1 v1.36.4: passed now, came out otherwise in 1 of 1 earlier runs"
    ]
    marked, other = (json.loads((results / f"{name}-result.json").read_text()) for name in ("test_b", "test_c"))
    assert marked["statusDetails"]["flaky"]
    assert "statusDetails" not in other


def test_figures_go_to_allure_and_prometheus(tmp_path: Path) -> None:
    """Values for the trend and their titles lie where Allure reads them, text for Prometheus beside them."""
    _run(tmp_path, "run", 12.5)
    (value,) = json.loads((tmp_path / "run/results/figures-perf.json").read_text(encoding="utf-8"))
    configuration = json.loads((tmp_path / "run/allurerc.json").read_text(encoding="utf-8"))

    assert value["value"] == 12.5
    assert configuration["performance"]["metrics"][value["key"]]["better"] == "lower"
    assert configuration["categories"]
    assert "} 12.5\n" in (tmp_path / "run/metrics.prom").read_text(encoding="utf-8")


def test_results_elsewhere_are_not_remembered(tmp_path: Path) -> None:
    """Without a run's directory nothing is compared and nothing kept."""
    results = tmp_path / "results"
    results.mkdir()
    categories.write_categories(results)

    assert run_end.write(results, None, {}, {}) == []
    assert not (tmp_path / "trend.jsonl").exists()


def test_first_outcome_that_is_no_pass_decides() -> None:
    """A test whose tear-down passes after it failed has failed."""
    outcomes: dict[str, str] = {}
    for outcome in ("passed", "failed", "passed"):
        report = pytest.TestReport("t", ("", None, ""), {}, outcome, None, "call")
        run_end.add_outcome(outcomes, report)

    assert outcomes == {"t": "failed"}


def test_run_says_when_it_began_and_ended(tmp_path: Path) -> None:
    """A run's own words are there from its begin on, and complete at its end."""
    run_directory.record_start(tmp_path)
    begun = run_directory.read_state(tmp_path)
    run_directory.record_end(tmp_path, 1)
    ended = run_directory.read_state(tmp_path)

    assert begun is not None
    assert (begun.pid, begun.ended, begun.status) == (os.getpid(), None, None)
    assert ended is not None
    assert (ended.started, ended.status) == (begun.started, 1)
    assert run_directory.read_state(tmp_path / "nowhere") is None
