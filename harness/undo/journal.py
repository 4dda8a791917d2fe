"""Journal: the file of pending undos, written before the harm and replayed after a crash."""

import contextlib
import fcntl
import json
import os
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chaos_harness.clusters.checkout import command_line
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.harness import jsonl
from chaos_harness.harness.errors import HarnessError, UndoFailed
from chaos_harness.harness.undo import actions
from chaos_harness.harness.undo.denials import do_all

__all__ = ["Journal", "Undo", "pending", "replay"]

_LOCK_SECONDS = 10.0
_SHOWN = 200


@dataclass(frozen=True)
class Undo:
    """One undo: the id of its action (see undo.actions), and its arguments (JSON).

    `harm` is what the fault does, in arguments of the same action, if faults on one target may overlap: see
    undo.promises. `within` is the number of the undo that takes the target itself away: once that is done, there is
    nothing to undo.
    """

    action: str
    arguments: Mapping[str, Any] = field(default_factory=dict, hash=False)
    harm: Mapping[str, Any] | None = field(default=None, hash=False, compare=False)
    within: int | None = field(default=None, compare=False)

    def __str__(self) -> str:
        """Return it as a function call, for messages; whole objects are cut short."""
        return f"{self.action}({', '.join(f'{name}={_shortened(value)}' for name, value in self.arguments.items())})"


def _shortened(value: Any) -> str:
    words = repr(value)
    return words if len(words) <= _SHOWN else f"{words[:_SHOWN]}…"


class Journal:
    """A journal open for writing; threads and processes may write at the same time."""

    def __init__(self, path: Path) -> None:
        """Open the journal at `path`, or create it; a last line that a crash cut off is removed.

        Raises HarnessError if it cannot be opened or put on disk.
        """
        self.path = path
        self._lock = threading.Lock()
        with _convert_errors(path):
            self._fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._size = self._next = 0
        try:
            with self._alone():
                os.fsync(self._fd)
            with _convert_errors(path):
                _sync_directory(path.parent)
            self._open = dict(_scan(path).entries)
        except BaseException:
            self.close()
            raise

    def record(self, entry: Undo) -> int:
        """Write an undo and return its number, for `done`.

        The entry is on disk when this returns: do the harm after it, never before. Raises HarnessError if the disk
        refuses it.
        """
        with self._lock, self._alone():
            number = self._next
            more: dict[str, Any] = {} if entry.harm is None else {"harm": dict(entry.harm)}
            more |= {} if entry.within is None else {"within": entry.within}
            self._write({"undo": number, "action": entry.action, "arguments": dict(entry.arguments), **more})
            self._open[number] = entry
            return number

    def done(self, number: int) -> None:
        """Note that an undo is done (or its harm never happened). Raises HarnessError as `record` does."""
        with self._lock, self._alone():
            self._write({"done": number})
            self._open.pop(number, None)

    def mark_unreadable(self, line: int) -> None:
        """Note that line `line`, counted from 1, is unreadable and was reported: it is not pending any more."""
        with self._lock, self._alone():
            self._write({"unreadable": line})

    def is_moot(self, entry: Undo) -> bool:
        """Whether there is nothing to undo any more, since the undo is done that takes the target itself away."""
        with self._lock:
            return entry.within is not None and entry.within not in self._open

    def pending_with(self, action: str) -> Mapping[int, Undo]:
        """Return the undos with this action that are not done, by number, oldest first."""
        with self._lock:
            return {number: entry for number, entry in self._open.items() if entry.action == action}

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._fd >= 0:
                os.close(self._fd)
                self._fd = -1

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Lock out other processes during the block, and remove the line that a killed one cut off."""
        if self._fd < 0:
            raise HarnessError(f"{self.path}: the journal is closed")
        with _convert_errors(self.path):
            for _ in Deadline.after(_LOCK_SECONDS, f"another process to write {self.path}").attempts(first=0.001):
                with contextlib.suppress(BlockingIOError):
                    fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
            else:
                raise HarnessError(
                    f"{self.path}: another process holds it for {_LOCK_SECONDS:.0f} s; `lslocks` says which"
                )
            try:
                self._catch_up()
                yield
            finally:
                fcntl.flock(self._fd, fcntl.LOCK_UN)

    def _catch_up(self) -> None:
        """Count the lines that others wrote meanwhile; writers hold the lock, so a cut-off line is a dead writer's."""
        size = os.fstat(self._fd).st_size
        if size == self._size:
            return
        with self.path.open("rb") as file:
            content = file.read()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            os.ftruncate(self._fd, whole)
        self._size, self._next = whole, content.count(b"\n")

    def _write(self, line: Mapping[str, Any]) -> None:
        before = self._size
        jsonl.add(self._fd, self.path, line)
        try:
            os.fsync(self._fd)
        except OSError:
            os.ftruncate(self._fd, before)
            raise
        self._size, self._next = os.fstat(self._fd).st_size, self._next + 1


def pending(path: Path) -> list[Undo]:
    """Return the undos that are not done, oldest first.

    A last line that a crash cut off does not count: its harm did not happen. Raises UndoFailed for any other unreadable
    line that was not reported yet, and for an unreadable file.
    """
    contents = _scan(path)
    if contents.broken:
        raise UndoFailed("\n".join(contents.broken.values()))
    return list(contents.entries.values())


def replay(path: Path, engine: object) -> list[str]:
    """Do the pending undos, newest first, note each as done, and return them as texts.

    Every undo is tried, even if others or their notes fail; one that an admission policy denies is tried again after
    the others, of which one may delete the policy. A second replay does only what the first could not do. An unreadable
    line is reported once. Raises UndoFailed with all that could not be done.
    """
    contents = _scan(path)
    failed, unnoted = list(contents.broken.values()), []
    undone, journal = [], None
    try:
        journal = Journal(path)
    except HarnessError as error:
        unnoted.append(f"nothing can be noted as done: {error}")
    try:

        def do(numbered: tuple[int, Undo]) -> None:
            number, entry = numbered
            if journal is None or not journal.is_moot(entry):
                actions.find(entry.action)(engine, **entry.arguments)
            undone.append(str(entry))
            with _collect_unnoted(unnoted, f"{entry} is undone"):
                if journal:
                    journal.done(number)

        for (_, entry), problem in do_all([*reversed(contents.entries.items())], do, patient=True):
            failed.append(f"{entry}: {type(problem).__name__}: {problem}")
        for line in contents.broken:
            with _collect_unnoted(unnoted, f"line {line} is reported"):
                if journal:
                    journal.mark_unreadable(line)
    finally:
        if journal:
            journal.close()
    if failed or unnoted:
        raise UndoFailed(
            f"{path}: {len(failed)} of {len(undone) + len(failed)} undos could not be done:\n"
            + "".join(f"  {problem}\n" for problem in [*failed, *unnoted])
            + f"What could not be done is still broken. Put right what they say, then type: {command_line('gc')}"
        )
    return undone


@dataclass
class _Content:
    """What a journal holds: pending undos by their numbers, and problems by line number."""

    entries: dict[int, Undo] = field(default_factory=dict)
    broken: dict[int, str] = field(default_factory=dict)


def _scan(path: Path) -> _Content:
    contents, given_up = _Content(), set()
    try:
        *lines, _torn = path.read_bytes().split(b"\n")
    except OSError as error:
        raise UndoFailed(f"{path}: what stands in it cannot be undone: {error.strerror}; see `ls -l {path}`") from error
    for number, line in enumerate(lines, start=1):
        try:
            fields = json.loads(line)
            if "undo" in fields:
                contents.entries[int(fields["undo"])] = Undo(
                    str(fields["action"]), {**fields["arguments"]}, fields.get("harm"), fields.get("within")
                )
            elif "unreadable" in fields:
                given_up.add(fields["unreadable"])
            else:
                contents.entries.pop(fields["done"], None)
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
            contents.broken[number] = f"{path}:{number}: expected an undo entry, found {line[:80]!r}"
    contents.broken = {number: words for number, words in contents.broken.items() if number not in given_up}
    return contents


@contextlib.contextmanager
def _convert_errors(path: Path) -> Iterator[None]:
    """Raise HarnessError for an OSError of the block."""
    try:
        yield
    except OSError as error:
        raise HarnessError(
            f"{path}: cannot be written: {error.strerror}; see `df {path.parent}` and `ls -l {path}`"
        ) from error


@contextlib.contextmanager
def _collect_unnoted(problems: list[str], what: str) -> Iterator[None]:
    """Add to `problems` that an undo could not be noted as done; the next replay repeats it, which does no harm."""
    try:
        yield
    except HarnessError as error:
        problems.append(f"{what}, which cannot be noted: {error}")


def _sync_directory(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
