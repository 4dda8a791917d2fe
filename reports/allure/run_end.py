"""End of a run: writes figures, trend and quality gate, and reports regressions and flaky tests."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from chaos_harness.clusters.terminal.escape import escape_controls
from chaos_harness.harness import private
from chaos_harness.harness.experiment.record import Record
from chaos_harness.harness.redaction import redact
from chaos_harness.reports import run_directory
from chaos_harness.reports.allure import categories
from chaos_harness.reports.trends import figures, quality_gate, runs
from chaos_harness.reports.trends import regression as gate

__all__ = ["add_outcome", "write"]

_METRICS = "metrics.prom"
_FIGURES = "figures.txt"


@dataclass(frozen=True)
class RunFinding:
    """A finding about the whole run that its reader must not miss; `regression`: a figure got worse."""

    message: str
    detail: str = ""
    regression: bool = False


def add_outcome(outcomes: dict[str, str], report: pytest.TestReport) -> None:
    """Record the outcome of one phase of a test; the first phase that did not pass decides."""
    if outcomes.get(report.nodeid, "passed") == "passed":
        outcomes[report.nodeid] = report.outcome


def write(
    results: Path, run: Path | None, records: Mapping[str, Record], outcomes: Mapping[str, str]
) -> list[RunFinding]:
    """Write the run's figures for Allure, Prometheus and later runs; return the findings.

    Without a run's directory (the results were written elsewhere on request) nothing is stored or compared.
    """
    samples = figures.collect_samples(records)
    private.write(results / "figures-perf.json", json.dumps(figures.allure_performance(samples)))
    categories.add_performance(results, figures.figure_titles(samples))
    if run is None:
        return []
    private.write(run / _METRICS, figures.open_metrics(samples, records))
    known = runs.read_earlier(run.parent, run.name)
    history: dict[str, list[float]] = {}
    for earlier_run in known:
        for key, value in earlier_run.figures.items():
            history.setdefault(key, []).append(value)
    judged = gate.judge_figures(samples, history)
    private.write(run / _FIGURES, "".join(f"{escape_controls(comparison.words)}\n" for comparison in judged))
    quality_gate.write(run, quality_gate.evaluate_rules(records, outcomes, judged))
    keys = {_key(nodeid, record): nodeid for nodeid, record in records.items()}
    tests = {key: outcomes.get(nodeid, "") for key, nodeid in keys.items()}
    flaky = runs.find_flaky(known, tests)
    _mark_flaky(results, {keys[key]: words for key, words in flaky.items()})
    began = run_directory.read_state(run)
    started = began.started if began else time.time()
    runs.remember(run.parent, runs.Run(run.name, started, {sample.key: sample.value for sample in samples}, tests))
    return [
        *(
            RunFinding(f"regression: {comparison.words}", _why(comparison), regression=True)
            for comparison in judged
            if comparison.outcome == "worse"
        ),
        *(RunFinding(f"flaky: {key}: {words}", "the same test on the same versions") for key, words in flaky.items()),
    ]


def _mark_flaky(results: Path, flaky: Mapping[str, str]) -> None:
    """Mark the results of tests that passed and failed with nothing changed: Allure shows and filters them."""
    if not flaky:
        return
    for path in results.glob("*-result.json"):
        result = json.loads(path.read_text(encoding="utf-8"))
        words = flaky.get(categories.nodeid_of(result))
        if words:
            details = result.get("statusDetails") or {}
            message = "\n".join(filter(None, [details.get("message"), f"flaky: {words}"]))
            result["statusDetails"] = {**details, "message": message, "flaky": True}
            private.write(path, json.dumps(result, ensure_ascii=False))


def _key(nodeid: str, record: Record) -> str:
    shape = record.cluster.get("shape", {})
    own = f" {shape['own']['digest']}" if shape.get("own") else ""
    return redact(f"{nodeid} | {shape.get('gatekeeper', '')} {shape.get('kubernetes', '')}{own}")


def _why(judged: gate.FigureVerdict) -> str:
    return (
        f"If nothing had changed, the chance that any figure of this run is called worse would be {gate.ERROR:.0%}; "
        f"all figures of the run are in {_FIGURES}. Key: {judged.sample.key}"
    )
