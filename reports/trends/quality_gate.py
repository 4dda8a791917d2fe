"""Quality gate: the rules that every run must meet, shown where Allure 3 shows its quality gate."""

import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from chaos_harness.harness import private
from chaos_harness.harness.experiment.record import Record
from chaos_harness.harness.redaction import redact
from chaos_harness.reports.trends.regression import FigureVerdict

__all__ = ["FILE", "GateRule", "archive", "evaluate_rules", "read", "write"]

FILE = "gate.json"
"""Name of the file in a run's directory."""

_LISTS = ("environments", "global-attachments", "global-errors")
_TABLES = (
    "attachments",
    "fixtures",
    "index-attachments-by-fixture",
    "index-attachments-by-test-results",
    "index-fixtures-by-test-result",
    "index-test-results-by-history-id",
    "index-test-results-by-test-case",
    "report-variables",
    "test-cases",
    "test-results",
)
_RESULTS = "quality-gate-results"


@dataclass(frozen=True)
class GateRule:
    """A rule for runs: whether this run meets it, and what was measured."""

    name: str
    met: bool
    message: str
    expected: float
    actual: float


def evaluate_rules(
    records: Mapping[str, Record], outcomes: Mapping[str, str], judged: Sequence[FigureVerdict]
) -> list[GateRule]:
    """Return the rules: all claims are as expected, and no figure is worse beyond noise.

    A rule that cannot be judged, because there are too few earlier runs, is left out.
    """
    return [_claims(records, outcomes), *_figures(judged)]


def write(run: Path, gate_rules: Sequence[GateRule]) -> None:
    """Write the rules of a run into its directory."""
    private.write(run / FILE, json.dumps([asdict(rule) for rule in gate_rules], indent=1))


def read(run: Path) -> list[GateRule]:
    """Return the rules of a run; empty if it was killed before it wrote them."""
    try:
        return [GateRule(**fields) for fields in json.loads((run / FILE).read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError):
        return []


def archive(gate_rules: Sequence[GateRule], path: Path) -> Path:
    """Write the archive that Allure 3 reads as an earlier stage of the same run: only the results of its quality gate.

    `allure generate` evaluates no rules itself, and Allure's own rules know thresholds, not noise.
    """
    results = [_result(rule) for rule in gate_rules]
    content: dict[str, Any] = {name: [] for name in _LISTS} | {name: {} for name in _TABLES} | {_RESULTS: results}
    with zipfile.ZipFile(path, "w") as file:
        for name, part in content.items():
            file.writestr(f"{name}.json", json.dumps(part))
    return path


def _result(rule: GateRule) -> dict[str, Any]:
    return {
        "rule": rule.name,
        "success": rule.met,
        "message": rule.message,
        "expected": rule.expected,
        "actual": rule.actual,
        "testResults": [],
    }


def _claims(records: Mapping[str, Record], outcomes: Mapping[str, str]) -> GateRule:
    claims = [claim for record in records.values() for claim in record.claims]
    met = sum(claim.as_expected for claim in claims)
    unmet = {name for name, record in records.items() if any(not claim.as_expected for claim in record.claims)}
    broken = sum(outcome == "failed" and name not in unmet for name, outcome in outcomes.items())
    said = f"{met} of {len(claims)} claims came out as expected"
    said += f"; {broken} of {len(outcomes)} tests broke besides their claims" if broken else ""
    good = met == len(claims) and not broken and bool(outcomes)
    return GateRule("claims come out as expected", good, said if outcomes else "no test ran", len(claims), met)


def _figures(judged: Sequence[FigureVerdict]) -> list[GateRule]:
    compared = [comparison for comparison in judged if comparison.most is not None]
    worse = [comparison for comparison in compared if comparison.outcome == "worse"]
    if compared and not worse:
        rest = len(judged) - len(compared)
        said = f"none of {len(compared)} figures is worse than in earlier runs, beyond their noise"
        said += f"; {rest} more were measured too rarely to be compared" if rest else ""
        return [GateRule("no figure is worse, beyond noise", True, said, 0, 0)]
    return [
        GateRule(
            f"worse, beyond noise: {redact(comparison.sample.title)}",
            False,
            redact(comparison.words),
            comparison.most,
            comparison.sample.value,
        )
        for comparison in worse
        if comparison.most is not None
    ]
