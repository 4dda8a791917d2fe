"""apt: installs packages of Debian or Ubuntu without starting their services."""

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.errors import CommandFailed, DeadlineExceeded, HarnessError
from chaos_harness.clusters.machine import installed, traces
from chaos_harness.clusters.machine.locking import hold_lock, try_lock
from chaos_harness.clusters.machine.process import run
from chaos_harness.clusters.terminal.progress import Progress

__all__ = ["block_daemon_starts", "heal", "install", "try_lock_apt"]

_POLICY = Path("/usr/sbin/policy-rc.d")
_DPKG_LOCK = Path("/var/lib/dpkg/lock-frontend")
_TRACE = "policy-rc.d"
_MARK = "# written by chaos-harness while it installs packages; safe to remove\n"
_SECONDS = 900


def install(packages: Sequence[str], progress: Progress, *, lack: str, elsewhere: str) -> None:
    """Install packages; no installed package is removed, and nothing is started. What comes is recorded before.

    `lack` names what is missing on this machine, `elsewhere` what to do on a machine without apt. Raises HarnessError
    with the command to type if this is not Debian or a relative, this user is not root, or apt fails.
    """
    names = " ".join(packages)
    command = f"apt-get update && apt-get install --no-install-recommends {names}"
    if not shutil.which("apt-get"):
        raise HarnessError(f"{lack}, and packages are installed automatically on Debian and Ubuntu only; {elsewhere}")
    if os.geteuid() != 0:
        raise HarnessError(f"{lack}, and only root can install packages; type `sudo sh -c '{command}'`")
    with progress.step(f"install {names} from the distribution"):
        try:
            _run_apt(packages)
        except (CommandFailed, DeadlineExceeded) as error:
            raise HarnessError(f"{lack}; `{command}` failed: {error}") from error


@contextmanager
def block_daemon_starts(policy: Path) -> Iterator[None]:
    """Keep package scripts from starting services during the block, by Debian's policy-rc.d.

    An existing policy is saved and restored afterwards, also one that a killed run saved. Raises HarnessError, with
    nothing touched, if the machine has two policies of its own.
    """
    saved = _saved_path(policy)
    own = os.path.lexists(policy) and not _is_ours(policy)
    if own and os.path.lexists(saved):
        raise HarnessError(
            f"{policy}: expected one policy, found another one saved in {saved}; "
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
    """Remove a policy that a killed run left, once no apt runs; return what was done, as text."""
    left = any(trace.what == _TRACE for trace in traces.pending())
    if not left and not _is_ours(_POLICY) and not os.path.lexists(_saved_path(_POLICY)):
        return []
    with try_lock_apt() as quiet:
        return _restore(_POLICY) if quiet else []


@contextmanager
def try_lock_apt() -> Iterator[bool]:
    """Yield whether no apt runs; if so, no other process of ours starts one during the block."""
    with try_lock(str(_apt_lock())) as free:
        yield free and not _is_apt_running()


def _restore(policy: Path) -> list[str]:
    """Restore the machine's own policy; a file that is not ours is never removed or replaced."""
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
    """Return the installation lock: one for the machine, whatever $XDG_STATE_HOME is, since the policy exists once."""
    traces.HOME.mkdir(mode=0o700, parents=True, exist_ok=True)
    return traces.HOME / "apt.lock"


def _is_apt_running() -> bool:
    """Whether any apt runs, even if its harness was killed: it holds dpkg's lock until it ends."""
    with contextlib.suppress(FileNotFoundError), _DPKG_LOCK.open("r+b") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


def _run_apt(packages: Sequence[str]) -> None:
    deadline = Deadline.after(_SECONDS, f"apt to install {' '.join(packages)}")
    environment = {"DEBIAN_FRONTEND": "noninteractive"}
    run(["apt-get", *installed.LOCK, "update"], deadline, env=environment)
    with (
        hold_lock(str(_apt_lock()), deadline),
        block_daemon_starts(_POLICY),
    ):  # the policy of two would go with the first
        options = ["--no-install-recommends", "--no-remove"]
        simulated = run(["apt-get", "--simulate", "install", *options, *packages], deadline, env={"LC_ALL": "C"}).stdout
        installed.record(installed.new_packages(simulated))
        run(["apt-get", *installed.LOCK, "install", "--yes", *options, *packages], deadline, env=environment)
