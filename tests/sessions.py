"""Sessions: real pytest sessions of hand-made records, with the report plugins, in processes of their own."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.forked import session

__all__ = ["SCENARIOS", "Session", "run"]

_ROOT = Path(__file__).parents[1]

_CONFTEST = """
import json
from pathlib import Path

import pytest

pytest_plugins = [
    "chaos_harness.reports.allure.plugin",
    "chaos_harness.reports.terminal_table",
    "chaos_harness.reports.truth.verdict_log",
]

def pytest_addoption(parser):
    parser.addoption("--histories", dest="chaos_histories")

def pytest_report_header(config):
    return f"histories: {config.option.chaos_histories}"

@pytest.fixture
def leave(request, tmp_path):
    def leave(lines=20, **changes):
        secret = {"kind": "Secret", "data": {"a": "cGxhbnRlZA=="}}
        (tmp_path / "history.jsonl").write_text(json.dumps({"index": 0, "value": secret}))
        (tmp_path / "large.log").write_text("Authorization: Bearer planted-0123456789abcdef\\n" * lines)
        (tmp_path / "journal.jsonl").write_text('{"undo": "start_container"}')
        record = {
            "name": request.node.name,
            "cluster": {"name": f"chaos-{tmp_path.name}", "shape": {"kubernetes": "v1.36.4", "install": "manifest"}},
            "seed": 7,
            "history": str(tmp_path / "history.jsonl"),
            "journal": str(tmp_path / "journal.jsonl"),
            "environment": {"engine": "docker 20.10.24"},
            "phases": [
                {"name": "steady state", "start": 1000.0, "stop": 1002.5, "status": "passed", "detail": "all serving"},
                {"name": "recovered", "start": 1010.0, "stop": 1072.0, "status": "failed", "detail": ""},
            ],
            "faults": [{"name": "cut registry", "proof": "no request since", "injected_at": 1003.0,
                        "healed_at": 1009.0, "heal_proof": "answers 200"}],
            "claims": [{"name": "pods ready within 60 s", "expected": "violated", "outcome": "violated",
                        "issue": "open-policy-agent/gatekeeper#3839", "summary": "0 of 4 ready after 60 s",
                        "evidence": ["pod a: ImagePullBackOff"],
                        "figures": {"recovered_seconds": 62.0, "asked_seconds": 1.5},
                        "judge": "0123456789ab", "until": 72.0, "known": "version"}],
            "attachments": [{"name": "registry log", "path": str(tmp_path / "large.log"), "type": "text/plain"},
                            {"name": "events", "path": str(tmp_path / "nowhere"), "type": "text/plain"}],
        } | changes
        request.node.user_properties.append(("chaos-record", json.dumps(record)))
    return leave
"""

SCENARIOS = '''
"""Scenarios."""
import os
import pytest
from chaos_harness.harness.errors import Inconclusive, InvariantViolated

CLAIM = {"name": "always served", "expected": "holds", "issue": None, "evidence": [], "figures": {}}

@pytest.mark.parametrize("policy", ["Always", "IfNotPresent"])
def test_pods_restart(leave, policy):
    """Restarted pods come back."""
    leave(lines=6_000)  # so many are compressed

@pytest.mark.parametrize("row", [object()], ids=["Always-present"])
def test_product(leave, row):
    leave(claims=[CLAIM | {"outcome": "violated", "summary": "3 requests refused"}])
    raise InvariantViolated("3 requests refused")

def test_mended(leave):
    leave(
        phases=[{"name": "heal: cut registry", "start": 1009.0}],
        faults=[{"name": "cut registry", "proof": "stopped", "injected_at": 1003.0}],
    )
    raise InvariantViolated("gatekeeper#3839 no longer reproduces")

def test_undecided(leave):
    leave(claims=[CLAIM | {"outcome": "inconclusive", "summary": "2 samples, 30 needed"}])
    raise Inconclusive("2 samples, 30 needed")

def test_harness():
    raise OSError("no space left")

def test_skipped():
    pytest.skip("no registry in this shape")
'''


@dataclass(frozen=True)
class Session:
    """A session that was run: what it printed, how it ended, and what lies in its directory."""

    results: Path
    output: str
    status: int

    def load(self, pattern: str) -> list[Any]:
        """Return the JSON files that the pattern names."""
        return [json.loads(path.read_text(encoding="utf-8")) for path in self.results.glob(pattern)]

    def result(self, name: str) -> Any:
        """Return the one result of this name."""
        (result,) = [result for result in self.load("*-result.json") if result["name"] == name]
        return result

    def attachment(self, result: Any, name: str) -> bytes:
        """Return what was attached to the result under this name."""
        source: str
        (source,) = [attachment["source"] for attachment in result["attachments"] if attachment["name"] == name]
        return (self.results / source).read_bytes()


def run(root: Path, scenarios: str, *arguments: str) -> Session:
    """Run the scenarios with the report plugins in a process of their own."""
    (root / "scenarios").mkdir(parents=True, exist_ok=True)
    (root / "scenarios/conftest.py").write_text(_CONFTEST, encoding="utf-8")
    (root / "scenarios/test_registry.py").write_text(scenarios, encoding="utf-8")
    places = [str(_ROOT), str(_ROOT / "src")]
    (root / "pyproject.toml").write_text(
        f'[tool.pytest.ini_options]\nfilterwarnings = ["error"]\npythonpath = {places!r}\n', encoding="utf-8"
    )
    status, output = session(["scenarios", *arguments], root, os.environ, 300)
    runs = sorted(root.glob("reports/out/[0-9]*"), key=lambda path: path.stat().st_mtime_ns)
    return Session(next(reversed(runs), root / "none").resolve() / "results", output, status)
