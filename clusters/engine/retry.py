"""Retry: repeats engine commands that are refused at first because the container is busy."""

from collections.abc import Sequence
from dataclasses import dataclass

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine
from chaos_harness.clusters.engine.freezer import cgroups_of, thaw
from chaos_harness.clusters.errors import CommandFailed
from chaos_harness.clusters.retrying import retry

__all__ = ["retry_while_busy"]

_NOT_FROZEN = "unable to freeze"
_UNDEAD = "did not receive an exit event"
_ENDED = "is not running"
_FIRST_PAUSE_SECONDS = 0.5


class _Busy(CommandFailed):
    """The engine refused because a container is busy; it need not be so a little later."""


def retry_while_busy(engine: Engine, verb: Sequence[str], containers: Sequence[str], deadline: Deadline) -> None:
    """Run `verb` ("pause", "kill --signal KILL") on the containers, again and again while they are busy.

    A pause fails while the container's processes do not stand still, and a kill has no effect while runc holds a cgroup
    in it frozen. Raises CommandFailed if the engine refuses for another reason, DeadlineExceeded.
    """
    command = _Command(engine, verb, deadline, list(containers))
    retry(command.run, deadline, passes=lambda error: isinstance(error, _Busy), first=_FIRST_PAUSE_SECONDS)


@dataclass
class _Command:
    engine: Engine
    verb: Sequence[str]
    deadline: Deadline
    left: list[str]
    undead: bool = False
    """Whether a container of the last attempt did not die because it is frozen."""

    def run(self) -> None:
        done = self.engine.run([*self.verb, *self.left], self.deadline, check=False)
        if done.returncode == 0 or (self.undead and _ENDED in done.stderr):
            return
        self.left = [container for container in self.left if container not in done.stdout.split()]
        words = f"`docker {' '.join([*self.verb, *self.left])}`"
        self.undead = _UNDEAD in done.stderr
        if self.undead:
            self._thaw()
        elif _NOT_FROZEN not in done.stderr:
            raise CommandFailed(f"{words}: {done.stderr.strip()}")
        raise _Busy(f"{words} is refused: {done.stderr.strip()}")

    def _thaw(self) -> None:
        inspected = self.engine.run(["inspect", "--format", "{{.Id}}", *self.left], self.deadline, check=False)
        for identity in inspected.stdout.split():
            thaw(cgroups_of(identity))
