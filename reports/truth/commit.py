"""Commit: the state of the project's sources that made a run."""

import subprocess
from pathlib import Path

__all__ = ["commit"]

_DIGITS = 12
_SECONDS = 20.0


def commit(root: Path) -> str:
    """Return the commit checked out at `root`, followed by "+" if files are changed.

    Without a checkout or without git it is unknown: "".
    """
    try:
        head = _git(root, "rev-parse", f"--short={_DIGITS}", "HEAD")
        changed = _git(root, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return ""
    return f"{head}+" if changed else head


def _git(root: Path, *words: str) -> str:
    command = ["git", "-C", str(root), *words]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=_SECONDS).stdout.strip()
