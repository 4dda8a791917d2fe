"""Outage: checks on when, after a fault, enforcement begins to be lost, and on its coming back."""

from collections.abc import Collection, Iterable, Sequence
from math import inf, isinf

from harness.checks import Checked, identified
from harness.checks.blame import names
from harness.checks.fail_open import judged
from harness.checks.lasting import Loss, Read
from harness.checks.rule import unseen_words
from harness.history.admissions import Admission
from harness.history.coverage import asked
from harness.history.spans import Spans
from harness.verdict import Verdict

__all__ = ["comes_back", "outlasts"]

_LAST = 10
_SHARP_SECONDS = 0.1


@identified
def outlasts(
    seconds: float,
    *,
    fault: str | Sequence[str],
    policies: Iterable[str] = (),
    excused: Collection[str] = ("timed out",),
) -> Checked:
    """Return the check that no request is lost in the first `seconds` after `fault` began, whatever comes then.

    So a replica that is told to go and serves on for a while is told apart from one that goes at once, on however
    slow a machine: what the process waits for, it waits for at least. Lost is what was bypassed or refused; it is
    placed by the moment of the call that failed, if the API server logged one, or else between question and answer.
    `fault` and `excused` are as in `fail_open_window`: an isolated time-out is what a busy machine makes.

    Inconclusive: the first request was lost about then, or may be another fault's doing; not all of the first
    `seconds` were seen; the fault is not proved.
    """

    def check(loss: Loss, read: Read) -> Verdict:
        first = loss.time.within(loss.blame.begin, loss.blame.begin + seconds)
        unseen = Spans.of(span for span in loss.unseen & first)
        earliest, latest = _begins(loss, read)
        words = f"no request was lost after {loss.blame.words}"
        figures = {} if isinf(earliest) else {"first_lost_seconds": round(earliest, 3)}
        if figures:
            words = f"the first request is lost {_between(earliest, latest)} after {loss.blame.words}"
        words = f"{loss.policy}: {words}"
        if latest < seconds:
            return Verdict("violated", words, figures=figures, at=loss.blame.begin + latest)
        if earliest >= seconds and not unseen:
            return Verdict("holds", words, figures=figures)
        doubts = unseen_words(read.coverage, [asked(loss.policy)], unseen), loss.blame.shared(loss.possible & first)
        return Verdict("inconclusive", "; ".join(filter(None, (*doubts, words))), figures=figures)

    what = f"enforcement outlasts {' and '.join(names(fault))} by {seconds:g} s"
    return judged(what, check, "lost", fault, policies, excused)


@identified
def comes_back(
    *,
    fault: str | Sequence[str],
    policies: Iterable[str] = (),
    before_healing: bool = False,
    excused: Collection[str] = ("timed out",),
) -> Checked:
    """Return the check that, however much was lost after `fault` had begun, policies are enforced again in the end.

    So are they if none of the last ten requests was lost of each policy: the last ones before something else was
    done, or, with `before_healing`, the last ones between the proof of the fault (of the last of several) and its
    healing (of the first). How long it took is said and not judged. Lost is what was bypassed or refused, but what is
    `excused` (see `fail_open_window`).

    Inconclusive: the last ones were not all seen, or may be another fault's doing; the fault is not proved.
    """
    wanted = names(fault)
    lasts = "lasts" if len(wanted) == 1 else "last"
    when = f"while {' and '.join(wanted)} {lasts}" if before_healing else f"after {' and '.join(wanted)}"

    def check(loss: Loss, read: Read) -> Verdict:
        begin, end = _latest(loss) if before_healing else (loss.blame.begin, loss.time.parts[-1][1])
        answers = [each for each in loss.heard.last(begin, end) if not before_healing or each.answered <= end]
        last = [each for each in answers if each not in loss.weighed.excused][-_LAST:]
        if len(last) < _LAST:
            words = f"{loss.policy}: {len(last)} answers count {when}, {_LAST} are needed"
            return Verdict("inconclusive", words)
        bad = [each for each in last if each.kind == "fail"]
        unseen = read.unseen(loss.policy, Spans.of([(last[0].asked, end)]) & loss.time)
        certain = [each for each in bad if each in loss.lost]
        away = f"{loss.policy}: {len(bad)} of the last {_LAST} requests were lost"
        if certain and not unseen:
            return Verdict("violated", away, at=certain[0].asked)
        if not bad and not unseen:
            return Verdict("holds", f"enforced again {when}; {loss.words()}")
        stretch = Spans.of((each.asked, each.answered) for each in bad)
        doubts = unseen_words(read.coverage, [asked(loss.policy)], unseen), loss.blame.shared(stretch)
        unread = "of some of them the cause is not known" if set(bad) & set(loss.weighed.unread) else ""
        return Verdict("inconclusive", "; ".join(filter(None, (*doubts, unread, away if bad else loss.words()))))

    return judged(f"enforcement comes back {when}", check, "lost", fault, policies, excused)


def _latest(loss: Loss) -> tuple[float, float]:
    """Return from when, all being proved, to when, the first being healed, all of the faults lasted."""
    faults = loss.blame.faults
    proved = max(fault.proved if fault.proved is not None else inf for fault in faults)
    healing = min(fault.healing if fault.healing is not None else inf for fault in faults)
    return proved, min(healing, loss.time.parts[-1][1])


def _begins(loss: Loss, read: Read) -> tuple[float, float]:
    """Return when its first request was lost: no earlier and no later than, in seconds since the fault began.

    One whose cause is not known, or which another fault may have done, may be the first or not count.
    """
    causes = dict(zip(loss.missed, read.failures.causes(loss.missed), strict=True))
    certain, excused = set(loss.lost), set(loss.weighed.excused)

    def placed(admission: Admission) -> tuple[float, float]:
        call = causes[admission]
        return (call.at, call.at) if call else (admission.asked, admission.answered)

    begin = loss.blame.begin
    spans = {admission: placed(admission) for admission in loss.missed if admission not in excused}
    first = min((max(0.0, early - begin) for early, _ in spans.values()), default=inf)
    last = min((late - begin for admission, (_, late) in spans.items() if admission in certain), default=inf)
    return first, last


def _between(earliest: float, latest: float) -> str:
    if isinf(latest):
        return f"{earliest:.1f} s or more"
    return f"{earliest:.1f} s" if latest - earliest < _SHARP_SECONDS else f"{earliest:.1f} to {latest:.1f} s"
