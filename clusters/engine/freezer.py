"""Freezer: thaws frozen processes; on cgroup v1 a frozen process cannot even be killed."""

import contextlib
from collections.abc import Iterable
from pathlib import Path

from chaos_harness.clusters.engine.cgroups import tree

__all__ = ["cgroups_of", "thaw"]

_FREEZER = Path("/sys/fs/cgroup/freezer")
_THAWED = (("freezer.state", "THAWED"), ("cgroup.freeze", "0"))


def cgroups_of(container: str, freezer: Path = _FREEZER) -> list[Path]:
    """Return the freezer directories (cgroup v1) of a container, by its full ID."""
    return [directory for directory in tree(freezer) if container in directory.name]


def thaw(directories: Iterable[Path]) -> None:
    """Thaw these cgroups and all below them, as far as the kernel allows.

    Not only `docker pause` freezes: runc does, too, while it changes the devices of a container. A node that is killed
    at that moment leaves frozen processes of its pods, with a KILL that they never get.
    """
    for directory in directories:
        for cgroup in tree(directory):
            for name, word in _THAWED:
                with contextlib.suppress(OSError), (cgroup / name).open("r+", encoding="ascii") as file:
                    file.write(word)
