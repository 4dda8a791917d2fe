"""Found: what `chaos-harness run --list` finds in the files of a matrix: shapes, experiments, seconds."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from chaos_harness.clusters.checkout import OPTION
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.machine import process
from chaos_harness.clusters.terminal.escape import escape_controls, last_line
from chaos_harness.harness.nightly.matrix import Target

__all__ = ["FoundExperiment", "FoundFile", "find"]

_SECONDS = 600.0
_SHORT = 300


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FoundExperiment(_Part):
    """An experiment, the tests that judge it, and the seconds that it takes; `stated_seconds`: as its file says."""

    name: str
    tests: tuple[str, ...]
    seconds: float
    stated_seconds: float | None


class FoundFile(_Part):
    """A file with scenarios; `named` are the fields of its `shape` that it names itself."""

    file: Path
    named: tuple[str, ...]
    shape: Mapping[str, Any] | None
    memory_mib: int
    experiments: tuple[FoundExperiment, ...]


_FILES = TypeAdapter(tuple[FoundFile, ...])


def find(targets: Sequence[Target], command: Sequence[str]) -> dict[Target, tuple[FoundFile, ...] | str]:
    """Return of each target the files that have something to run, or else the reason why there are none.

    `command` is the one that runs scenarios; it is asked for the list of all targets at once, and of each alone where
    that fails, so that a file that cannot be read is no harm to the others.
    """
    together = [target for target in targets if not target.test]
    listed = _list(together, command) if together else ()
    found: dict[Target, tuple[FoundFile, ...] | str] = {}
    for target in targets:
        alone = target.test or isinstance(listed, str)
        files = _list([target], command) if alone else listed
        found[target] = files if isinstance(files, str) else _of(target, files)
    return found


def _of(target: Target, files: Sequence[FoundFile]) -> tuple[FoundFile, ...] | str:
    there = tuple(file for file in files if file.file.is_relative_to(target.path))
    return there or f"{target.words}: has nothing that runs by default; name a test of it, as FILE::TEST"


def _list(targets: Sequence[Target], command: Sequence[str]) -> tuple[FoundFile, ...] | str:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "list.json")
        words = [*command, *(target.argument for target in targets), f"{OPTION}list", f"{OPTION}json", str(file)]
        done = process.run(words, Deadline.after(_SECONDS, "the list of scenarios"), check=False)
        try:
            return _FILES.validate_json(file.read_bytes())
        except (OSError, ValidationError):
            said = last_line(done.stderr.strip() or done.stdout.strip())
            return f"cannot be listed: {escape_controls(said, most=_SHORT)}"
