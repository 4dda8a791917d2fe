"""Paths outside the repository: caches and run-time state, by the XDG base directory specification."""

import os
import stat
from pathlib import Path

from chaos_harness.clusters.errors import HarnessError

__all__ = ["cache_dir", "cache_path", "remove_write_access", "require_trusted", "runtime_dir", "state_path"]

_NAME = "chaos-harness"
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_PRIVATE, _PUBLIC = 0o700, 0o755


def cache_dir(*parts: str) -> Path:
    """Return a directory below $XDG_CACHE_HOME/chaos-harness, created with mode 0755 whatever the umask is.

    Its content can be made again.
    """
    return _make(cache_path().parent, parts, _PUBLIC)


def cache_path() -> Path:
    """Return the path of our cache, which is not made."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / _NAME


def state_path() -> Path:
    """Return the path of `runtime_dir`, which is not made."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / _NAME


def runtime_dir(*parts: str) -> Path:
    """Return a directory (created with mode 0700) for kubeconfigs, journals and sockets of live runs.

    Journals must outlive a login session, so this is below $XDG_STATE_HOME, not $XDG_RUNTIME_DIR.
    """
    return _make(state_path().parent, parts, _PRIVATE)


def remove_write_access(folder: Path) -> None:
    """Let only the owner write to the folder and everything in it, whatever the umask was."""
    for path in (folder, *folder.rglob("*")):
        mode = path.lstat().st_mode
        if not stat.S_ISLNK(mode) and mode & _OTHERS_WRITE:
            path.chmod(stat.S_IMODE(mode) & ~_OTHERS_WRITE)


def require_trusted(folder: Path, *, content: bool = True) -> Path:
    """Return the folder, below `cache_dir`, if only root and this user can have written to it.

    Its name is public, so another user could have created it. Raises HarnessError, with the command that fixes it, for
    the first of our parent folders, or of its `content`, that belongs to or can be written by others.
    """
    cache = cache_dir()
    ours = [parent for parent in folder.parents if parent.is_relative_to(cache)]
    for path in (*reversed(ours), folder, *(folder.rglob("*") if content else ())):
        status = path.lstat()
        doubtful = path if path in ours else folder
        if status.st_uid not in (0, os.geteuid()):
            raise HarnessError(
                f"{path}: expected a cache of root's or of user {os.geteuid()}, found one of user {status.st_uid}, "
                f"and nothing is run from it; `rm -rf {doubtful}`, and it is made again"
            )
        if status.st_mode & _OTHERS_WRITE and not stat.S_ISLNK(status.st_mode):
            raise HarnessError(
                f"{path}: expected a cache that only its owner can change, found mode "
                f"{stat.S_IMODE(status.st_mode):04o}; if nobody else can have changed it, "
                f"`chmod -R go-w {doubtful}` fixes it, else `rm -rf {doubtful}`"
            )
    return folder


def _make(base: Path, parts: tuple[str, ...], mode: int) -> Path:
    path = base
    for missing in reversed([folder for folder in (path, *path.parents) if not folder.is_dir()]):
        missing.mkdir(mode=_PRIVATE, exist_ok=True)
    for part in (_NAME, *parts):
        path /= part
        path.mkdir(mode=mode, exist_ok=True)
        status = path.stat()
        if mode == _PRIVATE and status.st_mode & ~_PRIVATE & 0o777 and status.st_uid == os.geteuid():
            path.chmod(_PRIVATE)
    return path
