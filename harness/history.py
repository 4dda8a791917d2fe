"""History: the append-only JSONL file of what was asked, answered and seen in one run."""

import json
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from harness import __version__, jsonl
from harness.errors import BadScenario, HarnessError

__all__ = ["SCHEMA", "Entry", "Header", "History", "Kind", "Recorded", "read"]

SCHEMA = 1

Kind = Literal["invoke", "ok", "fail", "info", "change", "mark"]

_JUMP_SECONDS = 1.0


@dataclass(frozen=True)
class Entry:
    """One line of a history.

    `kind` is Jepsen's: a `process` (a probe's name, a fault's) invokes `f` and then it is ok, failed,
    or unknown (info). A `change` is one that a watch saw, a `mark` a moment of the experiment.
    `value` is JSON. `at` is monotonic seconds since the history began, `wall` unix seconds.
    """

    index: int
    kind: Kind
    process: str
    f: str
    value: Any
    at: float
    wall: float


@dataclass(frozen=True)
class Header:
    """The first line of a history: its schema, whose it is, when it began (unix seconds) and which version wrote it."""

    schema: int
    run: str
    started: float
    harness: str


class History:
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
        self._counts: Counter[tuple[str, Kind]] = Counter()
        try:
            self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        except FileExistsError:
            raise HarnessError(f"{path}: expected no file, found one: a history belongs to one run") from None
        self._began = time.monotonic()
        started = wall()
        self._offset = started - self._began
        self._write(asdict(Header(SCHEMA, run, started, __version__)))

    def append(self, kind: Kind, process: str, f: str, value: Any = None) -> Entry:
        """Write one entry, stamped with both clocks now, and return it.

        If the wall clock has jumped by more than a second since the entry before, an entry `info
        clock-jump` stands in front. Raises TypeError or ValueError if `value` is not JSON, HarnessError
        if the disk does not take the line; the history is then as before.
        """
        with self._lock:
            now, wall = time.monotonic(), self._wall()
            jump = wall - now - self._offset
            if abs(jump) > _JUMP_SECONDS:
                self._append("info", "history", "clock-jump", {"seconds": round(jump, 3)}, now, wall)
            self._offset += jump
            return self._append(kind, process, f, value, now, wall)

    @property
    def end(self) -> float:
        """The moment of its last entry."""
        return self._end

    def counted(self, who: str, kind: Kind) -> int:
        """Return how many entries of a kind there are of the processes "<who> <n>", for who wants to show it live."""
        return self._counts[who, kind]

    def close(self) -> None:
        """Close the file; appending afterwards is an error."""
        with self._lock:
            if self._fd >= 0:
                os.close(self._fd)
                self._fd = -1

    def _append(self, kind: Kind, process: str, f: str, value: Any, now: float, wall: float) -> Entry:
        entry = Entry(self._next, kind, process, f, value, round(now - self._began, 6), round(wall, 6))
        self._write(asdict(entry))
        self._next, self._end = self._next + 1, entry.at
        self._counts[process.partition(" ")[0], kind] += 1
        return entry

    def _write(self, line: Mapping[str, Any]) -> None:
        if self._fd < 0:
            raise HarnessError(f"{self.path}: the history is closed")
        jsonl.add(self._fd, self.path, line)


@dataclass(frozen=True)
class Recorded:
    """A history as a check reads it: `entries` may be iterated again and again.

    `truncated` says that the last line is cut off: the run was killed while it wrote.
    """

    header: Header
    entries: Iterable[Entry]
    truncated: bool = False


def read(path: Path) -> Recorded:
    """Return what is recorded in a history up to now; entries are read from disk while they are iterated.

    Raises BadScenario if there is no history at `path` or a newer version wrote it; iterating raises
    HarnessError at a broken line that is not the last.
    """
    try:
        with path.open("rb") as file:
            first = file.readline()
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - 1))
            truncated = file.read(1) != b"\n"
    except OSError as error:
        raise BadScenario(f"{path}: no history can be read: {error.strerror}") from error
    try:
        fields = json.loads(first)
        header = Header(**{name: fields[name] for name in ("schema", "run", "started", "harness")})
    except (ValueError, KeyError, TypeError) as error:
        raise BadScenario(f"{path}: expected a history's header in line 1, found {first[:80]!r}") from error
    if header.schema > SCHEMA:
        raise BadScenario(
            f"{path}: has schema {header.schema}, written by chaos-harness {header.harness}; "
            f"this is {__version__}, which reads up to {SCHEMA}: read it with {header.harness} or newer"
        )
    return Recorded(header, _Lines(path, size), truncated)


@dataclass(frozen=True)
class _Lines:
    """The entries in the first `size` bytes of a history, read anew at each iteration."""

    path: Path
    size: int

    def __iter__(self) -> Iterator[Entry]:
        with self.path.open("rb") as file:
            position = len(file.readline())
            for number, line in enumerate(file, start=2):
                position += len(line)
                if position > self.size or not line.endswith(b"\n"):
                    return
                try:
                    entry = _entry(line.decode())
                except (ValueError, AttributeError) as error:
                    raise HarnessError(f"{self.path}:{number}: expected an entry, found {line[:80]!r}") from error
                yield entry


_DECODE = json.JSONDecoder().raw_decode
_FIELDS = Entry.__dataclass_fields__.keys()


def _entry(line: str) -> Entry:
    """Return the entry of a whole line: long histories are read so often that half of the time for each one counts.

    `json.loads` looks for encodings and white space that no line has, and a frozen dataclass sets each field anew.
    Raises ValueError or AttributeError if it is not an entry.
    """
    fields, end = _DECODE(line)
    if fields.keys() != _FIELDS or end != len(line) - 1:
        raise ValueError(line)
    entry = object.__new__(Entry)
    entry.__dict__.update(fields)
    return entry
