"""Ledger: the file of what each attempt of a shrink showed, by which one that was stopped goes on where it was."""

import hashlib
import json
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.errors import BadScenario, HarnessError
from harness.incident.load import Loaded

__all__ = ["Ledger"]


class Ledger:
    """The attempts of one shrink, in their order; those of an earlier process are given again before new ones."""

    def __init__(self, path: Path, loaded: Loaded, seed: int, confidence: float) -> None:
        """Begin the ledger, or go on with it. Raises BadScenario if it is another incident's, or cannot be read."""
        self._path = path
        self._stored: dict[tuple[str, ...], deque[bool]] = {}
        self.restored = 0
        text = loaded.path.read_bytes() + loaded.shape.model_dump_json().encode()
        head = {"incident": hashlib.sha256(text).hexdigest(), "seed": seed, "confidence": confidence}
        if path.exists():
            self._restore(head)
        else:
            self._add(head)

    @staticmethod
    def seed_of(path: Path) -> int:
        """Return the seed of the shrink whose ledger this is. Raises BadScenario."""
        try:
            with path.open(encoding="utf-8") as file:
                return int(json.loads(file.readline())["seed"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BadScenario(f"{path}: is no ledger of a shrink: {error!r}") from error

    def take(self, left_out: frozenset[str]) -> bool | None:
        """Return what an attempt without these parts showed before, each only once; None: it must be made."""
        stored = self._stored.get(tuple(sorted(left_out)))
        return stored.popleft() if stored else None

    def note(self, left_out: frozenset[str], *, reproduced: bool, seconds: float, seen: str) -> None:
        """Write down what an attempt showed."""
        self._add({"without": sorted(left_out), "reproduced": reproduced, "seen": seen, "seconds": seconds})

    def _restore(self, head: Mapping[str, Any]) -> None:
        *lines, torn = self._path.read_text(encoding="utf-8").split("\n")
        try:
            found = json.loads(lines[0])
            for line in lines[1:]:
                attempt = json.loads(line)
                self._stored.setdefault(tuple(attempt["without"]), deque()).append(attempt["reproduced"])
                self.restored += 1
        except (ValueError, KeyError, IndexError) as error:
            raise BadScenario(f"{self._path}: is no ledger of a shrink: {error!r}") from error
        other = [name for name in head if found.get(name) != head[name]]
        if other:
            raise BadScenario(
                f"{self._path}: was begun with another {' and '.join(other)}; shrink without --resume to begin anew"
            )
        if torn:
            self._path.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def _add(self, line: Mapping[str, Any]) -> None:
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(f"{json.dumps(line)}\n")
        except OSError as error:
            raise HarnessError(f"{self._path}: cannot be written: {error.strerror}; see `df`") from error
