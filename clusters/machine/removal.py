"""Removal: the only way in which this project removes folders; it never crosses a mount point."""

import os
import shutil
from pathlib import Path

from chaos_harness.clusters.errors import HarnessError
from chaos_harness.clusters.machine.mounts import mount_points

__all__ = ["remove_folder", "try_remove_folder"]


def remove_folder(folder: Path) -> None:
    """Remove `folder` and everything below it; a missing folder is no error.

    Raises HarnessError if something is mounted on it or below it (then nothing is removed: the mount may be the
    machine's own), or if a part cannot be removed (then all the rest is).
    """
    if not os.path.lexists(folder):
        return
    try:
        place = folder.resolve()
        mounted = [point for point in mount_points([place.parent]) if place in (Path(point), *Path(point).parents)]
    except OSError as error:
        raise HarnessError(f"{folder}: not removed, because the mounts there are unknown: {error}") from error
    if mounted:
        raise HarnessError(
            f"{folder}: not removed, because something is mounted there: {', '.join(mounted)}\n"
            f"`{'; '.join(f'umount {point}' for point in mounted)}; rm -r --one-file-system {folder}` removes it"
        )
    try:
        shutil.rmtree(folder)
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        if os.path.lexists(folder):
            raise HarnessError(f"{folder}: not all of it could be removed: {error}; see `ls -la {folder}`") from error


def try_remove_folder(folder: Path) -> str | None:
    """Remove `folder` as `remove_folder` does; return what is left and why, or None."""
    try:
        remove_folder(folder)
    except HarnessError as error:
        return str(error)
    return None
