"""Watching: list, then watch from there, and say honestly when nothing could be seen."""

import contextlib
import json
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from kubernetes.client import ApiClient

from clusters.deadline import Deadline
from clusters.errors import HarnessError
from clusters.lines import Gap, Over, lines

__all__ = ["NOT_SERVED", "Change", "Object", "State", "Timing", "Watch", "fold", "key", "until"]

Object = dict[str, Any]
State = dict[str, Object]
Found = TypeVar("Found")

NOT_SERVED = "404"
"""Why there is a gap when the API server does not know such a list, as of a kind whose definition is deleted."""

_SUMMARISED = 5
_MESSAGE_LENGTH = 200


@dataclass(frozen=True)
class Timing:
    """Time-outs of a watch, in seconds.

    The server is asked to end each stream after `chunk`; no answer for `read` counts as silence, so it
    must be longer. Pauses between tries grow from `first_pause` to `longest_pause`, and begin anew
    after a try that went well for longer than the longest.
    """

    connect: float = 3.0
    read: float = 35.0
    chunk: float = 30.0
    first_pause: float = 0.05
    longest_pause: float = 1.0


@dataclass(frozen=True)
class Change:
    """Something a watch saw.

    LISTED: an object of the first list. After each list comes one LISTED without an object: from here on the
    state is whole. ADDED, MODIFIED, DELETED: as the server said, or, `in_gap`, as the difference between the
    lists before and after a gap shows (then it may stand for several, and came at an unknown moment of the gap).
    GAP: from here to the next LISTED without an object nothing is seen, because of `why`: "refused",
    "timeout" (no connection), "silent" (half-open), "ended" (before its time), "broken" (in the middle of
    a line or an answer), or a status code such as "410"; `detail` is what was said of it. BOOKMARK: nothing
    changed up to `resource_version`.

    `at` is monotonic, `wall` unix seconds: when it was seen here. A "silent" GAP may have begun up to the
    read time-out before.
    """

    kind: Literal["ADDED", "MODIFIED", "DELETED", "LISTED", "GAP", "BOOKMARK"]
    object: Object | None = None
    resource_version: str = ""
    in_gap: bool = False
    why: str = ""
    detail: str = ""
    at: float = field(default_factory=time.monotonic, compare=False)
    wall: float = field(default_factory=time.time, compare=False)


class Watch:
    """A watch on any list URL, in plain JSON; `api` should be this watch's own client."""

    def __init__(
        self, api: ApiClient, path: str, *, params: Mapping[str, str] | None = None, timing: Timing | None = None
    ) -> None:
        """Prepare to watch `path` ("/api/v1/namespaces/x/pods"); `params` are selectors."""
        self._api = api
        self._path = path
        self._params = dict(params or {})
        self._timing = timing or Timing()

    def changes(
        self, deadline: Deadline, stop: threading.Event | None = None, asking: Callable[[], object] = lambda: None
    ) -> Generator[Change, None, None]:
        """Yield what changes until `deadline`, or soon after `stop` is set, whatever the server does.

        After any failure it lists again; only a stream that ended in its time is watched on from
        where it was. Failures are yielded as one GAP each, however often it must try again, and as one more if it
        then turns out that the list is not served (404): there is nothing to see any more. None is raised.
        `asking` is called before each request, so that a long gap can be told from a thread that hangs.
        """
        timing = self._timing
        stop = stop or threading.Event()

        def over() -> bool:
            return stop.is_set() or deadline.expired

        state: State = {}
        listed, blind = False, ""
        while not over():
            for _ in deadline.attempts(timing.first_pause, timing.longest_pause):
                if over():
                    return
                began = time.monotonic()
                asking()
                try:
                    version, found = self._list(over)
                    yield from _differences(state, found) if listed else (_seen("LISTED", each) for each in found)
                    state = {key(each): each for each in found}
                    listed, blind = True, ""
                    yield Change("LISTED", resource_version=version)
                    for change in self._watch(version, over, asking):
                        fold(state, change)
                        yield change
                except Over:
                    return
                except Gap as gap:
                    if not blind or (gap.why == NOT_SERVED and blind != NOT_SERVED):
                        yield Change("GAP", why=gap.why, detail=gap.detail)
                        blind = gap.why
                if time.monotonic() - began > timing.longest_pause:
                    break

    def _lines(self, query: Mapping[str, str], over: Callable[[], bool]) -> Iterator[bytes]:
        timeout = (self._timing.connect, self._timing.read)
        return lines(self._api, self._path, {**self._params, **query}, timeout, over)

    def _list(self, over: Callable[[], bool]) -> tuple[str, list[Object]]:
        # No resourceVersion: the most recent list, by quorum; "0" may be an old one from a cache.
        body = _parsed(b"".join(self._lines({}, over)))
        if "items" not in body:
            raise HarnessError(
                f"{self._path}: expected a list, found a {body.get('kind')}; watch the URL that lists it"
            )
        kind = {"apiVersion": body["apiVersion"], "kind": body["kind"].removesuffix("List")}
        return body["metadata"]["resourceVersion"], [{**kind, **each} for each in body["items"] or ()]

    def _watch(self, version: str, over: Callable[[], bool], asking: Callable[[], object]) -> Iterator[Change]:
        chunk = self._timing.chunk
        while True:
            began = time.monotonic()
            asking()
            query = {
                "watch": "true",
                "resourceVersion": version,
                "allowWatchBookmarks": "true",
                "timeoutSeconds": f"{chunk:g}",
            }
            for line in self._lines(query, over):
                event = _parsed(line)
                kind, found = event["type"], event["object"]
                if kind == "ERROR":
                    raise Gap(str(found["code"]), found.get("message", ""))
                version = found["metadata"]["resourceVersion"]
                yield Change(kind, resource_version=version) if kind == "BOOKMARK" else _seen(kind, found)
            if time.monotonic() - began < chunk:
                raise Gap("ended")


def _parsed(text: bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise Gap("broken", f"expected JSON, found {text[:_MESSAGE_LENGTH]!r}") from error


def _seen(kind: Any, found: Object, *, in_gap: bool = False) -> Change:
    return Change(kind, found, found["metadata"]["resourceVersion"], in_gap)


def _differences(before: Mapping[str, Object], found: list[Object]) -> Iterator[Change]:
    after = {key(each): each for each in found}
    for name, old in before.items():
        if name not in after or _uid(after[name]) != _uid(old):
            yield _seen("DELETED", old, in_gap=True)
    for name, new in after.items():
        if name not in before or _uid(before[name]) != _uid(new):
            yield _seen("ADDED", new, in_gap=True)
        elif before[name]["metadata"]["resourceVersion"] != new["metadata"]["resourceVersion"]:
            yield _seen("MODIFIED", new, in_gap=True)


def _uid(found: Object) -> Any:
    return found["metadata"].get("uid")


def key(found: Object) -> str:
    """Return what a state calls an object: "namespace/name", or "name" if it is in no namespace."""
    metadata = found["metadata"]
    return "/".join(filter(None, (metadata.get("namespace"), metadata["name"])))


def fold(state: State, change: Change) -> None:
    """Bring `state` up to `change`."""
    if change.object is None:
        return
    if change.kind == "DELETED":
        state.pop(key(change.object), None)
    else:
        state[key(change.object)] = change.object


def until(
    api: ApiClient,
    path: str,
    predicate: Callable[[State], Found | None],
    deadline: Deadline,
    params: Mapping[str, str] | None = None,
    *,
    timing: Timing | None = None,
) -> Found:
    """Return the first true value of `predicate(state)`; it is asked after each change of a whole state.

    Raises DeadlineExceeded with the last state seen, and since when and why nothing is seen if so.
    """
    state: State = {}
    gap: Change | None = None
    whole = False
    with contextlib.closing(Watch(api, path, params=params, timing=timing).changes(deadline)) as changes:
        for change in changes:
            fold(state, change)
            if change.kind == "GAP":
                gap, whole = change, False
            elif change.kind == "LISTED" and change.object is None:
                gap, whole = None, True
            if whole and change.kind != "BOOKMARK" and (found := predicate(state)):
                return found
    blind = f" (blind for {time.monotonic() - gap.at:.0f} s: {gap.why} {gap.detail})" if gap else ""
    raise deadline.error(f"{_summary(state)}{blind}")


def _summary(state: State) -> str:
    words = [f"{found.get('kind', '')} {name}: {_condition(found)}" for name, found in state.items()]
    more = f", and {len(words) - _SUMMARISED} more" if len(words) > _SUMMARISED else ""
    return (", ".join(words[:_SUMMARISED]) or "no object") + more


def _condition(found: Object) -> str:
    status = found.get("status") or {}
    words = [status["phase"]] if "phase" in status else []
    words += [f"{each['type']}={each['status']}" for each in status.get("conditions") or ()]
    for container in status.get("containerStatuses") or ():
        words += [detail["reason"] for detail in container.get("state", {}).values() if "reason" in detail]
    return " ".join(words) or "no status"
