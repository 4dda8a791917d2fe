"""Demanded: whether each webhook pod that was asked directly answered as a policy demands, question by question."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from chaos_harness.harness.history.following import Reader, Take
from chaos_harness.harness.history.recorded import Entry
from chaos_harness.harness.history.spans import Span, Spans
from chaos_harness.harness.history.vocabulary import REPLICA, REVIEW

__all__ = ["DemandedAnswer", "DemandedAnswers"]

_NOT_REACHED = "trying to reach service"
"""Part of the API server's proxy error for a pod that did not accept the question."""

_ERROR = 500


class DemandedAnswer(NamedTuple):
    """One answer of a pod: when it was asked and answered (seconds), what it said, and whether a policy demands that.

    `right` is None for a pod that was not reached: it decided nothing.
    """

    asked: float
    answered: float
    said: str
    right: bool | None


class DemandedAnswers(Reader):
    """The answers of webhook pods to reviews; a reader (see `following`).

    Left out is what does not say how the pod decided: a time-out, an error of the API server, or one in the pod itself.
    """

    def __init__(self) -> None:
        self.first: dict[str, float] = {}
        """When each question ("": the label review) was first asked of any pod."""
        self._given: dict[tuple[str, str], list[DemandedAnswer]] = {}
        self._open: dict[str, float] = {}

    @property
    def uids(self) -> set[str]:
        """The uids of the pods that answered anything."""
        return {uid for uid, _ in self._given}

    def of(self, uid: str, question: str) -> Sequence[DemandedAnswer]:
        """Return the answers of a pod to a question, in their order."""
        return self._given.get((uid, question), ())

    def never_wrong(self, uid: str, question: str, apart: float) -> Spans:
        """Return when a pod decided nothing but what is demanded: from one such answer to the next one.

        `apart` is how many seconds may lie between an answer and the next question.
        """
        return Spans.of(_never_wrong(self.of(uid, question), apart))

    def takes(self, process: str) -> Take | None:
        """Return the function that takes the entries of a process, or None."""
        return self._take if process.startswith(f"{REPLICA} ") else None

    def _take(self, entry: Entry) -> None:
        value = entry.value or {}
        if not entry.f.startswith(REVIEW) or "uid" not in value:
            return
        question = value.get("question", "")
        if entry.kind == "invoke":
            self._open[entry.process] = entry.at
            self.first.setdefault(question, entry.at)
            return
        asked, said = self._open.pop(entry.process, None), str(value.get("said", ""))
        if asked is None or entry.kind == "info" or int(value.get("code") or 0) >= _ERROR:
            return
        unreached = value.get("status") is not None
        if (unreached and _NOT_REACHED not in said) or not said:
            return
        right = None if unreached else entry.kind == "ok"
        self._given.setdefault((value["uid"], question), []).append(DemandedAnswer(asked, entry.at, said, right))


def _never_wrong(answers: Sequence[DemandedAnswer], apart: float) -> Iterator[Span]:
    before: DemandedAnswer | None = None
    for answer in answers:
        if answer.right is not False:
            goes_on = before and before.right is not False and answer.asked - before.answered <= apart
            yield (before.answered if before and goes_on else answer.asked), answer.answered
        before = answer
