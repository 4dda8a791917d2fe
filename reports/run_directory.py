"""Run directory: the directories of runs, each run's own record of its start and end, and the link to the latest."""

import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from chaos_harness.clusters.machine.owner import Owner
from chaos_harness.harness import private
from chaos_harness.harness.redaction import redact

__all__ = [
    "RunState",
    "count_tests",
    "is_below",
    "is_running",
    "make_latest",
    "new_run",
    "read_state",
    "read_tests",
    "record_chosen",
    "record_end",
    "record_start",
    "record_test",
]

_STATE = "run.json"
_TESTS = "tests.jsonl"
_SILENT_SECONDS = 900.0


@dataclass(frozen=True)
class RunState:
    """A run's own record: its process, its start and end (unix seconds), and pytest's exit status.

    `start`, `boot_id` and `view` distinguish its process from a later one with the same PID (see
    clusters.machine.owner.Owner). `chosen` is how many tests were chosen to run.
    """

    pid: int
    started: float
    ended: float | None = None
    status: int | None = None
    start: str = ""
    boot_id: str = ""
    view: str = ""
    chosen: int | None = None


def new_run(root: Path) -> Path:
    """Return a path below `root` that no other run has; the directory is not created yet.

    Runs are named by their start time and process.
    """
    return root / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"


def make_latest(run: Path) -> None:
    """Point the link `latest` beside the run's directory to it; the previous run stays."""
    link = run.with_name(f".latest-{os.getpid()}")
    link.unlink(missing_ok=True)
    link.symlink_to(run.name)
    link.replace(run.with_name("latest"))


def record_start(run: Path) -> None:
    """Record that the run started: one without an end was killed, and its report can say so."""
    mine = Owner.mine()
    _write(run, RunState(mine.pid, time.time(), start=mine.start, boot_id=mine.boot_id, view=mine.view))


def record_chosen(run: Path, chosen: int) -> None:
    """Record how many tests were chosen, so that the report of a run that was stopped says how many are missing."""
    known = read_state(run)
    if known is not None:
        _write(run, replace(known, chosen=chosen))


def is_running(run: Path, said: RunState) -> bool:
    """Whether the process of a run without an end still runs.

    If this cannot be known, on another machine or in another namespace: whether the run wrote something recently.
    """
    seen = Owner(run.name, said.pid, said.start, said.boot_id, 0, said.view).is_running()
    return time.time() - _last_written(run) < _SILENT_SECONDS if seen is None else seen


def is_below(run: Path, path: str) -> bool:
    """Whether a path is one of the run, links resolved: what is read must not lead to other files of this machine."""
    return (run / path).resolve().is_relative_to(run.resolve())


def record_end(run: Path, status: int) -> None:
    """Record that the run ended with pytest's exit status."""
    known = read_state(run) or RunState(os.getpid(), time.time())
    _write(run, replace(known, ended=time.time(), status=status))


def read_state(run: Path) -> RunState | None:
    """Return a run's own record, or None if there is none that can be read."""
    try:
        return RunState(**json.loads((run / _STATE).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def record_test(run: Path, test: str, history: str = "") -> None:
    """Record that a test started, or, with its history, that it ended: one line each, in case the run is killed."""
    private.add(run / _TESTS, json.dumps({"test": redact(test), "history": history, "at": time.time()}) + "\n")


def read_tests(run: Path) -> tuple[list[str], set[str]]:
    """Return the tests that started and did not end, and the histories of those that ended."""
    begun: dict[str, None] = {}
    histories = set()
    for test, history in _test_lines(run):
        if history:
            begun.pop(test, None)
            histories.add(history)
        else:
            begun[test] = None
    return list(begun), histories


def count_tests(run: Path) -> int:
    """Return how many tests began, as far as is recorded."""
    return len({test for test, _ in _test_lines(run)})


def _test_lines(run: Path) -> Iterator[tuple[str, str]]:
    """Yield each line of the file of tests: the test, and its history, or "" if it began."""
    try:
        lines = (run / _TESTS).read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        try:
            said = json.loads(line)
            yield str(said["test"]), str(said["history"])
        except (ValueError, KeyError, TypeError):
            continue  # cut off by the kill


def _last_written(run: Path) -> float:
    """Return when the run last wrote about a test or into a history."""
    paths = [run / _STATE, run / _TESTS, *(run / "experiments").glob("*/*/history.jsonl")]
    return max((path.stat().st_mtime for path in paths if path.exists()), default=0.0)


def _write(run: Path, said: RunState) -> None:
    private.write(run / _STATE, json.dumps(asdict(said)))
