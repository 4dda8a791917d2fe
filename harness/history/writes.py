"""Writes: each write of Gatekeeper's objects, and of what it generates, as the watches on them reported it."""

from collections.abc import Mapping
from math import inf
from typing import Any, NamedTuple

from chaos_harness.harness.history.coverage import LAG, Coverage
from chaos_harness.harness.history.following import Reader, Take
from chaos_harness.harness.history.objects import is_terminating, uid_of
from chaos_harness.harness.history.own_objects import LISTS
from chaos_harness.harness.history.recorded import Entry
from chaos_harness.harness.history.vocabulary import CONSTRAINTS, DELETED, GAP, LISTED, RESUMED

__all__ = ["EXCEPTED", "ObjectWrite", "Writes"]

_OURS = ("chaos-harness", "kubectl", "OpenAPI-Generator", "helm")
"""How the field managers begin by which the experiment, or a person, writes; the third is the Python client's."""

Object = Mapping[str, Any]


class Excepted(NamedTuple):
    """A field that may be written at any time: of the objects of these watches, by the beginning of their names."""

    watches: str
    field: tuple[str, ...]
    why: str


EXCEPTED = (
    Excepted(CONSTRAINTS, ("status", "auditTimestamp"), "each audit reports when it was"),
    Excepted(CONSTRAINTS, ("status", "totalViolations"), "each audit reports what it found"),
    Excepted(CONSTRAINTS, ("status", "violations"), "each audit reports what it found"),
)
"""What is no write that counts if nothing else changes. Leases, Events, and pods with their endpoints are not read."""


class ObjectWrite(NamedTuple):
    """One write: when it was at the earliest and at the latest (seconds), of which object, and by which field managers.

    `by` is empty if nothing says who wrote, as for a deletion and in old histories; several signed the same second.
    """

    earliest: float
    latest: float
    object: str
    by: tuple[str, ...]

    @property
    def asked(self) -> bool | None:
        """Whether the experiment, or a person, wrote it; None if that is not known."""
        ours = {name.startswith(_OURS) for name in self.by}
        return ours.pop() if len(ours) == 1 else None


class Writes(Reader):
    """All writes, in the order of their reports; a reader (see `following`) that must come after its Coverage.

    A list that is read anew after a gap shows of several writes of an object the last one only.
    """

    def __init__(self, coverage: Coverage) -> None:
        self.all: list[ObjectWrite] = []
        self._coverage = coverage
        self._lists: dict[str, _WatchedList] = {}

    def takes(self, process: str) -> Take | None:
        """Return the function that takes the entries of a process, or None."""
        if process not in LISTS and not process.startswith(CONSTRAINTS):
            return None
        return self._lists.setdefault(process, _WatchedList(process, self._coverage, self.all)).take

    def close(self, end: float) -> None:  # noqa: ARG002  (which is the coverage's)
        """Finish reading: what was reported just after a time in which nothing was seen may be as old as that."""
        blind = self._coverage.blind
        for number, write in enumerate(self.all):
            since = (begin for begin, until in blind if begin < write.latest <= until + LAG)
            self.all[number] = write._replace(earliest=min((write.earliest, *since)))


class _WatchedList:
    """The objects of one watch, as they were reported last."""

    def __init__(self, process: str, coverage: Coverage, writes: list[ObjectWrite]) -> None:
        self._process, self._coverage, self._writes = process, coverage, writes
        self._excepted = [one.field for one in EXCEPTED if process.startswith(one.watches)]
        self._objects: dict[str, Object] = {}
        self._gap: float | None = -inf
        self._listed = False

    def take(self, entry: Entry) -> None:
        """Take one entry of the watch."""
        value = entry.value or {}
        if "object" in value:
            self._take_object(entry, value["object"])
        elif entry.f in (LISTED, RESUMED):
            self._gap, self._listed = None, True
        elif entry.f == GAP and self._gap is None:
            gap = self._coverage.gap(self._process)
            self._gap = entry.at if gap is None else gap

    def _take_object(self, entry: Entry, there: Object) -> None:
        name = str(there["metadata"]["name"])
        before = self._objects.get(name)
        self._objects[name] = there  # also of one that is gone: a list that was not served may come back as it was
        if not self._listed or (entry.f != DELETED and before is not None and not self._is_write(before, there)):
            return
        signed = entry.f != DELETED and not is_terminating(there)
        by = tuple(map(str, there.get("writers") or ())) if signed else ()
        earliest = entry.at - LAG if self._gap is None else self._gap
        self._writes.append(ObjectWrite(earliest, entry.at, f"{self._process.partition(' ')[2]} {name}", by))

    def _is_write(self, before: Object, there: Object) -> bool:
        """Whether an object that is reported again was written meanwhile, but for what is excepted."""
        if before["metadata"].get("resourceVersion") == there["metadata"].get("resourceVersion"):
            return False
        if uid_of(before) != uid_of(there) or all(_at(before, at) == _at(there, at) for at in self._excepted):
            return True
        return _without(before, self._excepted) != _without(there, self._excepted)


def _at(there: Object, path: tuple[str, ...]) -> Any:
    value: Any = there
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _without(there: Object, paths: list[tuple[str, ...]]) -> Object:
    """Return an object without what is at these paths, its version, and who wrote it."""
    left: Any = there
    for path in (*paths, ("metadata", "resourceVersion"), ("writers",)):
        left = _less(left, path)
    return left  # type: ignore[no-any-return]


def _less(value: Any, path: tuple[str, ...]) -> Any:
    if not isinstance(value, Mapping) or path[0] not in value:
        return value
    key, *rest = path
    if not rest:
        return {name: field for name, field in value.items() if name != key}
    return {**value, key: _less(value[key], tuple(rest))}
