"""Cgroups: the directories of a cgroup and of all below it, read while the kernel and others remove some of them."""

import os
from pathlib import Path

__all__ = ["tree"]


def tree(directory: Path) -> list[Path]:
    """Return the directory and all below it, the deepest first; what goes while it is read is left out.

    A cgroup goes when its last process has ended, so it can be gone at any moment: `Path.rglob` raises then.
    """
    return [Path(path) for path, _, _ in os.walk(directory, topdown=False)]
