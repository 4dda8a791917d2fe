"""Namespaces: whether tests can put processes into namespaces of their own here."""

import os
import subprocess

import pytest

__all__ = ["needs_namespaces"]


def _made() -> bool:
    if os.geteuid() != 0:
        return False
    try:
        argv = ["unshare", "--pid", "--fork", "--mount-proc", "true"]
        return subprocess.run(argv, capture_output=True, check=False, timeout=60).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


needs_namespaces = pytest.mark.skipif(not _made(), reason="only root makes namespaces, and not everywhere")
