"""Memory: how much of it this machine has free."""

from pathlib import Path

__all__ = ["MEMINFO", "available_mib"]

MEMINFO = Path("/proc/meminfo")


def available_mib(meminfo: Path | None = None) -> int | None:
    """Return the memory (MiB) that programs can still get without swapping; None if the kernel does not say.

    `meminfo` is a file as Linux writes it (default: this machine's).
    """
    try:
        lines = dict(line.split(":", 1) for line in (meminfo or MEMINFO).read_text(encoding="ascii").splitlines())
        return int(lines["MemAvailable"].split()[0]) // 1024
    except (OSError, LookupError, ValueError):
        return None
