"""Private files: files and directories that only their owner may read, and that are complete from the start."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

__all__ = ["add", "directory", "replace_file", "write"]


@contextmanager
def replace_file(path: Path) -> Iterator[BinaryIO]:
    """Open a new file of mode 0600 for writing; it replaces an older one when the block ends without an error.

    Raises OSError.
    """
    fresh = _unfinished(path)
    fresh.unlink(missing_ok=True)  # of a process of the same number that was killed
    file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(file, "wb") as into:
            yield into
        fresh.replace(path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise


def _unfinished(path: Path) -> Path:
    """Return the path of a file until it is complete; its name is short, since the final name may have any length."""
    return path.with_name(f".{hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]}-{os.getpid()}")


def write(path: Path, content: str | bytes) -> Path:
    """Write a file of mode 0600, replacing an older one, completely or not at all; return its path.

    What cannot be UTF-8 (half a surrogate) is escaped. Raises OSError.
    """
    with replace_file(path) as file:
        file.write(content.encode(errors="backslashreplace") if isinstance(content, str) else content)
    return path


def add(path: Path, lines: str) -> None:
    """Append whole lines to a file of mode 0600, in one write; create the file if needed. Raises OSError."""
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.write(file, lines.encode(errors="backslashreplace"))
    finally:
        os.close(file)


def directory(path: Path) -> Path:
    """Make a directory with mode 0700, and its missing parents; return it.

    An existing directory keeps its mode: others may have access on purpose. Raises OSError.
    """
    for missing in reversed([folder for folder in (path, *path.parents) if not folder.exists()]):
        missing.mkdir(mode=0o700, exist_ok=True)
    return path
