"""Replicas: what each webhook pod answered when asked directly, and whether that is the right answer.

A pod may be asked several questions: it serves while it answers all of them correctly. Each goes through the API
server: an error of the API server itself, or a time in which it answers nothing, says nothing about the pod.
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterator
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

from chaos_harness.harness.history.coverage import Coverage, asked, replica
from chaos_harness.harness.history.following import Reader, Take
from chaos_harness.harness.history.recorded import Entry
from chaos_harness.harness.history.spans import Span, Spans
from chaos_harness.harness.history.vocabulary import REPLICA, REVIEW

__all__ = ["UNASKED_SECONDS", "Replicas"]

UNASKED_SECONDS = 5.0
"""For how many seconds without a question a pod that answers correctly is assumed to keep doing so."""

_NOT_REACHED = "trying to reach service"
"""Part of the API server's proxy error for a pod that did not accept the question."""

_NO_ANSWER = "ReadTimeoutError"
"""The probe's error for a question that was accepted and not answered in time."""

_ERROR = 500
WRONG, RIGHT, NOTHING = range(3)


class ReplicaAnswer(NamedTuple):
    """One conclusive answer: when it was asked and answered (seconds), and whether it was correct."""

    asked: float
    answered: float
    right: bool


class ReplicaAnswers:
    """The answers of one pod to one question, without those that say nothing about the pod."""

    def __init__(self) -> None:
        self._asked, self._answered, self._what = array("d"), array("d"), bytearray()

    def add(self, asked: float, answered: float, what: int) -> None:
        """Add the result of a question, in the order of the questions: RIGHT, WRONG or NOTHING (no answer in time)."""
        self._asked.append(asked)
        self._answered.append(answered)
        self._what.append(what)

    def between(self, begin: float, end: float, heard: Spans) -> Iterator[ReplicaAnswer]:
        """Yield the answers whose question and answer lie between two moments.

        A missing answer is the pod's fault only while the API server, through which it is asked, is `heard`.
        """
        for index in range(bisect_left(self._asked, begin), len(self._asked)):
            asked, answered, what = self._asked[index], self._answered[index], self._what[index]
            if answered > end:
                return
            if what != NOTHING or not Spans.of([(asked, answered)]) - heard:
                yield ReplicaAnswer(asked, answered, what == RIGHT)

    def runs(self, begin: float, end: float, heard: Spans, *, right: bool, apart: float) -> Spans:
        """Return the stretches of only right (or only wrong) answers, from the first to the last of them.

        `apart` is how many seconds may lie between an answer and the next question.
        """
        spans: list[Span] = []
        before: ReplicaAnswer | None = None
        for answer in self.between(begin, end, heard):
            if answer.right == right:
                if before and before.right == right and answer.asked - before.answered <= apart:
                    spans[-1] = (spans[-1][0], answer.answered)
                else:
                    spans.append((answer.asked, answer.answered))
            before = answer
        return Spans.of(spans)


class Replicas(Reader):
    """The webhook pods that were asked directly; a reader (see `following`).

    Its results are valid once everything is read, and depend on the `coverage` of the same history.
    """

    def __init__(self, coverage: Coverage) -> None:
        self._coverage = coverage
        self.pods: dict[str, dict[str, ReplicaAnswers]] = {}
        """By uid, and by question ("" for a pod that is asked only one)."""
        self._times: dict[str, Span] = {}
        """For each question, when it was first asked of any pod, and last answered."""
        self._open: dict[str, float] = {}

    def streams(self, uid: str) -> list[str]:
        """Return the streams of questions to a pod, at least one."""
        return [replica(uid, question) for question in self._times or ("",)]

    def asked_between(self, begin: float, end: float) -> set[str]:
        """Return the uids of the pods that answered something between two moments."""
        return {
            uid
            for uid, questions in self.pods.items()
            if any(any(answers.between(begin, end, self._heard)) for answers in questions.values())
        }

    def right(self, uid: str, begin: float, end: float) -> Spans:
        """Return when a pod surely answered all questions correctly that webhook pods were asked at that time."""
        spans, ever = Spans.of([(begin, end)]), Spans()
        for question, times in self._times.items():
            obliged = Spans.of([times])
            ever |= obliged
            spans -= obliged - self._answers(uid, question).runs(
                begin, end, self._heard, right=True, apart=UNASKED_SECONDS
            )
        return spans & ever

    def longest_silence(self, uid: str, begin: float, end: float) -> float | None:
        """Return the longest time, in seconds, that a pod gave no right answer to a question between two moments.

        None if it gave no conclusive answer at all. A question that was only asked for a part of that time is judged in
        that part.
        """
        if not any(any(answers.between(begin, end, self._heard)) for answers in self.pods.get(uid, {}).values()):
            return None
        earliest = min(first for first, _ in self._times.values())
        latest = max(last for _, last in self._times.values())
        longest = 0.0
        for question, (first, last) in self._times.items():
            low = begin if first == earliest else max(begin, first)
            high = end if last == latest else min(end, last)
            answers = self._answers(uid, question).between(low, high, self._heard)
            right = [answer.answered for answer in answers if answer.right]
            longest = max([longest, *(later - earlier for earlier, later in pairwise([low, *right, high]))])
        return longest

    def wrong(self, uid: str, begin: float, end: float) -> Spans:
        """Return when a pod surely answered at least one question wrongly, or not at all."""
        spans = Spans()
        for question, answers in self.pods.get(uid, {}).items():
            apart = self._coverage.of(replica(uid, question)).tolerance
            spans |= answers.runs(begin, end, self._heard, right=False, apart=apart)
        return spans - self._coverage.blind

    def takes(self, process: str) -> Take | None:
        """Return the function that takes the entries of a process, or None."""
        return self._take if process.startswith(f"{REPLICA} ") else None

    @cached_property
    def _heard(self) -> Spans:
        """When the API server answered requests for admission, from any probe."""
        streams = [stream for stream in self._coverage.streams if stream.startswith(asked(""))]
        return Spans.of(part for stream in streams for part in self._coverage.of(stream).spans)

    def _take(self, entry: Entry) -> None:
        value = entry.value or {}
        if not entry.f.startswith(REVIEW) or "uid" not in value:
            return
        if entry.kind == "invoke":
            self._open[entry.process] = entry.at
            return
        begun = self._open.pop(entry.process, None)
        if begun is None:
            return
        question = value.get("question", "")
        self._times[question] = self._times.get(question, (begun, begun))[0], entry.at
        what = _what(entry)
        if what is not None:
            self.pods.setdefault(value["uid"], {}).setdefault(question, ReplicaAnswers()).add(begun, entry.at, what)

    def _answers(self, uid: str, question: str) -> ReplicaAnswers:
        return self.pods.get(uid, {}).get(question, ReplicaAnswers())


def _what(entry: Entry) -> int | None:
    """Return the result of a question; None if it is not known what the pod would have answered.

    That is so if the pod perhaps never received the question, or if the API server answered itself (429) instead of
    forwarding it. A denial because of an error in the pod itself is a wrong answer.
    """
    value = entry.value
    if entry.kind == "info":
        return NOTHING if _NO_ANSWER in str(value.get("said", "")) else None
    if entry.kind == "ok":
        return RIGHT if int(value.get("code") or 0) < _ERROR else WRONG
    spoken = value.get("status") is not None and _NOT_REACHED not in str(value.get("said", ""))
    return None if spoken else WRONG
