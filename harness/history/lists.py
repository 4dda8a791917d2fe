"""Lists: which objects existed when, by the watches on lists of objects, and when that is not known.

This is the only place where list and watch entries are folded. After a gap from which a watch resumed, every change is
known, though not its moment within the gap. After a new list only the result is known: an object that is the same on
both sides of the gap existed all the time, and anything else in between left no trace.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise
from math import inf
from typing import Any, Literal, NamedTuple

from chaos_harness.harness.history.coverage import LAG, Coverage
from chaos_harness.harness.history.following import Take
from chaos_harness.harness.history.recorded import Entry
from chaos_harness.harness.history.spans import Spans
from chaos_harness.harness.history.vocabulary import DELETED, GAP, LISTED, RESUMED

__all__ = ["ALWAYS", "KnownSpans", "Lists", "ObjectList", "Turn", "any_of"]

Object = Mapping[str, Any]

ALWAYS = Spans.of([(-inf, inf)])


class _Sentinel(Enum):
    UNKNOWN = "unknown"


_UNKNOWN: Literal[_Sentinel.UNKNOWN] = _Sentinel.UNKNOWN

_Told = Object | Literal[_Sentinel.UNKNOWN] | None


@dataclass(frozen=True)
class KnownSpans:
    """When something is known to be true (`yes`), and known to be false (`no`); at all other times it is unknown."""

    yes: Spans = Spans()  # noqa: RUF009  (frozen)
    no: Spans = Spans()  # noqa: RUF009  (frozen)

    def __and__(self, other: "KnownSpans") -> "KnownSpans":
        """Return when both are true."""
        return KnownSpans(self.yes & other.yes, self.no | other.no)

    def __or__(self, other: "KnownSpans") -> "KnownSpans":
        """Return when at least one is true."""
        return KnownSpans(self.yes | other.yes, self.no & other.no)

    def __invert__(self) -> "KnownSpans":
        """Return the opposite: when it is false, and when it is true."""
        return KnownSpans(self.no, self.yes)

    @property
    def possible(self) -> Spans:
        """When it may be true."""
        return ALWAYS - self.no


def any_of(these: Iterable[KnownSpans]) -> KnownSpans:
    """Return when at least one of these is true."""
    joint = KnownSpans(no=ALWAYS)
    for one in these:
        joint |= one
    return joint


class Turn(NamedTuple):
    """A change of an object to a new state, at some moment from `earliest` to `latest`, in seconds of the history.

    None: it was deleted. UNKNOWN: its state is unknown from here on.
    """

    earliest: float
    latest: float
    object: _Told


class ObjectList:
    """The objects of one watch, by their keys ("namespace/name", or "name")."""

    def __init__(self, process: str, coverage: Coverage, more: Callable[[Object], Hashable]) -> None:
        self.turns: dict[str, list[Turn]] = {}
        self.begun: float | None = None
        self._process, self._coverage, self._more = process, coverage, more
        self._marks: dict[str, Hashable] = {}
        self._pending: list[tuple[float, str, Object | None]] = []
        self._gap: float | None = -inf
        self._holes = 0
        self._last = -inf
        self._lost = inf
        self._unknown: Spans | None = None

    def objects(self, name: str) -> list[Object]:
        """Return all known states of an object."""
        return [turn.object for turn in self.turns.get(name, ()) if isinstance(turn.object, Mapping)]

    @property
    def unknown(self) -> Spans:
        """When an object may have existed that was never reported; valid once the history is read."""
        if self._unknown is None:
            self._unknown = self._coverage.unknown([self._process], -inf, inf) | Spans.of([(self._lost, inf)])
        return self._unknown

    def known(self, name: str, so: Callable[[Object], bool] = lambda _: True) -> KnownSpans:
        """Return when an object existed and `so` was true of it, and when not; valid once the history is read."""
        turns = [Turn(-inf, -inf, None), *self.turns.get(name, ()), Turn(inf, inf, _UNKNOWN)]
        truths = [_truth(turn, so) for turn in turns]
        spans: dict[bool | None, list[tuple[float, float]]] = {True: [], False: [], None: []}
        absent: list[tuple[float, float]] = []
        other = inf  # the earliest moment of its next change
        for (after, then), (turn, truth) in pairwise(reversed(list(zip(turns, truths, strict=True)))):
            other = other if truth == then else self._earliest(after)
            span = turn.latest, min(after.latest, other)
            (absent if turn.object is None else spans[truth]).append(span)
        tail = self._tail()
        return KnownSpans(
            Spans.of(spans[True]) - tail, (Spans.of(spans[False]) | (Spans.of(absent) - self.unknown)) - tail
        )

    def take(self, entry: Entry) -> None:
        """Take one entry of the watch."""
        self.begun = entry.at if self.begun is None else self.begun
        self.forget()
        self._last = entry.at
        value = entry.value or {}
        if value.get("object"):
            there = None if entry.f == DELETED else value["object"]
            name = _key(value["object"])
            if self._gap is None:
                self._turn(name, entry.at, entry.at, there)
            else:
                self._pending.append((entry.at, name, there))
        elif entry.f in (LISTED, RESUMED) and self._gap is not None:
            (self._resume if entry.f == RESUMED else self._relist)(self._gap)
            self._gap = None
            self._pending.clear()
        elif entry.f == GAP and self._gap is None:
            gap = self._coverage.gap(self._process)
            self._gap = entry.at if gap is None else gap

    def forget(self) -> None:
        """Mark all as unknown if lines are missing: known objects may have changed, and new ones may not be reported.

        One of the lines may have been a gap that started with the last sign of life.
        """
        if len(self._coverage.holes) == self._holes:
            return
        self._holes = len(self._coverage.holes)
        begin = min(self._last, inf if self._gap is None else self._gap)
        self._lost = min(self._lost, begin)
        for name in list(self._marks):
            self._turn(name, begin, begin, _UNKNOWN)

    def _resume(self, gap: float) -> None:
        for at, name, there in self._pending:
            self._turn(name, gap, at, there)

    def _relist(self, gap: float) -> None:
        for name, (at, there) in {name: (at, there) for at, name, there in self._pending}.items():
            if there is None or self._marks.get(name, self) != self._mark(there):
                self._turn(name, gap, gap, _UNKNOWN)
                self._turn(name, at, at, there)

    def _turn(self, name: str, earliest: float, latest: float, there: _Told) -> None:
        """Note the new state of an object, if it changed."""
        if isinstance(there, Mapping):
            mark = self._mark(there)
            if self._marks.get(name, self) == mark:
                return
            self._marks[name] = mark
        else:
            self._marks.pop(name, None)
        self.turns.setdefault(name, []).append(Turn(earliest, latest, there))

    def _mark(self, there: Object) -> Hashable:
        """Return what two objects have in common that count as the same."""
        metadata = there["metadata"]
        if "uid" not in metadata or "generation" not in metadata:
            return object()
        return metadata["uid"], metadata["generation"], self._more(there)

    def _earliest(self, turn: Turn) -> float:
        """Return since when it may be so: a change in an unseen time may have happened at any moment of it."""
        late = (begin for begin, end in self._coverage.blind if begin < turn.latest <= end + LAG)
        return min((turn.earliest, *late))

    def _tail(self) -> Spans:
        """Return the time in which nothing was seen any more, up to the end and after it.

        There is none if it was seen again after claims were judged: what had not changed by then existed all the time.
        """
        unknown = self._coverage.unknown([self._process], -inf, inf)
        begin, end = unknown.parts[-1] if unknown else (inf, -inf)
        ends = end >= self._coverage.until and (self._gap is not None or self._last < end)
        return Spans.of([(begin, inf)]) if ends else Spans()


class Lists:
    """Lists of objects, by their watches' processes; a reader (see `following`) that must come after its Coverage.

    `wanted` returns whether a process is read. An object counts as unchanged while its uid, its generation, and what
    `more` returns for it are the same.
    """

    def __init__(
        self,
        coverage: Coverage,
        wanted: Callable[[str], bool],
        more: Callable[[Object], Hashable] = lambda _: None,
    ) -> None:
        self.all: dict[str, ObjectList] = {}
        self._coverage, self._wanted, self._more = coverage, wanted, more

    def __getitem__(self, process: str) -> ObjectList:
        """Return the list of a watch; a list that was not watched is unknown at all times."""
        return self.all.get(process) or ObjectList(process, self._coverage, self._more)

    def takes(self, process: str) -> Take | None:
        """Return the function that takes the entries of a process, or None."""
        if not self._wanted(process):
            return None
        return self.all.setdefault(process, ObjectList(process, self._coverage, self._more)).take

    def close(self, end: float) -> None:  # noqa: ARG002  (which is the coverage's)
        """Finish reading; `end` is the last moment that is recorded, in seconds."""
        for one in self.all.values():
            one.forget()


def _truth(turn: Turn, so: Callable[[Object], bool]) -> bool | None:
    if isinstance(turn.object, Mapping):
        return so(turn.object)
    return False if turn.object is None else None


def _key(watched_object: Object) -> str:
    metadata = watched_object["metadata"]
    return "/".join(filter(None, (metadata.get("namespace"), metadata["name"])))
