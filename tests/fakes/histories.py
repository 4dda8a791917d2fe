"""Histories by hand: the entries that experiment, faults and probes would have written, at chosen moments."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, Self

from chaos_harness.harness.history import Entry, EntryKind, Header, History
from chaos_harness.harness.history.vocabulary import CLOCK_STEP, HISTORY
from tests.thorough import some

__all__ = ["STARTED", "HistoryBuilder", "renumbered", "set_clock", "some_lines"]

_FEW_LINES, _SHARE = 12, 4
_SHOWN = ("time", "since", "until", "received", "decided")

STARTED = 1_800_000_000.0


def renumbered(entries: Iterable[Entry]) -> list[Entry]:
    """Return entries with the indices of their places.

    Tests take histories apart a thousand times: an entry stays where its index does, and none is made by
    `dataclasses.replace`, which takes thrice as long.
    """
    return [
        entry
        if entry.index == index
        else Entry(index, entry.kind, entry.process, entry.f, entry.value, entry.at, entry.wall)
        for index, entry in enumerate(entries)
    ]


class HistoryBuilder:
    """A history in the making; moments are seconds since its begin, in any order."""

    def __init__(self) -> None:
        self._entries: list[tuple[float, EntryKind, str, str, Any]] = []

    def recorded(self, *, truncated: bool = False) -> History:
        """Return the history as a check reads it."""
        ordered = sorted(self._entries, key=lambda entry: entry[0])
        entries = [
            Entry(index, kind, process, f, value, at, STARTED + at)
            for index, (at, kind, process, f, value) in enumerate(ordered)
        ]
        return History(Header(1, "test", STARTED, "0"), entries, truncated)

    def add(self, at: float, kind: EntryKind, process: str, f: str, value: Any = None) -> Self:
        """Add one entry."""
        self._entries.append((at, kind, process, f, value))
        return self

    def fault(
        self,
        inject: float,
        observed: float | None,
        heal: float | None,
        *,
        name: str = "cut registry",
        process: str = "fault 1",
    ) -> Self:
        """Add a fault; None: it was never proved, or never healed."""
        self.add(inject, "invoke", process, "inject", {"name": name})
        if observed is not None:
            self.add(observed, "ok", process, "observed", {"name": name, "proof": "seen"})
        if heal is not None:
            self.add(heal, "invoke", process, "heal", {"name": name})
            self.add(heal, "ok", process, "healed", {"name": name, "proof": "seen"})
        return self

    def harm(self, at: float, how: str, pod: str, *, container: str = "c1", node: str = "worker") -> Self:
        """Add what was done to a pod; its uid is "uid-" and its name, its owner "set"."""
        target = {"pod": pod, "uid": f"uid-{pod}", "node": node, "containers": [container], "owner": "set"}
        return self.add(at, "info", "harm", how, target)

    def pod(
        self,
        at: float,
        name: str,
        *,
        ready: bool = True,
        container: str = "c1",
        waiting: str = "",
        node: str = "worker",
        deleting: bool = False,
        webhook: bool = True,
        f: str = "MODIFIED",
    ) -> Self:
        """Add what the watch saw of a pod; container "" is one that does not run."""
        state = {"running": {}} if container else {"waiting": {"reason": waiting or "CrashLoopBackOff"}}
        metadata: dict[str, Any] = {
            "name": name,
            "uid": f"uid-{name}",
            "labels": {"gatekeeper.sh/operation": "webhook" if webhook else "audit"},
            "ownerReferences": [{"uid": "set"}],
        }
        if deleting:
            metadata["deletionTimestamp"] = "2026-11-23T00:00:00Z"
        pod = {
            "metadata": metadata,
            "spec": {"nodeName": node},
            "status": {
                "conditions": [{"type": "Ready", "status": str(ready)}],
                "containerStatuses": [{"containerID": f"containerd://{container}", "restartCount": 0, "state": state}],
            },
        }
        return self.add(at, "change", "watch pods", f, {"object": pod})

    def event(self, at: float, reason: str, pod: str, message: str = "") -> Self:
        """Add what a kubelet told of a pod."""
        event = {"involvedObject": {"uid": f"uid-{pod}"}, "reason": reason, "message": message}
        return self.add(at, "change", "watch events", "ADDED", {"object": event})

    def rotation(self, at: float, *pods: str) -> Self:
        """Add which pods the Service sends requests to, from now on."""
        endpoints = [{"conditions": {"ready": True}, "targetRef": {"uid": f"uid-{pod}"}} for pod in pods]
        endpoint_slice = {"metadata": {"name": "slice"}, "endpoints": endpoints}
        return self.add(at, "change", "watch endpointslices", "MODIFIED", {"object": endpoint_slice})

    def review(self, at: float, pod: str, outcome: EntryKind = "ok") -> Self:
        """Add a question to one replica, asked a tenth of a second before its outcome."""
        value = {"pod": pod, "uid": f"uid-{pod}"}
        self.add(at - 0.1, "invoke", f"replica {pod}", "review", value)
        return self.add(at, outcome, f"replica {pod}", "review", value)

    def reviews(self, begin: int, end: int, pod: str, outcome: EntryKind = "ok") -> Self:
        """Add one question a second."""
        for at in range(begin, end):
            self.review(at + 0.5, pod, outcome)
        return self

    def canaries(self, begin: int, end: int) -> Self:
        """Add two questions a second to the API server."""
        for half in range(2 * begin, 2 * end):
            self.add(half / 2, "invoke", "canary 0", "create forbidden namespace")
            self.add(half / 2 + 0.1, "ok", "canary 0", "create forbidden namespace")
        return self

    def request(self, at: float, path: str, *, method: str = "HEAD", status: int = 200) -> Self:
        """Add a request that the registry answered."""
        value = {"time": STARTED + at, "method": method, "path": path, "status": status, "remote": "10.0.0.2"}
        return self.add(at + 1, "info", "registry", "request", value)

    def log_read(self, until: float) -> Self:
        """Add that the registry's log is copied up to a moment."""
        return self.add(until, "ok", "registry", "read", {"until": STARTED + until})


def set_clock(recorded: History, at: float, seconds: float) -> History:
    """Return a history in which the wall clock was set by some seconds at a moment.

    What clocks showed later, in unix seconds, is shown by the new one.
    """
    step = Entry(0, "info", HISTORY, CLOCK_STEP, {"seconds": seconds}, at, STARTED + at)
    entries = sorted([*recorded.entries, step], key=lambda entry: entry.at)
    return replace(
        recorded,
        entries=[
            replace(
                entry,
                index=index,
                wall=entry.wall + seconds * (entry.at >= at),
                value=_shown_later(entry.value, STARTED + at, seconds),
            )
            for index, entry in enumerate(entries)
        ],
    )


def some_lines(recorded: History) -> Iterator[int]:
    """Yield the numbers of the lines that a test takes away one by one, of which the quick loop tries some.

    Of each kind of line they are the first twelve, and of those that follow, such as bookmarks, every fourth.
    """
    seen: Counter[tuple[str, str, str]] = Counter()
    tried = []
    for number, entry in enumerate(recorded.entries):
        kind = entry.process, entry.kind, entry.f
        if seen[kind] < _FEW_LINES or seen[kind] % _SHARE == 0:
            tried.append(number)
        seen[kind] += 1
    return some(tried)


def _shown_later(value: Any, since: float, seconds: float) -> Any:
    if not isinstance(value, dict):
        return value
    later = {name: shown + seconds for name, shown in value.items() if name in _SHOWN and shown and shown >= since}
    return {**value, **later}
