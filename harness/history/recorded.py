"""History: a history as a check reads it, line by line from its file."""

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from chaos_harness.clusters.terminal.escape import escape_controls
from chaos_harness.harness import __version__
from chaos_harness.harness.errors import BadScenario, HarnessError
from chaos_harness.harness.history.vocabulary import END, HISTORY

__all__ = ["SCHEMA", "Entry", "EntryKind", "Header", "History", "read"]

SCHEMA = 2
"""Since 2, a complete history has an end mark, and watches record each sign of life."""

EntryKind = Literal["invoke", "ok", "fail", "info", "change", "mark"]

_MARKED = 2
"""The first schema whose histories have an end mark."""

_TAIL_BYTES = 4096

_MOST_BYTES = 16 * 2**20
"""The longest line that is read; an object in an API server has 1.5 MiB at most."""

_BROKEN = (ValueError, KeyError, TypeError, AttributeError, RecursionError)
"""The exceptions that reading a malformed line can raise."""


@dataclass(frozen=True)
class Entry:
    """One line of a history.

    `kind` is Jepsen's: a `process` (the name of a probe or a fault) invokes `f`, which then is ok, failed, or unknown
    (info). A `change` is one that a watch reported, a `mark` a moment of the experiment.
    `value` is JSON. `at` is monotonic seconds since the history began, `wall` unix seconds.
    """

    index: int
    kind: EntryKind
    process: str
    f: str
    value: Any
    at: float
    wall: float


@dataclass(frozen=True)
class Header:
    """The first line of a history: schema, id of the run, start (unix seconds), and version of the harness."""

    schema: int
    run: str
    started: float
    harness: str


@dataclass(frozen=True)
class History:
    """A history as a check reads it: `entries` may be iterated again and again.

    `truncated`: the last line is cut off, because the run was killed while it wrote. `ended`: the recording is
    complete; if not, what happened after the last entry is unknown. `until`, in seconds of the history, is where a part
    of one ends by choice (None: with its last entry).
    """

    header: Header
    entries: Iterable[Entry]
    truncated: bool = False
    ended: bool = True
    until: float | None = None


def read(path: Path, *, so_far: bool = False) -> History:
    """Return what is recorded in a history up to now; entries are read from disk while they are iterated.

    `so_far`: the reader is the writer, and what is there counts as complete. Otherwise a file without an end mark is
    not `ended` (one of schema 1, which had no such mark, is, unless its last line is cut off).

    Raises BadScenario if there is no history at `path` or a newer version wrote it; iterating raises
    HarnessError at a broken line that is not the last, or at one of more than 16 MiB.
    """
    try:
        with path.open("rb") as file:
            first = file.readline(_MOST_BYTES)
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - 1))
            truncated = file.read(1) != b"\n"
            file.seek(max(0, size - _TAIL_BYTES))
            last = file.read().rstrip(b"\n").rpartition(b"\n")[2]
    except OSError as error:
        raise BadScenario(f"{path}: no history can be read: {error.strerror}") from error
    try:
        header = _header(json.loads(first))
    except _BROKEN as error:
        raise BadScenario(f"{path}: expected a history's header in line 1, found {first[:80]!r}") from error
    if header.schema > SCHEMA:
        schema, wrote = str(header.schema)[:20], escape_controls(header.harness, most=20)
        raise BadScenario(
            f"{path}: has schema {schema}, written by chaos-harness {wrote}; "
            f"this is {__version__}, which reads up to {SCHEMA}: read it with {wrote} or newer"
        )
    ended = so_far or (not truncated and (header.schema < _MARKED or _is_end(last)))
    return History(header, _Lines(path, size), truncated, ended)


def _header(fields: Any) -> Header:
    header = Header(**{name: fields[name] for name in ("schema", "run", "started", "harness")})
    texts = isinstance(header.run, str) and isinstance(header.harness, str)
    if type(header.schema) is not int or type(header.started) not in (int, float) or not texts:
        raise TypeError(fields)
    return header


def _is_end(line: bytes) -> bool:
    try:
        entry = json.loads(line)
    except _BROKEN:
        return False
    return isinstance(entry, dict) and (entry.get("process"), entry.get("f")) == (HISTORY, END)


@dataclass(frozen=True)
class _Lines:
    """The entries in the first `size` bytes of a history, read again at each iteration."""

    path: Path
    size: int

    def __iter__(self) -> Iterator[Entry]:
        with self.path.open("rb") as file:
            position = len(file.readline(_MOST_BYTES))
            for number, line in enumerate(iter(partial(file.readline, _MOST_BYTES), b""), start=2):
                position += len(line)
                if position > self.size or (not line.endswith(b"\n") and len(line) < _MOST_BYTES):
                    return
                try:
                    entry = _entry(line.decode())
                except _BROKEN as error:
                    raise HarnessError(f"{self.path}:{number}: expected an entry, found {line[:80]!r}") from error
                yield entry


_DECODE = json.JSONDecoder().raw_decode
_FIELDS = Entry.__dataclass_fields__.keys()
_NUMBER = frozenset((int, float))
_TEXT = frozenset((str,))
_TYPES = (
    *(("index", frozenset((int,))), ("kind", _TEXT), ("process", _TEXT), ("f", _TEXT)),
    *(("at", _NUMBER), ("wall", _NUMBER)),
)


def _entry(line: str) -> Entry:
    """Return the entry of a complete line. Raises one of _BROKEN if it is not an entry.

    Fast, because long histories are read often: `json.loads` would look for encodings and white space that no line has,
    and the constructor of a frozen dataclass sets each field separately.
    """
    fields, end = _DECODE(line)
    if fields.keys() != _FIELDS or end != len(line) - 1:
        raise ValueError(line)
    for name, allowed in _TYPES:
        if type(fields[name]) not in allowed:
            raise TypeError(line)
    entry = object.__new__(Entry)
    entry.__dict__.update(fields)
    return entry
