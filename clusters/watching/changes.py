"""Changes: what a watch says that it saw, and the one way to fold it into the objects that there are."""

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = [
    "Change",
    "Object",
    "State",
    "differences",
    "fold",
    "key",
    "observed_change",
    "version_number",
    "versions_by_key",
]

Object = dict[str, Any]
State = dict[str, Object]

_Kind = Literal["ADDED", "MODIFIED", "DELETED", "LISTED", "GAP", "RESUMED", "BOOKMARK"]


@dataclass(frozen=True)
class Change:
    """Something a watch saw.

    LISTED: an object of the first list. After each list comes one LISTED without an object: from here on the
    state is whole. ADDED, MODIFIED, DELETED: as the server said; or, `in_gap`, at an unknown moment of the gap that is
    not over yet. GAP: from here to the next LISTED or RESUMED without an object nothing is seen, because of `why`:
    "refused", "timeout" (no connection), "silent" (half-open), "ended" (before its time), "broken" (in the middle of
    a line or an answer), "backwards" (the server knows less than it told), or a status code such as "410"; `detail`
    is what was said of it. RESUMED: from here on all is told as it happens, and since the GAP stands, in its order,
    all that came meanwhile. After a GAP because of "404" comes DELETED, `in_gap`, of all that there was. Before LISTED
    comes, `in_gap`, the difference between the lists: one may stand for several, and what came and went is not told.
    BOOKMARK: the stream lives, and nothing changed up to `resource_version`; in a gap because of "404": still so.

    `at` is monotonic, `wall` unix seconds: when it was seen here. A "silent" GAP may have begun up to the
    read time-out before.
    """

    kind: _Kind
    object: Object | None = None
    resource_version: str = ""
    in_gap: bool = False
    why: str = ""
    detail: str = ""
    at: float = field(default_factory=time.monotonic, compare=False)
    wall: float = field(default_factory=time.time, compare=False)


def observed_change(kind: Any, thing: Object, *, in_gap: bool = False) -> Change:
    """Return that an object was seen."""
    return Change(kind, thing, thing["metadata"]["resourceVersion"], in_gap)


def key(thing: Object) -> str:
    """Return what a state calls an object: "namespace/name", or "name" if it is in no namespace."""
    metadata = thing["metadata"]
    return "/".join(filter(None, (metadata.get("namespace"), metadata["name"])))


def version_number(version: str) -> int:
    """Return a resource version as the number that it is for every API server on etcd; 0 if it is none."""
    return int(version) if version.isdecimal() else 0


def fold(state: State, change: Change) -> None:
    """Bring `state` up to `change`."""
    if change.object is None:
        return
    if change.kind == "DELETED":
        state.pop(key(change.object), None)
    else:
        state[key(change.object)] = change.object


def versions_by_key(objects: Iterable[Object]) -> dict[str, tuple[str | None, str]]:
    """Return uid and version of each object by its key: states that agree in this are the same."""
    metadata = ((key(thing), thing["metadata"]) for thing in objects)
    return {name: (fields.get("uid"), fields["resourceVersion"]) for name, fields in metadata}


def differences(before: Mapping[str, Object], listed: Iterable[Object]) -> Iterator[Change]:
    """Yield what must have happened in the gap between two lists."""
    after = {key(thing): thing for thing in listed}
    for name, old in before.items():
        if name not in after or _uid(after[name]) != _uid(old):
            yield observed_change("DELETED", old, in_gap=True)
    for name, new in after.items():
        if name not in before or _uid(before[name]) != _uid(new):
            yield observed_change("ADDED", new, in_gap=True)
        elif before[name]["metadata"]["resourceVersion"] != new["metadata"]["resourceVersion"]:
            yield observed_change("MODIFIED", new, in_gap=True)


def _uid(thing: Object) -> Any:
    return thing["metadata"].get("uid")
