"""Distribution: installs packages of Debian or Ubuntu, without the services that come with them starting."""

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from clusters.deadline import Deadline
from clusters.errors import CommandFailed, DeadlineExceeded, HarnessError
from clusters.locking import locked
from clusters.process import run
from clusters.progress import Progress

__all__ = ["install", "no_daemon_starts"]

_POLICY = Path("/usr/sbin/policy-rc.d")
_MARK = "# written by chaos-harness while it installs packages; safe to remove\n"
_SECONDS = 900
_LOCK = ("-o", "DPkg::Lock::Timeout=300")


def install(packages: Sequence[str], progress: Progress, *, lack: str, elsewhere: str) -> None:
    """Install packages; nothing that is installed is removed or started.

    `lack` is what is not on this machine, `elsewhere` what is to be done where there is no apt. Raises HarnessError
    with the command to type when this machine is not Debian's kin, this is not root, or apt fails.
    """
    names = " ".join(packages)
    command = f"apt-get update && apt-get install --no-install-recommends {names}"
    if not shutil.which("apt-get"):
        raise HarnessError(f"{lack}, and only Debian's and Ubuntu's packages are installed by themselves; {elsewhere}")
    if os.geteuid() != 0:
        raise HarnessError(f"{lack}, and only root can install packages; type `sudo sh -c '{command}'`")
    with progress.step(f"install {names} from the distribution"):
        try:
            _apt(packages)
        except (CommandFailed, DeadlineExceeded) as error:
            raise HarnessError(f"{lack}; `{command}` failed: {error}") from error


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


def _apt(packages: Sequence[str]) -> None:
    deadline = Deadline.after(_SECONDS, f"apt to install {' '.join(packages)}")
    environment = {"DEBIAN_FRONTEND": "noninteractive"}
    run(["apt-get", *_LOCK, "update"], deadline, env=environment)
    with locked("apt", deadline), no_daemon_starts(_POLICY):  # the policy of two would go with the first
        options = ["--yes", "--no-install-recommends", "--no-remove"]
        run(["apt-get", *_LOCK, "install", *options, *packages], deadline, env=environment)
