"""Undisturbed: the check that pods which no fault harms stay unchanged while a fault lasts."""

from collections.abc import Iterator
from math import inf
from typing import NamedTuple

from chaos_harness.harness.checks import Check, identified
from chaos_harness.harness.checks.recovery import end_of, joined
from chaos_harness.harness.checks.rule import unseen_words
from chaos_harness.harness.history import History
from chaos_harness.harness.history.faults import FaultSpan, Names, listed
from chaos_harness.harness.history.pods import Pod, PodLife, doubt
from chaos_harness.harness.history.recoveries import PodHistory
from chaos_harness.harness.history.spans import Spans
from chaos_harness.harness.history.vocabulary import WATCH_PODS
from chaos_harness.harness.verdict import Verdict

__all__ = ["undisturbed"]

_LONGEST_SILENCE_SECONDS = 10.0
_NOTICED_SECONDS = 10.0


class _Change(NamedTuple):
    """A change of a pod: `since` when at the earliest, reported `at`; from `sure` on starvation is no cause."""

    since: float
    at: float
    what: str
    sure: float


@identified
def undisturbed(*, during: Names = "cut registry") -> Check:
    """Return the check that pods which no fault harms stay unchanged while `during` lasts.

    They stay Ready, with the same containers, and a webhook pod is never without the right answer to a question for
    longer than 10 s. A pod is harmed if a fault recorded harm to it or to its node, before or while `during` lasts.
    Inconclusive: there was no such pod; a fault is not proved; pods or answers were not seen for longer than 10 s; a
    pod was restarted, or not Ready, only for as long as this machine was starved; or another fault, which does not
    record what it harms, may be the cause.
    """
    names = listed(during)

    def check(recorded: History) -> Verdict:
        history = PodHistory(recorded)
        faults = history.faults.named(*names)
        verdicts = [verdict for fault in faults for verdict in _judged(history, fault, end_of(history, fault))]
        return joined(history, names, verdicts, "no pod was left alone")

    check.__name__ = f"pods left alone are undisturbed during {' and '.join(names)}"
    return Check(check)


def _judged(history: PodHistory, fault: FaultSpan, end: float) -> Iterator[Verdict]:
    if fault.proved is None:
        yield Verdict("inconclusive", f"{fault.name} was not proved")
        return
    left = [life for life in history.pods.lives.values() if _left_alone(history, life, fault.injected, end)]
    yield from (_stays(history, life, fault, end) for life in left)
    unknown = history.coverage.unknown([WATCH_PODS], fault.injected, end)
    if unknown and left:
        yield Verdict("inconclusive", unseen_words(history.coverage, [WATCH_PODS], unknown))
    for uid in history.replicas.asked_between(fault.injected, end) - history.pods.lives.keys():
        yield Verdict("inconclusive", f"webhook pod {uid} was asked, but its Pod object was not seen")
    for life in history.pods.lives.values():
        if not life.born and fault.injected < life.seen[0].at <= end:
            yield Verdict("inconclusive", f"the state of {life.name} when {fault.name} began is missing")


def _left_alone(history: PodHistory, life: PodLife, begin: float, end: float) -> bool:
    """Whether a pod was Ready when the fault began, and nothing was done to it or its node before the fault's end."""
    before = life.at(begin)
    hits = history.harms.hit(life.uid, life.node)
    return before is not None and before.ready and not before.deleted and all(hit.at > end for hit in hits)


def _stays(history: PodHistory, life: PodLife, fault: FaultSpan, end: float) -> Verdict:
    changes = list(_changes(history, life, fault.injected, end))
    for since, at, what, sure in changes:
        if since >= fault.injected and sure <= end:
            words = f"{life.name} {what} {at - fault.injected:.1f} s after the fault"
            return _unless(history, life, fault, since, Verdict("violated", words, at=sure))
    for since, at, what, sure in changes:
        if since < fault.injected or sure < inf:
            return Verdict("inconclusive", f"{life.name} {what} at some time from {since:.1f} to {at:.1f} s")
    stayed = Verdict("holds", f"{life.name} stayed Ready")
    verdict = _answers(history, life, fault, end) if life.webhook else stayed
    for _, at, what, _ in changes:
        verdict &= Verdict("inconclusive", f"{life.name} {what} at {at:.1f} s, while this machine was starved")
    return verdict


def _changes(history: PodHistory, life: PodLife, begin: float, end: float) -> Iterator[_Change]:
    """Yield the changes of a pod that may lie between two moments.

    Until a pod is Ready again, all further reports may follow from what a starved machine did to it.
    """
    before, over = life.at(begin), begin
    delayed = history.coverage.delayed([WATCH_PODS])
    for sighting in life.seen:
        since = min((span[0] for span in delayed if span[0] <= sighting.at <= span[1]), default=sighting.at)
        if before is None or sighting.at <= begin or sighting.at < over or since > end:
            continue
        if what := _what(before, sighting.pod):
            sure = sighting.at if sighting.pod.deleted else _unexcused(history, life, since, sighting.at, end)
            if sure == inf:
                over = _over(life, sighting.at)
                before = life.at(over)
            yield _Change(since, sighting.at, what, sure)


def _unexcused(history: PodHistory, life: PodLife, since: float, at: float, end: float) -> float:
    """Return from when on starvation of this machine cannot be the cause of a change; infinite if it may always be.

    It may be if this machine was starved just then, and the pod was not away for longer than that.
    """
    starved = history.coverage.blind.within(since, at).total
    if not starved:
        return at
    away = Spans.of([(at, min(_over(life, at), end))])
    surely = away - doubt(history.coverage, WATCH_PODS, at, end, life.moments)
    return next((begin + starved for begin, _ in surely.longer_than(starved)), inf)


def _over(life: PodLife, at: float) -> float:
    """Return when, after a moment, a pod was first reported as Ready or as terminating; infinite if never."""
    seen = (one for one in life.seen if one.at >= at)
    return next((one.at for one in seen if one.pod.ready or one.pod.deleted), inf)


def _what(before: Pod, now: Pod) -> str:
    if now.deleted:
        return "is being deleted"
    if not now.ready:
        return "is not Ready"
    return "was restarted" if now.running != before.running or now.restarts > before.restarts else ""


def _answers(history: PodHistory, life: PodLife, fault: FaultSpan, end: float) -> Verdict:
    begin, replicas = fault.injected, history.replicas
    longest = replicas.longest_silence(life.uid, begin, end)
    if longest is None:
        return Verdict("inconclusive", f"{life.name} was not asked during the fault")
    figures = {"longest_silence_seconds": round(longest, 3)}
    wrong = replicas.wrong(life.uid, begin, end).within(begin, end)
    for since, until in wrong.longer_than(_LONGEST_SILENCE_SECONDS):
        words = f"{life.name} stayed Ready but gave no correct answer for {until - since:.1f} s"
        verdict = Verdict("violated", words, (), figures, since + _LONGEST_SILENCE_SECONDS)
        return _unless(history, life, fault, since, verdict)
    if longest > _LONGEST_SILENCE_SECONDS:
        words = (
            f"nothing is known of {life.name} for {longest:.1f} s: it was not asked, or the API server answered nothing"
        )
        return Verdict("inconclusive", words, (), figures)
    return Verdict("holds", f"{life.name} stayed Ready and was never silent for over {longest:.1f} s", (), figures)


def _unless(history: PodHistory, life: PodLife, fault: FaultSpan, since: float, verdict: Verdict) -> Verdict:
    """Return the violation `since` then; inconclusive if another fault may be the cause, or lines may be missing."""
    at = since if verdict.at is None else verdict.at
    same = history.faults.named(fault.name)
    others = [one.name for one in history.others(same, life.uid, life.node, since - _NOTICED_SECONDS, at)]
    lost = history.coverage.lost.within(0.0, at)
    if others:
        words = f"{verdict.summary}, but the cause may be {' or '.join((fault.name, *dict.fromkeys(others)))}"
    elif lost:
        words = f"{verdict.summary}, but lines that may say why are missing from {lost}"
    else:
        return verdict
    return verdict.as_inconclusive(words)
