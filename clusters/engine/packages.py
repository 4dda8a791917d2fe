"""Packages: installs the programs that a private engine needs, without starting their own daemons."""

import json
import os
import shutil
from pathlib import Path

from chaos_harness.clusters.errors import EngineUnavailable, HarnessError
from chaos_harness.clusters.machine import apt, traces
from chaos_harness.clusters.machine.traces import Trace
from chaos_harness.clusters.terminal.progress import Progress

__all__ = [
    "IMAGES_NEED",
    "SEARCH_PATH",
    "engine_packages",
    "heal",
    "install_missing",
    "missing",
    "needed_packages",
    "program",
]

SEARCH_PATH = "/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin"
"""PATH of the daemons: the distribution's programs before those in /usr/local."""

_PROGRAMS = {
    "dockerd": "docker.io",
    "containerd": "containerd",
    "containerd-shim-runc-v2": "containerd",
    "runc": "runc",
    "iptables": "iptables",
    "ip": "iproute2",
    "umount": "mount",
    "docker": "docker-cli",
}
IMAGES_NEED = ("mmdebstrap", "debian-archive-keyring")
"""Packages that root file systems are made with, where images are built."""

_UNITS = ("docker.service", "docker.socket", "containerd.service")
_WANTS = Path("/etc/systemd/system")
_TRACE = "units that start at boot"


def program(name: str) -> str | None:
    """Return the absolute path of the program `name`, the distribution's first."""
    return shutil.which(name, path=SEARCH_PATH) or shutil.which(name)


def missing() -> list[str]:
    """Return the programs that a private engine needs and this machine lacks."""
    return [name for name in _PROGRAMS if not program(name)]


def engine_packages() -> frozenset[str]:
    """Return all packages that a Docker engine of the distribution is made of."""
    return frozenset(_PROGRAMS.values())


def needed_packages() -> list[str]:
    """Return the packages that `install_missing` would ask apt for."""
    return list(dict.fromkeys(_PROGRAMS[name] for name in missing()))


def install_missing(progress: Progress) -> None:
    """Install what is missing; no installed package is removed, and nothing is started or enabled at boot.

    Raises EngineUnavailable with the command to type if this is not Debian or a relative, this user is not root, or apt
    fails.
    """
    lacking = missing()
    if not lacking:
        return
    there = json.dumps([str(link) for link in _enabled()])
    if os.geteuid() == 0:
        traces.record(_TRACE, before=there, after="", holder=str(_WANTS), volatile=False)
    others = list(dict.fromkeys(_PROGRAMS[name] for name in lacking if name != "docker"))
    try:
        if others:
            _install(others, progress)
        if not program("docker"):  # a package of its own since Debian 13
            _install([_PROGRAMS["docker"]], progress)
    except HarnessError as error:
        raise EngineUnavailable(str(error)) from error
    finally:
        heal()
    if missing():
        installed = ", ".join([*others, _PROGRAMS["docker"]])
        raise EngineUnavailable(f"after apt-get has installed {installed} there is still no {', '.join(missing())}")


def heal() -> list[str]:
    """Disable units that an installation of ours enabled at boot, once no apt runs; return them as text."""
    if os.geteuid() != 0 or not any(trace.what == _TRACE for trace in traces.pending()):
        return []
    with apt.try_lock_apt() as quiet:
        return traces.put_back(str(_WANTS), _disable) if quiet else []


def _disable(trace: Trace) -> bool:
    for link in _enabled() - {Path(path) for path in json.loads(trace.before)}:
        link.unlink()
    return True


def _install(packages: list[str], progress: Progress) -> None:
    lack = f"no {', '.join(missing())} on this machine"
    elsewhere = "install Docker as https://docs.docker.com/engine/install/ says and start it"
    apt.install(packages, progress, lack=lack, elsewhere=elsewhere)


def _enabled() -> set[Path]:
    # A name without a wildcard would be looked up through the link, and one whose unit is gone not be found.
    return {link for link in _WANTS.glob("*.wants/*") if link.name in _UNITS}
