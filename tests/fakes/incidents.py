"""Incidents for tests: files that say little, and a bundle of a run that never was."""

import time
from pathlib import Path
from typing import Any

import yaml

from chaos_harness.harness.history import HistoryWriter, read
from chaos_harness.harness.incident.bundle.write import Replay, write
from chaos_harness.harness.incident.judge import conclude, judge
from chaos_harness.harness.incident.load import LoadedIncident, load

__all__ = ["bundled", "incident", "lived"]

_GOOD: dict[str, Any] = {
    "schema": 1,
    "title": "A registry that was cut answers",
    "faults": [{"fault": "cut_registry", "at": 0, "lasts": 0.05}],
    "claims": [{"check": "no_request_during", "expect": "violated", "issue": "gatekeeper#1"}],
    "recovery": 0,
}


def incident(folder: Path, **changes: Any) -> LoadedIncident:
    """Write an incident file and return it, read; its claim is about its first step, whichever that is."""
    path = folder / "a.yaml"
    claims = {"claims": [_GOOD["claims"][0] | {"with": {"fault": "fault 1"}}]} if "faults" in changes else {}
    path.write_text(yaml.safe_dump(_GOOD | claims | changes, sort_keys=False), encoding="utf-8")
    return load(path)


def lived(loaded: LoadedIncident, folder: Path, *, answered: bool = True, number: int = 1) -> tuple[Replay, Path]:
    """Return a run whose registry was cut for ten seconds, and `answered` meanwhile or not."""
    directory = folder / f"lived-{number}"
    directory.mkdir()
    began = time.monotonic()  # a wall clock that stood still would have jumped, on a machine that holds us up
    history = HistoryWriter(
        directory / "history.jsonl", "test", wall=lambda: 1_800_000_000.0 + time.monotonic() - began
    )
    name = {"name": "cut registry"}
    history.append("invoke", "fault 1", "inject", name)
    history.append("ok", "fault 1", "observed", {**name, "proof": "seen"})
    if answered:
        value = {"method": "GET", "path": "/v2/", "status": 200, "remote": "10.0.0.2"}
        history.append("invoke", "fault 2", "inject", {"name": "other"})
        now = history.append("mark", "test", "now").wall
        history.append("info", "registry", "request", value | {"time": now})
    history.append("invoke", "fault 1", "heal", name)
    history.append("ok", "registry", "read", {"until": 1_800_000_100.0})
    history.finish()
    verdicts = tuple(judge(loaded.incident, loaded.shape, read(history.path)))
    return Replay(directory=f"runs/{number}", seen=conclude(verdicts), seconds=61.5, verdicts=verdicts), directory


def bundled(folder: Path, *, answered: bool = True, **changes: Any) -> Path:
    """Return the directory of a bundle; its zip lies beside it."""
    loaded = incident(folder, **changes)
    runs = [lived(loaded, folder, answered=answered)]
    write(folder / "bundle", loaded, seed=7, runs=runs, environment={"engine": "Docker"}, images={"node": "sha256:1"})
    return folder / "bundle"
