"""Other user: how a command runs in a PID namespace of its own, as somebody who may read what this one's tests need."""

import stat
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

__all__ = ["NOBODY", "ROOT", "around"]

NOBODY = 65534
"""A user without rights, of this number on every Linux; the group has it, too."""

ROOT = Path(__file__).parents[2]
"""The checkout."""

_NAMESPACES = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
_BECOMING = ["setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups"]
_TRAVERSE = stat.S_IXOTH | stat.S_IROTH
_OPENED = """
closed=$1; shift
kept=$(mktemp --directory)
mount -t tmpfs -o mode=0755 tmpfs "$kept"
while [ "$1" != -- ]; do
  mkdir -p "$kept$1"
  mount --bind "$1" "$kept$1"
  shift
done
shift
mount --rbind "$kept$closed" "$closed"
umount --lazy "$kept"
rmdir "$kept"
cd .
exec "$@"
"""
"""Shows, in its mount namespace, of the directory $1 only these below it, in place of all that is there."""


def around(environment: Mapping[str, str]) -> list[str]:
    """Return the words before a command, for root: it runs in its own PID namespace, as another user.

    An interpreter or a checkout below a directory of root's alone, such as /root, lies for that command in an open
    one, in its mount namespace. Fails if it cannot be run so: as root it would show nothing.
    """
    needed = [Path(path).resolve() for path in (sys.base_prefix, sys.prefix, ROOT)]
    closed = {top: [path for path in needed if path.is_relative_to(top)] for top in _closed(needed)}
    words = [*_NAMESPACES]
    for top, below in closed.items():
        words += ["sh", "-euc", _OPENED, "sh", str(top), *map(str, below), "--"]
    words += _BECOMING
    trial = [*words, sys.executable, "-c", "import os, chaos_harness.clusters.engine; print(os.geteuid())"]
    tried = subprocess.run(trial, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert tried.stdout.strip() == str(NOBODY), f"user {NOBODY} cannot run {sys.executable} in {ROOT}: {tried.stderr}"
    return words


def _closed(needed: Iterable[Path]) -> list[Path]:
    """Return the topmost directories on the way to `needed` that others may not go through."""
    ways = [[*reversed(path.parents)] for path in needed]
    first = (next((part for part in way if ~part.stat().st_mode & _TRAVERSE), None) for way in ways)
    return list(dict.fromkeys(directory for directory in first if directory))
