"""Pods: the states of each pod that the watch reported, from first to last, and when they are not certain."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from math import inf

from chaos_harness.harness.history.coverage import Coverage
from chaos_harness.harness.history.following import Take
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
    """What a pod's status said at one moment; `running` are the ids of its running containers."""

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
    """All that was seen of one pod; `webhook` is whether it is one of those that serve admission.

    `born` is whether its creation was seen: if not, it existed before it was first seen.
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
        """Return when it was in such a state, as reported: each state lasts until the next report."""
        ends = [sighting.at for sighting in self.seen[1:]] + [inf]
        return Spans.of(
            (sighting.at, end) for sighting, end in zip(self.seen, ends, strict=False) if fits(sighting.pod)
        )

    @property
    def moments(self) -> list[float]:
        """When something was reported of it."""
        return [sighting.at for sighting in self.seen]


class Pods:
    """The pods of one watch; a reader (see `following`)."""

    def __init__(self, process: str = WATCH_PODS) -> None:
        self.process = process
        self.lives: dict[str, PodLife] = {}
        """By uid, in the order in which they were first seen."""

    def takes(self, process: str) -> Take | None:
        """Return what takes the entries of a process."""
        return self._take if process == self.process else None

    def close(self, end: float) -> None:
        """Take notice of the end."""

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
    """Return when, between two moments, it is not sure what a watch would have told of one object.

    So it is where something may be missing, and where nothing is, but something was told of it (at one of these
    `moments`) whose true moment is not known.
    """
    known = tuple(moments)
    late = coverage.delayed([stream])
    hidden = Spans(tuple(part for part in late if any(part[0] <= moment <= part[1] for moment in known)))
    return coverage.unknown([stream], begin, end) | hidden.within(begin, end)
