"""Changes: what a watch saw, and how to fold it into the current objects."""

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = [
    "Change",
    "ObjectDict",
    "State",
    "differences",
    "fold",
    "key",
    "observed_change",
    "version_number",
    "versions_by_key",
]

ObjectDict = dict[str, Any]
State = dict[str, ObjectDict]

_Kind = Literal["ADDED", "MODIFIED", "DELETED", "LISTED", "GAP", "RESUMED", "BOOKMARK"]


@dataclass(frozen=True)
class Change:
    """One event of a watch.

    LISTED: an object of the first list. After each list comes one LISTED without an object: from here on the state is
    complete. ADDED, MODIFIED, DELETED: as the server reported it; with `in_gap`, at an unknown moment of the current
    gap. GAP: from here to the next LISTED or RESUMED without an object nothing is seen, because of `why`: "refused",
    "timeout" (no connection), "silent" (half-open), "ended" (too early), "broken" (in the middle of a line or an
    answer), "backwards" (the server has an older state than it reported), or a status code such as "410"; `detail` is
    the message. RESUMED: from here on events arrive as they happen, and since the GAP everything that happened
    meanwhile was reported in order. After a GAP because of "404" comes DELETED, `in_gap`, for all objects. Before
    LISTED comes, `in_gap`, the difference between the two lists: one event may stand for several, and objects that came
    and went are missing. BOOKMARK: the stream is alive, and nothing changed up to `resource_version`; in a gap because
    of "404": the list is still not served.

    `at` (monotonic) and `wall` (unix seconds) are when it was seen here. A "silent" GAP may have begun up to one read
    time-out earlier.
    """

    kind: _Kind
    object: ObjectDict | None = None
    resource_version: str = ""
    in_gap: bool = False
    why: str = ""
    detail: str = ""
    at: float = field(default_factory=time.monotonic, compare=False)
    wall: float = field(default_factory=time.time, compare=False)


def observed_change(kind: Any, thing: ObjectDict, *, in_gap: bool = False) -> Change:
    """Return the Change of an object."""
    return Change(kind, thing, thing["metadata"]["resourceVersion"], in_gap)


def key(thing: ObjectDict) -> str:
    """Return the key of an object in a state: "namespace/name", or "name" if it has no namespace."""
    metadata = thing["metadata"]
    return "/".join(filter(None, (metadata.get("namespace"), metadata["name"])))


def version_number(version: str) -> int:
    """Return a resource version as a number, which it is on every API server with etcd; 0 if it is not one."""
    return int(version) if version.isdecimal() else 0


def fold(state: State, change: Change) -> None:
    """Update `state` by `change`."""
    if change.object is None:
        return
    if change.kind == "DELETED":
        state.pop(key(change.object), None)
    else:
        state[key(change.object)] = change.object


def versions_by_key(objects: Iterable[ObjectDict]) -> dict[str, tuple[str | None, str]]:
    """Return uid and resource version of each object by its key: states with the same result are equal."""
    metadata = ((key(thing), thing["metadata"]) for thing in objects)
    return {name: (fields.get("uid"), fields["resourceVersion"]) for name, fields in metadata}


def differences(before: Mapping[str, ObjectDict], listed: Iterable[ObjectDict]) -> Iterator[Change]:
    """Yield the changes that must have happened between two lists."""
    after = {key(thing): thing for thing in listed}
    for name, old in before.items():
        if name not in after or _uid(after[name]) != _uid(old):
            yield observed_change("DELETED", old, in_gap=True)
    for name, new in after.items():
        if name not in before or _uid(before[name]) != _uid(new):
            yield observed_change("ADDED", new, in_gap=True)
        elif before[name]["metadata"]["resourceVersion"] != new["metadata"]["resourceVersion"]:
            yield observed_change("MODIFIED", new, in_gap=True)


def _uid(thing: ObjectDict) -> Any:
    return thing["metadata"].get("uid")
