"""Reads a history once and builds its story, in memory that does not grow with its length."""

from dataclasses import replace
from typing import Any, TypeVar

from chaos_harness.harness.history import Entry, History
from chaos_harness.harness.history import vocabulary as v
from chaos_harness.harness.history.faults import FaultSpan
from chaos_harness.reports.picture.counts import RequestOutcome, Tally
from chaos_harness.reports.picture.states import Lifeline, Sort, lease_state, node_state, pod_state
from chaos_harness.reports.picture.story import Band, ChainLink, Mark, QuestionLabel, Story

__all__ = ["read_story"]

_FAULT, _REPLICA, _WATCH = v.numbered(v.FAULT, ""), v.numbered(v.REPLICA, ""), v.watch("")
_OUTCOMES: dict[str, RequestOutcome] = {"ok": "good", "fail": "lost", "info": "silent"}
_MOST_LIVES, _MOST_MARKS, _MOST_QUESTIONS, _MOST_BANDS, _MOST_TOLD = 300, 300, 40, 100, 400
_BAD_REASONS = ("BackOff", "Evict", "Fail", "Kill", "NotReady", "OOM", "Preempt", "Taint", "Unhealthy", "Error")
_FAILED_OPEN = QuestionLabel("webhook calls", "failed open")
_FAMILIES = (v.CANARY, v.CLOCK, v.METRICS, v.TRIGGER)
_LEASE_SECONDS = 15.0
_NUMBERS = (v.NUMBER, v.WATCH_NUMBER)
_Asked = TypeVar("_Asked", str, QuestionLabel)
_OWN_LANES = (
    "pods",
    "events",
    "endpointslices",
    "nodes",
    "leases",
    "deployments",
    "workload",
    "workload events",
    "canaries",
)


def read_story(recorded: History) -> Story:
    """Return the story of a history, up to the line at which it breaks off."""
    story = Story(started=recorded.header.started, truncated=recorded.truncated)
    reader = _StoryReader(story)
    for entry in recorded.entries:
        reader.take(entry)
    reader.close()
    return story


class _StoryReader:
    def __init__(self, story: Story) -> None:
        self._story = story
        self._asked: dict[str, Entry] = {}
        self._open: dict[str, Band] = {}
        self._slices: dict[str, int] = {}
        self._renewed: dict[str, tuple[float, float]] = {}
        self._told: dict[str, ChainLink] = {}
        self._others: dict[str, Any] = {
            v.REGISTRY: self._registry,
            v.FAIL_OPEN: self._fail_open,
            v.POLICIES: self._policies,
            v.HISTORY: lambda entry: self._tell(entry.at, f"the wall clock jumped by {entry.value['seconds']} s"),
        }
        self._watches: dict[str, Any] = {
            v.WATCH_EVENTS: self._event,
            v.WATCH_WORKLOAD_EVENTS: self._event,
            v.WATCH_SLICES: self._slice,
            v.WATCH_NODES: self._node,
            v.WATCH_LEASES: self._lease,
            v.WATCH_PODS: lambda entry: self._pod(entry, "gatekeeper"),
            v.WATCH_WORKLOAD: lambda entry: self._pod(entry, "workload"),
        }

    def take(self, entry: Entry) -> None:
        """Take one entry; numbers, which only measure how late watches are, are no part of a story."""
        story, process = self._story, entry.process
        story.end, story.operations = max(story.end, entry.at), story.operations + 1
        if process in _NUMBERS and entry.f != v.GAP:
            return
        if process.startswith(_FAULT):
            self._fault(entry)
        elif process == v.HARM:
            self._harm(entry)
        elif process.startswith(_WATCH):
            self._change(entry)
        elif entry.kind == "mark":
            self._mark(entry)
        elif process in self._others:
            self._others[process](entry)
        else:
            self._answer(entry)

    def close(self) -> None:
        """Count requests that were not answered before the history ended, and leases that were not renewed again."""
        for key in self._renewed:
            self._overdue(key, self._story.end)
        for entry in self._asked.values():
            self._count(entry, self._story.end, "silent", "no answer before the history ended")
        self._story.chain.sort(key=lambda link: link.at)
        self._shorten()

    def _shorten(self) -> None:
        """Remove the cluster's name from all texts; node names begin with it."""
        nodes = (life.name.partition("control-plane") for life in self._story.lives.values() if life.sort == "node")
        common = next((cluster for cluster, separator, _ in nodes if separator), "")
        if not common:
            return
        for life in self._story.lives.values():
            life.name, life.where = life.name.removeprefix(common), life.where.removeprefix(common)
        for link in self._story.chain:
            link.what = link.what.replace(common, "")
        self._story.harms = [replace(mark, what=mark.what.removeprefix(common)) for mark in self._story.harms]
        for band in self._story.faults:
            band.proof, band.heal_proof = band.proof.replace(common, ""), band.heal_proof.replace(common, "")

    def _fault(self, entry: Entry) -> None:
        name, proof = entry.value["name"], str(entry.value.get("proof", ""))
        band = self._open.get(entry.process)
        if entry.f == v.INJECT or band is None:
            band = self._open[entry.process] = Band(name, entry.at, one_shot=bool(entry.value.get("one_shot")))
            self._keep(self._story.faults, band, _MOST_BANDS, "faults")
            self._tell(entry.at, f"fault: {name}")
        elif entry.f == v.OBSERVED:
            if band.proved is None:
                band.proved, band.proof = entry.at, proof
                self._tell(entry.at, f"observed: {name}: {proof}")
        elif entry.f == v.HEAL:
            band.healing = entry.at
        elif entry.f == v.UNDONE:
            self._tell(entry.at, f"undone: {name}")
        elif entry.f == v.NOT_HEALED:
            self._tell(entry.at, f"not healed: {name}: {entry.value['said']}")
        elif entry.f == v.UNDO_DENIED:
            self._tell(entry.at, f"undo denied by {entry.value['by']}: {name}")
        else:
            band.ended, band.heal_proof = entry.at, proof
            fault = FaultSpan(entry.process, name, band.begun, heal_proof=proof, blow=band.one_shot)
            band.one_shot = fault.one_shot  # which knows what older histories said instead
            self._tell(entry.at, f"healed: {name}: {proof}")

    def _registry(self, entry: Entry) -> None:
        if entry.f == v.REQUEST:
            self._story.requests.add(max(0.0, entry.value["time"] - self._story.started))

    def _fail_open(self, entry: Entry) -> None:
        """Count a webhook call that failed open, by the API server's own log."""
        if entry.f == v.CALL:
            at = max(0.0, entry.value["time"] - self._story.started)
            said = f"{entry.value['webhook']}: {entry.value['said']}"
            if not (tally := self._story.questions.setdefault(_FAILED_OPEN, Tally())).total.lost:
                self._tell(at, f"first call that failed open: {said}")
            tally.add(at, at, "lost", said)

    def _policies(self, entry: Entry) -> None:
        if entry.kind == "ok":
            self._tell(entry.at, f"policies {entry.f}")

    def _harm(self, entry: Entry) -> None:
        what = entry.value.get("pod") or entry.value.get("node") or ""
        self._keep(self._story.harms, Mark(entry.at, what, entry.f), _MOST_MARKS, "harms")
        on = f" on {entry.value['node']}" if "pod" in entry.value and entry.value.get("node") else ""
        self._tell(entry.at, f"{what}{on} is {entry.f.removesuffix(' node')}")

    def _mark(self, entry: Entry) -> None:
        name = str(entry.value if entry.value is not None else entry.f)
        if entry.f == v.BEGIN:
            band = self._open[f"mark {name}"] = Band(name, entry.at)
            self._keep(self._story.phases, band, _MOST_BANDS, "phases")
        elif (ended := self._open.pop(f"mark {name}", None)) is not None:
            ended.ended = entry.at

    def _change(self, entry: Entry) -> None:
        name = entry.process.removeprefix(_WATCH)
        if entry.f == v.GAP:
            self._keep(self._story.gaps, Mark(entry.at, name, str(entry.value.get("why", ""))), _MOST_MARKS, "gaps")
        elif "object" in entry.value and entry.process in self._watches:
            self._watches[entry.process](entry)
        elif "object" in entry.value and name not in _OWN_LANES and entry.f != v.LISTED:
            marks = self._story.changes.setdefault(name, [])
            what = entry.value["object"]["metadata"]["name"]
            self._keep(marks, Mark(entry.at, what, entry.f), _MOST_MARKS, f"changes of {name}")
            if entry.f != v.MODIFIED:
                self._tell(entry.at, f"{name} {what} is {'gone' if entry.f == v.DELETED else 'there'}")

    def _pod(self, entry: Entry, sort: Sort) -> None:
        pod = entry.value["object"]
        metadata = pod["metadata"]
        if (metadata.get("labels") or {}).get("gatekeeper.sh/operation") == "webhook":
            sort = "webhook"
        state = ("gone", "gone") if entry.f == v.DELETED else pod_state(pod)
        self._see(entry, metadata["uid"], sort, *state, where=pod.get("spec", {}).get("nodeName", ""))

    def _node(self, entry: Entry) -> None:
        state = ("gone", "gone") if entry.f == v.DELETED else node_state(entry.value["object"])
        self._see(entry, f"node {entry.value['object']['metadata']['name']}", "node", *state)

    def _lease(self, entry: Entry) -> None:
        lease = entry.value["object"]
        key = f"lease {lease['metadata'].get('namespace', '')}/{lease['metadata']['name']}"
        self._overdue(key, entry.at)
        self._renewed[key] = entry.at, float((lease.get("spec") or {}).get("leaseDurationSeconds") or _LEASE_SECONDS)
        self._see(entry, key, "lease", *(("gone", "gone") if entry.f == v.DELETED else lease_state(lease)))

    def _overdue(self, key: str, now: float) -> None:
        """Record that a lease expired, unless it is renewed by `now`."""
        renewed, seconds = self._renewed.get(key, (now, 0.0))
        life = self._story.lives.get(key)
        if life and life.stretches[-1].state == "held" and now > renewed + seconds:
            life.see(renewed + seconds, "unheld", "not renewed")
            self._tell(renewed + seconds, f"lease {life.name}: not renewed for {seconds:g} s")

    def _see(self, entry: Entry, key: str, sort: Sort, state: Any, why: str, *, where: str = "") -> None:
        lives = self._story.lives
        if key not in lives and len(lives) >= _MOST_LIVES:
            self._story.omitted["lives"] += 1
            return
        new = key not in lives
        life = lives.setdefault(key, Lifeline(entry.value["object"]["metadata"]["name"], sort))
        life.where = where or life.where
        if life.see(entry.at, state, why) and not (new and (entry.f == v.LISTED or state in ("ready", "held"))):
            on = f" on {life.where}" if life.where else ""
            words = {"ready": "Ready", "held": f"held by {why}"}.get(state, why)
            self._tell(entry.at, f"{sort if sort in ('node', 'lease') else 'pod'} {life.name}{on}: {words}")

    def _event(self, entry: Entry) -> None:
        event = entry.value["object"]
        reason, message = event.get("reason", ""), event.get("message", "")
        if (
            entry.f in (v.ADDED, v.MODIFIED)
            and any(bad in reason for bad in _BAD_REASONS)
            and not message.startswith("Error: ")
        ):
            self._tell(entry.at, f"{(event.get('involvedObject') or {}).get('name', '')}: {reason}: {message}")

    def _slice(self, entry: Entry) -> None:
        endpoint_slice, story = entry.value["object"], self._story
        endpoints = () if entry.f == v.DELETED else endpoint_slice.get("endpoints") or ()
        ready = sum(bool((endpoint.get("conditions") or {}).get("ready")) for endpoint in endpoints)
        self._slices[endpoint_slice["metadata"]["name"]] = ready
        number = sum(self._slices.values())
        if not story.rotation or story.rotation[-1][1] != number:
            if story.rotation:
                self._tell(entry.at, f"the Service sends requests to {number} webhook pods")
            self._keep(story.rotation, (entry.at, number), _MOST_MARKS, "changes of rotation")

    def _answer(self, entry: Entry) -> None:
        if entry.kind == "invoke":
            if (unanswered := self._asked.get(entry.process)) is not None:
                self._count(unanswered, entry.at, "silent", "asked again before there was an answer")
            self._asked[entry.process] = entry
        elif (asked := self._asked.pop(entry.process, None)) is not None and entry.kind in _OUTCOMES:
            value = entry.value if isinstance(entry.value, dict) else {}
            said = str(value.get("outcome") or value.get("said") or value.get("status") or "")
            self._count(asked, entry.at, _OUTCOMES[entry.kind], said)

    def _count(self, asked: Entry, answered: float, outcome: RequestOutcome, said: str) -> None:
        story = self._story
        if asked.process.startswith(_REPLICA):
            tally = _tally(story.replicas, asked.process.removeprefix(_REPLICA), f"{v.REPLICA} others")
        else:
            family = _family(asked.process)
            tally = _tally(story.questions, QuestionLabel(family, asked.f), QuestionLabel(family, "others"))
            if outcome == "lost" and not tally.total.lost:
                self._tell(asked.at, f"first lost: {asked.f}: {said}")
        tally.add(asked.at, answered, outcome, said)

    def _tell(self, at: float, what: str) -> None:
        link = self._told.get(what)
        if link is not None:
            link.times, link.until = link.times + 1, at
        elif len(self._told) < _MOST_TOLD:
            self._told[what] = link = ChainLink(at, what)
            self._story.chain.append(link)
        else:
            self._story.omitted["events"] += 1

    def _keep(self, kept: list[Any], mark: Any, most: int, what: str) -> None:
        if len(kept) < most:
            kept.append(mark)
        else:
            self._story.omitted[what] += 1


def _tally(tallies: dict[_Asked, Tally], asked: _Asked, others: _Asked) -> Tally:
    """Return the tally of a question, or the one for all `others` if there are too many."""
    crowded = asked not in tallies and len(tallies) >= _MOST_QUESTIONS
    return tallies.setdefault(others if crowded else asked, Tally())


def _family(process: str) -> str:
    """Return the family of a process; a process without one is its own."""
    return next((family for family in _FAMILIES if process.startswith(v.numbered(family, ""))), process)
