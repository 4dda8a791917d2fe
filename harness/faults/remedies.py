"""Remedies: the undos of one fault, promised in the journal before the harm and done when it heals."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import Any, Literal

from clusters.cluster import Cluster
from clusters.deadline import Deadline
from clusters.engine import Engine
from clusters.process import Completed
from harness.errors import CommandFailed, DeadlineExceeded, UndoFailed
from harness.journal import Journal, Undo

__all__ = ["IPTABLES", "KUBECTL", "Ending", "Remedies", "in_container", "kubectl", "merged", "planes", "standing"]

KUBECTL = ("kubectl", "--kubeconfig", "/etc/kubernetes/admin.conf")
"""kubectl as it is called on a control plane, where an undo needs nothing of the machine that it runs on."""

IPTABLES = ("iptables", "-w", "5")
"""iptables as it is called on a node: it waits for others that change rules."""

Action = Callable[..., object]
Ending = Literal["stop", "removal"]

_SECONDS = 60.0
_PLANES = ("control_plane", "others")
_GONE = re.compile(r"^error(?: response from daemon)?: no such container", re.IGNORECASE | re.MULTILINE)
_STOPPED = re.compile(r"^error(?: response from daemon)?: container \S+ is not running", re.IGNORECASE | re.MULTILINE)
_PAUSED = re.compile(r"^error(?: response from daemon)?: container \S+ is paused", re.IGNORECASE | re.MULTILINE)
_UNREACHED = re.compile(
    r"connection to the server|unable to connect to the server|connection refused|i/o timeout|handshake timeout"
    r"|no route to host|context deadline exceeded|unexpected eof|etcdserver: ",
    re.IGNORECASE,
)


class Remedies:
    """What takes one fault's harm back, oldest first."""

    def __init__(self) -> None:
        self._promised: list[tuple[int, Undo, Action]] = []

    @property
    def pending(self) -> bool:
        """Whether something is promised and not done yet."""
        return bool(self._promised)

    def promise(
        self,
        journal: Journal,
        name: str,
        action: Action,
        /,
        *,
        harm: Mapping[str, Any] | None = None,
        **arguments: Any,
    ) -> None:
        """Journal that `action`, registered as the undo `name`, takes back what is about to be done.

        With a `harm`, other faults may harm the same target meanwhile, and whoever heals last gives back what was
        there before the first of them: the arguments say that (see `standing`). `harm` is what this fault does
        instead, in the undo's own arguments; it is empty if all do the same.
        """
        entry = Undo(name, arguments, harm)
        self._promised.append((journal.record(entry), entry, action))

    def keep(self, engine: Engine, journal: Journal) -> list[Mapping[str, Any]]:
        """Do all that was promised and is not done yet, newest first, and note it in the journal.

        Where another fault still harms the same target, what that one does is left, or put there. Returns the arguments
        of what was done. Every undo is tried before one that failed is raised; of several, UndoFailed tells all.
        """
        done: list[Mapping[str, Any]] = []
        failed: list[Exception] = []
        for promise in reversed(self._promised[:]):
            number, entry, action = promise
            try:
                arguments = _beside_others(journal, number, entry)
                if arguments is not None:
                    action(engine, **arguments)
                    done.append(arguments)
                journal.done(number)
            except Exception as error:  # noqa: BLE001 - whatever it was, it must not keep the others from being tried
                failed.append(error)
            else:
                self._promised.remove(promise)
        if len(failed) > 1:
            told = "\n".join(f"{type(error).__name__}: {error}" for error in failed)
            raise UndoFailed(f"{len(failed)} undos could not be done or noted:\n{told}\n`nox -s gc` tries again")
        if failed:
            raise failed[0]
        return done


def standing(journal: Journal, name: str, /, **target: Any) -> list[Undo]:
    """Return the undos `name` of a target that are promised and not done, oldest first: it is harmed already.

    Their arguments say what was there before; what can be read of the target now is their harm.
    """
    return [each for each in journal.promised(name).values() if target.items() <= dict(each.arguments).items()]


def merged(into: Any, patch: Any) -> Any:
    """Return two merge patches as one, by which the second counts more; what it takes out (null) stays in it."""
    if not isinstance(into, Mapping) or not isinstance(patch, Mapping):
        return patch
    return {**into, **{name: merged(into.get(name), value) for name, value in patch.items()}}


def planes(cluster: Cluster, last: str = "") -> dict[str, Any]:
    """Return the control planes as arguments of an undo that goes through `kubectl`; the one that is hit comes last."""
    first, *others = sorted(cluster.control_planes, key=lambda each: each == last)
    return {"control_plane": first, "others": others}


def in_container(
    engine: Engine, container: str, *argv: str, ended_by: Ending, seconds: float = _SECONDS
) -> Completed | None:
    """Run `argv` in a container for an undo; None if the harm is gone with the container.

    It is `ended_by` the container's "stop" if it is in the kernel (packet filters, limits of processes); it lasts until
    the container's "removal" if it is in a file or a volume. The status may be anything: the caller knows which ones
    mean "undone already". Raises CommandFailed (stopped, and the harm is still in it), DeadlineExceeded.
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
            f"`docker --host {engine.host} start {container}`, then `nox -s gc`"
        )
    return done


def kubectl(
    engine: Engine,
    control_plane: str,
    others: Sequence[str],
    *argv: str,
    seconds: float = _SECONDS,
    stdin: str | None = None,
) -> Completed | None:
    """Run kubectl for an undo on a control plane, or on another one if that is down; None if all of them are gone.

    What it changes is kept by all control planes: that one of them is stopped or missing ends no harm. Raises
    CommandFailed (none of them runs), DeadlineExceeded.
    """
    interactive = ["--interactive"] if stdin is not None else []
    last: Completed | DeadlineExceeded | None = None
    down = []
    for plane in (control_plane, *others):
        deadline = Deadline.after(seconds, f"`kubectl {' '.join(argv)}` on {plane}")
        try:
            done = engine.run(["exec", *interactive, plane, *KUBECTL, *argv], deadline, check=False, stdin=stdin)
        except DeadlineExceeded as error:
            last = error
            continue
        if done.returncode and _GONE.search(done.stderr):
            continue
        if done.returncode and (_STOPPED.search(done.stderr) or _PAUSED.search(done.stderr)):
            down.append(plane)
            continue
        if not done.returncode or not _UNREACHED.search(done.stderr):
            return done
        last = done
    if isinstance(last, DeadlineExceeded):
        raise last
    if last is None and down:
        raise CommandFailed(
            f"`kubectl {' '.join(argv)}`: {', '.join(down)} stopped or paused, and no control plane is left to ask; "
            f"`docker --host {engine.host} start {down[0]}`, then `nox -s gc`"
        )
    return last


def _beside_others(journal: Journal, number: int, entry: Undo) -> Mapping[str, Any] | None:
    """Return the arguments with which to do an undo while others may harm its target, None if one does the same."""
    if entry.harm is None:
        return entry.arguments
    free = (*_PLANES, *entry.harm)
    target = {name: value for name, value in entry.arguments.items() if name not in free}
    others = [
        each
        for other, each in journal.promised(entry.action).items()
        if other != number and each.harm is not None and target.items() <= dict(each.arguments).items()
    ]
    if others and not entry.harm:
        return None
    return reduce(merged, (each.harm for each in others), entry.arguments)
