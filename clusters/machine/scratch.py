"""Scratch folders: removed at the end of the process that uses them; after a kill, by the next garbage collection.

A kernel lock on the folder itself marks it as used. The lock ends with the process and is visible from every namespace;
a folder whose lock is free has no owner.
"""

import atexit
import contextlib
import fcntl
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from chaos_harness.clusters.errors import HarnessError
from chaos_harness.clusters.machine.guardian import keep_open
from chaos_harness.clusters.machine.paths import cache_dir, runtime_dir
from chaos_harness.clusters.machine.removal import try_remove_folder

__all__ = ["ARTEFACTS", "MAKING", "credentials_folder", "hold_folder", "remove_abandoned"]

ARTEFACTS = "artefacts"
"""Folder of the cache for built artefacts."""

MAKING = "making-"
"""Name prefix of folders in which artefacts are being built."""

_FOLDER = "scratch"
_CREDENTIALS = "credentials"
_NEW = ".chaos-new-"
_IN_TEMPORARY = (f"{_NEW}*", ".chaos-bundle-*", "chaos-bundle-*")
_UNHELD = "chaos-bundle-*"
_NEW_SECONDS = 60.0
_OLD_SECONDS = 3600.0

_one_at_a_time = threading.Lock()
_lifetime = contextlib.ExitStack()
_own: list[Path] = []


@contextlib.contextmanager
def hold_folder(name: str, parent: Path | None = None) -> Iterator[Path]:
    """Yield a new folder (mode 0700), below `parent` or on the cache's disk, that is removed after the block.

    No other process writes to it. It is locked as long as this process, or a command of it, lives. If a part cannot be
    removed because something is mounted there, a note of the block's error says so, or `remove_abandoned` finds it
    later.
    """
    parent = parent or cache_dir(_FOLDER)
    unfinished = Path(tempfile.mkdtemp(prefix=_NEW, dir=parent))
    folder = unfinished.with_name(f".{name}-{unfinished.name.removeprefix(_NEW)}")
    handle = os.open(unfinished, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with contextlib.suppress(OSError):  # a disk without such locks: nothing there is ever swept
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        unfinished.rename(folder)
        with keep_open(handle):
            try:
                yield folder
            except BaseException as error:
                if (left := try_remove_folder(folder)) is not None:
                    error.add_note(left)
                raise
            finally:
                try_remove_folder(folder)
                with contextlib.suppress(OSError):
                    fcntl.flock(handle, fcntl.LOCK_UN)
    finally:
        os.close(handle)


def credentials_folder() -> Path:
    """Return this process's folder for keys that a library needs as files; it is removed with the process."""
    with _one_at_a_time:
        if not _own or not _own[-1].is_dir():
            if not _own:
                atexit.register(_lifetime.close)
            _own.append(_lifetime.enter_context(hold_folder("keys", runtime_dir(_CREDENTIALS))))
        return _own[-1]


def remove_abandoned() -> list[str]:
    """Remove folders of processes that have ended; return them as text. Folders in use and those of others stay.

    A bundle that an earlier version unpacked without a lock is removed after an hour. Raises HarnessError for folders
    that cannot be removed, after everything else was.
    """
    temporary = Path(tempfile.gettempdir())
    places = [
        (cache_dir(_FOLDER), "*"),
        (cache_dir(ARTEFACTS), f".{MAKING}*"),
        (runtime_dir(_CREDENTIALS), "*"),
        *((temporary, pattern) for pattern in _IN_TEMPORARY),
    ]
    swept, left = [], []
    for place, pattern in places:
        for folder in sorted(place.glob(pattern)):
            with contextlib.suppress(OSError):  # used, another's, or gone meanwhile
                if _is_abandoned(folder):
                    problem = _remove(folder)
                    if problem is None:
                        swept.append(f"folder {folder}")
                    else:
                        left.append(problem)
    if left:
        raise HarnessError("\n".join(left))
    return swept


def _is_abandoned(folder: Path) -> bool:
    status = folder.lstat()
    age = time.time() - status.st_mtime
    new, old = folder.name.startswith(_NEW), folder.match(_UNHELD)
    return status.st_uid == os.geteuid() and age >= (_NEW_SECONDS if new else _OLD_SECONDS if old else 0)


def _remove(folder: Path) -> str | None:
    """Remove the folder if its lock is free; return what is left of it, or None. Raises OSError if it is locked."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return try_remove_folder(folder)
    finally:
        os.close(handle)
