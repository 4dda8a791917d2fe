"""Writer: the append-only JSONL file of what was asked, answered and seen in one run."""

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict
from math import inf
from pathlib import Path
from typing import Any

from chaos_harness.harness import __version__, jsonl
from chaos_harness.harness.errors import HarnessError
from chaos_harness.harness.history.recorded import SCHEMA, Entry, EntryKind, Header
from chaos_harness.harness.history.vocabulary import CLOCK_STEP, END, HISTORY

__all__ = ["HistoryWriter"]

_STEP_SECONDS = 0.1
_AT_ONCE_SECONDS = 0.005
_TRIES = 5


class HistoryWriter:
    """A history that is being written; any number of threads may append.

    Each entry is one write of one whole line, so that a kill leaves every line but the last one whole.
    """

    def __init__(self, path: Path, run: str = "", *, wall: Callable[[], float] = time.time) -> None:
        """Begin the history of `run` in a new file; `wall` is the wall clock to trust, for tests.

        Raises HarnessError if the file exists: a history is one run's.
        """
        self.path = path
        self._wall = wall
        self._lock = threading.Lock()
        self._next = 0
        self._end = 0.0
        self._counts: Counter[tuple[str, EntryKind]] = Counter()
        self._newest: dict[tuple[str, EntryKind], float] = {}
        try:
            self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        except FileExistsError:
            raise HarnessError(f"{path}: expected no file, found one: a history belongs to one run") from None
        self._began, started = self._clocks()
        self._offset = started - self._began
        self._write(asdict(Header(SCHEMA, run, started, __version__)))

    def append(self, kind: EntryKind, process: str, f: str, value: Any = None) -> Entry:
        """Write one entry, stamped with both clocks now, and return it.

        If the wall clock was set by more than a tenth of a second since the entry before, or the machine slept,
        an entry `info clock-jump` stands in front. Raises TypeError or ValueError if `value` is not JSON,
        HarnessError if the disk does not take the line; the history is then as before.
        """
        with self._lock:
            now, wall = self._clocks()
            step = wall - now - self._offset
            if abs(step) > _STEP_SECONDS:
                self._append("info", HISTORY, CLOCK_STEP, {"seconds": round(step, 3)}, now, wall)
            self._offset += step
            return self._append(kind, process, f, value, now, wall)

    @property
    def end(self) -> float:
        """The moment of its last entry, in seconds."""
        return self._end

    def counted(self, who: str, kind: EntryKind) -> int:
        """Return how many entries of a kind the processes "<who> <n>" have so far, for a live display."""
        return self._counts[who, kind]

    def since(self, who: str, kind: EntryKind) -> float:
        """Return how many seconds ago the newest entry of a kind by "<who> <n>" was written; infinite without one."""
        newest = self._newest.get((who, kind))
        return inf if newest is None else time.monotonic() - self._began - newest

    def finish(self) -> None:
        """Write the end mark and close the file, unless it is closed already."""
        if self._fd >= 0:
            self.append("mark", HISTORY, END)
        self.close()

    def close(self) -> None:
        """Close the file as it is; appending afterwards is an error."""
        with self._lock:
            if self._fd >= 0:
                os.close(self._fd)
                self._fd = -1

    def _clocks(self) -> tuple[float, float]:
        """Return both clocks, read in such quick succession that a waiting thread does not look like a clock step."""
        for _ in range(_TRIES):
            now, wall = time.monotonic(), self._wall()
            if time.monotonic() - now < _AT_ONCE_SECONDS:
                break
        return now, wall

    def _append(self, kind: EntryKind, process: str, f: str, value: Any, now: float, wall: float) -> Entry:
        entry = Entry(self._next, kind, process, f, value, round(now - self._began, 6), round(wall, 6))
        self._write(asdict(entry))
        self._next, self._end = self._next + 1, entry.at
        who = process.partition(" ")[0]
        self._counts[who, kind] += 1
        self._newest[who, kind] = entry.at
        return entry

    def _write(self, line: Mapping[str, Any]) -> None:
        if self._fd < 0:
            raise HarnessError(f"{self.path}: the history is closed")
        jsonl.add(self._fd, self.path, line)
