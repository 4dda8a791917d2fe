"""Private: files and directories that nobody but their owner may read, whole from the first moment on."""

import os
from pathlib import Path

__all__ = ["directory", "write"]


def write(path: Path, content: str | bytes) -> Path:
    """Write a file with mode 0600 in place of an older one: it is there as a whole or not at all; return it.

    What cannot be UTF-8 (half a surrogate) is written as its escape. Raises OSError.
    """
    data = content.encode(errors="backslashreplace") if isinstance(content, str) else content
    fresh = path.with_name(f".{path.name}-{os.getpid()}")
    try:
        file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except FileExistsError:  # of a process of the same number that was killed
        fresh.unlink()
        file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(file, "wb") as into:
            into.write(data)
        fresh.replace(path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
    return path


def directory(path: Path) -> Path:
    """Make a directory with mode 0700, and those above it that are missing; return it.

    One that is there stays as it is: others may have been let in on purpose. Raises OSError.
    """
    for missing in reversed([each for each in (path, *path.parents) if not each.exists()]):
        missing.mkdir(mode=0o700, exist_ok=True)
    return path
