"""Outage: checks on when enforcement begins to be lost after a fault, and on whether it comes back."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from math import inf, isinf

from chaos_harness.harness.checks import Check, identified
from chaos_harness.harness.checks.fail_open import judged
from chaos_harness.harness.checks.lasting import FIRST_LOST, Loss, Read
from chaos_harness.harness.history.admissions import Admission
from chaos_harness.harness.history.faults import FaultSpan, listed
from chaos_harness.harness.history.spans import Spans
from chaos_harness.harness.verdict import Verdict

__all__ = ["comes_back", "outlasts"]

_LAST = 10
_ORDER = ("holds", "inconclusive", "violated")
_SHARP_SECONDS = 0.1


@identified
def outlasts(
    seconds: float,
    *,
    fault: str | Sequence[str],
    policies: Iterable[str] = (),
    excused: Collection[str] = ("timed out",),
) -> Check:
    """Return the check that no request is lost in the first `seconds` after `fault` began.

    What happens later is ignored. It distinguishes a replica that keeps serving while it terminates from one that stops
    at once, on any machine, however slow. Lost is what was bypassed or refused; its moment is that of the failed call
    if the API server logged one, else it lies between question and answer. `fault` and `excused` are as in
    `fail_open_window`: a busy machine causes isolated time-outs.

    Inconclusive: the first request was lost about then, or may be lost to another fault; not all of the first `seconds`
    were seen; the fault is not proved.
    """

    def check(loss: Loss, read: Read) -> Verdict:
        verdicts = [_outlasted(loss, read, fault.injected, seconds) for fault in loss.blame.faults]
        worst = max(verdicts, key=lambda verdict: _ORDER.index(verdict.outcome))
        return replace(worst, figures=verdicts[0].figures)

    what = f"enforcement outlasts {' and '.join(listed(fault))} by {seconds:g} s"
    return judged(what, check, "lost", fault, policies, excused)


@identified
def comes_back(
    *,
    fault: str | Sequence[str],
    policies: Iterable[str] = (),
    before_healing: bool = False,
    excused: Collection[str] = ("timed out",),
) -> Check:
    """Return the check that policies are enforced again in the end, however much was lost after `fault` began.

    For each policy, none of the last ten requests may be lost: the last ones before the judgement or before something
    else was done or, with `before_healing`, the last ones between the proof of each fault and its healing (with several
    names: between the last proof and the first healing). How long it took is reported, not judged. Lost is what was
    bypassed or refused, except what is `excused` (see `fail_open_window`).

    Inconclusive: the last requests were not all seen, or may be lost to another fault; a line is missing after a loss,
    so that it is not known which requests are the last; the fault is not proved.
    """
    wanted = listed(fault)
    lasts = "lasts" if len(wanted) == 1 else "last"
    when = f"while {' and '.join(wanted)} {lasts}" if before_healing else f"after {' and '.join(wanted)}"

    def check(loss: Loss, read: Read) -> Verdict:
        spans = dict.fromkeys(_span(loss, read, fault, before_healing=before_healing) for fault in loss.blame.faults)
        return max((_back(loss, read, *span) for span in spans), key=lambda verdict: _ORDER.index(verdict.outcome))

    def _back(loss: Loss, read: Read, begin: float, end: float) -> Verdict:
        answers = [answer for answer in loss.heard.last(begin, end) if not before_healing or answer.answered <= end]
        last = [answer for answer in answers if answer not in loss.weighed.excused][-_LAST:]
        if len(last) < _LAST:
            words = f"{loss.policy}: {len(last)} answers count {when}, {_LAST} are needed"
            return Verdict("inconclusive", words)
        bad = [answer for answer in last if answer.kind == "fail"]
        unseen = read.unseen(loss.policy, Spans.of([(last[0].asked, end)]) & loss.time)
        certain = [answer for answer in bad if answer in loss.lost]
        away = f"{loss.policy}: {len(bad)} of the last {_LAST} requests were lost"
        if certain and not unseen:
            return Verdict("violated", away, at=certain[0].asked, causes=loss.causes(certain))
        sooner = _may_end_sooner(loss, read, begin, end)
        if not bad and not unseen and not sooner:
            return Verdict("holds", f"enforced again {when}; {loss.words()}")
        stretch = Spans.of((answer.asked, answer.answered) for answer in bad)
        doubts = [*loss.unknown(read.coverage, unseen, bad), loss.blame.shared(stretch), sooner]
        return Verdict("inconclusive", "; ".join(filter(None, (*doubts, away if bad else loss.words()))))

    return judged(f"enforcement comes back {when}", check, "lost", fault, policies, excused)


def _span(loss: Loss, read: Read, fault: FaultSpan, *, before_healing: bool) -> tuple[float, float]:
    """Return the time of a fault and of those of other names with it, or the time in which all were in effect."""
    group = [fault, *(other for other in loss.blame.faults if other.name != fault.name)]
    last = loss.time.parts[-1][1]
    if not before_healing:
        return loss.blame.begin, min(last, max(read.faults.window(member)[1] for member in group))
    proved = max(member.proved if member.proved is not None else inf for member in group)
    return proved, min(last, *(member.healing if member.healing is not None else inf for member in group))


def _may_end_sooner(loss: Loss, read: Read, begin: float, end: float) -> str:
    """Return, in words, that a missing line may have ended this time while something was still lost, or ""."""
    holes = read.coverage.lost.within(begin, end).parts
    missed = [miss for miss in loss.missed if miss not in loss.weighed.excused]
    if not holes or not any(begin <= miss.answered and miss.asked < holes[-1][1] for miss in missed):
        return ""
    return f"a line is missing at {holes[-1][0]:.1f} s, which may say that this ended earlier"


def _outlasted(loss: Loss, read: Read, begin: float, seconds: float) -> Verdict:
    """Return whether nothing was lost in the first `seconds` from the moment at which one fault began."""
    first = loss.time.within(begin, begin + seconds)
    unseen = loss.unseen & first
    earliest, latest = _begins(loss, begin)
    words = f"no request was lost after {loss.blame.words}"
    figures = {} if isinf(earliest) else {FIRST_LOST: round(earliest, 3)}
    if figures:
        words = f"the first request is lost {_between(earliest, latest)} after {loss.blame.words}"
    words = f"{loss.policy}: {words}"
    if latest < seconds:
        early = [miss for miss in loss.lost if _placed(loss, miss)[1] < begin + seconds]
        return Verdict("violated", words, figures=figures, at=begin + latest, causes=loss.causes(early))
    if earliest >= seconds and not unseen:
        return Verdict("holds", words, figures=figures)
    doubts = [*loss.unknown(read.coverage, unseen), loss.blame.shared(loss.possible & first)]
    return Verdict("inconclusive", "; ".join(filter(None, (*doubts, words))), figures=figures)


def _begins(loss: Loss, begin: float) -> tuple[float, float]:
    """Return when the first request was lost, at the earliest and at the latest, in seconds since a moment.

    A loss whose cause is unknown, or which another fault may have caused, may be the first one or not count.
    """
    certain, excused = set(loss.lost), set(loss.weighed.excused)
    spans = {miss: _placed(loss, miss) for miss in loss.missed if miss not in excused}
    spans = {miss: span for miss, span in spans.items() if span[1] >= begin}
    first = min((max(0.0, early - begin) for early, _ in spans.values()), default=inf)
    last = min((late - begin for miss, (_, late) in spans.items() if miss in certain), default=inf)
    return first, last


def _placed(loss: Loss, admission: Admission) -> tuple[float, float]:
    """Return between which moments a request was lost: those of the failed call, if they are known and it fits."""
    asked, answered = admission.asked, admission.answered
    first, last = loss.whys[admission].failed or (asked, answered)
    early, late = max(asked, first), min(answered, last)
    return (early, late) if early <= late else (asked, answered)


def _between(earliest: float, latest: float) -> str:
    if isinf(latest):
        return f"{earliest:.1f} s or more"
    return f"{earliest:.1f} s" if latest - earliest < _SHARP_SECONDS else f"{earliest:.1f} to {latest:.1f} s"
