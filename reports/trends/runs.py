"""Earlier runs: their figures and the outcomes of their tests, one line a run in a file beside the runs."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from chaos_harness.harness import private

__all__ = ["Run", "find_flaky", "read_earlier", "remember"]

_FILE = "trend.jsonl"
_MOST_RUNS = 100
_RECENT = 10


@dataclass(frozen=True)
class Run:
    """One run: its name, its start (unix seconds), its figures and the outcomes of its tests, by their keys."""

    name: str
    started: float
    figures: Mapping[str, float] = field(default_factory=dict)
    tests: Mapping[str, str] = field(default_factory=dict)


def read_earlier(root: Path, than: str) -> list[Run]:
    """Return the stored runs below `root` except the run `than`, oldest first.

    A line that was cut off or written by another version is skipped: a trend may have holes.
    """
    try:
        lines = (root / _FILE).read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    runs_by_name = {}
    for line in lines[-_MOST_RUNS:]:
        try:
            run = Run(**json.loads(line))
            figures, tests = dict(run.figures), dict(run.tests)
        except (ValueError, TypeError):
            continue
        if run.name != than:
            runs_by_name[run.name] = Run(run.name, float(run.started), figures, tests)
    return sorted(runs_by_name.values(), key=lambda run: run.started)


def remember(root: Path, run: Run) -> None:
    """Append a run, in a single write; the oldest ones are removed when there are more than twice 100."""
    path = root / _FILE
    private.add(path, json.dumps(asdict(run), separators=(",", ":")) + "\n")
    lines = path.read_bytes().splitlines(keepends=True)
    if len(lines) > 2 * _MOST_RUNS:
        private.write(path, b"".join(lines[-_MOST_RUNS:]))


def find_flaky(runs: Iterable[Run], now: Mapping[str, str]) -> dict[str, str]:
    """Return the tests that passed and failed with nothing else changed, and how often.

    Only passed and failed count: a broken harness says nothing about a test.
    """
    recent = list(runs)[-_RECENT:]
    flaky_tests = {}
    for key, outcome in now.items():
        outcomes = [run.tests[key] for run in recent if run.tests.get(key) in ("passed", "failed")]
        others = sum(earlier_outcome != outcome for earlier_outcome in outcomes)
        if outcome in ("passed", "failed") and others:
            flaky_tests[key] = f"{outcome} now, came out otherwise in {others} of {len(outcomes)} earlier runs"
    return flaky_tests
