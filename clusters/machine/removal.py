"""Removal: the one way in which this project removes folders, which never goes through a mount."""

import os
import shutil
from pathlib import Path

from chaos_harness.clusters.errors import HarnessError
from chaos_harness.clusters.machine.mounts import mount_points

__all__ = ["remove_folder", "try_remove_folder"]


def remove_folder(folder: Path) -> None:
    """Remove `folder` with all that is below it; one that is not there is gone already.

    Raises HarnessError when something is mounted on it or below it (then nothing is removed: what is mounted there
    may be the machine's own), or when a part cannot be removed (then all the rest is).
    """
    if not os.path.lexists(folder):
        return
    try:
        place = folder.resolve()
        mounted = [point for point in mount_points([place.parent]) if place in (Path(point), *Path(point).parents)]
    except OSError as error:
        raise HarnessError(
            f"{folder}: not removed, because it cannot be seen what is mounted there: {error}"
        ) from error
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
    """Remove `folder` as `remove` does; return what is left of it, and why, or None."""
    try:
        remove_folder(folder)
    except HarnessError as error:
        return str(error)
    return None
