"""Telling: one world in words: its truth, what is hidden of it, its history, and the verdict."""

from collections.abc import Iterator

from chaos_harness.harness.history import Entry
from tests.worlds.claimed import Claimed
from tests.worlds.judging import Judged

__all__ = ["description"]

_RUN = 3


def description(claimed: Claimed, judged: Judged, *, lines: bool = True) -> Iterator[str]:
    """Yield a world, line by line; of many questions of one kind with one answer only the first and the last."""
    drawn = claimed.drawn
    yield f"{claimed.check}({', '.join(f'{name}={value!r}' for name, value in drawn.parameters.items())})"
    yield f"truth: {drawn.truth}; verdict: {judged.outcome}{f' ({judged.wrong.upper()})' if judged.wrong else ''}"
    yield f"summary: {judged.summary}"
    yield from (f"evidence: {line}" for line in judged.evidence)
    yield f"streams {sorted(drawn.streams)} from {drawn.window[0]:.1f} to {drawn.window[1]:.1f} s"
    yield f"judged at {drawn.stage.judge:.1f} s, ends at {drawn.stage.end:.1f} s"
    yield from (f"true: {sentence}" for sentence in drawn.stage.sentences)
    yield from (f"true: the clock is set by {seconds} s at {at:.1f} s" for at, seconds in drawn.stage.steps)
    yield from (f"hidden: {hiding}" for hiding in claimed.hidings)
    yield from (f"excuse: {excuse}" for excuse in claimed.excuses())
    if lines:
        yield from _history(list(claimed.recorded().entries))


def _history(entries: list[Entry]) -> Iterator[str]:
    runs: dict[str, tuple[str, int, Entry]] = {}
    for entry in entries:
        who, words = entry.process.partition(" ")[0], _words(entry)
        if who not in ("canary", "replica", "api"):
            yield f"{entry.at:9.3f} {entry.kind} {entry.process} {entry.f} {words}"
            continue
        if entry.kind == "invoke":
            continue
        value = entry.value or {}
        stream = f"{value.get('policy') or value.get('pod') or ''} {entry.f} {value.get('dry_run', '')}"
        said = f"{entry.kind} {value.get('outcome', value.get('said', ''))}"
        before = runs.get(stream)
        if before and before[0] == said:
            runs[stream] = said, before[1] + 1, entry
        else:
            if before and before[1] > 1:
                yield f"{before[2].at:9.3f} … {before[1]} times {before[0]} ({stream})"
            runs[stream] = said, 1, entry
            yield f"{entry.at:9.3f} {entry.process} {stream}: {said}"
    for stream, (said, count, entry) in runs.items():
        yield f"{entry.at:9.3f} … {count} times {said} ({stream})"


def _words(entry: Entry) -> str:
    if not isinstance(entry.value, dict):
        return str(entry.value or "")
    whole = entry.value.get("object")
    rest = {name: value for name, value in entry.value.items() if name not in ("object", "resource_version", "detail")}
    if whole is None:
        return str(rest or "")
    metadata = {name: value for name, value in whole["metadata"].items() if name in ("name", "deletionTimestamp")}
    body = {name: value for name, value in whole.items() if name != "metadata"}
    return f"{rest or ''} {metadata} {str(body)[:220]}"
