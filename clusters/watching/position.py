"""Course: how far one watch has come, how it goes on after whatever failed, and how it proves that it is up to date."""

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

__all__ = ["NOT_SERVED", "Timing", "WatchPosition"]

NOT_SERVED = "404"
"""Why there is a gap when the API server does not know such a list, as of a kind whose definition is deleted."""

_GONE, _SILENT, _ENDED, _BROKEN, _BACKWARDS = "410", "silent", "ended", "broken", "backwards"
_UNCLEAR, _UNKNOWN = "unclear", "500"
_LATER = ("429", "503")
_REFUSALS = 2
_SIGN_SECONDS = 10.0
_MESSAGE_LENGTH = 200
_NAMES_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"


@dataclass(frozen=True)
class Timing:
    """Time-outs of a watch, in seconds.

    The server is asked to end each stream after `chunk`; no answer for `read` counts as silence, so it
    must be longer. Pauses between tries grow from `first_pause` to `longest_pause`, and begin anew
    after a try that went well for longer than the longest. A server that wants to be left alone is, up to `patience`.
    After a gap a stream has `catch_up` to tell all that came meanwhile, in streams of `replay` each; one that is to
    prove itself has `proof`.
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
    """What a watch must get to: `proof` is the number of the one that it is for, 0 after a gap.

    It is there when it is told of something as new as `version`, which the server had when it was asked; or when its
    state is `there`, what the server had then, and the server has had time to repeat what came and went before:
    in a stream that was opened since then.
    """

    version: int
    there: Mapping[str, tuple[str | None, str]]
    expires: float
    proof: int = 0
    again: bool = False


class WatchPosition:
    """What a watch has seen, and how it goes on. `over` says when to stop, `asking` is told of each request."""

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

    def look(self) -> Iterator[Change]:
        """Yield what is seen until something fails: from where it was if that can be, else from a new list.

        Raises Gap, and Over.
        """
        self._goal, self._due = None, self._proofs.due
        if self._blind and time.monotonic() > self._expires:
            self._version = ""
        if not version_number(self._version) or self._refused > _REFUSALS:
            self._refused = 0
            yield from self._list()
        elif self._refused == _REFUSALS:
            self._refused -= 1
            self._census(self._timing.catch_up)  # who refuses this, too, may take the version as soon as it can
            self._refused += 1
        while True:
            yield from self._watch()

    def fail(self, gap: StreamBroken) -> Iterator[Change]:
        """Yield what a failure means, once, and decide from where to go on."""
        other = NOT_SERVED in (gap.why, self._blind) and gap.why != self._blind
        if not self._blind or other:
            self._blind = gap.why
            yield self._tell(Change("GAP", why=gap.why, detail=gap.detail))
        if gap.why == NOT_SERVED:
            gone, self._state = list(self._state.values()), {}
            for thing in gone:
                yield observed_change("DELETED", thing, in_gap=True)
            yield from self._still_away()
        if gap.why in (_GONE, NOT_SERVED, _BACKWARDS, _UNCLEAR):
            self._version = ""
        elif gap.why.isdecimal() and gap.why not in _LATER:
            self._refused += 1

    def _still_away(self) -> Iterator[Change]:
        """Yield a sign of life, now and then and when it is asked for: there still is no such list."""
        if self._due or time.monotonic() - self._told > _SIGN_SECONDS:
            yield self._tell(Change("BOOKMARK"))
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
        yield self._tell(Change("LISTED", resource_version=self._version))
        self._proofs.give(self._due)

    def _watch(self) -> Iterator[Change]:
        """Yield what one stream tells, from where it is; return if it ended in its time, or another one is wanted."""
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
        for line in stream_lines(self._api, self._path, query, (timing.connect, timing.read), self._over):
            if line == OPEN:
                yield from self._opened()
            elif line is not None:
                yield from self._take(_parse(line))
            yield from self._prove(quiet=line is None, anew=again)
            if self._goal is not None and self._goal.again and not again:
                return
        if time.monotonic() - began < seconds:
            raise StreamBroken(_ENDED)
        if not self._blind:
            yield self._tell(Change("BOOKMARK", resource_version=self._version))
        elif self._goal is not None and versions_by_key(self._state.values()) == self._goal.there:
            yield self._resumed(self._goal)

    def _opened(self) -> Iterator[Change]:
        if self._blind and self._goal is None:
            self._goal = self._census(self._timing.catch_up)
            self._expires = self._goal.expires = min(self._expires, self._goal.expires)
            if version_number(self._version) == self._goal.version:
                yield self._resumed(self._goal)

    def _take(self, event: Any) -> Iterator[Change]:
        kind, thing = event["type"], event["object"]
        if kind == "ERROR":
            raise StreamBroken(str(thing.get("code", _UNKNOWN)), thing.get("message", ""))
        version = thing["metadata"]["resourceVersion"]
        bookmark = kind == "BOOKMARK"
        at = version_number(version)
        if 0 < at <= version_number(self._version) and not bookmark:
            return  # it was told before
        goal = self._goal
        if self._blind and goal is not None and at > goal.version:
            yield self._resumed(goal)
        if not self._blind and not bookmark and 0 < at <= self._claimed:
            raise StreamBroken(_SILENT, f"{version} came when all up to {self._claimed} should have been told")
        if at >= version_number(self._version):
            self._version, self._refused = version, 0
        change = Change("BOOKMARK", resource_version=version)
        if not bookmark:
            change = observed_change(kind, thing, in_gap=bool(self._blind))
            fold(self._state, change)
        if not (bookmark and self._blind):
            yield self._tell(change)
        if self._blind and goal is not None and at == goal.version:
            yield self._resumed(goal)

    def _resumed(self, goal: _Goal) -> Change:
        """Return that the gap is over, for all up to a version was told: then there is what the server had."""
        if versions_by_key(self._state.values()) != goal.there:
            raise StreamBroken(_BACKWARDS, f"what was told up to {goal.version} is not what the server had then")
        self._goal, self._blind, self._expires, self._claimed = None, "", inf, goal.version
        return self._tell(Change("RESUMED", resource_version=str(goal.version)))

    def _prove(self, *, quiet: bool, anew: bool) -> Iterator[Change]:
        """Yield a sign of life when it is proved; `quiet`: nothing came for a moment, `anew`: in a new stream."""
        goal = self._goal
        late = goal is not None and quiet and time.monotonic() > goal.expires
        if self._blind:
            if late:
                raise StreamBroken(_UNCLEAR)
            return
        if goal is None:
            self._goal = self._wanted()
            return
        caught = 0 < goal.version <= version_number(self._version)
        if caught or (quiet and versions_by_key(self._state.values()) == goal.there):
            self._claimed = max(self._claimed, goal.version)
            if caught or anew:
                self._goal = None
                yield self._tell(Change("BOOKMARK", resource_version=str(goal.version)))
                self._proofs.give(goal.proof)
            else:
                goal.again = True
        elif late:
            raise StreamBroken(_SILENT, f"what the server had at {goal.version} was not told")

    def _wanted(self) -> _Goal | None:
        """Return what there is to be proved; a server that refuses to say is asked again a little later."""
        due, now = self._proofs.due, time.monotonic()
        if not due or now < self._later:
            return None
        try:
            return self._census(self._timing.proof, due)
        except StreamBroken as gap:
            if not gap.why.isdecimal():
                raise
            self._later = now + max(gap.pause, self._timing.longest_pause)
            return None

    def _census(self, seconds: float, proof: int = 0) -> _Goal:
        """Ask what there is now, by names and versions only."""
        body = self._ask(min(seconds, self._timing.read), _NAMES_ONLY)
        goal = _Goal(
            version_number(body["metadata"]["resourceVersion"]), versions_by_key(body["items"] or ()), 0.0, proof
        )
        if goal.version < version_number(self._version):
            raise StreamBroken(_BACKWARDS, f"the server is at {goal.version}, and told {self._version} before")
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

    def _tell(self, change: Change) -> Change:
        self._told = change.at
        return change


def _parse(text: bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise StreamBroken(_BROKEN, f"expected JSON, found {text[:_MESSAGE_LENGTH]!r}") from error
