"""Peak memory of this process."""

from pathlib import Path

__all__ = ["peak_mib"]

_STATUS = Path("/proc/self/status")


def peak_mib() -> float:
    """Return it in MiB; getrusage(2) would start with the peak of the process that started this one."""
    lines = dict(line.split(":", 1) for line in _STATUS.read_text(encoding="ascii").splitlines())
    return int(lines["VmHWM"].split()[0]) / 1024
