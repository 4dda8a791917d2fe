"""Admissions: what canaries asked and were told, in the order of the questions, as a history streams by."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from harness.history import Entry, Recorded
from harness.policies import mutated

__all__ = ["Admission", "Answers", "Call", "Created", "Enforced", "Scene", "Span"]

# The processes of a history, as experiment and probes call them; a test holds them equal (see checks.reading).
_CANARY, _FAULT, _POLICIES, _FAIL_OPEN = "canary ", "fault ", "policies", "fail open"
_WORKLOAD, _SLICES, _PODS = "watch workload", "watch endpointslices", "watch pods"

_LATE_SECONDS = 1.0
_OPEN_SECONDS = 15.0  # more than any question waits for its answer
_LATE_SHARE = 0.01


class Admission(NamedTuple):
    """One question and its answer; moments are seconds of the history.

    `kind` is "ok" (as the policy demands), "fail" (it was not enforced), or "info" (nothing can be said).
    """

    seq: int
    f: str
    policy: str
    dry_run: bool
    round: int
    late: float
    asked: float
    answered: float
    kind: str
    outcome: str
    said: str


@dataclass(slots=True)
class Span:
    """A fault: its name, when it began, when it was proved, and when healing began (None: never)."""

    name: str
    injected: float
    proved: float | None = None
    healing: float | None = None


@dataclass(slots=True)
class Enforced:
    """A policy, from the moment when it was in force to that when it was to be removed."""

    policy: str
    since: float
    until: float | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a webhook that failed, as the API server logged it; `at` is in seconds of the history."""

    at: float
    webhook: str
    said: str


@dataclass(frozen=True, slots=True)
class Created:
    """A pod of the workload that the watch saw come into being: when, whose it is, and whether it is mutated."""

    at: float
    name: str
    owner: str
    mutated: bool
    in_gap: bool


@dataclass
class Scene:
    """What happened around the questions: small things, kept; answers are not."""

    end: float = 0.0
    spans: list[Span] = field(default_factory=list)
    enforced: list[Enforced] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    calls_read_until: float | None = None
    created: list[Created] = field(default_factory=list)
    blind: list[float] = field(default_factory=list)
    workload_watched: bool = False
    ready: list[tuple[float, tuple[str, ...]]] = field(default_factory=list)
    going: dict[str, float] = field(default_factory=dict)

    def ready_at(self, moment: float) -> tuple[str, ...]:
        """Return the webhook pods to which the Service sent requests at a moment."""
        found: tuple[str, ...] = ()
        for at, pods in self.ready:
            if at > moment:
                break
            found = pods
        return found

    def during(self, fault: str, moment: float) -> Span | None:
        """Return the fault `fault` to which a moment belongs: from its begin until one begins after its healing.

        So what happens while it is being recovered from still belongs to it, and so do faults within it.
        """
        begun = [span for span in self.spans if span.injected <= moment]
        for span in reversed(begun):
            if span.name == fault:
                over = any(span.healing is not None and span.healing <= each.injected for each in begun)
                return None if over else span
        return None

    def in_force(self, policy: str, moment: float) -> bool:
        """Whether an experiment had put the policy in force by then, and not yet begun to remove it."""
        return any(
            each.policy == policy and each.since <= moment and (each.until is None or moment <= each.until)
            for each in self.enforced
        )


class Answers:
    """Iterate to get the answers of a history, in the order of the questions; `scene` grows meanwhile.

    A question whose answer is not in the history is counted in `lost`, unless the history ends before it could be
    there. Only questions without an answer yet are kept.
    """

    def __init__(self, recorded: Recorded) -> None:
        self.scene = Scene()
        self.lost = self.asked = self.late = 0
        self._recorded = recorded
        self._started = recorded.header.started
        self._asked: dict[int, Entry] = {}
        self._answered: dict[int, Admission] = {}
        self._next = 0
        self._faults: dict[str, Span] = {}
        self._slices: dict[str, dict[str, bool]] = {}
        self._seen: set[str] = set()
        self._ready: deque[Admission] = deque()
        self._takes: dict[str, Callable[[Entry], None]] = {
            _POLICIES: self._take_policies,
            _FAIL_OPEN: self._take_call,
            _WORKLOAD: self._take_workload,
            _SLICES: self._take_slice,
            _PODS: self._take_pod,
        }

    def __iter__(self) -> Iterator[Admission]:
        """Read the history once, from its first to its last entry."""
        scene, ready, takes = self.scene, self._ready, self._takes
        for entry in self._recorded.entries:
            process = entry.process
            if process not in takes:
                takes[process] = self._take_of(process)
            takes[process](entry)
            while ready:
                yield ready.popleft()
            scene.end = entry.at
        self._asked = {seq: each for seq, each in self._asked.items() if each.at < scene.end - _OPEN_SECONDS}
        self._flush()
        yield from ready

    @property
    def fell_behind(self) -> str:
        """Why, in words, the answers that were read are not what they should be: then nothing can be judged; or ""."""
        if self.late > _LATE_SHARE * self.asked:
            return f"the canary fell behind: {self.late} of {self.asked} questions came over {_LATE_SECONDS:g} s late"
        if self.lost > _LATE_SHARE * self.asked:
            return f"the canary lost {self.lost} answers of {self.asked + self.lost}"
        return ""

    def _take_of(self, process: str) -> Callable[[Entry], None]:
        """Return what takes the entries of a process: it is asked once, as there are few processes and many entries."""
        if process.startswith(_CANARY):
            return self._take_canary
        return self._take_fault if process.startswith(_FAULT) else _leave

    def _take_canary(self, entry: Entry) -> None:
        value = entry.value
        if not value or "seq" not in value:
            return
        seq = value["seq"]
        if entry.kind == "invoke":
            if seq < self._next or seq in self._asked:
                self._flush()
            self._asked[seq] = entry
            return
        asked = self._asked.pop(seq, None)
        if asked is None:
            return
        before = asked.value
        self._answered[seq] = Admission(
            seq,
            entry.f,
            value["policy"],
            before["dry_run"],
            before["round"],
            before["late"],
            asked.at,
            entry.at,
            entry.kind,
            value["outcome"],
            value["said"],
        )
        while self._next in self._answered:
            self._give(self._answered.pop(self._next))
            self._next += 1

    def _give(self, found: Admission) -> None:
        self.asked += 1
        self.late += found.late > _LATE_SECONDS
        self._ready.append(found)

    def _flush(self) -> None:
        """Give what waits for a question that was never answered, and begin to count anew."""
        self.lost += len(self._asked)
        for seq in sorted(self._answered):
            self._give(self._answered[seq])
        self._asked.clear()
        self._answered.clear()
        self._next = 0

    def _take_fault(self, entry: Entry) -> None:
        if entry.f == "inject":
            self._faults[entry.process] = span = Span(entry.value["name"], entry.at)
            self.scene.spans.append(span)
        elif entry.f == "observed" and self._faults[entry.process].proved is None:
            self._faults[entry.process].proved = entry.at
        elif entry.f == "heal":
            self._faults[entry.process].healing = entry.at

    def _take_policies(self, entry: Entry) -> None:
        if entry.f == "in force":
            self.scene.enforced += [Enforced(policy, entry.at) for policy in entry.value["policies"]]
        elif entry.f == "remove":
            for each in self.scene.enforced:
                if each.policy in entry.value["policies"] and each.until is None:
                    each.until = entry.at

    def _take_call(self, entry: Entry) -> None:
        if entry.f == "call":
            value = entry.value
            self.scene.calls.append(Call(value["time"] - self._started, value["webhook"], value["said"]))
        elif entry.kind == "ok":
            self.scene.calls_read_until = entry.value["until"] - self._started

    def _take_workload(self, entry: Entry) -> None:
        self.scene.workload_watched = True
        if entry.f == "GAP":
            self.scene.blind.append(entry.at)
        found: dict[str, Any] | None = entry.value.get("object")
        if found is None or found["metadata"]["uid"] in self._seen:
            return
        metadata = found["metadata"]
        self._seen.add(metadata["uid"])
        if entry.f in ("ADDED", "MODIFIED"):
            owners = [f"{each['kind']} {each['name']}" for each in metadata.get("ownerReferences") or ()]
            name = f"{metadata['namespace']}/{metadata['name']}"
            whose = ", ".join(owners) or "nobody"
            self.scene.created.append(Created(entry.at, name, whose, mutated(found), "in_gap" in entry.value))

    def _take_slice(self, entry: Entry) -> None:
        found = entry.value.get("object")
        if found is None:
            return
        endpoints = () if entry.f == "DELETED" else found.get("endpoints") or ()
        self._slices[found["metadata"]["name"]] = {
            each["targetRef"]["name"]: bool(each.get("conditions", {}).get("ready"))
            for each in endpoints
            if "targetRef" in each
        }
        ready = {name for each in self._slices.values() for name, is_ready in each.items() if is_ready}
        self.scene.ready.append((entry.at, tuple(sorted(ready))))

    def _take_pod(self, entry: Entry) -> None:
        found = entry.value.get("object")
        if found is not None and (entry.f == "DELETED" or "deletionTimestamp" in found["metadata"]):
            self.scene.going.setdefault(found["metadata"]["name"], entry.at)


def _leave(_entry: Entry) -> None:
    """Take nothing from the entries of a process that says nothing of admissions."""
