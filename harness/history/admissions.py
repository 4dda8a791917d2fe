"""Admissions: the questions asked of policies and their answers, in the order of the questions, as a stream."""

from collections import deque
from collections.abc import Callable, Iterator
from typing import NamedTuple

from chaos_harness.harness.history.following import Take
from chaos_harness.harness.history.recorded import Entry, History
from chaos_harness.harness.history.vocabulary import CANARY
from chaos_harness.harness.policies import ADMIT

__all__ = ["NO_ANSWER", "Admission", "Answers", "answers"]

NO_ANSWER = "no answer"
"""The outcome of a question without any answer, not even a recorded error of the probe."""

_OPEN_SECONDS = 15.0
"""More than any question waits for its answer."""

_MANY = 1000
"""More answers than arrive during the wait for a single one."""

_SILENT = ("unmutated", "admitted")
_FAILED_CLOSED = ("timed out", "refused")
_CALL_FAILED = "failed calling webhook"

_MUTATION, _VALIDATION = "mutation.gatekeeper.sh", "validation.gatekeeper.sh"
_LABEL, _LABEL_POLICY = "check-ignore-label.gatekeeper.sh", "check ignore label"
_WANTED = {
    "mutate pods": "mutated",
    "mutate templates": "mutated",
    ADMIT: "admitted",
    "deny by cel (vap)": "denied by policy",
}
"""What policies demand in old histories, which do not record it; all others demand "denied by webhook"."""


class Admission(NamedTuple):
    """One question and its answer; moments are seconds of the history.

    `kind` is "ok" (as the policy demands), "fail" (it was not enforced), or "info" (no conclusion is possible);
    `outcome` is one of harness.probes.answers, or NO_ANSWER. `audit_id` is its id in the API server's audit log,
    `wants` what the policy demands, both "" in old histories. `by` names the source that decided it where no answer
    did; `answered` is then the latest moment of that decision. `shared` is as in harness.policies.Question.
    """

    seq: int
    f: str
    policy: str
    dry_run: bool
    round: int
    asked: float
    answered: float
    kind: str
    outcome: str
    said: str
    audit_id: str = ""
    wants: str = ""
    by: str = ""
    shared: bool = False

    @property
    def wanted(self) -> str:
        """The answer that the policy demands: see harness.policies.WantedOutcome; old histories do not record it."""
        return self.wants or _WANTED.get(self.policy, "denied by webhook")

    @property
    def webhook(self) -> str:
        """The webhook that must be called for it; "" if the API server decides alone."""
        if self.wanted == "mutated":
            return _MUTATION
        if self.wanted == "denied by policy":  # a "denied" object that is admitted passed the webhook, too
            return ""
        return _LABEL if self.policy == _LABEL_POLICY else _VALIDATION

    @property
    def bypassed(self) -> bool:
        """Whether the policy was bypassed: an object that violates it was admitted, or a mutation is missing."""
        return self.kind == "fail" and self.outcome in _SILENT

    @property
    def refused(self) -> bool:
        """Whether it was refused although it complies, or because the call of a webhook that fails closed failed.

        A request that violates a policy and was denied by another one is neither bypassed nor refused.
        """
        if self.kind != "fail" or self.outcome in _SILENT:
            return False
        complies = self.wanted in ("mutated", "admitted")
        return complies or self.outcome in _FAILED_CLOSED or _CALL_FAILED in self.said


class Answers:
    """Passes each answer to `give`, in the order of the questions; a reader (see `following`).

    Only unanswered questions are kept. A question that is never answered is passed on as such if `all_` is set.
    """

    def __init__(self, give: Callable[[Admission], None], *, all_: bool = False) -> None:
        self._give = give
        self._all = all_
        self._asked: dict[int, Entry] = {}
        self._answered: dict[int, Admission] = {}
        self._next = 0

    def takes(self, process: str) -> Take | None:
        """Return the function that takes the entries of a process, or None."""
        return self._take if process.startswith(f"{CANARY} ") else None

    def close(self, end: float) -> None:  # noqa: ARG002 - a reader's
        """Pass on the answers that wait for questions whose own answers cannot come any more."""
        self._flush()

    def _take(self, entry: Entry) -> None:
        value = entry.value
        if not value or "seq" not in value:  # as old probes asked
            return
        seq = value["seq"]
        if entry.kind == "invoke":
            if seq < self._next or seq in self._asked:
                self._flush()
            self._asked[seq] = entry
            return
        question = self._asked.pop(seq, None)
        if question is None:
            return
        before = question.value
        self._answered[seq] = Admission(
            seq,
            entry.f,
            value["policy"],
            before.get("dry_run", True),
            before.get("round", seq),
            question.at,
            entry.at,
            entry.kind,
            value.get("outcome", "other"),
            value.get("said", ""),
            before.get("audit_id", ""),
            before.get("wanted", ""),
            shared=before.get("shared", False),
        )
        self._go_on()
        if len(self._answered) > _MANY:
            self._skip(entry.at)

    def _skip(self, now: float) -> None:
        """Stop waiting for answers that cannot come any more."""
        self._give_up([seq for seq, entry in self._asked.items() if entry.at < now - _OPEN_SECONDS])
        oldest = min(self._asked, default=max(self._answered) + 1)
        for seq in sorted(seq for seq in self._answered if seq < oldest):
            self._give(self._answered.pop(seq))
        self._next = oldest
        self._go_on()

    def _go_on(self) -> None:
        """Pass on all answers before the first one that is still missing."""
        while self._next in self._answered:
            self._give(self._answered.pop(self._next))
            self._next += 1

    def _flush(self) -> None:
        """Pass on the answers that wait for an unanswered question, and start to count again."""
        self._give_up(list(self._asked))
        for seq in sorted(self._answered):
            self._give(self._answered[seq])
        self._answered.clear()
        self._next = 0

    def _give_up(self, seqs: list[int]) -> None:
        for seq in seqs:
            entry = self._asked.pop(seq)
            value = entry.value
            if self._all:
                self._answered[seq] = Admission(
                    seq,
                    entry.f,
                    value.get("policy", ""),
                    value.get("dry_run", True),
                    value.get("round", seq),
                    entry.at,
                    entry.at + _OPEN_SECONDS,
                    "info",
                    NO_ANSWER,
                    "",
                    value.get("audit_id", ""),
                    value.get("wanted", ""),
                    shared=value.get("shared", False),
                )


def answers(recorded: History) -> Iterator[Admission]:
    """Yield all answers of a history, in the order of the questions."""
    ready: deque[Admission] = deque()
    reader, takes, end = Answers(ready.append), dict[str, Take | None](), 0.0
    for entry in recorded.entries:
        if entry.process not in takes:
            takes[entry.process] = reader.takes(entry.process)
        take = takes[entry.process]
        if take:
            take(entry)
        while ready:
            yield ready.popleft()
        end = entry.at
    reader.close(end)
    yield from ready
