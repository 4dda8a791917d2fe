"""Ledger: the file with the result of each attempt of a shrink, so that an interrupted shrink can be resumed."""

import hashlib
import json
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chaos_harness.clusters.machine import bounded_files
from chaos_harness.clusters.terminal.escape import escape_controls
from chaos_harness.harness.errors import BadScenario, HarnessError
from chaos_harness.harness.incident.load import LoadedIncident

__all__ = ["Ledger"]

_MOST_BYTES = 16 * 2**20
_SHORT = 200
_FORMAT = 2
"""Increased when parts of an incident get other ids; the head of a ledger of format 1 has no format."""

_BROKEN = (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError)
"""What reading a line from elsewhere can raise."""


class Ledger:
    """The attempts of one shrink; the results of an earlier process are returned before new attempts are made."""

    def __init__(self, path: Path, loaded: LoadedIncident, seed: int, confidence: float) -> None:
        """Create the ledger, or resume it.

        Raises BadScenario if it belongs to another incident, cannot be read, or has other ids of parts than this
        version.
        """
        self._path = path
        self._stored: dict[tuple[str, ...], deque[bool]] = {}
        self.restored = 0
        text = loaded.path.read_bytes() + loaded.shape.model_dump_json().encode()
        head = {"format": _FORMAT, "incident": hashlib.sha256(text).hexdigest(), "seed": seed, "confidence": confidence}
        if path.exists():
            self._restore(head)
        else:
            self._add(head)

    @staticmethod
    def seed_of(path: Path) -> int:
        """Return the seed in a ledger. Raises BadScenario."""
        try:
            seed = json.loads(_read(path).partition("\n")[0])["seed"]
        except _BROKEN as error:
            raise _no_ledger(path, error) from error
        if type(seed) is not int:
            raise _no_ledger(path, "its seed is no number")
        return seed

    def take(self, left_out: frozenset[str]) -> bool | None:
        """Return a stored result of an attempt without these parts, each only once; None: it must be made."""
        stored = self._stored.get(tuple(sorted(left_out)))
        return stored.popleft() if stored else None

    def note(self, left_out: frozenset[str], *, reproduced: bool, seconds: float, seen: str) -> None:
        """Write the result of an attempt."""
        self._add({"without": sorted(left_out), "reproduced": reproduced, "seen": seen, "seconds": seconds})

    def _restore(self, head: Mapping[str, Any]) -> None:
        *lines, torn = _read(self._path).split("\n")
        try:
            old_head = dict(json.loads(lines[0]))
            for line in lines[1:]:
                without, reproduced = _attempt(json.loads(line))
                self._stored.setdefault(without, deque()).append(reproduced)
                self.restored += 1
        except _BROKEN as error:
            raise _no_ledger(self._path, error) from error
        if old_head.get("format") != _FORMAT:
            raise BadScenario(
                f"{self._path}: was written by another version of the harness, which names the parts of an incident "
                "otherwise; shrink without --resume to begin anew"
            )
        other = [name for name in head if old_head.get(name) != head[name]]
        if other:
            raise BadScenario(
                f"{self._path}: was begun with another {' and '.join(other)}; shrink without --resume to begin anew"
            )
        if torn:
            try:
                self._path.write_text("\n".join(lines) + "\n", encoding="utf-8")
            except OSError as error:
                raise HarnessError(f"{self._path}: cannot be written: {error.strerror}; see `df`") from error

    def _add(self, line: Mapping[str, Any]) -> None:
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(f"{json.dumps(line)}\n")
        except OSError as error:
            raise HarnessError(f"{self._path}: cannot be written: {error.strerror}; see `df`") from error


def _read(path: Path) -> str:
    try:
        return bounded_files.read_bounded_text(path, _MOST_BYTES)
    except BadScenario as error:
        raise _no_ledger(path, str(error)) from error


def _attempt(line: Any) -> tuple[tuple[str, ...], bool]:
    """Return which parts an attempt left out, and whether it reproduced. Raises TypeError, KeyError."""
    without, reproduced = line["without"], line["reproduced"]
    if not isinstance(without, list) or not isinstance(reproduced, bool):
        raise TypeError("expected what was left out and whether that reproduced")
    return tuple(map(str, without)), reproduced


def _no_ledger(path: Path, problem: object) -> BadScenario:
    said = escape_controls(problem if isinstance(problem, str) else repr(problem), most=_SHORT)
    return BadScenario(f"{path}: is no ledger of a shrink: {said}; shrink without --resume to begin anew")
