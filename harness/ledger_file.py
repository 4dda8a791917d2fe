"""Ledger file: adds lines of JSON to what a stopped session goes on from, and replaces what a kill cut off."""

from pathlib import Path

from pydantic import BaseModel

from chaos_harness.harness import private
from chaos_harness.harness.errors import HarnessError

__all__ = ["add_line", "replace_lines"]


def add_line(path: Path, line: BaseModel) -> None:
    """Add one whole line. Raises HarnessError if the disk does not take it."""
    try:
        private.add(path, f"{line.model_dump_json()}\n")
    except OSError as error:
        raise _unwritable(path, error) from error


def replace_lines(path: Path, text: str) -> None:
    """Write the file anew. Raises HarnessError if the disk does not take it; the file is then as before."""
    try:
        private.write(path, text)
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> HarnessError:
    return HarnessError(f"{path}: cannot be written: {error.strerror}; see `df {path.parent}`")
