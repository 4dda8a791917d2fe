"""Store: the directories of runs, what each says of its own begin and end, and the link to the latest."""

import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path

__all__ = ["State", "begin", "end", "make_latest", "new_run", "note", "noted", "state"]

_STATE = "run.json"
_TESTS = "tests.jsonl"


@dataclass(frozen=True)
class State:
    """A run's own words: its process, when it began and ended (unix seconds), and pytest's exit status."""

    pid: int
    started: float
    ended: float | None = None
    status: int | None = None


def new_run(root: Path) -> Path:
    """Return a directory below `root` that no other run has; it is not made yet.

    Runs are named by the time at which they began, and by process.
    """
    return root / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"


def make_latest(run: Path) -> None:
    """Let the link `latest` beside the run's directory point to it; what it pointed to stays."""
    link = run.with_name(f".latest-{os.getpid()}")
    link.unlink(missing_ok=True)
    link.symlink_to(run.name)
    link.replace(run.with_name("latest"))


def begin(run: Path) -> None:
    """Note down that the run began: one that never ends was killed, and its report can say so."""
    _write(run, State(os.getpid(), time.time()))


def end(run: Path, status: int) -> None:
    """Note down that the run ended with pytest's exit status."""
    known = state(run)
    _write(run, State(os.getpid(), known.started if known else time.time(), time.time(), status))


def state(run: Path) -> State | None:
    """Return what a run says of itself, or None if it says nothing that can be read."""
    try:
        return State(**json.loads((run / _STATE).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def note(run: Path, test: str, history: str = "") -> None:
    """Note down that a test began, or, with its history, that it ended: a line each, for whoever finds a dead run."""
    line = json.dumps({"test": test, "history": history, "at": time.time()}) + "\n"
    with (run / _TESTS).open("ab", buffering=0) as file:
        file.write(line.encode())


def noted(run: Path) -> tuple[list[str], set[str]]:
    """Return which tests began and did not end, and the histories of those that did."""
    try:
        lines = (run / _TESTS).read_text(encoding="utf-8").splitlines()
    except OSError:
        return [], set()
    begun: dict[str, None] = {}
    histories = set()
    for line in lines:
        try:
            said = json.loads(line)
            test, history = str(said["test"]), str(said["history"])
        except (ValueError, KeyError, TypeError):
            continue  # cut off by the kill
        if history:
            begun.pop(test, None)
            histories.add(history)
        else:
            begun[test] = None
    return list(begun), histories


def _write(run: Path, said: State) -> None:
    fresh = run / f".{_STATE}"
    fresh.write_text(json.dumps(asdict(said)), encoding="utf-8")
    fresh.replace(run / _STATE)
