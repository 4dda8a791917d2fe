"""JSONL: a file to which one whole line of JSON is added at a time, or nothing."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chaos_harness.harness.errors import HarnessError

__all__ = ["add"]


def add(fd: int, path: Path, line: Mapping[str, Any]) -> None:
    """Write `line` at the end of the file `fd`, opened with O_APPEND at `path`, in a single write.

    Raises TypeError or ValueError if it is not JSON, HarnessError if the disk does not take all of it;
    the file is then as before.
    """
    data = json.dumps(line, allow_nan=False, separators=(",", ":")).encode() + b"\n"
    try:
        before = os.fstat(fd).st_size
        written = os.write(fd, data)
        if written < len(data):
            os.ftruncate(fd, before)
    except OSError as error:
        raise HarnessError(f"{path}: cannot be written: {error.strerror}; see `df {path.parent}`") from error
    if written < len(data):
        raise HarnessError(f"{path}: took {written} of {len(data)} bytes; see `df {path.parent}`")
