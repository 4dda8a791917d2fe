"""Outage: checks on when, after a fault, enforcement begins to be lost, and on its coming back."""

import math
from collections.abc import Collection, Iterable

from harness.checks import Checked
from harness.checks.admissions import Answers
from harness.checks.causes import causes, webhook_of
from harness.checks.fail_open import Loss, doubts, evidence, losses
from harness.history import Recorded
from harness.verdict import Outcome, Verdict

__all__ = ["comes_back", "outlasts"]

_ENOUGH_PER_SECOND = 0.5
_LAST = 10
_SHARP_SECONDS = 0.1


def outlasts(
    seconds: float, *, fault: str, policies: Iterable[str] = (), excused: Collection[str] = ("timed out",)
) -> Checked:
    """Return the check that no request is lost in the first `seconds` after `fault` began, whatever comes then.

    So a replica that is told to go and serves on for a while is told apart from one that goes at once, on however
    slow a machine: what the process waits for, it waits for at least. A lost request is placed by the moment of the
    call that failed, if the API server logged one, or else between question and answer. What was lost by a cause that
    is `excused` (see `harness.checks.causes`) does not count: a time-out is what a busy machine makes.

    Inconclusive: the first request was lost about then, the fault is not proved, too few were asked, or the canary
    fell behind.
    """
    chosen = tuple(policies)

    def check(recorded: Recorded) -> Verdict:
        found, answers = losses(recorded, fault, chosen, excused)
        problem = doubts(found, answers, fault, chosen) or _unheard(found, seconds)
        if problem:
            return Verdict("inconclusive", problem, tuple(each.words() for each in found))
        begun = [(each, *begins) for each in found if (begins := _begins(each, answers))]
        if not begun:
            return Verdict("holds", f"no request was lost after {fault}", *evidence(found, answers.scene))
        earliest, latest = min(each[1] for each in begun), min(each[2] for each in begun)
        outcome: Outcome = "inconclusive"
        if latest < seconds:
            outcome = "violated"
        elif earliest >= seconds:
            outcome = "holds"
        lines, figures = evidence(found, answers.scene)
        figures |= {"first_lost_seconds": round(earliest, 3)}
        when = f"{earliest:.1f} s" if latest - earliest < _SHARP_SECONDS else f"{earliest:.1f} to {latest:.1f} s"
        first = min(each[0].begin + each[1] for each in begun) if outcome == "violated" else None
        return Verdict(outcome, f"the first request is lost {when} after {fault}", lines, figures, first)

    check.__name__ = f"enforcement outlasts {fault} by {seconds:g} s{_unless(excused)}"
    return Checked(check)


def comes_back(
    *,
    fault: str,
    policies: Iterable[str] = (),
    before_healing: bool = False,
    excused: Collection[str] = ("timed out",),
) -> Checked:
    """Return the check that, however much was lost after `fault` had begun, policies are enforced again in the end.

    So are they if none of the last ten requests was lost of each policy: the last ones before something else was
    done, or, with `before_healing`, the last ones while the fault lasted. How long it took is told and not judged.
    What was lost by a cause that is `excused` does not count.

    Inconclusive: the fault is not proved, too few were asked, or the canary fell behind.
    """
    chosen = tuple(policies)

    def check(recorded: Recorded) -> Verdict:
        found, answers = losses(recorded, fault, chosen, excused)
        ends = [(each, list(each.before_healing if before_healing else each.latest)[-_LAST:]) for each in found]
        few = [each.policy for each, last in ends if len(last) < _LAST]
        problem = doubts(found, answers, fault, chosen)
        if few and not problem:
            problem = f"fewer than {_LAST} answers count of {', '.join(few)}"
        if problem:
            return Verdict("inconclusive", problem, tuple(each.words() for each in found))
        bad = {
            each.policy: lost for each, last in ends if (lost := [answer for answer in last if answer.kind == "fail"])
        }
        away = [f"{policy}: {len(lost)} of the last {_LAST} requests were lost" for policy, lost in bad.items()]
        first = min((lost[0].asked for lost in bad.values()), default=None)
        when = f" while {fault} lasts" if before_healing else f" after {fault}"
        words = "; ".join(away) if away else f"enforced again{when}; {max(found, key=lambda each: each.least).words()}"
        return Verdict("violated" if away else "holds", words, *evidence(found, answers.scene), first)

    when = f"while {fault} lasts" if before_healing else f"after {fault}"
    check.__name__ = f"enforcement comes back {when}{_unless(excused)}"
    return Checked(check)


def _unheard(found: Iterable[Loss], seconds: float) -> str:
    """Return of which policy too little was heard in the first seconds, or ""."""
    for each in found:
        asked = sum(each.asked[second] for second in range(math.ceil(seconds)))
        if asked < seconds * _ENOUGH_PER_SECOND:
            return f"{each.policy}: only {asked} requests were answered in the first {seconds:g} s after {each.fault}"
    return ""


def _begins(loss: Loss, answers: Answers) -> tuple[float, float] | None:
    """Return when its first request was lost: no earlier and no later than, in seconds since the fault began."""
    calls = causes(loss.missed, answers.scene, webhook_of(loss.policy))
    moments = [
        (call.at, call.at) if call else (each.asked, each.answered)
        for each, call in zip(loss.missed, calls, strict=True)
        if each not in loss.excused
    ]
    if not moments:
        return None
    return min(moment[0] for moment in moments) - loss.begin, min(moment[1] for moment in moments) - loss.begin


def _unless(excused: Collection[str]) -> str:
    return f", unless {' or '.join(excused)}" if excused else ""
