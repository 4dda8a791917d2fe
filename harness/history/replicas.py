"""Replicas: what each webhook pod answered when it was asked by itself, and whether that is what it must answer.

A pod may be asked several questions: it serves while it answers all that it is asked as it must.
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from harness.history.coverage import Coverage, replica
from harness.history.following import Take
from harness.history.recorded import Entry
from harness.history.spans import Span, Spans
from harness.history.streams import JITTER
from harness.history.vocabulary import REPLICA, REVIEW

__all__ = ["UNASKED_SECONDS", "Answer", "Answers", "Replicas"]

UNASKED_SECONDS = 5.0
"""For how long at a time a pod that answers as it must need not be asked, to be taken for one that goes on with it."""

_NOT_REACHED = "trying to reach service"
"""What the API server says, in its proxy, of a pod that did not take its question."""

_ERROR = 500


class Answer(NamedTuple):
    """One answer that says something: when it was asked and answered (seconds), and whether it was the right one."""

    asked: float
    answered: float
    right: bool


class Answers:
    """What one pod answered to one question; those that say nothing of the pod are left out."""

    def __init__(self) -> None:
        self.asked, self.answered, self._right = array("d"), array("d"), bytearray()

    def add(self, asked: float, answered: float, *, right: bool) -> None:
        """Add an answer, in the order of the questions."""
        self.asked.append(asked)
        self.answered.append(answered)
        self._right.append(right)

    def between(self, begin: float, end: float) -> Iterator[Answer]:
        """Iterate over the answers that were asked for and given between two moments."""
        for index in range(bisect_left(self.asked, begin), len(self.asked)):
            if self.answered[index] > end:
                return
            yield Answer(self.asked[index], self.answered[index], bool(self._right[index]))

    def runs(self, begin: float, end: float, *, right: bool, apart: float) -> Spans:
        """Return the stretches from a right (or wrong) answer to the last one before another, or before it is unasked.

        `apart` is how many seconds may lie between an answer and the next question.
        """
        spans: list[Span] = []
        before: Answer | None = None
        for answer in self.between(begin, end):
            if answer.right == right:
                if before and before.right == right and answer.asked - before.answered <= apart:
                    spans[-1] = (spans[-1][0], answer.answered)
                else:
                    spans.append((answer.asked, answer.answered))
            before = answer
        return Spans.of(spans)


class Replicas:
    """The webhook pods that were asked by themselves; a reader (see `following`)."""

    def __init__(self) -> None:
        self.pods: dict[str, dict[str, Answers]] = {}
        """By uid, and by question ("" for who is asked only one)."""
        self._times: dict[str, Span] = {}
        """Of each question, when it was first asked, of whomever, and last answered."""
        self._open: dict[str, float] = {}

    def streams(self, uid: str) -> list[str]:
        """Return the streams of questions to a pod: one at least."""
        return [replica(uid, question) for question in self._times or ("",)]

    def right(self, uid: str, begin: float, end: float) -> Spans:
        """Return when a pod surely answered as it must, to all questions that webhook pods were asked at that time."""
        spans, asked = Spans.of([(begin, end)]), Spans()
        for question, times in self._times.items():
            obliged = Spans.of([times])
            asked |= obliged
            spans -= obliged - self._answers(uid, question).runs(begin, end, right=True, apart=UNASKED_SECONDS)
        return spans & asked

    def longest_silence(self, uid: str, begin: float, end: float) -> float | None:
        """Return for how long, between two moments, a pod at most gave no right answer to a question, in seconds.

        None if it gave no answer at all that says anything. A question that began to be asked, or was given up, while
        others were asked is judged while it was asked.
        """
        if not any(any(answers.between(begin, end)) for answers in self.pods.get(uid, {}).values()):
            return None
        earliest = min(first for first, _ in self._times.values())
        latest = max(last for _, last in self._times.values())
        longest = 0.0
        for question, (first, last) in self._times.items():
            low = begin if first == earliest else max(begin, first)
            high = end if last == latest else min(end, last)
            right = [answer.answered for answer in self._answers(uid, question).between(low, high) if answer.right]
            longest = max([longest, *(later - earlier for earlier, later in pairwise([low, *right, high]))])
        return longest

    def wrong(self, coverage: Coverage, uid: str, begin: float, end: float) -> Spans:
        """Return when a pod surely did not answer as it must to at least one question."""
        spans = Spans()
        for question, answers in self.pods.get(uid, {}).items():
            apart = coverage.of(replica(uid, question)).interval * JITTER
            spans |= answers.runs(begin, end, right=False, apart=apart)
        return spans - coverage.blind

    def takes(self, process: str) -> Take | None:
        """Return what takes the entries of a process."""
        return self._take if process.startswith(f"{REPLICA} ") else None

    def close(self, end: float) -> None:
        """Take notice of the end."""

    def _take(self, entry: Entry) -> None:
        value = entry.value or {}
        if not entry.f.startswith(REVIEW) or "uid" not in value:
            return
        if entry.kind == "invoke":
            self._open[entry.process] = entry.at
            return
        asked = self._open.pop(entry.process, None)
        if asked is None:
            return
        question = value.get("question", "")
        self._times[question] = self._times.get(question, (asked, asked))[0], entry.at
        right = _right(entry)
        if right is not None:
            self.pods.setdefault(value["uid"], {}).setdefault(question, Answers()).add(asked, entry.at, right=right)

    def _answers(self, uid: str, question: str) -> Answers:
        return self.pods.get(uid, {}).get(question, Answers())


def _right(entry: Entry) -> bool | None:
    """Return whether the pod answered as it must; None if it is not known what it would have answered.

    So it is without an answer, and where the API server spoke for itself (429) instead of handing the question on. An
    answer that denies because of an error of the pod's own is not the right one.
    """
    value = entry.value
    if entry.kind == "info":
        return None
    if entry.kind == "ok":
        return int(value.get("code") or 0) < _ERROR
    if value.get("status") is None or _NOT_REACHED in str(value.get("said", "")):
        return False
    return None
