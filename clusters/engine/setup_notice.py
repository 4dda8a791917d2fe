"""Setup notice: the one screen that says, before anything is done as root, what a private engine is and costs."""

import shutil
from pathlib import Path

from chaos_harness.clusters.checkout import command_line
from chaos_harness.clusters.engine import limits, packages
from chaos_harness.clusters.engine.layout import Layout
from chaos_harness.clusters.machine import consent
from chaos_harness.clusters.machine.memory import available_mib
from chaos_harness.clusters.terminal.width import wrap

__all__ = ["DISK_GIB", "describe", "require_consent"]

DISK_GIB = 12
"""What images and what they are built from take on disk, built for one version of Kubernetes and of Gatekeeper."""

MINUTES = "11 to 21"
"""How long the first build of all images takes on two cores; later runs find them."""

_CLUSTER_MIB = 2700
_GIB = 1 << 30
_COLUMNS = 78
_NAME = 9


def require_consent(layout: Layout) -> None:
    """Return if the user agrees to the engine at `layout`. Raises ConsentMissing."""
    if not consent.agreed():
        consent.require(describe(layout))


def describe(layout: Layout) -> str:
    """Return the screen: what would be installed, started, changed, kept and used, and how it is taken back."""
    install = packages.needed_packages()
    later = [name for name in packages.IMAGES_NEED[:1] if not shutil.which(name)]
    free = available_mib()
    rows = {
        "install": f"{' '.join(install)} (by apt-get)" if install else "nothing: all programs are there",
        "later": f"{' '.join(packages.IMAGES_NEED)}, only if images must be built" if later else "",
        "start": f"dockerd and containerd, whose files are in {layout.run}; {command_line('gc')} stops them",
        "change": f"iptables: a chain {layout.chain} in the tables filter and nat; kernel settings, put back "
        f"afterwards: {_settings()}",
        "disk": f"up to {DISK_GIB} GiB in {_short(layout.data)} ({_free_gib(layout.data):.0f} GiB are free)",
        "memory": f"about {_CLUSTER_MIB / 1024:.1f} GiB for each cluster"
        + ("" if free is None else f" ({free / 1024:.1f} GiB are free)"),
        "time": f"the first run about {MINUTES} minutes more, on two cores, if images must be built",
    }
    lines = [wrap(f"  {name:<{_NAME}}{words}", _COLUMNS, " " * _NAME) for name, words in rows.items() if words]
    return "\n".join(
        [
            "No Docker engine can be used, so the harness needs one of its own,",
            "beside any other. As root it would",
            "",
            *lines,
            "",
            f"`{command_line('uninstall')}` takes all of it back.",
        ]
    )


def _settings() -> str:
    """Return the kernel settings that would change here, such as "fs.inotify.max_user_instances 128 to 1024"."""
    changes = [f"{name.replace('/', '.')} {now} to {then}" for name, now, then in limits.pending_changes()]
    return ", ".join(changes) or "none"


def _free_gib(folder: Path) -> float:
    there = next(path for path in (folder, *folder.parents) if path.exists())
    return shutil.disk_usage(there).free / _GIB


def _short(path: Path) -> str:
    return f"~/{path.relative_to(Path.home())}" if path.is_relative_to(Path.home()) else str(path)
