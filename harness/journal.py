"""Journal: the file of what must be undone, written before the harm and replayed after a crash."""

import importlib
import json
import os
import pkgutil
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from harness import faults, jsonl
from harness.errors import HarnessError, UndoFailed

__all__ = ["Journal", "Undo", "pending", "replay", "undo"]

Action = Callable[..., object]
_Decorated = TypeVar("_Decorated", bound=Action)

_actions: dict[str, Action] = {}


@dataclass(frozen=True)
class Undo:
    """What takes a harm back: the name of an action registered by `@undo`, and its arguments (JSON)."""

    action: str
    arguments: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __str__(self) -> str:
        """Return it as it would be called."""
        return f"{self.action}({', '.join(f'{name}={value!r}' for name, value in self.arguments.items())})"


def undo(name: str) -> Callable[[_Decorated], _Decorated]:
    """Register a function `(engine, **arguments)` as the undo action `name`.

    `name` is "module.action": after a crash, `harness.faults.<module>` is imported to find it. The
    function must succeed if there is nothing (left) to undo, or nothing to undo it on.
    """

    def register(action: _Decorated) -> _Decorated:
        module = action.__module__.rpartition(".")[2]
        if name.partition(".")[0] != module:
            raise HarnessError(f"undo action {name!r} would not be found after a crash: call it '{module}.…'")
        _actions[name] = action
        return action

    return register


class Journal:
    """A journal that is being written; any number of threads may record."""

    def __init__(self, path: Path) -> None:
        """Open the journal at `path`, or begin it; a last line that a crash cut off is taken away."""
        self.path = path
        self._lock = threading.Lock()
        self._fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        content = path.read_bytes()
        os.ftruncate(self._fd, content.rfind(b"\n") + 1)
        os.fsync(self._fd)
        _sync_directory(path.parent)
        self._next = content.count(b"\n")

    def record(self, entry: Undo) -> int:
        """Write down how to undo what is about to be done, and return the id for `done`.

        The entry is on the disk when this returns: do the harm after it, never before.
        Raises HarnessError if the disk does not take it.
        """
        with self._lock:
            number = self._next
            self._write({"undo": number, "action": entry.action, "arguments": dict(entry.arguments)})
            return number

    def done(self, number: int) -> None:
        """Note that the harm behind an id is undone (or was never done)."""
        with self._lock:
            self._write({"done": number})

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._fd >= 0:
                os.close(self._fd)
                self._fd = -1

    def _write(self, line: Mapping[str, Any]) -> None:
        if self._fd < 0:
            raise HarnessError(f"{self.path}: the journal is closed")
        jsonl.add(self._fd, self.path, line)
        os.fsync(self._fd)
        self._next += 1


def pending(path: Path) -> list[Undo]:
    """Return what is not undone yet, oldest first.

    A last line that a crash cut off does not count: its harm was not begun. Raises UndoFailed for any
    other line that cannot be read.
    """
    entries, broken = _scan(path)
    if broken:
        raise UndoFailed("\n".join(broken))
    return list(entries.values())


def replay(path: Path, engine: object) -> list[str]:
    """Undo what is pending, newest first, note it as done, and return what was undone, in words.

    Every undo is tried, whatever becomes of the others, and a second replay does only what the first
    could not. Raises UndoFailed with all that could not be done.
    """
    entries, problems = _scan(path)
    undone = []
    journal = Journal(path)
    try:
        for number, entry in reversed(entries.items()):
            words = str(entry)
            try:
                _action(entry.action)(engine, **entry.arguments)
            except Exception as error:  # noqa: BLE001 - one undo that fails must not keep the others from being tried
                problems.append(f"{words}: {type(error).__name__}: {error}")
            else:
                journal.done(number)
                undone.append(words)
    finally:
        journal.close()
    if problems:
        total = len(undone) + len(problems)
        raise UndoFailed(
            f"{path}: {len(problems)} of {total} undos could not be done:\n"
            + "".join(f"  {problem}\n" for problem in problems)
            + "What is named here is still broken. Put right what they say, then type: nox -s gc"
        )
    return undone


def _scan(path: Path) -> tuple[dict[int, Undo], list[str]]:
    entries: dict[int, Undo] = {}
    broken = []
    *lines, _torn = path.read_bytes().split(b"\n")
    for number, line in enumerate(lines, start=1):
        try:
            fields = json.loads(line)
            if "undo" in fields:
                entries[fields["undo"]] = Undo(fields["action"], fields["arguments"])
            else:
                entries.pop(fields["done"], None)
        except (ValueError, KeyError, TypeError):
            broken.append(f"{path}:{number}: expected an undo entry, found {line[:80]!r}")
    return entries, broken


def _action(name: str) -> Action:
    if name not in _actions:
        known = {module.name: f"{faults.__name__}.{module.name}" for module in pkgutil.iter_modules(faults.__path__)}
        wanted = name.partition(".")[0]
        for module in [known[wanted]] if wanted in known else known.values():
            importlib.import_module(module)
    if name not in _actions:
        raise HarnessError(f"no such undo action; there are {', '.join(sorted(_actions)) or 'none'}")
    return _actions[name]


def _sync_directory(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
