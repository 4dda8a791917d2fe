"""Mounts: which mount points are below a folder, according to the kernel."""

import re
from collections.abc import Iterable
from pathlib import Path

__all__ = ["mount_points"]

_MOUNTINFO = Path("/proc/self/mountinfo")


def mount_points(below: Iterable[Path], mountinfo: Path = _MOUNTINFO) -> list[str]:
    """Return the mount points below the given directories, deepest first; see proc_pid_mountinfo(5)."""
    points = [_unescape(line.split()[4]) for line in mountinfo.read_text(errors="surrogateescape").splitlines()]
    roots = [root.resolve() for root in below]
    inside = [point for point in points if any(root in Path(point).parents for root in roots)]
    return sorted(inside, key=lambda point: point.count("/"), reverse=True)


def _unescape(escaped: str) -> str:
    """Decode the octal escapes of /proc/self/mountinfo."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), escaped)
