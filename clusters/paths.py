"""Paths outside the repository: caches and run-time state, by the XDG base directory specification."""

import os
from pathlib import Path

__all__ = ["cache_dir", "runtime_dir"]

_NAME = "chaos-harness"


def cache_dir(*parts: str) -> Path:
    """Return (and make) a directory below $XDG_CACHE_HOME/chaos-harness: what can be made anew."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    path = Path(base, _NAME, *parts)
    path.mkdir(parents=True, exist_ok=True)
    return path


def runtime_dir(*parts: str) -> Path:
    """Return (and make, mode 0700) a directory for kubeconfigs, journals and sockets of live runs.

    Journals must survive the end of a session, so this is $XDG_STATE_HOME, not $XDG_RUNTIME_DIR.
    """
    base = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    path = Path(base, _NAME, *parts)
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    return path
