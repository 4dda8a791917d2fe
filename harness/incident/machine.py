"""Machine: what a reader of a bundle may want to know of the machine a run was made on."""

import os
import platform

__all__ = ["host"]


def host() -> dict[str, str]:
    """Return what a reader may want to know of this machine, and nothing that names it."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "kernel": platform.release(),
        "machine": platform.machine(),
        "processors": str(os.cpu_count()),
        "memory MiB": str(memory // 2**20),
        "python": platform.python_version(),
        "load": " ".join(f"{average:.1f}" for average in os.getloadavg()),
    }
