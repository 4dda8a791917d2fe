"""Watching: what the watch on a list of objects writes of it: first a list, then each change, and signs of life.

A watch on which nothing comes gives a sign at least every 10 s (BOOKMARK), and one more when it is judged. A gap is
told when the stream breaks; a half-open stream only some time after the last sign of life. Then the watch goes on
where it was and tells, `in_gap`, all that came, or lists again and tells the difference.
"""

from collections.abc import Callable, Generator, Iterator, Sequence
from math import inf
from typing import Any

from chaos_harness.harness.history.vocabulary import ADDED, BOOKMARK, DELETED, GAP, LISTED, MODIFIED, RESUMED
from tests.worlds.hiding import SIGN_SECONDS, Hiding
from tests.worlds.stage import Line, Stage, Version

__all__ = ["NOT_SERVED", "watched"]

_FIRST_LIST = 0.6
_RELIST_SECONDS = 0.3
_SEEN_SECONDS = 0.02

Object = dict[str, Any]
State = dict[str, Object]


NOT_SERVED = "404"
"""Why there is a gap if there is no such list; "404 then 503": and then nobody answers."""


def watched(
    process: str, versions: Sequence[Version], hidden: Sequence[Hiding], stage: Stage, clock: Callable[[float], float]
) -> list[Line]:
    """Return what a watch writes; `clock` says when something is written that comes at a moment."""
    if any(hiding.how == "absent" for hiding in hidden):
        return []
    ordered = sorted(versions, key=lambda version: version.at)
    return list(_Watch(process, ordered, hidden, stage, clock).lines())


class _Watch:
    def __init__(
        self,
        process: str,
        versions: Sequence[Version],
        hidden: Sequence[Hiding],
        stage: Stage,
        clock: Callable[[float], float],
    ) -> None:
        self._process = process
        self._versions = list(versions)
        self._hidden = list(hidden)
        self._stage = stage
        self._clock = clock
        self._state: State = {}
        self._next = 0
        self._sign = 0.0
        self._number = 0
        self._lost = False

    def lines(self) -> Iterator[Line]:
        begin = _FIRST_LIST + (hash_of(self._process) % 20) / 100
        open_at = begin
        first = self._gap_after(0.0)
        if first and first.begin <= begin:  # it could not even list
            yield self._line(begin, GAP, why="refused")
            open_at = self._over(first, 0.0)
            self._hidden.remove(first)
        self._fold(open_at)
        for body in self._state.values():
            yield self._line(open_at, LISTED, body)
        yield self._line(open_at, LISTED)
        now = open_at
        while now < self._stage.end:
            gap = self._gap_after(now)
            until = min(gap.begin if gap else inf, self._stage.end)
            yield from self._open(now, until)
            if gap is None or until >= self._stage.end:
                return
            self._hidden.remove(gap)
            now = yield from self._gap(gap)

    def _gap_after(self, moment: float) -> Hiding | None:
        return next((gap for gap in self._hidden if gap.end > moment), None)

    def _open(self, begin: float, until: float) -> Iterator[Line]:
        """Yield what comes on an open stream: changes, and bookmarks where nothing comes; one after it is judged."""
        begin = max(begin, self._sign)
        self._sign = begin
        moments: list[tuple[float, Version | None]] = []
        judge = self._stage.judge + 0.1 + (hash_of(self._process) % 7) / 10
        while self._next < len(self._versions) and self._versions[self._next].at + _SEEN_SECONDS < until:
            version = self._versions[self._next]
            moments.append((max(begin, version.at + _SEEN_SECONDS), version))
            self._next += 1
        if begin <= judge < until:
            moments.append((judge, None))
        for at, change in sorted(moments, key=lambda moment: moment[0]):
            yield from self._bookmarks(at)
            self._sign = at
            if change is None:
                yield self._line(at, BOOKMARK)
            else:
                yield from self._change(at, change)
        yield from self._bookmarks(min(until, self._stage.judge))

    def _bookmarks(self, until: float) -> Iterator[Line]:
        while self._sign + SIGN_SECONDS < until:
            self._sign += SIGN_SECONDS - 0.5
            yield self._line(self._sign, BOOKMARK)

    def _change(self, at: float, version: Version, *, in_gap: bool = False) -> Iterator[Line]:
        before = self._state.get(version.key)
        if version.object is None:
            if before is not None:
                del self._state[version.key]
                yield self._line(at, DELETED, before, in_gap=in_gap)
            return
        self._state[version.key] = version.object
        if before is not None and _uid(before) != _uid(version.object):
            yield self._line(at, DELETED, before, in_gap=in_gap)
            before = None
        yield self._line(at, MODIFIED if before else ADDED, version.object, in_gap=in_gap)

    def _gap(self, gap: Hiding) -> Generator[Line, None, float]:
        """Yield a gap and what comes to light after it; return when that was."""
        told_at = max(gap.begin, self._sign)
        if gap.how == "silent":
            told_at = self._sign + gap.late
        end = self._over(gap, told_at)
        if told_at < self._stage.end:
            yield self._line(told_at, GAP, why=gap.how.partition(" ")[0])
        if gap.how.startswith(NOT_SERVED):
            yield from self._away(gap, told_at)
        if end >= self._stage.end:
            return self._stage.end
        at = end - 0.01
        if gap.resumed and not gap.how.startswith(NOT_SERVED):
            while self._next < len(self._versions) and self._versions[self._next].at <= end:
                yield from self._change(at, self._versions[self._next], in_gap=True)
                self._next += 1
            yield self._line(end, RESUMED)
        else:
            before = dict(self._state)
            if self._lost:  # it was told that all is gone; what there truly is, is told anew
                self._state, self._next, self._lost = {}, 0, False
            self._fold(end)
            yield from self._differences(before, at)
            yield self._line(end, LISTED)
        self._sign = end
        return end

    def _away(self, gap: Hiding, told_at: float) -> Iterator[Line]:
        """Yield that all is gone, since there is no such list, and that this is so; until nobody answers any more."""
        for body in self._state.values():
            yield self._line(told_at + 0.001, DELETED, body, in_gap=True)
        self._state, self._lost = {}, True
        until = min(gap.end, self._stage.end)
        if gap.how != NOT_SERVED:
            until = min(told_at + 2.0, (told_at + until) / 2)
            yield self._line(until, GAP, why="503")
        self._sign = told_at
        yield from self._bookmarks(min(until, self._stage.judge))
        if told_at < self._stage.judge < until:
            yield self._line(self._stage.judge + 0.2, BOOKMARK)

    def _over(self, gap: Hiding, told_at: float) -> float:
        return max(gap.end, told_at + _RELIST_SECONDS)

    def _differences(self, before: State, at: float) -> Iterator[Line]:
        for key, old in before.items():
            if key not in self._state or _uid(self._state[key]) != _uid(old):
                yield self._line(at, DELETED, old, in_gap=True)
        for key, new in self._state.items():
            if key not in before or _uid(before[key]) != _uid(new):
                yield self._line(at, ADDED, new, in_gap=True)
            elif before[key] is not new:
                yield self._line(at, MODIFIED, new, in_gap=True)

    def _fold(self, until: float) -> None:
        while self._next < len(self._versions) and self._versions[self._next].at <= until:
            version = self._versions[self._next]
            self._next += 1
            if version.object is None:
                self._state.pop(version.key, None)
            else:
                self._state[version.key] = version.object

    def _line(self, at: float, f: str, body: Object | None = None, *, in_gap: bool = False, why: str = "") -> Line:
        self._number += 1
        value: Object = {"resource_version": str(self._number)}
        if body is not None:
            value["object"] = body
        if in_gap:
            value["in_gap"] = True
        if why:
            value |= {"why": why, "detail": ""}
        return Line(self._clock(at), "change", self._process, f, value)


def hash_of(text: str) -> int:
    """Return a number that depends on a text alone, in every process."""
    return sum(ord(letter) * (index + 7) for index, letter in enumerate(text))


def _uid(body: Object) -> Any:
    return body["metadata"].get("uid")
