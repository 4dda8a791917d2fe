"""Commands: what undos run in containers, directly or through kubectl on a control plane."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

from chaos_harness.clusters.checkout import command_line
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine
from chaos_harness.clusters.machine.process import CommandResult
from chaos_harness.harness.errors import CommandDenied, CommandFailed, DeadlineExceeded
from chaos_harness.harness.undo.denials import who_denied

__all__ = ["KUBECTL", "Ending", "control_plane_arguments", "run_in_container", "undo_by_kubectl"]

KUBECTL = ("kubectl", "--kubeconfig", "/etc/kubernetes/admin.conf")
"""kubectl on a control plane; so an undo needs nothing of this machine."""

Ending = Literal["stop", "removal"]

_SECONDS = 60.0
_GONE = re.compile(r"^error(?: response from daemon)?: no such container", re.IGNORECASE | re.MULTILINE)
_STOPPED = re.compile(r"^error(?: response from daemon)?: container \S+ is not running", re.IGNORECASE | re.MULTILINE)
_PAUSED = re.compile(r"^error(?: response from daemon)?: container \S+ is paused", re.IGNORECASE | re.MULTILINE)
_UNREACHED = re.compile(
    r"connection to the server|unable to connect to the server|connection refused|i/o timeout|handshake timeout"
    r"|no route to host|context deadline exceeded|unexpected eof|etcdserver: ",
    re.IGNORECASE,
)
_NOTHING_LEFT = ("notfound", "havearesourcetype", "alreadyexists")


def control_plane_arguments(cluster: Cluster, last: str = "") -> dict[str, Any]:
    """Return the control planes as arguments of an undo by kubectl; the one that is harmed (`last`) is tried last."""
    first, *others = sorted(cluster.control_planes, key=lambda plane: plane == last)
    return {"control_plane": first, "others": others}


def run_in_container(
    engine: Engine, container: str, *argv: str, ended_by: Ending, seconds: float = _SECONDS
) -> CommandResult | None:
    """Run `argv` in a container for an undo; None if the harm is gone with the container.

    It is `ended_by` the container's "stop" if it is in the kernel (packet filters, limits of processes); it lasts until
    the container's "removal" if it is in a file or a volume. The status may be anything: the caller knows which ones
    mean "undone already"; for all others the reason is in `stderr`. Raises CommandFailed (stopped, and the harm is
    still in it), DeadlineExceeded.
    """
    deadline = Deadline.after(seconds, f"`{' '.join(argv)}` in {container}")
    done = engine.run(["exec", container, *argv], deadline, check=False)
    if not done.returncode:
        return done
    if _GONE.search(done.stderr) or (ended_by == "stop" and _STOPPED.search(done.stderr)):
        return None
    if _STOPPED.search(done.stderr):
        raise CommandFailed(
            f"`{' '.join(argv)}` in {container}: it is stopped, what was done is still in it; "
            f"`docker --host {engine.host} start {container}`, then `{command_line('gc')}`"
        )
    # Docker may say on stdout that there is no such program: 28.2 does, of an engine of 20.10.
    return done if done.stderr else replace(done, stderr=done.stdout)


def undo_by_kubectl(
    engine: Engine,
    control_plane: str,
    others: Sequence[str],
    *argv: str,
    seconds: float = _SECONDS,
    stdin: str | None = None,
) -> CommandResult | None:
    """Run kubectl for an undo on a control plane, or on another one if that is down; None if all of them are gone.

    All control planes share the state that it changes: a stopped or missing control plane ends no harm. Nothing is left
    to do if the object, or its kind, does not exist any more, or if an object to create exists already. Raises
    CommandDenied (by an admission policy), CommandFailed (no control plane runs, or kubectl failed for another reason),
    DeadlineExceeded.
    """
    options = ["--interactive"] if stdin is not None else []
    words = f"`kubectl {' '.join(argv)}`"
    last: CommandResult | DeadlineExceeded | None = None
    down = []
    for plane in (control_plane, *others):
        deadline = Deadline.after(seconds, f"{words} on {plane}")
        try:
            done = engine.run(["exec", *options, plane, *KUBECTL, *argv], deadline, check=False, stdin=stdin)
        except DeadlineExceeded as error:
            last = error
            continue
        if done.returncode and _GONE.search(done.stderr):
            continue
        if done.returncode and (_STOPPED.search(done.stderr) or _PAUSED.search(done.stderr)):
            down.append(plane)
            continue
        last = done
        if not done.returncode or not _UNREACHED.search(done.stderr):
            break
    if isinstance(last, DeadlineExceeded):
        raise last
    if last is None and down:
        raise CommandFailed(
            f"{words}: {', '.join(down)} stopped or paused, and no control plane is left to ask; "
            f"`docker --host {engine.host} start {down[0]}`, then `{command_line('gc')}`"
        )
    if last is not None and last.returncode:
        _require_nothing_left(f"{words} on {control_plane}", last.stderr.strip())
    return last


def _require_nothing_left(what: str, said: str) -> None:
    """Raise CommandDenied or CommandFailed unless kubectl failed because its work is done already."""
    if by := who_denied(said):
        raise CommandDenied(f"{what}: {said}", by=by)
    letters = "".join(said.lower().split())
    if not any(word in letters for word in _NOTHING_LEFT):
        raise CommandFailed(f"{what}: {said}")
