"""Webhook failures: why an admission went by a webhook, or was refused, as far as the API server's log tells.

The log says neither whose call failed nor by which id it was asked, so that calls are matched by time alone. A better
source, which knows a question by its own id, would take the place of `Failures.causes`.
"""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from math import inf
from re import compile as pattern

from harness.history.admissions import Admission
from harness.history.coverage import Coverage
from harness.history.following import Take
from harness.history.recorded import Entry
from harness.history.spans import Spans
from harness.history.vocabulary import CALL, DELETED, FAIL_OPEN, WATCH_PODS, WATCH_SLICES

__all__ = ["Call", "Failures", "Weighed", "cause", "webhook_of"]

UNREAD = "log not read"
"""The cause of what the API server's log, as far as it is copied, says nothing of: it may be any."""

_MUTATION, _VALIDATION = "mutation.gatekeeper.sh", "validation.gatekeeper.sh"
_LABEL, _LABEL_POLICY = "check-ignore-label.gatekeeper.sh", "check ignore label"
_TIMEOUT_SECONDS = {_MUTATION: 1.0, _VALIDATION: 1.0, _LABEL: 3.0}
_TIMEOUT = pattern(r"[?&]timeout=(\d+)s")
_ABOUT_SECONDS = 0.1
_TIMED_OUT = "timed out"

_SLACK_SECONDS = 0.1
_GOING_SECONDS = 30.0
_WORDS = {
    _TIMED_OUT: ("deadline exceeded", "Client.Timeout", "i/o timeout", "TLS handshake timeout"),
    "connection refused": ("connection refused",),
    "no endpoint": ("no endpoints available",),
    "TLS not right": ("x509", "tls:", "remote error"),
    "cut in the middle": ("EOF", "reset by peer", "GOAWAY", "connection lost", "broken pipe", "closed idle connection"),
    "no route": ("no route to host", "unreachable"),
}


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a webhook that failed, as the API server logged it; `at` is in seconds of the history."""

    at: float
    webhook: str
    said: str


@dataclass(frozen=True)
class Weighed:
    """Bad answers, by whether they count: for certain, not at all (`excused`), or nobody knows (`unread`)."""

    counted: tuple[Admission, ...]
    excused: tuple[Admission, ...]
    unread: tuple[Admission, ...]

    def among(self, chosen: Collection[Admission]) -> "Weighed":
        """Return those that are among some."""
        counted, excused, unread = (
            tuple(admission for admission in part if admission in chosen)
            for part in (self.counted, self.excused, self.unread)
        )
        return Weighed(counted, excused, unread)


def cause(said: str) -> str:
    """Return, in few words, what went wrong with a call, from what the API server said of it."""
    return next((name for name, words in _WORDS.items() if any(word in said for word in words)), "other")


def webhook_of(policy: str) -> str:
    """Return the webhook that has to be called for a policy, as policies are called by those who ask about them."""
    if policy.startswith("mutate"):
        return _MUTATION
    return _LABEL if policy == _LABEL_POLICY else _VALIDATION


class Failures:
    """The calls that failed, and which webhook pods were there to be called; a reader (see `following`).

    `coverage` must have read the same history when causes are asked for.
    """

    def __init__(self, coverage: Coverage) -> None:
        self._coverage = coverage
        self._calls: list[Call] = []
        self._copied: list[tuple[float, float]] = []
        self._slices: dict[str, dict[str, bool]] = {}
        self._ready: list[tuple[float, str]] = []
        self._going: dict[str, float] = {}

    def takes(self, process: str) -> Take | None:
        """Return what takes the entries of a process."""
        return {FAIL_OPEN: self._take_call, WATCH_SLICES: self._take_slice, WATCH_PODS: self._take_pod}.get(process)

    def close(self, end: float) -> None:
        """Take notice of the end."""

    def weigh(self, missed: Sequence[Admission], alone: Collection[Admission], causes: Collection[str]) -> Weighed:
        """Return which bad answers of one policy count if these `causes` are excused.

        What is excused is a single event, one of those that were `alone`: what nobody answers any more times out, too.
        A time-out is one if it lasted as long as the API server waits. An answer whose cause is not known counts
        unless it could be excused.
        """
        if not causes:
            return Weighed(tuple(missed), (), ())
        counted: list[Admission] = []
        excused: list[Admission] = []
        unread: list[Admission] = []
        for admission, call, name in self._named(missed):
            known = name != UNREAD
            could = admission in alone and any(
                each != _TIMED_OUT or _lasted(admission, call) for each in ((name,) if known else causes)
            )
            if not could or (known and name not in causes):
                counted.append(admission)
            else:
                (excused if known else unread).append(admission)
        return Weighed(tuple(counted), tuple(excused), tuple(unread))

    def causes(self, missed: Sequence[Admission]) -> list[Call | None]:
        """Return for each bad answer of one policy the call that failed while it was decided; None: not logged.

        A call is one admission's. Where several fit, who was answered first gets the earliest. Who was refused was
        told why: the API server logs only what it let pass.
        """
        webhook = webhook_of(missed[0].policy) if missed else ""
        calls = sorted((call for call in self._calls if call.webhook == webhook), key=lambda call: call.at)
        moments = [call.at for call in calls]
        causes: list[Call | None] = [
            None if admission.bypassed else Call(admission.answered, webhook, admission.said) for admission in missed
        ]
        silent = (index for index, admission in enumerate(missed) if admission.bypassed)
        for index in sorted(silent, key=lambda index: missed[index].answered):
            first = bisect_left(moments, missed[index].asked - _SLACK_SECONDS)
            if first < len(moments) and moments[first] <= missed[index].answered + _SLACK_SECONDS:
                causes[index] = calls.pop(first)
                moments.pop(first)
        return causes

    def told(self, missed: Sequence[Admission], most: int) -> tuple[str, ...]:
        """Return lines that say how often there was which cause, and the chain of events of up to `most` answers."""
        if not missed:
            return ()
        named = self._named(missed)
        counted = ", ".join(f"{count} {name}" for name, count in Counter(name for *_, name in named).most_common())
        by_time = " (by time)" if any(admission.bypassed for admission in missed) else ""
        chains = [self._chain(admission, call) for admission, call, _ in named[:most]]
        more = [f"and {len(missed) - most} more"] if len(missed) > most else []
        return (f"causes{by_time}: {counted}", *chains, *more)

    def _named(self, missed: Sequence[Admission]) -> list[tuple[Admission, Call | None, str]]:
        """Return each with its cause in few words.

        A refusal of which nothing else is known is called as it is sorted: "denied by configuration error".
        """
        read, blind = self._coverage.of(FAIL_OPEN).known, self._coverage.blind
        named = []
        for admission, call in zip(missed, self.causes(missed), strict=True):
            if call is None:
                name = "not logged" if self._is_copied(admission, read, blind) else UNREAD
            else:
                name = cause(call.said)
                name = admission.outcome if name == "other" and not admission.bypassed else name
            named.append((admission, call, name))
        return named

    def _is_copied(self, admission: Admission, read: Spans, blind: Spans) -> bool:
        """Whether a failed call would be in the history: its log was copied from then on to after the answer."""
        if not any(begin <= admission.asked and admission.answered <= end for begin, end in read):
            return False
        index = bisect_left(self._copied, (admission.answered, -inf))
        until = self._copied[index][1] if index < len(self._copied) else admission.answered
        return not Spans.of([(admission.asked, max(until, admission.answered))]) & blind

    def _chain(self, admission: Admission, call: Call | None) -> str:
        kind = "dry run" if admission.dry_run else "real"
        begin = f"{admission.asked:.2f} s: {admission.f} {admission.seq} ({kind})"
        took = f"{admission.outcome} after {1000 * (admission.answered - admission.asked):.0f} ms"
        index = bisect_right(self._ready, (admission.asked, "\uffff"))
        ready = self._ready[index - 1][1] if index else ""
        going = [
            f"{name} since {admission.asked - since:.1f} s"
            for name, since in self._going.items()
            if 0 <= admission.asked - since <= _GOING_SECONDS
        ]
        why = call.said.rpartition('": ')[2] if call else "no failed call was logged"
        leaving = f"; on its way out: {', '.join(going)}" if going else ""
        return f"{begin} {took}: {why}; in the Service: {ready or 'no pod'}{leaving}"

    def _take_call(self, entry: Entry) -> None:
        began = entry.wall - entry.at  # as the clock is set now: it may have been set since the history began
        if entry.f == CALL:
            value = entry.value
            self._calls.append(Call(value["time"] - began, value["webhook"], value["said"]))
        elif entry.kind == "ok":
            self._copied.append((entry.value["until"] - began, entry.at))

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


def _lasted(admission: Admission, call: Call | None) -> bool:
    """Whether an answer took about as long as the API server waits for the webhook, which it may have said."""
    said = _TIMEOUT.search(call.said) if call else None
    waits = float(said[1]) if said else _TIMEOUT_SECONDS[webhook_of(admission.policy)]
    return admission.answered - admission.asked >= waits - _ABOUT_SECONDS
