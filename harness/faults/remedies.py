"""Remedies: the undos of one fault, promised in the journal before the harm and done when it heals."""

from collections.abc import Callable
from typing import Any

from clusters.deadline import Deadline
from clusters.engine import Engine
from clusters.process import Completed
from harness.journal import Journal, Undo

__all__ = ["IPTABLES", "KUBECTL", "Remedies", "in_container"]

KUBECTL = ("kubectl", "--kubeconfig", "/etc/kubernetes/admin.conf")
"""kubectl as it is called on a control plane, where an undo needs nothing of the machine that it runs on."""

IPTABLES = ("iptables", "-w", "5")
"""iptables as it is called on a node: it waits for others that change rules."""

Action = Callable[..., object]

_SECONDS = 60.0
_GONE = ("no such container", "is not running")


class Remedies:
    """What takes one fault's harm back, oldest first."""

    def __init__(self) -> None:
        self._promised: list[tuple[int, Action, dict[str, Any]]] = []

    def promise(self, journal: Journal, name: str, action: Action, /, **arguments: Any) -> None:
        """Journal that `action`, registered as the undo `name`, takes back what is about to be done."""
        self._promised.append((journal.record(Undo(name, arguments)), action, arguments))

    def keep(self, engine: Engine, journal: Journal) -> None:
        """Do all that was promised and is not done yet, newest first, and note it in the journal."""
        while self._promised:
            number, action, arguments = self._promised[-1]
            action(engine, **arguments)
            journal.done(number)
            self._promised.pop()


def in_container(engine: Engine, container: str, *argv: str, seconds: float = _SECONDS) -> Completed | None:
    """Run `argv` in a container for an undo; None if it is gone or stopped, and the harm with it.

    The status may be anything: the caller knows which ones mean "undone already". Raises DeadlineExceeded.
    """
    deadline = Deadline.after(seconds, f"`{' '.join(argv)}` in {container}")
    done = engine.run(["exec", container, *argv], deadline, check=False)
    if done.returncode and any(word in done.stderr.lower() for word in _GONE):
        return None
    return done
