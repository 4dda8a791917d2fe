"""Attachments: readable text files that are written beside a history (events, pods, registry log, lag)."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.harness import private
from chaos_harness.harness.experiment.record import Attachment
from chaos_harness.harness.history import Entry, History
from chaos_harness.harness.history.clocks import Clocks
from chaos_harness.harness.history.coverage import LAG, Coverage
from chaos_harness.harness.history.following import follow
from chaos_harness.harness.history.vocabulary import (
    ADDED,
    CALL,
    CLOCK,
    FAIL_OPEN,
    FAULT,
    HARM,
    MODIFIED,
    NUMBER,
    REGISTRY,
    REQUEST,
    WATCH_EVENTS,
    WATCH_PODS,
    numbered,
)
from chaos_harness.harness.redaction import redact

__all__ = ["environment", "write"]

_TEXT = "text/plain"


def environment(cluster: Cluster) -> dict[str, str]:
    """Return the engine that a cluster runs on, and what is unusual about its host."""
    engine = cluster.engine
    quirks = {name: value for name, value in asdict(engine.quirks).items() if value}
    return {
        "engine": f"Docker {engine.version} ({'private' if engine.private else 'system'})",
        "host quirks": ", ".join(f"{name}={_short(value)}" for name, value in quirks.items()) or "none",
    }


def write(recorded: History, directory: Path) -> list[Attachment]:
    """Write the attachments of a history into `directory`; return those that are not empty.

    They are events, pods, the registry's log, failed webhook calls, and the lag of watches with the nodes' clocks.
    """
    files = {
        "events": ("events.txt", _events(recorded)),
        "pods": ("pods.json", _pods(recorded)),
        "registry log": ("registry.txt", _requests(recorded)),
        "failed webhook calls": ("webhooks.txt", _calls(recorded)),
        "lag and clocks": ("lag.txt", _lag(recorded)),
    }
    attachments = []
    for name, (file, lines) in files.items():
        text = "\n".join(lines)
        if text:
            private.write(directory / file, redact(f"{text}\n"))
            kind = "application/json" if file.endswith(".json") else _TEXT
            attachments.append(Attachment(name, str(directory / file), kind))
    return attachments


def _short(value: Any) -> str:
    return " ".join(value) if isinstance(value, tuple) else str(value)


def _events(recorded: History) -> Iterator[str]:
    for entry in recorded.entries:
        if entry.process == WATCH_EVENTS and entry.f in (ADDED, MODIFIED):
            event = entry.value["object"]
            subject = event.get("involvedObject", {})
            name = f"{subject.get('kind')}/{subject.get('name')}"
            count = f" (x{event['count']})" if event.get("count", 1) > 1 else ""
            yield f"{_at(entry)}  {event.get('reason', ''):20} {name}: {event.get('message', '')}{count}"
        yield from _marks(entry)


def _pods(recorded: History) -> Iterator[str]:
    """Yield one JSON document with the last state of each pod that was seen."""
    pods: dict[str, Any] = {}
    for entry in recorded.entries:
        if entry.process == WATCH_PODS and "object" in entry.value:
            pod = entry.value["object"]
            pods[pod["metadata"]["uid"]] = {"last seen": entry.f, "seconds": entry.at, **pod}
    if pods:
        yield json.dumps(list(pods.values()), indent=1)


def _requests(recorded: History) -> Iterator[str]:
    """Yield the registry's answers and the harm that was done, in chronological order."""
    lines: list[tuple[float, str]] = []
    clocks = Clocks()
    for entry in recorded.entries:
        if entry.process.startswith(numbered(CLOCK, "")):
            clocks.take(entry)
        if entry.process == REGISTRY and entry.f == REQUEST:
            value, at = entry.value, entry.value["time"] - clocks.of().seconds
            said = f"{value['remote']} {value['method']} {value['path']} {value['status']}"
            lines.append((at, f"{at - recorded.header.started:9.3f} s  {said}"))
        lines += [(entry.wall, line) for line in _marks(entry)]
    yield from (line for _, line in sorted(lines, key=lambda timed_line: timed_line[0]))


def _calls(recorded: History) -> Iterator[str]:
    """Yield the webhook calls that failed open, as the API server logged them, and the harm that was done."""
    lines: list[tuple[float, str]] = []
    calls, clocks = 0, Clocks()
    for entry in recorded.entries:
        if entry.process.startswith(numbered(CLOCK, "")):
            clocks.take(entry)
        if entry.process == FAIL_OPEN and entry.f == CALL:
            value = entry.value
            at = value["time"] - clocks.of(value.get("node", "")).seconds
            lines.append((at, f"{at - recorded.header.started:9.3f} s  {value['webhook']}: {value['said']}"))
            calls += 1
        lines += [(entry.wall, line) for line in _marks(entry)]
    if calls:
        yield from (line for _, line in sorted(lines, key=lambda timed_line: timed_line[0]))


def _lag(recorded: History) -> Iterator[str]:
    """Yield the lag of the watch on the numbered object, and what was read of the nodes' clocks."""
    coverage = Coverage(recorded)
    follow(recorded, coverage)
    if NUMBER in coverage.streams:
        lag = coverage.lag
        yield f"The watch on the numbered object saw {lag.known} numbers, each within {lag.worst:.3f} s."
        yield f"Later than {LAG:g} s: {coverage.late or 'never'}."
        begin, end = next(((part[0], coverage.until) for part in coverage.of(NUMBER).spans), (0.0, coverage.until))
        yield f"Its lag is not known: {coverage.unseen([NUMBER], begin, end) or 'never'}."
        yield "Each watch has its own connection: this is the lag of this one, and an estimate for the others."
    for entry in recorded.entries:
        if entry.process.startswith(numbered(CLOCK, "")) and entry.kind == "ok":
            reading = entry.value
            by = "one kernel" if reading["same"] else f"give or take {reading['uncertainty']:.3f} s"
            took = f"read in {reading['round_trip']:.3f} s"
            yield f"{_at(entry)}  {entry.process}: {reading['offset']:+.3f} s ahead ({by}; {took})"


def _marks(entry: Entry) -> Iterator[str]:
    """Yield one line if this entry is a harm or a step of a fault."""
    if entry.process.startswith(numbered(FAULT, "")):
        yield f"{_at(entry)}  --- {entry.process}: {entry.value['name']}: {entry.f}"
    elif entry.process == HARM:
        pod = f"{entry.value['pod']} on " if "pod" in entry.value else ""
        yield f"{_at(entry)}  --- {entry.f}: {pod}{entry.value['node']}"


def _at(entry: Entry) -> str:
    return f"{entry.at:9.3f} s"
