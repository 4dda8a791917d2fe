"""Readiness: the check that a webhook pod which is in service answers as policies demand."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf
from typing import NamedTuple

from chaos_harness.harness.checks import Check, identified
from chaos_harness.harness.history import History
from chaos_harness.harness.history.coverage import LAG, Coverage, replica
from chaos_harness.harness.history.demanded import DemandedAnswer, DemandedAnswers
from chaos_harness.harness.history.faults import Faults, FaultSpan
from chaos_harness.harness.history.following import follow
from chaos_harness.harness.history.in_force import InForce
from chaos_harness.harness.history.in_service import InService, covers
from chaos_harness.harness.history.pods import Pods
from chaos_harness.harness.history.rotation import Rotation
from chaos_harness.harness.history.spans import Span, Spans
from chaos_harness.harness.policies import IGNORE_LABEL
from chaos_harness.harness.verdict import Verdict

__all__ = ["CHANGES_OBJECTS", "EDITS", "ready_means_enforcing"]

CHANGES_OBJECTS = (
    "delete crd",
    "delete object",
    "flip field",
    "hold deletion",
    "put object",
    "recreate object",
    "strip finalizers",
)
"""The faults that may take a policy away, or change it, by their names; and each fault whose name begins with EDITS."""

EDITS = "edit "

_LATE_SECONDS = 60.0
_UNASKED_SECONDS = 10.0
_SHOWN = 5


@identified
def ready_means_enforcing(
    late: float = _LATE_SECONDS, policies: Sequence[str] = (), *, unasked: float = _UNASKED_SECONDS
) -> Check:
    """Return the check that no webhook pod in service answers otherwise than policies demand.

    In service is a pod that is Ready, as Gatekeeper says of itself, and an endpoint of the Service, so that the API
    server asks it. One that is so before it has its templates and constraints admits what they deny. The replica probe
    asks each pod by itself; an answer counts if the pod was in service, and the policy in force, from question to
    answer. `policies` are those that the reviews are about; none: all, and the label review. A pod that cannot be
    reached decides nothing. What the API server admits does not count: nothing records which pod it asked, if any.

    While a fault deletes or edits objects, and `late` seconds after, a policy may not demand anything: a wrong answer
    of then leaves it undecided. Also inconclusive: a pod gave a wrong answer when it may have been in service; in a
    time of service it gave none that is known, not soon after its begin, or not for `unasked` seconds (a pod that
    hangs delays the questions to the others); lines are missing. The figure `ready_before_enforcing_seconds` is how
    long a pod was in service before its last wrong answer.

    Source: Gatekeeper tracks what a starting pod has loaded; with `--readiness-retries` it disregards what fails to.
    """

    def check(recorded: History) -> Verdict:
        scene = _Scene(recorded, late, unasked)
        if unknown := [policy for policy in policies if not scene.asked_about([policy])]:
            return Verdict("inconclusive", f"no webhook pod was asked about {', '.join(unknown)}")
        questions = scene.asked_about(policies)
        if not questions:
            return Verdict("inconclusive", "no webhook pod was asked anything")
        return _judge(scene, [one for question in questions for one in scene.asked(question)])

    check.__name__ = "webhook pods in service answer as policies demand"
    return Check(check)


class _Wrong(NamedTuple):
    """A wrong answer: to which question, of which pod, and since when the pod surely was in service (None: unsure)."""

    answer: DemandedAnswer
    question: str
    pod: str
    since: float | None

    def words(self) -> str:
        """Return it in one line."""
        at, what = self.answer.answered, self.question or "the label review"
        there = "perhaps in service" if self.since is None else f"in service for {at - self.since:.1f} s"
        return f"{at:.1f} s, {what}: pod {self.pod}, {there}, answers {self.answer.said}"


@dataclass(frozen=True)
class _Asked:
    """One pod and one question: wrong answers, how many answers count, and when it may have answered wrongly unseen."""

    question: str
    pod: str
    wrong: tuple[_Wrong, ...]
    counted: int
    unseen: Spans


class _Scene:
    """Webhook pods, when they were in service and what they were to answer, read once."""

    def __init__(self, recorded: History, late: float, unasked: float) -> None:
        self._unasked = unasked
        self.coverage, self.answers, self._in_force = Coverage(recorded), DemandedAnswers(), InForce()
        faults, self._pods, rotation = Faults(), Pods(), Rotation()
        follow(recorded, self._in_force, faults, self._pods, rotation, self.answers, self.coverage)
        self._service = InService(self.coverage, self._pods, rotation)
        self._changed = Spans.of(_changed(fault, late) for fault in faults.all)
        self._uids = sorted({*self._service.uids, *self.answers.uids})

    def asked_about(self, policies: Sequence[str]) -> list[str]:
        """Return the questions that are about these policies; none: all questions."""
        questions = sorted(self.answers.first)
        return [one for one in questions if not policies or any(self._is(one, policy) for policy in policies)]

    def asked(self, question: str) -> Iterator[_Asked]:
        """Yield what each pod answered to a question, and when there may have been pods of which nothing is known."""
        name, end = question or IGNORE_LABEL, self.coverage.until if self.coverage.ended else inf
        maybe = self._in_force.maybe(name).within(self.answers.first[question], end)
        sure = self._in_force.sure(name) - self._changed - self.coverage.blind
        if not (self.coverage.ended or name == IGNORE_LABEL or self._in_force.applied(name)):
            sure = Spans()  # what was cut off may say that it was applied only later
        yield _Asked(question, "that was not seen", (), 0, (self._service.unknown & maybe).longer_than(LAG))
        for uid in self._uids:
            yield self._asked(uid, question, self._service.maybe(uid) & maybe, self._service.sure(uid) & sure)

    def _asked(self, uid: str, question: str, maybe: Spans, sure: Spans) -> _Asked:
        answers = self.answers.of(uid, question)
        life = self._pods.lives.get(uid)
        pod = life.name if life else uid
        wrong = (
            _Wrong(answer, question, pod, self._since(uid, answer) if _in(sure, answer) else None)
            for answer in answers
            if answer.right is False and (_in(sure, answer) or _touches(maybe, answer))
        )
        counted = sum(answer.right is not None and _in(sure, answer) for answer in answers)
        return _Asked(question, pod, tuple(wrong), counted, self._unseen(uid, question, maybe))

    def _unseen(self, uid: str, question: str, maybe: Spans) -> Spans:
        """Return when a pod in service may have answered wrongly, because there is no answer of then."""
        soon = self._apart(question)
        apart = max(soon, self._unasked)
        good = self.answers.never_wrong(uid, question, apart)
        begins = {begin for begin, _ in maybe}
        missing = (((begin, end), soon if begin in begins else apart) for begin, end in maybe - good)
        too_long = (span for span, longest in missing if span[1] - span[0] > longest)
        return Spans.of((*too_long, *(part for part in maybe.longer_than(LAG) if not Spans((part,)) & good)))

    def _since(self, uid: str, answer: DemandedAnswer) -> float:
        return next(begin for begin, end in self._service.sure(uid) if begin <= answer.asked <= end)

    def _apart(self, question: str) -> float:
        """Return how many seconds may lie between two answers of a pod before that time is unseen."""
        of_each = (self.coverage.of(replica(uid, question)).tolerance for uid in self._uids)
        return min(filter(None, of_each), default=0.0)

    def _is(self, question: str, policy: str) -> bool:
        name = question or IGNORE_LABEL
        return name == policy or self._in_force.asked_about(policy, [name])


def _judge(scene: _Scene, every: Sequence[_Asked]) -> Verdict:
    wrong = sorted((one for asked in every for one in asked.wrong), key=lambda one: one.answer.answered)
    certain = [(one, one.since) for one in wrong if one.since is not None]
    counted = sum(asked.counted for asked in every)
    figures = {"answers_in_service": float(counted), "wrong_answers_in_service": float(len(certain))}
    if certain:
        figures["ready_before_enforcing_seconds"] = round(max(one.answer.answered - since for one, since in certain), 3)
    words = f"pods in service gave {len(certain)} wrong answers of {counted}"
    lines = tuple(one.words() for one in ([one for one, _ in certain] or wrong)[:_SHOWN])
    if certain:
        return Verdict("violated", words, lines, figures, certain[0][0].answer.answered)
    if wrong:
        words = f"{words}, and {len(wrong)} more when they were perhaps in service, or a policy perhaps changed"
        return Verdict("inconclusive", words, lines, figures)
    if scene.coverage.lost:
        return Verdict("inconclusive", f"{words}; lines are missing from {scene.coverage.lost}", lines, figures)
    if unseen := next((asked for asked in every if asked.unseen), None):
        what = f"what a pod answers ({unseen.pod}, {unseen.question or 'the label review'})"
        return Verdict("inconclusive", f"{words}; {what} is not known from {unseen.unseen}", lines, figures)
    if not counted:
        return Verdict("inconclusive", f"{words}: none was asked while it was in service", lines, figures)
    return Verdict("holds", words, lines, figures)


def _changed(fault: FaultSpan, late: float) -> Span:
    """Return when a fault may have changed what policies demand; ends before its begin if it changes no object."""
    if fault.name not in CHANGES_OBJECTS and not fault.name.startswith(EDITS):
        return 0.0, -inf
    begin, end = fault.harm
    return begin, (max(begin, fault.proved or begin) if fault.one_shot else end) + late


def _in(spans: Spans, answer: DemandedAnswer) -> bool:
    return covers(spans, answer.asked, answer.answered)


def _touches(spans: Spans, answer: DemandedAnswer) -> bool:
    return any(begin <= answer.answered and answer.asked < end for begin, end in spans)
