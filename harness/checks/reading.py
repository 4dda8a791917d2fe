"""Reading: what a recorded history says of faults, pods, admission and pulls, in the words that checks use."""

from array import array
from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.history import Entry, Recorded

__all__ = ["Event", "Harm", "Life", "Pod", "Reading", "Request", "Review", "Sighting", "Span"]

# The processes of a history, as experiment, faults and probes call them. They are repeated here, and a test
# holds them equal, because a check that is run offline must not import what speaks to clusters.
_FAULT, _HARM, _CANARY, _REPLICA, _REGISTRY = "fault ", "harm", "canary ", "replica ", "registry"


@dataclass
class Span:
    """A fault, from its first proof to the moment when healing began (seconds of the history; None: never)."""

    name: str
    injected: float
    proved: float | None = None
    healing: float | None = None
    healed: float | None = None


@dataclass(frozen=True)
class Harm:
    """What was done to one pod: when, how ("killed", "rescheduled"), and what the pod was then."""

    at: float
    how: str
    pod: str
    uid: str
    node: str
    containers: tuple[str, ...]
    owner: str


@dataclass(frozen=True)
class Pod:
    """What a pod's status said at one moment; `container` is the id of its running container, or ""."""

    ready: bool
    container: str
    restarts: int
    waiting: str
    deleted: bool


@dataclass(frozen=True)
class Sighting:
    """When the watch saw a pod in which state."""

    at: float
    pod: Pod


@dataclass
class Life:
    """All that was seen of one pod, by its uid."""

    name: str
    node: str
    owner: str
    webhook: bool
    seen: list[Sighting] = field(default_factory=list)

    def at(self, moment: float) -> Pod | None:
        """Return the last state seen up to `moment`."""
        return next((each.pod for each in reversed(self.seen) if each.at <= moment), None)


@dataclass(frozen=True)
class Event:
    """What was told of the object `uid`, mostly by a kubelet of a pod."""

    at: float
    uid: str
    reason: str
    message: str

    def tells(self, reason: str, uid: str, since: float) -> bool:
        """Whether it gives this reason for this object, `since` then."""
        return self.reason == reason and self.uid == uid and self.at >= since


@dataclass(frozen=True)
class Review:
    """A question to one replica and its outcome: "ok" if it denied what it must."""

    uid: str
    asked: float
    answered: float
    outcome: str


@dataclass(frozen=True)
class Request:
    """A request that the registry answered; `at` is in seconds of the history, and may be before its begin."""

    at: float
    method: str
    path: str
    status: int
    remote: str


class Reading:
    """A history, read once from its first to its last entry."""

    def __init__(self, recorded: Recorded) -> None:
        self._started = recorded.header.started
        self.truncated = recorded.truncated
        self.end = 0.0
        self.spans: list[Span] = []
        self.harms: list[Harm] = []
        self.pods: dict[str, Life] = {}
        self.events: list[Event] = []
        self.endpoints: list[tuple[float, frozenset[str]]] = []
        self.reviews: list[Review] = []
        self.canaries = array("d")
        """When canaries were answered: nothing else of a long history is kept one by one."""
        self._heard = array("d")
        self.requests: list[Request] = []
        self.log_read_until: float | None = None
        self._open: dict[str, Span] = {}
        self._asked: dict[str, float] = {}
        self._slices: dict[str, frozenset[str]] = {}
        self._watched = {
            "watch pods": self._take_pod,
            "watch events": self._take_event,
            "watch endpointslices": self._take_slice,
        }
        takes: dict[str, Callable[[Entry], None]] = {}
        for entry in recorded.entries:
            process = entry.process
            if process not in takes:
                takes[process] = self._take_of(process)
            takes[process](entry)
            self.end = entry.at

    def spans_of(self, fault: str) -> list[Span]:
        """Return the times of the fault `fault` that are proved."""
        return [span for span in self.spans if span.name == fault and span.proved is not None]

    def in_rotation(self, uid: str, since: float) -> float | None:
        """Return when, from `since` on, the Service first sent requests to the pod."""
        last = frozenset[str]()
        for at, ready in self.endpoints:
            if at > since:
                break
            last = ready
        if uid in last:
            return since
        return next((at for at, ready in self.endpoints if at > since and uid in ready), None)

    def answered(self, uid: str, since: float) -> float | None:
        """Return when the pod first answered as it must to a question asked `since` then."""
        answers = (each for each in self.reviews if each.uid == uid and each.asked >= since and each.outcome == "ok")
        return next((each.answered for each in answers), None)

    def heard(self, begin: float, end: float) -> bool:
        """Return whether the API server answered anybody meanwhile; a time-out is no answer."""
        next_ = bisect_left(self._heard, begin)
        return next_ < len(self._heard) and self._heard[next_] <= end

    def asked_to_pull(self, uid: str, since: float) -> float | None:
        """Return when the kubelet first told, `since` then, that it pulls the pod's image."""
        return next((each.at for each in self.events if each.tells("Pulling", uid, since)), None)

    def pull_error(self, uid: str, since: float) -> str:
        """Return what the kubelet first told, `since` then, of a failure with the pod, or ""."""
        return next((each.message for each in self.events if each.tells("Failed", uid, since)), "")

    def _take_of(self, process: str) -> Callable[[Entry], None]:
        """Return what takes the entries of a process: it is asked once, as there are few processes and many entries."""
        if process.startswith(_FAULT):
            return self._take_fault
        if process.startswith((_CANARY, _REPLICA)):
            return self._take_answer
        watched = self._watched.get(process)
        if watched:
            return lambda entry: watched(entry) if "object" in entry.value else None
        return {_HARM: self._take_harm, _REGISTRY: self._take_request}.get(process, _leave)

    def _take_harm(self, entry: Entry) -> None:
        if "pod" in entry.value:
            value = {**entry.value, "containers": tuple(entry.value["containers"])}
            self.harms.append(Harm(at=entry.at, how=entry.f, **value))

    def _take_request(self, entry: Entry) -> None:
        if entry.f == "request":
            value = {name: entry.value[name] for name in ("method", "path", "status", "remote")}
            self.requests.append(Request(at=entry.value["time"] - self._started, **value))
        elif entry.kind == "ok":
            self.log_read_until = entry.value["until"] - self._started

    def _take_fault(self, entry: Entry) -> None:
        if entry.f == "inject":
            self._open[entry.process] = Span(entry.value["name"], entry.at)
            self.spans.append(self._open[entry.process])
            return
        span = self._open[entry.process]
        if entry.f == "observed":
            span.proved = entry.at if span.proved is None else span.proved
        elif entry.f == "heal":
            span.healing = entry.at
        else:
            span.healed = entry.at

    def _take_pod(self, entry: Entry) -> None:
        found = entry.value["object"]
        metadata = found["metadata"]
        owner = next((each["uid"] for each in metadata.get("ownerReferences") or ()), "")
        webhook = metadata.get("labels", {}).get("gatekeeper.sh/operation") == "webhook"
        life = self.pods.setdefault(metadata["uid"], Life(metadata["name"], "", owner, webhook))
        life.node = found["spec"].get("nodeName", life.node)
        life.seen.append(Sighting(entry.at, _pod(found, gone=entry.f == "DELETED")))

    def _take_event(self, entry: Entry) -> None:
        found = entry.value["object"]
        uid = found.get("involvedObject", {}).get("uid", "")
        if entry.f in ("ADDED", "MODIFIED"):
            self.events.append(Event(entry.at, uid, found.get("reason", ""), found.get("message", "")))

    def _take_slice(self, entry: Entry) -> None:
        found = entry.value["object"]
        gone = entry.f == "DELETED"
        ready = {
            each["targetRef"]["uid"]
            for each in (() if gone else found.get("endpoints") or ())
            if each.get("conditions", {}).get("ready") and "targetRef" in each
        }
        self._slices[found["metadata"]["name"]] = frozenset(ready)
        self.endpoints.append((entry.at, frozenset().union(*self._slices.values())))

    def _take_answer(self, entry: Entry) -> None:
        asked = self._asked.pop(entry.process, None)
        if entry.kind == "invoke":
            self._asked[entry.process] = entry.at
        elif asked is not None:
            if entry.process.startswith(_REPLICA):
                self.reviews.append(Review(entry.value["uid"], asked, entry.at, entry.kind))
            else:
                self.canaries.append(entry.at)
            if entry.kind != "info":
                self._heard.append(entry.at)


def _leave(_entry: Entry) -> None:
    """Take nothing from the entries of a process that says nothing of pods."""


def _pod(found: Mapping[str, Any], *, gone: bool) -> Pod:
    status = found.get("status", {})
    containers = status.get("containerStatuses") or ()
    running = [each for each in containers if "running" in each["state"]]
    ready = any(each["type"] == "Ready" and each["status"] == "True" for each in status.get("conditions") or ())
    reasons = [each["state"].get("waiting", {}).get("reason", "") for each in containers]
    return Pod(
        ready=ready,
        container=running[0]["containerID"].rpartition("/")[2] if running else "",
        restarts=sum(each.get("restartCount", 0) for each in containers),
        waiting=next((reason for reason in reasons if reason), ""),
        deleted=gone or "deletionTimestamp" in found["metadata"],
    )
