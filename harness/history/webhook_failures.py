"""Webhook failures: why a webhook call failed open, or was refused, by the API server's audit log or its own log.

The audit log has each question by its id, with the reason of its decision. Without one, as in old histories, failed
calls are matched with questions by time alone, and evidence says so.
"""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from operator import attrgetter

from chaos_harness.harness.causes import CAUSES, Cause
from chaos_harness.harness.history.admissions import Admission
from chaos_harness.harness.history.audit import Audit
from chaos_harness.harness.history.audit import WebhookReason as Known
from chaos_harness.harness.history.coverage import Coverage
from chaos_harness.harness.history.following import Reader, Take
from chaos_harness.harness.history.recorded import Entry
from chaos_harness.harness.history.spans import Span, Spans
from chaos_harness.harness.history.vocabulary import CALL, DELETED, FAIL_OPEN, WATCH_PODS, WATCH_SLICES

__all__ = ["NOT_LOGGED", "Failures", "Why", "cause"]

UNREAD: Cause = "log not read"
"""The cause if the logs are not fully copied and do not show it: it may be any."""

NOT_LOGGED: Cause = "not logged"
"""The cause if the API server's log is copied and does not show it."""

_SLACK_SECONDS = 0.1
_DATED_SECONDS = 2.0
_GOING_SECONDS = 30.0
_ANSWERED: Mapping[str, Cause] = {
    "called": "did not mutate",
    "not called": "not called",
    "no trace": "allowed or not called",
}
_WORDS: Mapping[Cause, tuple[str, ...]] = {
    "timed out": ("deadline exceeded", "Client.Timeout", "i/o timeout", "TLS handshake timeout"),
    "connection refused": ("connection refused",),
    "no endpoint": ("no endpoints available",),
    "TLS not right": ("x509", "tls:", "remote error"),
    "cut in the middle": ("EOF", "reset by peer", "GOAWAY", "connection lost", "broken pipe", "closed idle connection"),
    "no route": ("no route to host", "unreachable"),
}


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a webhook that failed, as the API server logged it.

    `earliest` and `latest` are when that may have been, in seconds of the history, because it is by the node's clock.
    """

    earliest: float
    latest: float
    webhook: str
    said: str

    @property
    def dated(self) -> bool:
        """Whether it is known well enough when that was to tell which request it belongs to."""
        return self.latest - self.earliest <= _DATED_SECONDS


@dataclass(frozen=True, slots=True)
class Why:
    """Why an answer was bad: one cause, UNREAD, or several causes, one of which it was.

    `said` is the API server's message. `failed` is from when to when, in seconds of the history, its call may have
    failed (None: unknown), and `took` for how many seconds the API server waited for the webhook, by its own clock.
    """

    names: tuple[Cause, ...]
    said: str = ""
    failed: Span | None = None
    took: float | None = None

    @property
    def known(self) -> bool:
        """Whether anything is known about the cause."""
        return UNREAD not in self.names

    def __str__(self) -> str:
        """Return it in few words."""
        return " or ".join(self.names)


def cause(said: str) -> Cause:
    """Return the cause of a failed call, from the API server's message."""
    return next((name for name, words in _WORDS.items() if any(word in said for word in words)), "other")


class Failures(Reader):
    """The calls that failed, and which webhook pods existed then; a reader (see `following`).

    `coverage` and `audit` must have read the same history when causes are asked for.
    """

    def __init__(self, coverage: Coverage, audit: Audit) -> None:
        self._coverage = coverage
        self._audit = audit
        self._calls: list[Call] = []
        self._copied: list[tuple[float, float]] = []
        self._slices: dict[str, dict[str, bool]] = {}
        self._ready: list[tuple[float, str]] = []
        self._going: dict[str, float] = {}

    def takes(self, process: str) -> Take | None:
        """Return the function that takes the entries of a process, or None."""
        return {FAIL_OPEN: self._take_call, WATCH_SLICES: self._take_slice, WATCH_PODS: self._take_pod}.get(process)

    @property
    def by_id(self) -> bool:
        """Whether causes come from the audit log, by the ids of the questions."""
        return bool(self._audit.streams)

    def whys(self, missed: Sequence[Admission]) -> dict[Admission, Why]:
        """Return the cause of each bad answer of one policy; a refusal contains its own cause."""
        logged = {} if self.by_id else self._by_time([admission for admission in missed if admission.bypassed])
        read = self._coverage.of(FAIL_OPEN).known
        return {admission: self._why(admission, logged.get(admission), read) for admission in missed}

    def why_of_pod(self, uid: str, webhook: str, after: float, at: float) -> Why:
        """Return why a pod that was created between two moments lacks a webhook's mutation.

        Without an audit log the cause of a single pod is unknown: it may be any that was logged at about that time.
        """
        copied = self._is_copied(after, at, self._coverage.of(FAIL_OPEN).known)
        if self.by_id:
            return self._known(self._audit.cause_of_pod(uid, webhook), copied=copied)
        if not copied:
            return Why((UNREAD,))
        near = [call for call in self._of(webhook) if _near(call, after - 1, at)]
        return Why((*dict.fromkeys(cause(call.said) for call in near), NOT_LOGGED))

    def evidence(self, whys: Mapping[Admission, Why], most: int) -> tuple[str, ...]:
        """Return lines with the number of answers per cause, and the chain of events of up to `most` answers."""
        if not whys:
            return ()
        counted = ", ".join(f"{count} {name}" for name, count in Counter(map(str, whys.values())).most_common())
        source = " (by audit id)" if self.by_id else " (by time)"
        source = source if any(admission.bypassed for admission in whys) else ""
        chains = [self._chain(admission, whys[admission]) for admission in list(whys)[:most]]
        more = [f"and {len(whys) - most} more"] if len(whys) > most else []
        return (f"causes{source}: {counted}", *chains, *more)

    def _why(self, admission: Admission, logged: Call | None, read: Spans) -> Why:
        if not admission.bypassed:
            name = cause(admission.said)
            return Why((_sorted(admission) if name == "other" else name,), admission.said)
        if not admission.webhook:
            return Why(("not enforced",))
        copied = self._is_copied(admission.asked, admission.answered, read)
        if self.by_id:
            return self._known(self._audit.cause_of(admission.audit_id, admission.webhook), copied=copied)
        if logged is not None:
            return Why((cause(logged.said),), logged.said, (logged.earliest, logged.latest))
        begin, end = admission.asked, admission.answered
        vague = any(_near(call, begin, end) and not call.dated for call in self._of(admission.webhook))
        return Why((NOT_LOGGED,) if copied and not vague else (UNREAD,))

    def _known(self, audited: Known | None, *, copied: bool) -> Why:
        """Return the cause by the audit log; why a call failed is only in the API server's own log."""
        if audited is None:
            return Why((UNREAD,))
        if audited.what != "failed open":
            return Why((_ANSWERED.get(audited.what, UNREAD),), took=audited.took)
        if not copied:
            return Why((UNREAD,), took=audited.took)
        names = tuple(dict.fromkeys(cause(said) for said in audited.logged))
        return Why(names or (NOT_LOGGED,), " or ".join(audited.logged), audited.failed, audited.took)

    def _by_time(self, missed: Sequence[Admission]) -> dict[Admission, Call]:
        """Return, for each answer, the failed call that was logged while it was decided, if there is one.

        A call belongs to one admission. If several fit, the first answer gets the earliest call.
        """
        call_of: dict[Admission, Call] = {}
        for webhook in {admission.webhook for admission in missed}:
            calls = sorted((call for call in self._of(webhook) if call.dated), key=attrgetter("latest"))
            mine = [admission for admission in missed if admission.webhook == webhook]
            for admission in sorted(mine, key=attrgetter("answered")):
                first = bisect_left(calls, admission.asked - _SLACK_SECONDS, key=attrgetter("latest"))
                if first < len(calls) and _near(calls[first], admission.asked, admission.answered):
                    call_of[admission] = calls.pop(first)
        return call_of

    def _of(self, webhook: str) -> Iterator[Call]:
        return (call for call in self._calls if call.webhook == webhook)

    def _is_copied(self, begin: float, end: float, read: Spans) -> bool:
        """Whether a call that failed between two moments must be in the history: the log was copied beyond them."""
        if not any(since <= begin and end <= until for since, until in read):
            return False
        index = bisect_left(self._copied, (end, -inf))
        until = self._copied[index][1] if index < len(self._copied) else end
        return not Spans.of([(begin, max(until, end))]) & self._coverage.blind

    def _chain(self, admission: Admission, why: Why) -> str:
        kind = "dry run" if admission.dry_run else "real"
        begin = f"{admission.asked:.2f} s: {admission.f} {admission.seq} ({kind})"
        took = f"{admission.outcome} after {1000 * (admission.answered - admission.asked):.0f} ms"
        took += f", according to {admission.by}" if admission.by else ""
        index = bisect_right(self._ready, (admission.asked, "\uffff"))
        ready = self._ready[index - 1][1] if index else ""
        going = [
            f"{name} since {admission.asked - since:.1f} s"
            for name, since in self._going.items()
            if 0 <= admission.asked - since <= _GOING_SECONDS
        ]
        said = why.said.rpartition('": ')[2]
        silent = str(why) if why.names[0] in _ANSWERED.values() else "no failed call was logged"
        leaving = f"; terminating: {', '.join(going)}" if going else ""
        return f"{begin} {took}: {said or silent}; in the Service: {ready or 'no pod'}{leaving}"

    def _take_call(self, entry: Entry) -> None:
        if entry.f == CALL:
            value = entry.value
            span = self._coverage.clocks.place(entry, value["time"], value.get("node", ""))
            self._calls.append(Call(*span, value["webhook"], value["said"]))
        elif entry.kind == "ok":
            self._copied.append((self._coverage.clocks.place_own(entry, entry.value["until"])[0], entry.at))

    def _take_slice(self, entry: Entry) -> None:
        slice_ = (entry.value or {}).get("object")
        if slice_ is None:
            return
        endpoints = () if entry.f == DELETED else slice_.get("endpoints") or ()
        self._slices[slice_["metadata"]["name"]] = {
            endpoint["targetRef"].get("name", ""): endpoint.get("conditions", {}).get("ready") is not False
            for endpoint in endpoints
            if "targetRef" in endpoint
        }
        ready = {name for endpoints in self._slices.values() for name, is_ready in endpoints.items() if is_ready}
        self._ready.append((entry.at, ", ".join(sorted(ready))))

    def _take_pod(self, entry: Entry) -> None:
        pod = (entry.value or {}).get("object")
        if pod is not None and (entry.f == DELETED or "deletionTimestamp" in pod["metadata"]):
            self._going.setdefault(pod["metadata"]["name"], entry.at)


def _near(call: Call, begin: float, end: float) -> bool:
    return begin - _SLACK_SECONDS <= call.latest and call.earliest <= end + _SLACK_SECONDS


def _sorted(admission: Admission) -> Cause:
    """Return the outcome that the probe gave a refusal, if that is a cause: its message may be cut off."""
    return next((cause for cause in CAUSES if cause == admission.outcome), "other")
