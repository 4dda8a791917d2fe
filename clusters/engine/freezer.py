"""Freezer: lets frozen processes run again, for on cgroup v1 a frozen process does not even die."""

import contextlib
from collections.abc import Iterable
from pathlib import Path

__all__ = ["cgroups_of", "thaw"]

_FREEZER = Path("/sys/fs/cgroup/freezer")
_THAWED = (("freezer.state", "THAWED"), ("cgroup.freeze", "0"))


def cgroups_of(container: str, freezer: Path = _FREEZER) -> list[Path]:
    """Return the directories of a container's cgroup in the freezer of cgroup v1, by the container's whole id."""
    return [directory for directory in freezer.glob(f"*/*{container}*") if directory.is_dir()]


def thaw(directories: Iterable[Path]) -> None:
    """Thaw these cgroups and all below them, as far as the kernel lets this user.

    Not only `docker pause` freezes: runc does while it changes the devices of a container, and a node that is killed
    at that moment leaves its pod's processes frozen, with a KILL that they never get.
    """
    for directory in directories:
        for name, word in _THAWED:
            for file in directory.rglob(name):
                with contextlib.suppress(OSError):
                    file.write_text(word)
