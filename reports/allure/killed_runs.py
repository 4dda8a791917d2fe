"""Killed runs: completes the report of a killed run from its histories."""

import json
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from chaos_harness.clusters.checkout import command_line
from chaos_harness.harness import private
from chaos_harness.harness.errors import ChaosError
from chaos_harness.harness.history import read
from chaos_harness.harness.redaction import redact
from chaos_harness.reports import run_directory
from chaos_harness.reports.allure import attachments
from chaos_harness.reports.allure import results as written
from chaos_harness.reports.allure.attachments import AllureAttachment
from chaos_harness.reports.allure.sweep import redact_results
from chaos_harness.reports.picture.draw import draw_timeline
from chaos_harness.reports.picture.read_history import read_story
from chaos_harness.reports.trends import quality_gate

__all__ = ["rescue"]

_GC = f"`{command_line('gc')}` heals and removes what it left"


def rescue(run: Path) -> list[str]:
    """Add what is missing to the results of a killed run; return what was added, as text.

    The kill becomes an error of the whole run, so no quality gate is passed. Each experiment whose test did not end
    becomes a broken result with its timeline up to the kill. A run that ended or still runs is not changed.
    """
    said = run_directory.read_state(run)
    results = run / "results"
    if said is None or said.ended is not None or run_directory.is_running(run, said) or not results.is_dir():
        return []
    begun, histories = run_directory.read_tests(run)
    running = f" while it ran {', '.join(begun)}" if begun else ""
    message = f"the run was killed{running}; {_GC}"
    _write(results, "run", "globals", {"attachments": [], "errors": [{"message": redact(message)}]})
    quality_gate.write(run, [quality_gate.GateRule("the run comes to its end", False, redact(message), 1, 0)])
    rescued = []
    for history in sorted((run / "experiments").glob("*/*/history.jsonl")):
        if str(history) not in histories:
            _add(results, history)
            rescued.append(history.parent.name)
    redact_results(results)
    return [message, *(f"rescued: {name}" for name in rescued)]


def _add(results: Path, history: Path) -> None:
    name = history.parent.name
    message = f"the run was killed; this is what {name} had recorded until then. {_GC}"
    start = stop = history.stat().st_mtime
    attached = [attachments.attach_file("history", history, "application/jsonl")]
    try:
        recorded = read(history)
        story = read_story(recorded)
        start, stop = recorded.header.started, recorded.header.started + story.end
        attached.insert(0, AllureAttachment("timeline", draw_timeline(story, name).encode(), "image/svg+xml", "svg"))
    except (ChaosError, KeyError, TypeError, ValueError) as error:
        message += f" Its history cannot be read: {error}"
    _write(
        results,
        str(history),
        "result",
        {
            "uuid": str(uuid5(NAMESPACE_URL, str(history))),
            "historyId": str(uuid5(NAMESPACE_URL, name)),
            "name": f"{name} (killed)",
            "fullName": f"experiments#{name}",
            "status": "broken",
            "statusDetails": {"message": redact(message)},
            "labels": [{"name": "suite", "value": "killed"}, {"name": "feature", "value": "killed"}],
            "attachments": [
                _attach(results, f"{history} {number}", attachment) for number, attachment in enumerate(attached)
            ],
            "start": round(start * 1000),
            "stop": round(stop * 1000),
        },
    )


def _attach(results: Path, key: str, attachment: AllureAttachment) -> dict[str, str]:
    source = f"{uuid5(NAMESPACE_URL, key)}-attachment.{attachment.suffix}"
    private.write(results / source, attachment.body)
    return {"name": attachment.name, "source": source, "type": attachment.kind}


def _write(results: Path, key: str, kind: str, what: dict[str, Any]) -> None:
    """Write a file whose name depends on `key` only, so that a second rescue adds nothing."""
    private.write(results / f"{uuid5(NAMESPACE_URL, key)}-{kind}.json", json.dumps(written.clean_result(what)))
