"""Store: the directories of runs, and the link to the latest."""

import os
import time
from pathlib import Path

__all__ = ["make_latest", "new_run"]


def new_run(root: Path) -> Path:
    """Return a directory below `root` that no other run has; it is not made yet.

    Runs are named by the time at which they began, and by process.
    """
    return root / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"


def make_latest(run: Path) -> None:
    """Let the link `latest` beside the run's directory point to it; what it pointed to stays."""
    link = run.with_name(f".latest-{os.getpid()}")
    link.unlink(missing_ok=True)
    link.symlink_to(run.name)
    link.replace(run.with_name("latest"))
