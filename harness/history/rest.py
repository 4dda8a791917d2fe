"""Rest: when nothing was asked for, no fault was under way, and no pod of Gatekeeper changed, for some seconds."""

from collections.abc import Iterable
from math import inf

from chaos_harness.harness.history.coverage import Coverage
from chaos_harness.harness.history.faults import Faults, FaultSpan
from chaos_harness.harness.history.following import Reader, Take, follow
from chaos_harness.harness.history.lists import Lists
from chaos_harness.harness.history.own_objects import LISTS
from chaos_harness.harness.history.pods import Pod, Pods, doubt
from chaos_harness.harness.history.recorded import Entry, History
from chaos_harness.harness.history.spans import Span, Spans
from chaos_harness.harness.history.vocabulary import (
    APPLY,
    CONSTRAINTS,
    HARM,
    IN_FORCE,
    POLICIES,
    RACE,
    REMOVE,
    REMOVED,
    WATCH_PODS,
    WATCH_TEMPLATES,
)
from chaos_harness.harness.history.writes import ObjectWrite, Writes

__all__ = ["Rest"]

_ENDS = {APPLY: IN_FORCE, REMOVE: REMOVED}
_INSTANT = 1e-3
"""The length in seconds of what was done at once."""


class Rest:
    """When a cluster was at rest: `sure` for certain, `maybe` perhaps, and what was written at any time.

    Nothing was done for `seconds` then: no policy was applied or removed, no fault was under way, the experiment wrote
    none of Gatekeeper's objects, and its pods stayed Ready and as they were.
    """

    def __init__(self, recorded: History, seconds: float) -> None:
        self.coverage = coverage = Coverage(recorded)
        writes, faults, asked, pods = Writes(coverage), Faults(), _AskedFor(), Pods()
        lists = Lists(coverage, lambda process: process == WATCH_TEMPLATES)
        follow(recorded, coverage, writes, faults, asked, pods, lists)
        self.writes, self._templates = writes.all, lists[WATCH_TEMPLATES]
        end = coverage.until if coverage.ended else inf
        done = Spans.of(_extended([(0.0, _INSTANT), *asked.spans(), *map(_harm, faults.all)], seconds))
        changed = Spans.of(_extended(_changes(pods), seconds))
        unsure = Spans.of(_extended(_doubts(coverage, pods), seconds))
        self.maybe = Spans.of([(0.0, end)]) - done - (changed - unsure) - _wrote(self.writes, seconds, sure=True)
        lost = min((begin for begin, _ in coverage.lost), default=inf)  # it may have been another fault's begin
        sure = self.maybe.within(0.0, min(coverage.surely_until, lost))
        self.sure = sure - changed - unsure - _wrote(self.writes, seconds, sure=False)

    def unseen(self) -> dict[str, Spans]:
        """Return, for each watch of which a write may be missing, when that may be at a time of rest.

        While there is surely no template of a name, it has no constraints, and their list need not be there.
        """
        absent = dict.fromkeys(LISTS, Spans())
        absent |= {f"{CONSTRAINTS}{name}": self._templates.known(name).no for name in self._templates.turns}
        unseen = {one: (self.coverage.unknown([one], 0.0, inf) & self.maybe) - none for one, none in absent.items()}
        return {process: spans for process, spans in unseen.items() if spans}


class _AskedFor(Reader):
    """When policies were put in force, or removed, and when the experiment marked that it did something else."""

    def __init__(self) -> None:
        self._all: list[Span] = []
        self._open: dict[str, float] = {}

    def spans(self) -> list[Span]:
        """Return from when to when; infinite where the end was not recorded."""
        return [*self._all, *((begin, inf) for begin in self._open.values())]

    def takes(self, process: str) -> Take | None:
        """Return the function that takes the entries of a process, or None."""
        return {POLICIES: self._take_policies, HARM: self._take_mark, RACE: self._take_mark}.get(process)

    def _take_policies(self, entry: Entry) -> None:
        if entry.f in _ENDS:
            self._open.setdefault(_ENDS[entry.f], entry.at)
        else:
            self._all.append((self._open.pop(entry.f, entry.at), entry.at + _INSTANT))

    def _take_mark(self, entry: Entry) -> None:
        self._all.append((entry.at, entry.at + _INSTANT))


def _extended(spans: Iterable[Span], seconds: float) -> list[Span]:
    return [(begin, end + seconds) for begin, end in spans]


def _harm(fault: FaultSpan) -> Span:
    begin, end = fault.harm
    return begin, (max(begin, fault.proved or begin) + _INSTANT if fault.one_shot else end)


def _changes(pods: Pods) -> list[Span]:
    """Return when pods of Gatekeeper changed, as reported, or were not Ready."""
    moments = ((at, at + _INSTANT) for life in pods.lives.values() for at in life.moments)
    return [*moments, *(span for life in pods.lives.values() for span in life.when(_lacks))]


def _lacks(pod: Pod) -> bool:
    return not pod.ready and not pod.deleted


def _doubts(coverage: Coverage, pods: Pods) -> Spans:
    """Return when a pod may have changed unseen, or something may have happened because this machine was starved."""
    moments = [at for life in pods.lives.values() for at in life.moments]
    return doubt(coverage, WATCH_PODS, 0.0, inf, moments) | coverage.blind


def _wrote(writes: Iterable[ObjectWrite], seconds: float, *, sure: bool) -> Spans:
    """Return the time up to some seconds after the experiment wrote, surely or perhaps."""
    if sure:
        return Spans.of((write.latest, write.earliest + seconds) for write in writes if write.asked)
    return Spans.of((write.earliest, write.latest + seconds) for write in writes if write.asked is not False)
