"""Pods: the states of each pod that the watch reported, from first to last, and when they are not certain."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from math import inf

from chaos_harness.harness.history.coverage import Coverage
from chaos_harness.harness.history.following import Reader, Take
from chaos_harness.harness.history.objects import (
    Object,
    is_ready,
    is_terminating,
    labels,
    name_of,
    node_of,
    owner_uid,
    restarts,
    running,
    uid_of,
    waiting,
)
from chaos_harness.harness.history.recorded import Entry
from chaos_harness.harness.history.spans import Spans
from chaos_harness.harness.history.vocabulary import ADDED, DELETED, WATCH_PODS

__all__ = ["Pod", "PodLife", "Pods", "doubt"]

_OPERATION = "gatekeeper.sh/operation"


@dataclass(frozen=True)
class Pod:
    """A pod's status at one moment; `running` are the ids of its running containers."""

    ready: bool
    running: tuple[str, ...]
    restarts: int
    waiting: str
    deleted: bool


@dataclass(frozen=True)
class Sighting:
    """A state of a pod, and when the watch reported it, in seconds of the history."""

    at: float
    pod: Pod


@dataclass
class PodLife:
    """All reported states of one pod; `webhook` is whether it serves admission.

    `born` is whether its creation was seen: if not, it existed before its first report.
    """

    uid: str
    name: str
    owner: str
    webhook: bool
    born: bool
    node: str = ""
    seen: list[Sighting] = field(default_factory=list)

    def at(self, moment: float) -> Pod | None:
        """Return the last state that was reported up to `moment`; None if there is none."""
        return next((sighting.pod for sighting in reversed(self.seen) if sighting.at <= moment), None)

    def when(self, fits: Callable[[Pod], bool]) -> Spans:
        """Return when its reported state `fits`; each state lasts until the next report."""
        ends = [sighting.at for sighting in self.seen[1:]] + [inf]
        return Spans.of(
            (sighting.at, end) for sighting, end in zip(self.seen, ends, strict=False) if fits(sighting.pod)
        )

    @property
    def moments(self) -> list[float]:
        """The moments at which a state of it was reported."""
        return [sighting.at for sighting in self.seen]


class Pods(Reader):
    """The pods of one watch; a reader (see `following`)."""

    def __init__(self, process: str = WATCH_PODS) -> None:
        self.process = process
        self.lives: dict[str, PodLife] = {}
        """By uid, in the order in which they were first seen."""

    def takes(self, process: str) -> Take | None:
        """Return the function that takes the entries of a process, or None."""
        return self._take if process == self.process else None

    def _take(self, entry: Entry) -> None:
        thing: Object | None = (entry.value or {}).get("object")
        if thing is None or not uid_of(thing):
            return
        uid = uid_of(thing)
        life = self.lives.get(uid)
        if life is None:
            webhook = labels(thing).get(_OPERATION) == "webhook"
            life = self.lives[uid] = PodLife(uid, name_of(thing), owner_uid(thing), webhook, entry.f == ADDED)
        life.node = node_of(thing) or life.node
        gone = entry.f == DELETED or is_terminating(thing)
        pod = Pod(is_ready(thing), running(thing), restarts(thing), waiting(thing), gone)
        if not life.seen or life.seen[-1].pod != pod:
            life.seen.append(Sighting(entry.at, pod))


def doubt(coverage: Coverage, stream: str, begin: float, end: float, moments: Iterable[float]) -> Spans:
    """Return when, between two moments, the state of one object is uncertain.

    That is where a report may be missing, or where one exists (at one of these `moments`) whose true moment is
    unknown.
    """
    known = tuple(moments)
    late = coverage.delayed([stream])
    hidden = Spans(tuple(part for part in late if any(part[0] <= moment <= part[1] for moment in known)))
    return coverage.unknown([stream], begin, end) | hidden.within(begin, end)
