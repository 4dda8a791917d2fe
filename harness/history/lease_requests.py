"""Lease requests: whether the Leases that a probe keeps creating were admitted or denied."""

from array import array
from math import inf

from chaos_harness.harness.history.coverage import Coverage, api_server
from chaos_harness.harness.history.faults import Faults, FaultSpan
from chaos_harness.harness.history.following import Take
from chaos_harness.harness.history.recorded import Entry
from chaos_harness.harness.history.spans import Span, Spans
from chaos_harness.harness.history.streams import JITTER
from chaos_harness.harness.history.vocabulary import API_SERVER, WRITE_LEASE

__all__ = ["LeaseRequests"]

_DENIERS = ("ValidatingAdmissionPolicy", "admission webhook", "failed calling webhook")
_INSTANT = 1e-6
_NOTICED_SECONDS = 0.5
"""Shorter delays are not recorded: see harness.probes.metronome."""


class LeaseRequests:
    """Which Leases were admitted and denied, in the order of the requests; a reader (see `following`).

    `admitted` has the moments of the requests, `denied` the moments of request and answer, and the answer in words; any
    other answer of an API server is neither. `servers` is how many API servers may have answered.
    """

    def __init__(self, faults: Faults) -> None:
        self.admitted = array("d")
        self.denied: list[tuple[float, float, str]] = []
        self.servers = 1
        self._faults = faults
        self._served: dict[str, float] = {}
        self._unanswered: list[Span] = []
        self._idle: list[tuple[Span, float]] = []
        self._last: Entry | None = None
        self._begun: dict[str, float] = {}
        self._free: float | None = None
        self._reading = 0.0

    def takes(self, process: str) -> Take | None:
        """Return the function that takes the entries of a process, or None."""
        return self._take if process == API_SERVER else None

    def close(self, end: float) -> None:
        """Finish reading at `end`, in seconds; a request may still be unanswered then."""
        if WRITE_LEASE in self._begun:
            self._unanswered.append((self._begun[WRITE_LEASE], end))
        elif self._free is not None:
            self._idle.append(((self._free, inf), self._reading))

    def back(self, fault: FaultSpan) -> float:
        """Return when the API server first answered after a fault was proved, or when that was proved to be healed."""
        return min(self._served.get(fault.id, inf), inf if fault.healed is None else fault.healed)

    def unknown(self, coverage: Coverage, begin: float, end: float) -> Spans:
        """Return when the result of a Lease is unknown: it has no answer, none was requested, or a line is missing."""
        usual = max(_NOTICED_SECONDS, coverage.of(api_server(WRITE_LEASE)).interval * JITTER)
        spans = [span for span in self._unanswered if begin <= span[0] < end]
        for (since, until), busy in self._idle:
            idle = max(since, begin), min(until, end)
            if idle[1] - idle[0] - busy > usual:
                spans.append(idle)
        return Spans.of(spans) | coverage.lost.within(begin, end)

    def _take(self, entry: Entry) -> None:
        if entry.kind == "invoke" or entry.f not in self._begun:  # the question itself may be missing
            self._ask(entry)
        if entry.kind == "invoke":
            return
        begun = self._begun.pop(entry.f)
        if _is_answer(entry):
            for fault in self._faults.all:
                if fault.id not in self._served and fault.proved is not None and fault.proved <= begun:
                    self._served[fault.id] = entry.at
        if entry.f == WRITE_LEASE:
            self._answer(entry, begun)
        else:
            self._reading += entry.at - begun

    def _ask(self, entry: Entry) -> None:
        self._begun[entry.f] = entry.at
        self.servers = (entry.value or {}).get("servers", self.servers)
        if entry.f == WRITE_LEASE:
            if self._free is not None and entry.at - self._free > _NOTICED_SECONDS:
                self._idle.append(((self._free, entry.at), self._reading))
            self._reading = 0.0

    def _answer(self, entry: Entry, begun: float) -> None:
        self._free = entry.at
        if entry.kind == "info":
            self._unanswered.append((begun, max(entry.at, begun + _INSTANT)))
        elif entry.kind == "ok":
            self.admitted.append(begun)
        else:
            said = str((entry.value or {}).get("said", ""))
            if any(by in said for by in _DENIERS):
                self.denied.append((begun, entry.at, f"{entry.at:.1f} s: {(entry.value or {}).get('status')} {said}"))


def _is_answer(entry: Entry) -> bool:
    """Whether an API server answered; a connection that is refused is a failure with status 0."""
    return entry.kind == "ok" or (entry.kind == "fail" and bool((entry.value or {}).get("status")))
