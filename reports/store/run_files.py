"""Run files: what a run's directory says, as rows of the store's tables."""

import calendar
import hashlib
import json
import os
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.history import History, read
from chaos_harness.reports import run_directory
from chaos_harness.reports.store.schema import SCHEMA
from chaos_harness.reports.truth.verdict_lines import FILE, VerdictLine, read_verdicts

__all__ = ["StoredRun", "digest_of", "find_runs", "read_runs"]

_ENVIRONMENT = Path("results", "environment.properties")
_MOST_DEPTH = 3
_STARTED = re.compile(r"(\d{8}T\d{6})Z-")
_RUN_COLUMNS = (
    *("run", "name", "project_commit", "harness", "host", "ending", "started", "ended", "status", "chosen"),
    *("lines", "digest", "imported", "read_as"),
)
_OF_LINE = ("expected", "outcome", "issue", "surprise", "broken", "judge", "known")

Row = tuple[object, ...]


@dataclass(frozen=True)
class StoredRun:
    """One run as the store keeps it: its id, its lines of verdicts as they are in the file, and rows by table.

    `problems` are histories that could not be read, each with the reason: of them only the verdicts are kept.
    `histories` are the others, by their paths as the verdicts name them; what they say beside the verdicts is read when
    the run comes in (`history_rows`), because that takes a second each.
    """

    id: str
    lines: tuple[str, ...]
    head: Mapping[str, Any]
    rows: Mapping[str, list[Row]]
    problems: list[str] = field(default_factory=list)
    histories: Mapping[str, History] = field(default_factory=dict)

    def row(self, imported: float) -> Row:
        """Return its row of the table `runs`, imported at this moment (unix seconds)."""
        fields = {**self.head, "run": self.id, "lines": len(self.lines), "imported": imported, "read_as": SCHEMA}
        fields["digest"] = digest_of(self.lines)
        return tuple(fields[name] for name in _RUN_COLUMNS)


def digest_of(lines: Iterable[str]) -> str:
    """Return the digest of lines of verdicts."""
    return hashlib.sha256("\n".join(lines).encode(errors="surrogateescape")).hexdigest()


def find_runs(place: Path) -> list[Path]:
    """Return the directory itself if it is a run's, else those of runs in it, three levels down; sorted."""
    if (place / FILE).is_file():
        return [place]
    found = []
    for folder, below, files in os.walk(place):  # which leaves out what goes meanwhile; links are not followed
        path = Path(folder)
        if FILE in files:
            found.append(path)
        if len(path.relative_to(place).parts) == _MOST_DEPTH:
            below.clear()
        below[:] = [name for name in below if not name.startswith(".")]
    return sorted(found)


def read_runs(folder: Path) -> list[StoredRun]:
    """Return the runs whose verdicts are in a directory, in their order: usually one.

    Raises BadScenario, with the line, if verdicts cannot be read, were written before runs had ids, or there are none.
    """
    texts = _texts(folder / FILE)
    lines = read_verdicts(folder / FILE)
    groups: dict[str, list[tuple[str, VerdictLine]]] = {}
    for number, (text, line) in enumerate(zip(texts, lines, strict=False), start=1):
        if not line.run:
            raise BadScenario(f"{folder / FILE}:{number}: written by a harness whose runs had no id: it cannot be told")
        groups.setdefault(line.run, []).append((text, line))
    if not groups:
        raise BadScenario(f"{folder / FILE}: no verdict, not even that a test broke")
    last = next(reversed(groups))
    return [_run(folder, id_, group, is_last=id_ == last) for id_, group in groups.items()]


def _texts(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").split("\n")[:-1]
    except (OSError, UnicodeDecodeError):
        return []  # read_verdicts says why


def _run(folder: Path, id_: str, group: list[tuple[str, VerdictLine]], *, is_last: bool) -> StoredRun:
    lines = [line for _, line in group]
    rows: dict[str, list[Row]] = {"cells": [], "claims": [], "experiments": [], "verdicts": [], "figures": []}
    cells = {line.history: line for line in lines}
    rows["cells"] = list({row[0]: row for row in map(_cell, lines)}.values())
    rows["claims"] = list({row[0]: row for row in ((line.id or line.claim, line.claim) for line in lines)}.values())
    problems = []
    histories: dict[str, History] = {}
    for history, line in cells.items():
        if history:
            try:
                recorded = histories[history] = _history(folder, history)
            except BadScenario as error:
                problems.append(f"{folder / history}: {error}")
                rows["experiments"].append((*_place(id_, line), None, None, None, "", str(error)))
            else:
                rows["experiments"].append((*_place(id_, line), *_recording(recorded), ""))
    for number, line in enumerate(lines):
        rows["verdicts"].append(_verdict(id_, number, line))
        rows["figures"] += [(id_, number, figure, value) for figure, value in line.figures.items()]
    head = {"name": folder.resolve().name, "project_commit": lines[-1].commit, "harness": ""}
    head["harness"] = " ".join(sorted({recorded.header.harness for recorded in histories.values()}))
    state = run_directory.read_state(folder) if is_last else None
    head |= {"host": _host(folder), **_ending(folder, state, id_)}
    return StoredRun(id_, tuple(text for text, _ in group), head, rows, problems, histories)


def _ending(folder: Path, state: run_directory.RunState | None, id_: str) -> dict[str, Any]:
    began = _STARTED.match(id_)
    started = calendar.timegm(time.strptime(began[1], "%Y%m%dT%H%M%S")) if began else None
    if state is None:
        return {"ending": "unknown", "started": started, "ended": None, "status": None, "chosen": None}
    known = {name: getattr(state, name) for name in ("started", "ended", "status", "chosen")}
    running = state.ended is None and run_directory.is_running(folder, state)
    ending = "running" if running else "killed" if state.ended is None else "ended"
    return {"ending": ending, **known}


def _host(folder: Path) -> str:
    """Return what is known of the machine: its kernel, its kind and its Python; "" if the run did not come so far."""
    try:
        lines = (folder / _ENVIRONMENT).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return ""
    said = dict(line.partition("=")[::2] for line in lines)
    return " ".join(said[name] for name in ("kernel", "machine", "python") if name in said)


def _cell_id(line: VerdictLine) -> str:
    return hashlib.sha256(_shape(line).encode()).hexdigest()[:16]


def _shape(line: VerdictLine) -> str:
    return json.dumps(line.shape, sort_keys=True)


def _cell(line: VerdictLine) -> Row:
    shape = line.shape
    versions = (str(shape.get(name) or "none") for name in ("kubernetes", "gatekeeper", "install"))
    own = str((shape.get("own") or {}).get("digest", ""))
    return _cell_id(line), *versions, own, shape.get("control_planes"), shape.get("workers"), _shape(line)


def _verdict(id_: str, number: int, line: VerdictLine) -> Row:
    told = asdict(line)
    of_line = [told[name] for name in _OF_LINE]
    because = json.dumps(told["because"])
    place = (line.test, line.id or line.claim, _cell_id(line), line.history)
    return id_, number, *place, *of_line, because, line.at, line.until, line.seed, line.seconds, line.summary


def _place(id_: str, line: VerdictLine) -> Row:
    return id_, line.history, _cell_id(line), line.seed, line.seconds


def _recording(recorded: History) -> Row:
    header = recorded.header
    return header.started, recorded.ended, header.schema, header.harness


def _history(folder: Path, path: str) -> History:
    if not run_directory.is_below(folder, path):
        raise BadScenario("not a file of the run")
    return read(folder / path)
