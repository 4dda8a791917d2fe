"""Boot: what tells this start of the machine, and so this kernel, from every other one."""

from pathlib import Path

__all__ = ["BOOT_ID", "boot_id"]

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
"""Where Linux tells it, see random(4)."""


def boot_id() -> str:
    """Return the id of this start of the machine; containers tell that of their host. Raises OSError."""
    return BOOT_ID.read_text(encoding="ascii").strip()
