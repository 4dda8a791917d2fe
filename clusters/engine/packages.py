"""Packages: the programs that a private engine needs, from Debian or Ubuntu, without their own daemons starting."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from clusters.deadline import Deadline
from clusters.errors import CommandFailed, DeadlineExceeded, EngineUnavailable
from clusters.process import run
from clusters.progress import Progress

__all__ = ["SEARCH_PATH", "ensure", "missing", "no_daemon_starts", "program"]

SEARCH_PATH = "/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin"
"""Where daemons look for each other: the distribution's programs before what somebody put into /usr/local."""

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
_UNITS = ("docker.service", "docker.socket", "containerd.service")
_WANTS = Path("/etc/systemd/system")
_POLICY = Path("/usr/sbin/policy-rc.d")
_MARK = "# written by chaos-harness while it installs packages; safe to remove\n"
_APT_SECONDS = 900


def program(name: str) -> str | None:
    """Return the absolute path of the program `name`, the distribution's first."""
    return shutil.which(name, path=SEARCH_PATH) or shutil.which(name)


def missing() -> list[str]:
    """Return the programs that a private engine needs and this machine has not."""
    return [name for name in _PROGRAMS if not program(name)]


def ensure(progress: Progress) -> None:
    """Install what is missing; nothing that is installed is removed, started or enabled at boot.

    Raises EngineUnavailable with the command to type when this machine is not Debian's kin, this is not
    root, or apt fails.
    """
    wanted = missing()
    if not wanted:
        return
    packages = " ".join(dict.fromkeys(_PROGRAMS[name] for name in wanted if name != "docker"))
    command = f"apt-get update && apt-get install --no-install-recommends {packages or 'docker-cli'}"
    found = f"no {', '.join(wanted)} on this machine"
    if not shutil.which("apt-get"):
        raise EngineUnavailable(
            f"{found}, and only Debian's and Ubuntu's packages are installed by themselves; "
            "install Docker as https://docs.docker.com/engine/install/ says and start it"
        )
    if os.geteuid() != 0:
        raise EngineUnavailable(f"{found}, and only root can install packages; type `sudo sh -c '{command}'`")
    with progress.step(f"install {packages or 'docker-cli'} from the distribution"):
        try:
            _install(packages.split())
        except (CommandFailed, DeadlineExceeded) as error:
            raise EngineUnavailable(f"{found}; `{command}` failed: {error}") from error
    if missing():
        raise EngineUnavailable(f"after `{command}` there is still no {', '.join(missing())}")


def _install(packages: list[str]) -> None:
    deadline = Deadline.after(_APT_SECONDS, "apt to install a container engine")
    environment = {"DEBIAN_FRONTEND": "noninteractive"}
    lock = ["-o", "DPkg::Lock::Timeout=300"]
    install = ["apt-get", *lock, "install", "--yes", "--no-install-recommends", "--no-remove"]
    run(["apt-get", *lock, "update"], deadline, env=environment)
    enabled = _enabled()
    with no_daemon_starts(_POLICY):
        if packages:
            run([*install, *packages], deadline, env=environment)
        if not program("docker"):  # a package of its own since Debian 13
            run([*install, _PROGRAMS["docker"]], deadline, env=environment)
    for link in _enabled() - enabled:
        link.unlink()


@contextmanager
def no_daemon_starts(policy: Path) -> Iterator[None]:
    """Keep package scripts from starting services during the block, by Debian's own means for that.

    A policy that was there comes back afterwards, also one that an interrupted run left put aside.
    """
    saved = policy.with_name(f"{policy.name}.chaos-harness-saved")
    if policy.exists() and not saved.exists() and _MARK not in policy.read_text(errors="replace"):
        policy.rename(saved)
    policy.write_text(f"#!/bin/sh\n{_MARK}exit 101\n")
    policy.chmod(0o755)
    try:
        yield
    finally:
        policy.unlink()
        if saved.exists():
            saved.rename(policy)


def _enabled() -> set[Path]:
    # A name without a wildcard would be looked up through the link, and one whose unit is gone not be found.
    return {link for link in _WANTS.glob("*.wants/*") if link.name in _UNITS}
