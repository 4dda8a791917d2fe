"""Unfinished folders: one for each process that makes something, found and removed when that process is dead."""

import fcntl
import os
import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from clusters.guardian import holding
from clusters.removal import try_remove

__all__ = ["sweep", "unfinished"]

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_NAME = re.compile(r"\..+\.([0-9a-f]{8})\.\w+")
_UNKNOWN_SECONDS = 24 * 3600.0


@contextmanager
def unfinished(parent: Path, name: str) -> Iterator[Path]:
    """Give a new folder below `parent` that no other process writes to; remove it after the block if it is still there.

    It is locked as long as this process, or a command of it, lives: so others know that somebody is at it. What cannot
    be removed because something is mounted in it is told in a note of the block's error, or lies there for `sweep`.
    """
    folder, handle = _new(parent, name)
    try:
        with holding(handle):
            try:
                yield folder
            except BaseException as error:
                if left := try_remove(folder):
                    error.add_note(left)
                raise
            finally:
                try_remove(folder)
                fcntl.flock(handle, fcntl.LOCK_UN)
    finally:
        os.close(handle)


def sweep(parent: Path) -> list[str]:
    """Remove the folders below `parent` that dead processes left; return what could not be removed, and why.

    A process is dead when its lock is free. One of another boot, or of another machine that shares the directory, is
    unknown: its folder goes when nothing was put into it for a day.
    """
    left = []
    boot = _boot()
    for folder in sorted(parent.glob(".*")):
        told = _NAME.fullmatch(folder.name)
        try:
            known = told is not None and told[1] == boot
            if folder.is_symlink() or not (known or time.time() - folder.stat().st_mtime > _UNKNOWN_SECONDS):
                continue
            handle = _locked(folder)
        except OSError:  # it went meanwhile, or is another user's
            continue
        if handle is not None:
            left.append(try_remove(folder))
            os.close(handle)
    return [each for each in left if each]


def _new(parent: Path, name: str) -> tuple[Path, int]:
    while True:
        folder = Path(tempfile.mkdtemp(prefix=f".{name}.{_boot()}.", dir=parent))
        folder.chmod(0o755)  # apt's own user reads below it while mmdebstrap runs
        handle = _locked(folder)
        if handle is not None:
            return folder, handle


def _locked(folder: Path) -> int | None:
    """Return an open file descriptor of the folder that holds its lock, or None if another process holds it."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(handle), folder.stat()):
            return handle
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(handle)
    return None


def _boot() -> str:
    try:
        return _BOOT_ID.read_text(encoding="ascii")[:8]
    except OSError:
        return "0" * 8
