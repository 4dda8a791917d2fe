"""Starts: when a process started, by which it is told from a later one that got the same number."""

from pathlib import Path

__all__ = ["START", "start_time", "stat_fields"]

START = 19
"""Where, of the fields behind the command's name, the start stands: proc_pid_stat(5)."""


def start_time(pid: int | str) -> str:
    """Return when the process `pid` (or "self") started, in clock ticks since boot, or "" when none is to be seen.

    One that has ended and is not waited for yet is not. Together with the boot id it tells a process from a later one
    that got the same number.
    """
    try:
        fields = stat_fields(Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace"))
    except OSError:  # none, one that is hidden, or no /proc at all
        return ""
    return "" if fields[0] in "ZX" else fields[START]


def stat_fields(stat: str) -> list[str]:
    """Return the fields of a process's `stat` behind its command's name, which may hold spaces and brackets."""
    return stat.rpartition(")")[2].split()
