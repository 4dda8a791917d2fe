"""Audit histories by hand: the audit log of an API server tells how each question of a canary was decided."""

from typing import Any, Self

from chaos_harness.harness.history import EntryKind
from chaos_harness.harness.history.vocabulary import WATCH_CANARIES
from tests.fakes.audit_log import MUTATION
from tests.fakes.canary_histories import CanaryHistory
from tests.fakes.histories import STARTED

__all__ = ["CLOSED", "SLOW", "AuditHistory"]

SLOW, CLOSED = "context deadline exceeded", "connect: connection refused"


class AuditHistory(CanaryHistory):
    """A history in which questions have ids, which are "q" and their number; what is decided is copied 1.5 s later."""

    def __init__(self) -> None:
        super().__init__()
        self.number = 0

    def put(self, at: float, kind: EntryKind | None = "ok", *, took: float = 0.01, **rest: Any) -> Self:
        """Add a question with an id, and its answer, of which no log says anything."""
        self.number += 1
        return self.ask(at, kind, took=took, audit_id=f"q{self.number}", **rest)

    def log(self, at: float, took: float = 0.01, *, audit_id: str = "", **value: Any) -> Self:
        """Add what the audit log tells of the last question, or of another request."""
        request = {
            "audit_id": audit_id or f"q{self.number}",
            **dict.fromkeys(("verb", "resource", "namespace", "name", "uid", "who", "said", "denied_by"), ""),
            "code": 201,
            "received": STARTED + at,
            "decided": STARTED + at + took,
            "called": {},
            "failed_open": [],
            "seconds": {},
        }
        return self.add(at + took + 1.5, "info", "audit node", "request", request | value)

    def good(self, at: float, **rest: Any) -> Self:
        """Add a question of which both answer and audit log say that it was mutated."""
        return self.put(at, **rest).log(at, called={MUTATION: True})

    def failed(
        self, at: float, said: str = SLOW, *, kind: EntryKind | None = "fail", took: float = 1.0, **rest: Any
    ) -> Self:
        """Add a question for which mutation failed open, and what the API server logged of that call."""
        self.put(at, kind, took=took + 0.002, **rest)
        seconds = {"mutating": took} if took > 0.5 else {}
        self.log(at + 0.001, took, failed_open=[MUTATION], seconds=seconds)
        return self.call(at + took, said)

    def audited(self, until: float, *, since: float = 0.0, every: float = 3.0) -> Self:
        """Add that both logs are copied, from a moment on up to another one."""
        at = since
        while at < until:
            end = min(at + every, until)
            self.add(end + 1.6, "ok", "audit node", "read", {"since": STARTED + at, "until": STARTED + end})
            self.calls_read(end + 2.1)
            at = end
        return self

    def canary(self, at: float, seq: int, *, mutated: bool) -> Self:
        """Add that the watch on canaries saw what came of a question."""
        metadata = {"name": f"canary-{seq}", "uid": f"uid-{seq}"}
        return self.add(at, "change", WATCH_CANARIES, "ADDED", {"object": {"metadata": metadata, "mutated": mutated}})

    def canaries_watched(self, *moments: float) -> Self:
        """Add that the watch on canaries lists, and gives signs of life."""
        for number, at in enumerate(moments):
            self.add(at, "change", WATCH_CANARIES, "BOOKMARK" if number else "LISTED", {"resource_version": "1"})
        return self
