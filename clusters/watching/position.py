"""Watch position: how far a watch is, how it goes on after a failure, and how it proves that it is up to date."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import inf
from typing import Any

from kubernetes.client import ApiClient

from chaos_harness.clusters.errors import HarnessError
from chaos_harness.clusters.watching.changes import (
    Change,
    State,
    differences,
    fold,
    key,
    observed_change,
    version_number,
    versions_by_key,
)
from chaos_harness.clusters.watching.proofs import Proofs
from chaos_harness.clusters.watching.streaming import OPEN, StreamBroken, stream_lines

__all__ = ["Timing", "WatchPosition"]

NOT_SERVED = "404"
"""`Change.why` if the API server does not serve the list, for example because its definition was deleted."""

_GONE, _SILENT, _ENDED, _BROKEN, _BACKWARDS = "410", "silent", "ended", "broken", "backwards"
_UNCLEAR, _UNKNOWN = "unclear", "500"
_LATER = ("429", "503")
_REFUSALS = 2
_SIGN_SECONDS = 10.0
_REPEATED_TICKS = 5
"""How many pauses of a stream one after the other say that it has repeated what it has to: a quarter of a second.

A server sends what it has as soon as a stream is open, but on a busy machine not within a single pause.
"""
_MESSAGE_LENGTH = 200
_NAMES_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"


@dataclass(frozen=True)
class Timing:
    """Time-outs of a watch, in seconds.

    The server ends each stream after `chunk`. No data for `read` counts as silence, so it must be longer than `chunk`.
    Pauses between attempts grow from `first_pause` to `longest_pause` and start small again after an attempt that
    worked for longer than the longest. A server's Retry-After is respected up to `patience`. After a gap a stream has
    `catch_up` to report what happened meanwhile, in streams of `replay` each; a proof has `proof`.
    """

    connect: float = 3.0
    read: float = 15.0
    chunk: float = 10.0
    first_pause: float = 0.05
    longest_pause: float = 1.0
    patience: float = 10.0
    catch_up: float = 10.0
    replay: float = 1.0
    proof: float = 3.0


@dataclass
class _Goal:
    """What a watch must reach: `proof` is the number of the proof that it is for, 0 after a gap.

    It is reached when an event is as new as `version`, the server's version when it was asked. Or when the watch's
    state is `there`, the server's state then, and a stream opened since then has had time to repeat what came and went
    before.
    """

    version: int
    there: Mapping[str, tuple[str | None, str]]
    expires: float
    proof: int = 0
    again: bool = False


class WatchPosition:
    """What a watch has seen, and how it goes on; `over` says when to stop, `asking` is called before each request."""

    def __init__(
        self,
        api: ApiClient,
        path: str,
        params: Mapping[str, str],
        timing: Timing,
        proofs: Proofs,
        over: Callable[[], bool],
        asking: Callable[[], object],
    ) -> None:
        self._api = api
        self._path = path
        self._params = params
        self._timing = timing
        self._proofs = proofs
        self._over = over
        self._asking = asking
        self._state: State = {}
        self._version = ""
        self._listed = False
        self._blind = ""
        self._goal: _Goal | None = None
        self._expires = inf
        self._claimed = 0
        self._refused = 0
        self._due = 0
        self._later = 0.0
        self._told = time.monotonic()

    def read_changes(self) -> Iterator[Change]:
        """Yield what is seen until something fails: from the last position if possible, else from a new list.

        Raises StreamBroken and WatchStopped.
        """
        self._goal, self._due = None, self._proofs.due
        if self._blind and time.monotonic() > self._expires:
            self._version = ""
        if not version_number(self._version) or self._refused > _REFUSALS:
            self._refused = 0
            yield from self._list()
        elif self._refused == _REFUSALS:
            self._refused -= 1
            self._list_versions(self._timing.catch_up)  # who refuses this, too, may take the version as soon as it can
            self._refused += 1
        while True:
            yield from self._watch()

    def handle_failure(self, gap: StreamBroken) -> Iterator[Change]:
        """Yield a failure as one GAP, and decide from where to go on."""
        other = NOT_SERVED in (gap.why, self._blind) and gap.why != self._blind
        if not self._blind or other:
            self._blind = gap.why
            yield self._mark_yielded(Change("GAP", why=gap.why, detail=gap.detail))
        if gap.why == NOT_SERVED:
            gone, self._state = list(self._state.values()), {}
            for thing in gone:
                yield observed_change("DELETED", thing, in_gap=True)
            yield from self._wait_until_served()
        if gap.why in (_GONE, NOT_SERVED, _BACKWARDS, _UNCLEAR):
            self._version = ""
        elif gap.why.isdecimal() and gap.why not in _LATER:
            self._refused += 1

    def _wait_until_served(self) -> Iterator[Change]:
        """Yield a BOOKMARK now and then, and when a proof is due: the list is still not served."""
        if self._due or time.monotonic() - self._told > _SIGN_SECONDS:
            yield self._mark_yielded(Change("BOOKMARK"))
            self._proofs.give(self._due)

    def _list(self) -> Iterator[Change]:
        # No resourceVersion: the most recent list, by quorum; "0" may be an old one from a cache.
        body = self._ask(self._timing.read, "application/json")
        kind = {"apiVersion": body["apiVersion"], "kind": body["kind"].removesuffix("List")}
        things = [{**kind, **entry} for entry in body["items"] or ()]
        yield from (
            differences(self._state, things) if self._listed else (observed_change("LISTED", thing) for thing in things)
        )
        self._state = {key(thing): thing for thing in things}
        self._version = body["metadata"]["resourceVersion"]
        self._listed, self._blind, self._expires, self._claimed, self._refused = True, "", inf, 0, 0
        yield self._mark_yielded(Change("LISTED", resource_version=self._version))
        self._proofs.give(self._due)

    def _watch(self) -> Iterator[Change]:
        """Yield the events of one stream from the current position; return at its end, or if another one is needed."""
        timing = self._timing
        seconds = min(timing.replay, timing.chunk) if self._blind else timing.chunk
        began = time.monotonic()
        self._asking()
        query = {
            **self._params,
            "watch": "true",
            "resourceVersion": self._version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": f"{seconds:g}",
        }
        again = self._goal is not None and self._goal.again
        idle, enough = 0, _REPEATED_TICKS if again else 1
        for line in stream_lines(self._api, self._path, query, (timing.connect, timing.read), self._over):
            if line == OPEN:
                yield from self._open_stream()
            elif line is not None:
                yield from self._read_event(_parse(line))
            idle = idle + 1 if line is None else 0
            yield from self._prove_current(quiet=idle >= enough, anew=again)
            if self._goal is not None and self._goal.again and not again:
                return
        if time.monotonic() - began < seconds:
            raise StreamBroken(_ENDED)
        if not self._blind:
            yield self._mark_yielded(Change("BOOKMARK", resource_version=self._version))
        elif self._goal is not None and versions_by_key(self._state.values()) == self._goal.there:
            yield self._end_gap(self._goal)

    def _open_stream(self) -> Iterator[Change]:
        if self._blind and self._goal is None:
            self._goal = self._list_versions(self._timing.catch_up)
            self._expires = self._goal.expires = min(self._expires, self._goal.expires)
            if version_number(self._version) == self._goal.version:
                yield self._end_gap(self._goal)

    def _read_event(self, event: Any) -> Iterator[Change]:
        kind, thing = event["type"], event["object"]
        if kind == "ERROR":
            raise StreamBroken(str(thing.get("code", _UNKNOWN)), thing.get("message", ""))
        version = thing["metadata"]["resourceVersion"]
        bookmark = kind == "BOOKMARK"
        at = version_number(version)
        if 0 < at <= version_number(self._version) and not bookmark:
            return  # it was reported before
        goal = self._goal
        if self._blind and goal is not None and at > goal.version:
            yield self._end_gap(goal)
        if not self._blind and not bookmark and 0 < at <= self._claimed:
            raise StreamBroken(_SILENT, f"{version} came although all up to {self._claimed} should have been reported")
        if at >= version_number(self._version):
            self._version, self._refused = version, 0
        change = Change("BOOKMARK", resource_version=version)
        if not bookmark:
            change = observed_change(kind, thing, in_gap=bool(self._blind))
            fold(self._state, change)
        if not (bookmark and self._blind):
            yield self._mark_yielded(change)
        if self._blind and goal is not None and at == goal.version:
            yield self._end_gap(goal)

    def _end_gap(self, goal: _Goal) -> Change:
        """Return the RESUMED that ends a gap: everything up to a version was reported, so the state is the server's."""
        if versions_by_key(self._state.values()) != goal.there:
            raise StreamBroken(_BACKWARDS, f"the state reported up to {goal.version} is not the server's state then")
        self._goal, self._blind, self._expires, self._claimed = None, "", inf, goal.version
        return self._mark_yielded(Change("RESUMED", resource_version=str(goal.version)))

    def _prove_current(self, *, quiet: bool, anew: bool) -> Iterator[Change]:
        """Yield a BOOKMARK when it is proved; `quiet`: no data for a moment, `anew`: in a new stream."""
        goal = self._goal
        late = goal is not None and quiet and time.monotonic() > goal.expires
        if self._blind:
            if late:
                raise StreamBroken(_UNCLEAR)
            return
        if goal is None:
            self._goal = self._next_goal()
            return
        caught = 0 < goal.version <= version_number(self._version)
        if caught or (quiet and versions_by_key(self._state.values()) == goal.there):
            self._claimed = max(self._claimed, goal.version)
            if caught or anew:
                self._goal = None
                yield self._mark_yielded(Change("BOOKMARK", resource_version=str(goal.version)))
                self._proofs.give(goal.proof)
            else:
                goal.again = True
        elif late:
            raise StreamBroken(_SILENT, f"the server's state at {goal.version} was not reported")

    def _next_goal(self) -> _Goal | None:
        """Return the goal to be proved; a server that refuses to say it is asked again a little later."""
        due, now = self._proofs.due, time.monotonic()
        if not due or now < self._later:
            return None
        try:
            return self._list_versions(self._timing.proof, due)
        except StreamBroken as gap:
            if not gap.why.isdecimal():
                raise
            self._later = now + max(gap.pause, self._timing.longest_pause)
            return None

    def _list_versions(self, seconds: float, proof: int = 0) -> _Goal:
        """Ask for the current objects, by names and versions only."""
        body = self._ask(min(seconds, self._timing.read), _NAMES_ONLY)
        goal = _Goal(
            version_number(body["metadata"]["resourceVersion"]), versions_by_key(body["items"] or ()), 0.0, proof
        )
        if goal.version < version_number(self._version):
            raise StreamBroken(_BACKWARDS, f"the server is at {goal.version}, but reported {self._version} before")
        goal.expires = time.monotonic() + seconds
        return goal

    def _ask(self, seconds: float, accept: str) -> Any:
        self._asking()
        timeout = (self._timing.connect, seconds)
        parts = stream_lines(self._api, self._path, self._params, timeout, self._over, accept=accept)
        body = _parse(b"".join(part for part in parts if part))
        if "items" not in body:
            raise HarnessError(
                f"{self._path}: expected a list, found a {body.get('kind')}; watch the URL that lists it"
            )
        return body

    def _mark_yielded(self, change: Change) -> Change:
        self._told = change.at
        return change


def _parse(text: bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise StreamBroken(_BROKEN, f"expected JSON, found {text[:_MESSAGE_LENGTH]!r}") from error
