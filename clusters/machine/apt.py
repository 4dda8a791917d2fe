"""Distribution: installs packages of Debian or Ubuntu, without the services that come with them starting."""

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.errors import CommandFailed, DeadlineExceeded, HarnessError
from chaos_harness.clusters.machine import traces
from chaos_harness.clusters.machine.locking import hold_lock, try_lock
from chaos_harness.clusters.machine.process import run
from chaos_harness.clusters.terminal.progress import Progress

__all__ = ["block_daemon_starts", "heal", "install", "try_lock_apt"]

_POLICY = Path("/usr/sbin/policy-rc.d")
_DPKG_LOCK = Path("/var/lib/dpkg/lock-frontend")
_TRACE = "policy-rc.d"
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
            _run_apt(packages)
        except (CommandFailed, DeadlineExceeded) as error:
            raise HarnessError(f"{lack}; `{command}` failed: {error}") from error


@contextmanager
def block_daemon_starts(policy: Path) -> Iterator[None]:
    """Keep package scripts from starting services during the block, by Debian's own means for that.

    A policy that was there is put aside and comes back afterwards, also one that a killed run has put aside. Raises
    HarnessError, with nothing touched, when there are two of the machine's own.
    """
    saved = _saved_path(policy)
    own = os.path.lexists(policy) and not _is_ours(policy)
    if own and os.path.lexists(saved):
        raise HarnessError(
            f"{policy}: expected one policy, found another one put aside in {saved}; "
            f"keep the one that you want: `mv {saved} {policy}` or `rm {saved}`"
        )
    traces.record(_TRACE, before=str(saved), after="", holder=str(policy), volatile=False)
    try:
        if own:
            policy.rename(saved)
        unfinished = _unfinished_path(policy)
        unfinished.write_text(f"#!/bin/sh\n{_MARK}exit 101\n")
        unfinished.chmod(0o755)
        unfinished.replace(policy)
        yield
    finally:
        _restore(policy)


def heal() -> list[str]:
    """Take away a policy that a killed run has left, once no apt runs, and return what was done, in words."""
    left = any(trace.what == _TRACE for trace in traces.pending())
    if not left and not _is_ours(_POLICY) and not os.path.lexists(_saved_path(_POLICY)):
        return []
    with try_lock_apt() as quiet:
        return _restore(_POLICY) if quiet else []


@contextmanager
def try_lock_apt() -> Iterator[bool]:
    """Yield whether no apt runs, and no other process of ours is about to run one during the block."""
    with try_lock(str(_apt_lock())) as free:
        yield free and not _is_apt_running()


def _restore(policy: Path) -> list[str]:
    """Bring the machine's own policy back; a file that is not ours is never removed, nor replaced."""
    ours, saved = _is_ours(policy), _saved_path(policy)
    _unfinished_path(policy).unlink(missing_ok=True)
    if ours:
        policy.unlink()
    brought = os.path.lexists(saved) and not os.path.lexists(policy)
    if brought:
        saved.rename(policy)
    traces.put_back(str(policy), lambda trace: trace.what == _TRACE)
    return [f"policy {policy}, which kept services from starting"] if ours or brought else []


def _is_ours(policy: Path) -> bool:
    try:
        return _MARK in policy.read_text(errors="replace")
    except OSError:
        return False


def _saved_path(policy: Path) -> Path:
    return policy.with_name(f"{policy.name}.chaos-harness-saved")


def _unfinished_path(policy: Path) -> Path:
    return policy.with_name(f".{policy.name}.chaos-harness")


def _apt_lock() -> Path:
    """Return the lock of who installs: one for the machine, as there is one policy, whatever $XDG_STATE_HOME says."""
    traces.HOME.mkdir(mode=0o700, parents=True, exist_ok=True)
    return traces.HOME / "apt.lock"


def _is_apt_running() -> bool:
    """Whether any apt works, one whose harness was killed included: it holds dpkg's lock until it has ended."""
    with contextlib.suppress(FileNotFoundError), _DPKG_LOCK.open("r+b") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


def _run_apt(packages: Sequence[str]) -> None:
    deadline = Deadline.after(_SECONDS, f"apt to install {' '.join(packages)}")
    environment = {"DEBIAN_FRONTEND": "noninteractive"}
    run(["apt-get", *_LOCK, "update"], deadline, env=environment)
    with (
        hold_lock(str(_apt_lock()), deadline),
        block_daemon_starts(_POLICY),
    ):  # the policy of two would go with the first
        options = ["--yes", "--no-install-recommends", "--no-remove"]
        run(["apt-get", *_LOCK, "install", *options, *packages], deadline, env=environment)
