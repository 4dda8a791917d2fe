"""Audit: the decision of a request by the API servers' audit logs, looked up by its audit id or by a pod's uid.

It determines the result of an unanswered question, and why a policy was not enforced, without guessing from what the
API server logged at about that time.
"""

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Literal, NamedTuple

from chaos_harness.harness.history.clocks import Clocks
from chaos_harness.harness.history.coverage import Coverage
from chaos_harness.harness.history.following import Take
from chaos_harness.harness.history.recorded import Entry
from chaos_harness.harness.history.spans import Span
from chaos_harness.harness.history.vocabulary import API_SERVER, AUDIT, CALL, CANARY, FAIL_OPEN, REQUEST, REQUESTS

__all__ = ["Audit", "Decision", "WebhookReason"]

_CREATED, _CHANGED = 201, 200
_LONGEST_SECONDS = 65.0
"""More than the longest time that an API server works at a request: it gives up after 60 s."""

_SLACK_SECONDS = 0.002
_FAILED_CALL = 'failed calling webhook "{}"'

What = Literal[
    "failed open", "failed closed", "called", "not called", "no trace", "denied", "refused", "broken off", "undecided"
]


@dataclass(frozen=True)
class Decision:
    """What an API server did with a request.

    `received` and `decided` are unix seconds by the clock of its `node` (None: unknown), and `placed` is from when to
    when, in seconds of the history, it may have been decided.

    `code` is the status of its answer, sent or not. `called` are the mutating webhooks that
    were called, and whether they changed the object; `failed_open` those whose call failed and was ignored; `denied_by`
    is the webhook or the ValidatingAdmissionPolicy that denied the request. `seconds` is how long "mutating" and
    "validating" webhooks took, if that was long. `name`, `namespace` and `who` are of pods only.
    """

    code: int
    called: Mapping[str, bool] = field(default_factory=dict)
    failed_open: tuple[str, ...] = ()
    said: str = ""
    denied_by: str = ""
    received: float | None = None
    decided: float | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)
    name: str = ""
    namespace: str = ""
    who: str = ""
    node: str = ""
    placed: Span | None = None
    verb: str = "create"

    @property
    def admitted(self) -> bool:
        """Whether it was done, or would have been, in a dry run; a create that was broken off has the code 200, too."""
        return self.code == _CREATED or (self.verb != "create" and self.code == _CHANGED and not self.said)


@dataclass(frozen=True)
class WebhookReason:
    """Why a request was decided as it was, as far as that depends on one webhook.

    `what`: "failed open", the call failed and was ignored; "failed closed", it failed, so the request was refused;
    "called", it mutated the object (`mutated`) or did not; "not called", it did not apply to the request; "no trace", a
    validating webhook allowed the request or was not called; "denied" by `denied_by`, perhaps before this webhook was
    called; "refused" for another reason (`said`); "broken off", the client disconnected before the decision;
    "undecided", no API server finished it: it did not arrive, or a killed API server may have stored the object.

    `logged` are the reasons of failed calls of this webhook that the API server logged meanwhile: if several differ,
    which one applies is unknown. `took` is how many seconds webhooks of its kind took or, if that was not long, the
    whole request; None if that is unknown. `failed` is from when to when, in seconds of the history, its call may have
    failed, if exactly one was logged meanwhile.
    """

    what: What
    webhook: str
    code: int = 0
    said: str = ""
    denied_by: str = ""
    mutated: bool = False
    logged: tuple[str, ...] = ()
    took: float | None = None
    failed: Span | None = None


class _FailedCall(NamedTuple):
    """A failed call that the API server of a node ("": unknown) logged at `time`, in unix seconds of its clock.

    `placed` is from when to when that may be, in seconds of the history.
    """

    time: float
    node: str
    said: str
    placed: Span


class Audit:
    """The audited decisions of questions without a good answer, and of pods; a reader (see `following`).

    Questions with a good answer are dropped. Its results are valid once the history is read, because the log is copied
    some seconds after the answers.
    """

    def __init__(self, coverage: Coverage) -> None:
        """Read together with `coverage`, which knows when the logs were read, so that a missing decision is a proof."""
        self._coverage = coverage
        self._asked: dict[str, float] = {}
        self._open: dict[int, tuple[str, float]] = {}
        self._ids: set[str] | None = None
        self._decisions: dict[str, Decision] = {}
        self._pods: dict[str, Decision] = {}
        self._mutating: set[str] = set()
        self._failed: dict[str, list[_FailedCall]] = {}
        self._servers = 1

    @property
    def streams(self) -> tuple[str, ...]:
        """The audit logs of all control planes, as streams of the coverage; none in old histories."""
        return tuple(sorted(stream for stream in self._coverage.streams if stream.startswith(f"{AUDIT} ")))

    def covered(self, begin: float, end: float) -> bool:
        """Whether all decisions of all API servers between two moments are known: each log is read for that time."""
        return len(self.streams) >= self._servers and not self._coverage.unknown(self.streams, begin, end)

    def decision_of(self, audit_id: str) -> Decision | None:
        """Return the decision of a question without a conclusive answer; None if no log that was read has it."""
        return self._decisions.get(audit_id)

    def decision_of_pod(self, uid: str) -> Decision | None:
        """Return the decision on the creation of a pod; None if no log that was read has it."""
        return self._pods.get(uid)

    def cause_of(self, audit_id: str, webhook: str) -> WebhookReason | None:
        """Return why a question was decided as it was, as far as that depends on `webhook`; None if unknown.

        That no API server decided it is known once all logs are read for the longest time that a request may take.
        """
        decision = self._decisions.get(audit_id)
        if decision is not None:
            return self._cause(decision, webhook)
        asked = self._asked.get(audit_id)
        if asked is None or not self.covered(asked, asked + _LONGEST_SECONDS):
            return None
        return WebhookReason("undecided", webhook)

    def cause_of_pod(self, uid: str, webhook: str) -> WebhookReason | None:
        """Return why a pod was admitted as it was, as far as that depends on `webhook`; None if unknown."""
        decision = self._pods.get(uid)
        return None if decision is None else self._cause(decision, webhook)

    def takes(self, process: str) -> Take | None:
        """Return the function that takes the entries of a process, or None."""
        family = process.partition(" ")[0]
        if process == FAIL_OPEN:
            return self._take_call
        if process == API_SERVER:
            return self._note_servers
        return {AUDIT: self._take_request, CANARY: self._take_question}.get(family)

    def close(self, end: float) -> None:  # noqa: ARG002 - a reader's
        """Finish reading; `end` is the last moment that is recorded, in seconds."""
        self._asked |= dict(self._open.values())
        self._open.clear()
        for calls in self._failed.values():
            calls.sort(key=attrgetter("time"))

    def _note_servers(self, entry: Entry) -> None:
        self._servers = max(self._servers, (entry.value or {}).get("servers", 1))

    def _take_question(self, entry: Entry) -> None:
        value = entry.value or {}
        self._ids = None
        if entry.kind == "invoke":
            if "audit_id" in value:
                self._keep(value["seq"])
                self._open[value["seq"]] = value["audit_id"], entry.at
            return
        if entry.kind != "ok":
            self._keep(value.get("seq", -1))
        elif (asked := self._open.pop(value.get("seq", -1), None)) and asked[0] in self._decisions:
            del self._decisions[asked[0]]

    def _keep(self, seq: int) -> None:
        """Keep a question that got no good answer, or none before its number was used again."""
        if asked := self._open.pop(seq, None):
            self._asked[asked[0]] = asked[1]

    def _is_wanted(self, audit_id: str) -> bool:
        """Whether a question of this id got no good answer, or none yet."""
        if self._ids is None:
            self._ids = {id_ for id_, _ in self._open.values()}
        return audit_id in self._asked or audit_id in self._ids

    def _take_request(self, entry: Entry) -> None:
        value = entry.value
        if entry.f == REQUESTS:
            verb = value.get("verb", "create")
            same = Decision(value["code"], value["called"], denied_by=value["denied_by"], verb=verb)
            self._decisions |= dict.fromkeys(filter(self._is_wanted, value["audit_ids"]), same)
            self._mutating.update(value["called"])
        elif entry.f == REQUEST:
            self._mutating.update(value["called"])
            decision = _decision(entry, self._coverage.clocks)
            if self._is_wanted(value["audit_id"]):
                self._decisions[value["audit_id"]] = decision
            if value["uid"]:
                self._pods[value["uid"]] = decision

    def _take_call(self, entry: Entry) -> None:
        if entry.f == CALL:
            value = entry.value
            node = value.get("node", "")
            placed = self._coverage.clocks.place(entry, value["time"], node)
            call = _FailedCall(value["time"], node, value["said"], placed)
            self._failed.setdefault(value["webhook"], []).append(call)

    def _cause(self, decision: Decision, webhook: str) -> WebhookReason:
        mutating = webhook in self._mutating
        logged = self._logged(decision, webhook)
        return WebhookReason(
            self._what(decision, webhook),
            webhook,
            decision.code,
            decision.said,
            decision.denied_by,
            decision.called.get(webhook, False),
            tuple(dict.fromkeys(call.said for call in logged)),
            _took(decision, "mutating" if mutating else "validating"),
            logged[0].placed if len(logged) == 1 else None,
        )

    def _what(self, decision: Decision, webhook: str) -> What:
        if webhook in decision.failed_open:
            return "failed open"
        if decision.denied_by:
            return "denied"
        if not decision.admitted:
            if _FAILED_CALL.format(webhook) in decision.said:
                return "failed closed"
            return "refused" if decision.code >= 400 else "broken off"  # noqa: PLR2004 - the codes of refusals
        if webhook in decision.called:
            return "called"
        return "not called" if webhook in self._mutating else "no trace"

    def _logged(self, decision: Decision, webhook: str) -> list[_FailedCall]:
        """Return the failed calls of the webhook that were logged while its call can have failed.

        Mutating webhooks are called before validating ones; how long they take is known for slow requests. An API
        server writes both logs by one clock. If that was set back meanwhile, a call may show a moment of before or
        after.
        """
        if webhook not in decision.failed_open or decision.received is None or decision.decided is None:
            return []
        begin = decision.received + decision.seconds.get("mutating", 0.0)
        end = decision.decided
        if webhook in self._mutating:
            end -= decision.seconds.get("validating", 0.0)
        else:
            begin += decision.seconds.get("validating", 0.0)
        if end < begin - _SLACK_SECONDS:
            took = sum(decision.seconds.values())
            begin, end = decision.decided - took, decision.received + took
        calls = self._failed.get(webhook, [])
        first = bisect_left(calls, begin - _SLACK_SECONDS, key=attrgetter("time"))
        last = bisect_left(calls, end + _SLACK_SECONDS, key=attrgetter("time"))
        return [call for call in calls[first:last] if call.node in ("", decision.node)]


def _decision(entry: Entry, clocks: Clocks) -> Decision:
    value, node = entry.value, entry.process.removeprefix(f"{AUDIT} ")
    received, decided = value["received"] or None, value["decided"] or None
    return Decision(
        value["code"],
        value["called"],
        tuple(value["failed_open"]),
        value["said"],
        value["denied_by"],
        received,
        decided,
        value["seconds"],
        value["name"],
        value["namespace"],
        value["who"],
        node,
        clocks.place(entry, decided, node) if decided else None,
        value.get("verb", "create"),
    )


def _took(decision: Decision, kind: str) -> float | None:
    if decision.seconds:
        return decision.seconds.get(kind, 0.0)
    if decision.received is None or decision.decided is None or decision.decided < decision.received:
        return None
    return decision.decided - decision.received
