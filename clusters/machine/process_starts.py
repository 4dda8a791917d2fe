"""Start times: distinguish a process from a later one with the same PID."""

from pathlib import Path

__all__ = ["START", "start_time", "stat_fields"]

START = 19
"""Index of the start time among the fields after the command's name: proc_pid_stat(5)."""


def start_time(pid: int | str) -> str:
    """Return the start time of the process `pid` (or "self") in clock ticks since boot; "" if it is not visible.

    A zombie counts as not visible. With the boot ID, the start time distinguishes a process from a later one with the
    same PID.
    """
    try:
        fields = stat_fields(Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace"))
    except OSError:  # none, one that is hidden, or no /proc at all
        return ""
    return "" if fields[0] in "ZX" else fields[START]


def stat_fields(stat: str) -> list[str]:
    """Return the fields of /proc/PID/stat after the command's name, which may contain spaces and brackets."""
    return stat.rpartition(")")[2].split()
