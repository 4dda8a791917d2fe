"""Lasting: for how long the enforcement of a policy was lost after some faults, and how certain that is."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf, isfinite
from typing import Literal

from chaos_harness.harness.causes import Cause
from chaos_harness.harness.checks.blame import Blame
from chaos_harness.harness.checks.rule import unseen_words
from chaos_harness.harness.history import History
from chaos_harness.harness.history.admissions import Admission
from chaos_harness.harness.history.audit import Audit
from chaos_harness.harness.history.coverage import Coverage, asked
from chaos_harness.harness.history.excuses import BadAnswers, weighed
from chaos_harness.harness.history.faults import Faults, FaultSpan
from chaos_harness.harness.history.following import Reader, follow
from chaos_harness.harness.history.harms import Harm, Harms
from chaos_harness.harness.history.in_force import InForce
from chaos_harness.harness.history.losses import Heard, Losses, LossKind, Streak
from chaos_harness.harness.history.resolved import UnansweredCreates
from chaos_harness.harness.history.rotation import Rotation
from chaos_harness.harness.history.settled import Settlement
from chaos_harness.harness.history.spans import Span, Spans
from chaos_harness.harness.history.streams import JITTER
from chaos_harness.harness.history.vocabulary import FAIL_OPEN
from chaos_harness.harness.history.webhook_failures import Failures, Why
from chaos_harness.harness.history.witness import Witness
from chaos_harness.harness.policies import ADMIT

__all__ = ["FIRST_LOST", "STEADY_SECONDS", "Loss", "Read", "decided", "measured"]

STEADY_SECONDS = 5.0
"""After how many seconds with only good answers a loss has ended.

If one replica of three is dead, most requests are answered well, and yet each one may bypass the policy. So good
answers between bad ones end a loss only if there are no others for so long.
"""

_MARKED = 2
"""The first schema that records up to when a history is judged; in older ones probes stop shortly before its end."""

_ENDING_SECONDS = 15.0
_NEVER_APPLIED = (ADMIT, "check ignore label")
_VERBS: dict[LossKind, Literal["lost", "refused"]] = {"bypassed": "lost", "refused": "refused", "lost": "lost"}

FIRST_LOST = "first_lost_seconds"
"""The name of a figure whose smallest value is the worst: how long after a fault the first request was lost."""


class Read:
    """What a history records of admissions, read once.

    Questions without a conclusive answer are decided by the audit log or the watch on canaries, where possible.
    With `events`, a create that left no object counts as seen, although no policy was shown to act.
    """

    def __init__(self, recorded: History, *more: Reader, events: bool = False) -> None:
        self.coverage = coverage = Coverage(recorded)
        audit, resolved, self._counted = Audit(coverage), UnansweredCreates(coverage), Witness(coverage.clocks)
        settled = Settlement(audit, resolved)
        self.audit, self.faults, self.in_force = audit, Faults(), InForce()
        self.losses, self.failures = Losses(settled.decide), Failures(coverage, audit)
        self._lenient = recorded.header.schema < _MARKED and recorded.ended
        self._whys: dict[tuple[str, LossKind], dict[Admission, Why]] = {}
        self._harms, self._rotation = Harms(self.faults), Rotation()
        harm = (self.faults, self._harms, self._rotation)
        readers = (audit, resolved, self._counted, *harm, self.in_force, self.losses, self.failures)
        follow(recorded, coverage, *readers, *more)
        for policy, heard in self.losses.heard.items():
            moments = [admission.asked for admission in heard.later]
            if events:
                moments += [admission.asked for admission in heard.undecided if settled.came_to_nothing(admission)]
            coverage.fill(asked(policy), moments)

    def whys(self, heard: Heard, kind: LossKind) -> dict[Admission, Why]:
        """Return the cause of each bad answer of one kind."""
        key = (heard.policy, kind)
        if key not in self._whys:
            self._whys[key] = self.failures.whys(heard.missed(kind))
        return self._whys[key]

    def harmless(self) -> list[FaultSpan]:
        """Return the faults that harmed only pods other than webhook pods."""
        harmed: dict[str, list[Harm]] = {}
        for harm in self._harms.all:
            if harm.fault:
                harmed.setdefault(harm.fault.id, []).append(harm)
        return [
            fault
            for fault in self.faults.all
            if fault.proved is not None and not self.coverage.lost.within(fault.injected, fault.proved)
            if (of := harmed.get(fault.id)) and all(self._rotation.never_serves(harm.uid) for harm in of)
        ]

    def mistrust(self, webhook: str) -> str:
        """Return, in words, that the API server's counter and log of failed calls disagree; "" if they agree."""
        for comparison in self._counted.failed_open(self.coverage.of(FAIL_OPEN).known):
            if comparison.webhook == webhook and comparison.agree is False:
                least, most = comparison.logged
                logged = f"{least} to {most}" if least < most else f"{least}"
                words = (
                    f"the API server counted {comparison.counted} calls of {webhook} "
                    f"that failed open and logged {logged}"
                )
                return f"{words}, so no cause is excused"
        return ""

    def sure(self, policy: str) -> Spans:
        """Return when a policy was certainly in force; never, if the lines that record it may be missing."""
        known = policy in _NEVER_APPLIED or not self.coverage.lost or self.in_force.applied(policy)
        return self.in_force.sure(policy) if known else Spans()

    def judged(self, time: Spans) -> list[Span]:
        """Return the judged part of `time`: what lasts to its end may last for ever."""
        until = self.coverage.until
        return [(begin, end if end < until else inf) for begin, end in time if begin <= until]

    def until_judged(self, time: Spans) -> Spans:
        """Return the part of `time` before the moment up to which claims are judged."""
        return time.within(-inf, self.coverage.until)

    def unseen(self, policy: str, time: Spans) -> Spans:
        """Return when, in some time, it was not seen whether a policy is enforced."""
        until = self.coverage.until
        spans = [span for part in self.judged(time) for span in self.coverage.unseen([asked(policy)], *part)]
        ending = max(self.losses.of(policy).latest, until - _ENDING_SECONDS)
        if self._lenient and spans and spans[-1][1] == until and spans[-1][0] >= ending:
            spans.pop()
        return Spans.of(spans)

    def policies(self, blame: Blame, wanted: Sequence[str]) -> list[str]:
        """Return the policies to judge: the wanted ones, or all that were applied or asked about in this time."""
        if wanted:
            return list(wanted)
        heard = [name for name, heard in self.losses.heard.items() if decided(heard, blame.own)]
        applied = [
            name
            for name in self.in_force.names
            if self.in_force.maybe(name) & blame.own and not self.in_force.asked_about(name, heard)
        ]
        return heard + applied


@dataclass(frozen=True)
class Loss:
    """The loss of one kind of one policy in the time of some faults.

    `time` is its judged part. `missed` are the bad answers that may have been decided in it, `lost` those that count
    with certainty. Enforcement was certainly lost for `least` seconds, and for `most` (inf: for ever) if time that was
    not seen (`unseen`), losses that another fault may have caused, and losses of unknown cause count, too.
    """

    heard: Heard
    kind: LossKind
    blame: Blame
    time: Spans
    sure: Spans
    missed: tuple[Admission, ...]
    weighed: BadAnswers
    lost: tuple[Admission, ...]
    certain: Spans
    possible: Spans
    unseen: Spans
    interval: float
    whys: Mapping[Admission, Why]
    source: str
    mistrust: str = ""

    @property
    def policy(self) -> str:
        """The policy that was lost."""
        return self.heard.policy

    @property
    def verb(self) -> Literal["lost", "refused"]:
        """The verb for it in sentences and figures."""
        return _VERBS[self.kind]

    @property
    def least(self) -> float:
        """For how many seconds it was certainly lost."""
        return self.certain.total

    @property
    def most(self) -> float:
        """For how many seconds it was lost at most."""
        return (self.possible | self.unseen).total

    @property
    def decided(self) -> int:
        """How many questions were decided."""
        return decided(self.heard, self.time)

    def words(self) -> str:
        """Return a summary in one line."""
        fault, verb = self.blame.words, self.verb
        but = f"; {len(self.weighed.excused)} more are excused by their cause" if self.weighed.excused else ""
        but += f"; the cause of {len(self.weighed.unread)} more is not known" if self.weighed.unread else ""
        if not self.missed or len(self.weighed.excused) + len(self.weighed.unread) == len(self.missed):
            return f"{self.policy}: none of {self.decided} requests after {fault}{but}"
        first, last = (self.lost or self.weighed.counted)[0], (self.lost or self.weighed.counted)[-1]
        seconds = f"{self.least:.1f} to {self.most:.1f} s" if isfinite(self.most) else f"at least {self.least:.1f} s"
        return (
            f"{self.policy}: {verb} for {seconds}, {len(self.lost)} of {self.decided} requests, "
            f"{first.asked - self.blame.begin:.1f} s to {last.answered - self.blame.begin:.1f} s after {fault}{but}"
        )

    def causes(self, lost: Iterable[Admission] | None = None) -> tuple[Cause, ...]:
        """Return the causes of the losses that count, or of `lost`, the most frequent one first."""
        some = self.lost if lost is None else lost
        counts = Counter(name for admission in some for name in self.whys[admission].names)
        return tuple(name for name, _ in counts.most_common())

    def figures(self) -> dict[str, float]:
        """Return its figures: seconds, and counts of requests."""
        name = "".join(letter if letter.isalnum() else "_" for letter in self.policy).strip("_").replace("__", "_")
        prefix = f"{name}_{self.verb}"
        figures = {f"{prefix}_requests": float(len(self.lost)), f"{name}_asked_requests": float(self.decided)}
        figures[f"{prefix}_least_seconds"] = round(self.least, 3)
        if isfinite(self.most):
            figures[f"{prefix}_most_seconds"] = round(self.most, 3)
        return figures

    def doubts(self, coverage: Coverage) -> Iterator[str]:
        """Yield, in words, why it is uncertain."""
        first, *rest = [*self.unknown(coverage, self.unseen), ""]
        if first and self.unseen:
            first += f" (gaps of up to {self.interval:.2g} s between two questions count as seen)"
        yield from filter(None, (first, self.blame.shared(self.possible), *rest))

    def unknown(self, coverage: Coverage, unseen: Spans, missed: Collection[Admission] | None = None) -> Iterator[str]:
        """Yield, in words, for how long it was not seen, and how many of the `missed` have no known cause."""
        if words := unseen_words(coverage, [asked(self.policy)], unseen):
            yield words
        if unread := [admission for admission in self.weighed.unread if missed is None or admission in missed]:
            yield self.mistrust or f"{self.source} does not give the cause of {len(unread)}"


def inside(spans: Spans, admission: Admission) -> bool:
    """Whether an answer was certainly decided within one of these stretches."""
    return any(begin <= admission.asked and admission.answered <= end for begin, end in spans)


def measured(read: Read, blame: Blame, heard: Heard, kind: LossKind, excused: Collection[str]) -> Loss:
    """Return the loss of one kind of one policy in the time of some faults, without `excused` causes."""
    time = blame.own & read.in_force.maybe(heard.policy)
    judged = read.until_judged(time)
    sure = read.until_judged(blame.sure & read.sure(heard.policy))
    unseen = read.unseen(heard.policy, time)
    whys = read.whys(heard, kind)
    mistrust = next(filter(None, map(read.mistrust, {admission.webhook for admission in whys})), "") if excused else ""
    weighing = weighed(whys, heard.alone, excused, trusted=not mistrust)
    forgiven, counted = set(weighing.excused), set(weighing.counted)
    runs = [run for run in heard.runs[kind] if not forgiven.issuperset(run.lost)]
    longest = JITTER * read.coverage.of(asked(heard.policy)).interval
    there = [run for run in runs if _reaches(run, judged, longest)]
    lost = [[admission for admission in run.lost if admission in counted and inside(sure, admission)] for run in there]
    missed = [
        admission for admission in heard.missed(kind) if Spans.of([(admission.asked, admission.answered)]) & judged
    ]
    among = set(missed)
    return Loss(
        heard,
        kind,
        blame,
        judged,
        sure,
        tuple(missed),
        weighing.among(among),
        tuple(admission for run in lost for admission in run),
        (_certain(lost) & sure) - unseen,
        _possible(there, unseen) & time,
        unseen,
        read.coverage.of(asked(heard.policy)).interval,
        {admission: whys[admission] for admission in missed},
        "the audit log" if read.failures.by_id else "the API server's log",
        mistrust if weighing.unread else "",
    )


def _reaches(run: Streak, time: Spans, longest: float) -> bool:
    """Whether a run may have lasted in some time: not if the questions next to it, and none was left out, lie there."""
    first, last, (begin, end) = run.lost[0], run.lost[-1], run.possible
    begin = first.asked if first.asked - begin <= longest else begin
    end = last.answered if end - last.asked <= longest else end
    return bool(Spans.of([(begin, max(end, last.answered))]) & time)


def _certain(runs: Iterable[Sequence[Admission]]) -> Spans:
    """Return the time from the first to the last loss of each run; short pauses between runs count."""
    spans: list[Span] = []
    last: Admission | None = None
    for run in runs:
        for index, admission in enumerate(run):
            goes_on = last is not None and (index or admission.answered - last.asked < STEADY_SECONDS)
            begin = spans.pop()[0] if goes_on else admission.answered
            spans.append((begin, max(begin, admission.asked)))
            last = admission
    return Spans.of(spans)


def _possible(runs: Iterable[Streak], unseen: Spans) -> Spans:
    """Return the longest times that runs may have lasted; short pauses between them, or to unseen time, count."""
    joined: list[tuple[Span, bool]] = []
    marked = [(run.possible, True) for run in runs] + [(span, False) for span in unseen]
    for (begin, end), seen in sorted(marked):
        if joined:
            (first, until), was = joined[-1]
            if begin <= until or ((seen or was) and begin - until < STEADY_SECONDS):
                joined[-1] = (first, max(until, end)), seen or was
                continue
        joined.append(((begin, end), seen))
    return Spans.of(span for span, seen in joined if seen)


def decided(heard: Heard, time: Spans) -> int:
    """Return how many questions of some time, which starts and ends at marks, were decided."""
    return sum(heard.decided(begin, end) for begin, end in time)
