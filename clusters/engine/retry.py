"""Retry: repeats engine commands that are refused at first because the container is busy."""

from collections.abc import Sequence

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine
from chaos_harness.clusters.engine.freezer import cgroups_of, thaw
from chaos_harness.clusters.errors import CommandFailed

__all__ = ["retry_while_busy"]

_NOT_FROZEN = "unable to freeze"
_UNDEAD = "did not receive an exit event"
_ENDED = "is not running"


def retry_while_busy(engine: Engine, verb: Sequence[str], containers: Sequence[str], deadline: Deadline) -> None:
    """Run `verb` ("pause", "kill --signal KILL") on the containers, again and again while they are busy.

    A pause fails while the container's processes do not stand still, and a kill has no effect while runc holds a cgroup
    in it frozen. Raises CommandFailed if the engine refuses for another reason, DeadlineExceeded.
    """
    left, undead = list(containers), False
    for _ in deadline.attempts(first=0.5):
        done = engine.run([*verb, *left], deadline, check=False)
        if done.returncode == 0 or (undead and _ENDED in done.stderr):
            return
        left = [container for container in left if container not in done.stdout.split()]
        if undead := _UNDEAD in done.stderr:
            inspected = engine.run(["inspect", "--format", "{{.Id}}", *left], deadline, check=False)
            for identity in inspected.stdout.split():
                thaw(cgroups_of(identity))
        elif _NOT_FROZEN not in done.stderr:
            raise CommandFailed(f"`docker {' '.join([*verb, *left])}`: {done.stderr.strip()}")
    raise deadline.error(f"`docker {' '.join([*verb, *left])}` is refused: {done.stderr.strip()}")
