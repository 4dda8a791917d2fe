"""Settled: how questions without a conclusive answer were decided, by the audit log or the watch on canaries."""

from collections import Counter
from collections.abc import Iterable

from chaos_harness.harness.history.admissions import Admission
from chaos_harness.harness.history.audit import Audit, Decision
from chaos_harness.harness.history.resolved import Create, UnansweredCreates
from chaos_harness.harness.history.vocabulary import AUDIT, WATCH_CANARIES
from chaos_harness.harness.history.webhook_failures import cause
from chaos_harness.harness.policies import is_right

__all__ = ["Settlement", "settled_words"]

_DENIED_CODE = 403
_REFUSED_CODE = 400
_FAILED_CALL = "failed calling webhook"
_CLOSED = ("connection refused", "no endpoint", "cut in the middle", "no route")


class Settlement:
    """Decides what became of a question, once the history is read."""

    def __init__(self, audit: Audit, resolved: UnansweredCreates) -> None:
        self._audit = audit
        self._resolved = resolved
        self._creates: dict[tuple[int, float], Create] | None = None

    def decide(self, asked: Admission) -> Admission | None:
        """Return a question with the answer that it would have got; None if its decision is unknown."""
        decision = self._audit.decision_of(asked.audit_id)
        outcome = _outcome(decision, asked) if decision else None
        if decision and outcome:
            answered = max(asked.asked, decision.placed[1]) if decision.placed else asked.answered
            said = f"{decision.code} {decision.said}".strip()
            return _answered(asked, outcome, answered, said, AUDIT)
        create = self._create(asked)
        if create is None or create.seen is None or self._resolved.became(create) not in ("mutated", "unmutated"):
            return None
        outcome = "admitted" if asked.wanted != "mutated" else "mutated" if create.mutated else "unmutated"
        return _answered(asked, outcome, max(asked.asked, create.seen), "admitted", WATCH_CANARIES)

    def came_to_nothing(self, asked: Admission) -> bool:
        """Whether no object was created, whatever the policies decided; for checks that count created objects."""
        audited = self._audit.cause_of(asked.audit_id, asked.webhook)
        if audited and audited.what == "refused":
            return True
        if asked.dry_run:
            return audited is not None and audited.what in ("undecided", "broken off")
        create = self._create(asked)
        return create is not None and self._resolved.became(create) == "nothing"

    def _create(self, asked: Admission) -> Create | None:
        if self._creates is None:
            self._creates = {(create.seq, create.asked): create for create in self._resolved.creates}
        return self._creates.get((asked.seq, asked.asked))


def settled_words(later: Iterable[Admission]) -> str:
    """Return how many questions were decided without a conclusive answer, and by which source; "" if none."""
    by = Counter(admission.by for admission in later)
    counts = " and ".join(f"{count} by {who}" for who, count in sorted(by.items()))
    return f"questions without a conclusive answer, decided afterwards: {counts}" if by else ""


def _answered(asked: Admission, outcome: str, answered: float, said: str, by: str) -> Admission:
    kind = "ok" if is_right(outcome, asked.wanted) else "fail"
    return asked._replace(kind=kind, outcome=outcome, answered=answered, said=said, by=by)


def _outcome(decision: Decision, asked: Admission) -> str | None:
    """Return the outcome of a decision, in the probe's terms; None if the record does not determine it."""
    if decision.admitted:
        if asked.wanted != "mutated":
            return "admitted"
        changed = decision.called.get(asked.webhook)
        return "unmutated" if not changed else None if asked.shared else "mutated"
    if decision.denied_by:
        return _denied(decision, asked)
    if decision.code >= _REFUSED_CODE and _FAILED_CALL in decision.said:
        name = cause(decision.said)
        return name if name == "timed out" else "refused" if name in _CLOSED else "other"
    return None


def _denied(decision: Decision, asked: Admission) -> str | None:
    by_webhook = decision.denied_by.endswith(".gatekeeper.sh")
    if asked.wanted in ("mutated", "admitted"):
        return "denied by webhook" if by_webhook else "denied by policy"
    own = asked.wanted in ("denied", "denied by webhook") and decision.denied_by == asked.webhook
    return "denied by webhook" if own and decision.code == _DENIED_CODE else None
