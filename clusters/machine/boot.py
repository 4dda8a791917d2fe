"""Boot: the ID of this start of the machine, and so of its kernel."""

from pathlib import Path

__all__ = ["BOOT_ID", "boot_id"]

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
"""The file of Linux with that ID, see random(4)."""


def boot_id() -> str:
    """Return the ID of this start of the machine; in a container it is the host's. Raises OSError."""
    return BOOT_ID.read_text(encoding="ascii").strip()
