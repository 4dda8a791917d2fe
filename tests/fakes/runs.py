"""Runs by hand: a run's directory as the plugins leave it, with histories, verdicts and tests."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from chaos_harness.harness.history import History
from chaos_harness.reports.truth.verdict_lines import FILE, VerdictLine

__all__ = ["SHAPE", "RunFolder", "verdict"]

SHAPE = {"gatekeeper": "v3.23.1", "kubernetes": "v1.36.4", "install": "manifest"}


def verdict(outcome: str = "holds", expected: str = "holds", *, test: str = "test_a[x]", **more: Any) -> VerdictLine:
    """Return a verdict of a test."""
    fields: dict[str, Any] = {"claim": "policy is enforced", "issue": None, "seed": 7, "shape": SHAPE, "seconds": 60.0}
    fields |= {"summary": "20 of 500 requests", **more}
    return VerdictLine(test=f"scenarios/test_s.py::{test}", expected=expected, outcome=outcome, **fields)


class RunFolder:
    """A run's directory in the making."""

    def __init__(self, place: Path) -> None:
        self.place = place
        place.mkdir(parents=True, exist_ok=True)

    def experiment(self, name: str, recorded: History, *lines: VerdictLine) -> str:
        """Add an experiment with its history and verdicts; return the history's path as the verdicts name it."""
        path = self.place / "experiments" / "1" / name / "history.jsonl"
        path.parent.mkdir(parents=True)
        entries = [asdict(recorded.header), *map(asdict, recorded.entries)]
        if recorded.ended:
            last = entries[-1]
            end = {"kind": "mark", "process": "history", "f": "end", "value": None}
            entries.append({**last, "index": last["index"] + 1, **end})
        path.write_text("".join(f"{json.dumps(entry)}\n" for entry in entries), encoding="utf-8")
        self.verdicts({**asdict(line), "history": str(path.relative_to(self.place))} for line in lines)
        return str(path.relative_to(self.place))

    def verdicts(self, lines: Iterable[dict[str, Any]]) -> None:
        """Add lines of verdicts."""
        with (self.place / FILE).open("a", encoding="utf-8") as file:
            file.writelines(f"{json.dumps(line)}\n" for line in lines)

    def tests(self, *names: str, unfinished: str = "") -> None:
        """Add that tests began and ended, and that one began only."""
        lines = [{"test": name, "history": history, "at": 0} for name in names for history in ("", "none")]
        lines += [{"test": unfinished, "history": "", "at": 0}] if unfinished else []
        (self.place / "tests.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")

    def state(self, **fields: Any) -> None:
        """Add the run's own record."""
        (self.place / "run.json").write_text(json.dumps({"pid": 1, "started": 1_800_000_000.0, **fields}))
