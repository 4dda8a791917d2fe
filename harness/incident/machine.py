"""Machine: describes the machine of a run, for a bundle."""

import os
import platform

__all__ = ["host"]


def host() -> dict[str, str]:
    """Return facts about this machine that do not identify it."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "kernel": platform.release(),
        "machine": platform.machine(),
        "processors": str(os.cpu_count()),
        "memory MiB": str(memory // 2**20),
        "python": platform.python_version(),
        "load": " ".join(f"{average:.1f}" for average in os.getloadavg()),
    }
