"""Outage: checks on when, after a fault, enforcement begins to be lost, and on its coming back."""

import math
from collections.abc import Collection, Iterable

from harness.checks import Checked
from harness.checks.admissions import Scene
from harness.checks.causes import causes, inexcusable, unless, webhook_of
from harness.checks.fail_open import Loss, doubted, evidence, judged
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

    Inconclusive: the first request was lost about then, more than a quarter of the first ones is excused, the fault is
    not proved, too few were asked, or the canary fell behind.
    """

    def check(found: list[Loss], scene: Scene) -> Verdict:
        lines, figures = evidence(found, scene)
        begun = [(each, *begins) for each in found if (begins := _begins(each, scene))]
        earliest = min((each[1] for each in begun), default=math.inf)
        latest = min((each[2] for each in begun), default=math.inf)
        words = f"no request was lost after {fault}"
        if begun:
            figures |= {"first_lost_seconds": round(earliest, 3)}
            words = f"the first request is lost {_between(earliest, latest)} after {fault}"
        if latest < seconds:
            return Verdict("violated", words, lines, figures, min(each[0].begin + each[1] for each in begun))
        doubt = _too_many(found, seconds)
        outcome: Outcome = "inconclusive" if doubt or earliest < seconds else "holds"
        return Verdict(outcome, f"{doubt}; {words}" if doubt else words, lines, figures)

    name = f"enforcement outlasts {fault} by {seconds:g} s{unless(excused)}"
    return judged(name, check, fault, policies, excused, lambda found: _unheard(found, seconds))


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

    Inconclusive: more than a quarter of the last ones is excused, the fault is not proved, too few were asked, or the
    canary fell behind.
    """
    when = f"while {fault} lasts" if before_healing else f"after {fault}"

    def check(found: list[Loss], scene: Scene) -> Verdict:
        lines, figures = evidence(found, scene)
        away, doubt, bad = [], "", []
        for each in found:
            last = each.before_healing if before_healing else each.latest
            count = [answer for answer in last if each.counts(answer)]
            lost = [answer.asked for answer in count[-_LAST:] if answer.kind == "fail"]
            away += [f"{each.policy}: {len(lost)} of the last {_LAST} requests were lost"] if lost else []
            bad += lost
            few = f"fewer than {_LAST} answers count of {each.policy}" if len(count) < _LAST else ""
            unread = each.unread.intersection(last)
            doubt = doubt or few or doubted(each.excused.intersection(last), unread, len(last))
        if away:
            return Verdict("violated", "; ".join(away), lines, figures, min(bad))
        back = f"enforced again {when}; {max(found, key=lambda each: each.least).words()}"
        return Verdict("inconclusive" if doubt else "holds", doubt or back, lines, figures)

    return judged(f"enforcement comes back {when}{unless(excused)}", check, fault, policies, excused)


def _unheard(found: Iterable[Loss], seconds: float) -> str:
    """Return of which policy too little was heard in the first seconds, or ""."""
    for each in found:
        asked = sum(each.asked[second] for second in range(math.ceil(seconds)))
        if asked < seconds * _ENOUGH_PER_SECOND:
            return f"{each.policy}: only {asked} requests were answered in the first {seconds:g} s after {each.fault}"
    return ""


def _too_many(found: Iterable[Loss], seconds: float) -> str:
    """Return of which policy too many are excused in the first seconds, or ""."""
    for each in found:
        early = sum(answer.asked < each.begin + seconds for answer in each.excused)
        asked = sum(each.asked[second] for second in range(math.ceil(seconds)))
        if doubt := inexcusable(early, asked):
            return f"{each.policy}: {doubt}"
    return ""


def _begins(loss: Loss, scene: Scene) -> tuple[float, float] | None:
    """Return when its first request was lost: no earlier and no later than, in seconds since the fault began.

    One whose cause is not known may be the first, or be excused.
    """
    calls = causes(loss.missed, scene, webhook_of(loss.policy))
    found = list(zip(loss.missed, calls, strict=True))
    first = [call.at if call else each.asked for each, call in found if each not in loss.excused]
    last = [call.at if call else each.answered for each, call in found if loss.counts(each)]
    return (min(first) - loss.begin, min(last, default=math.inf) - loss.begin) if first else None


def _between(earliest: float, latest: float) -> str:
    if math.isinf(latest):
        return f"{earliest:.1f} s or more"
    return f"{earliest:.1f} s" if latest - earliest < _SHARP_SECONDS else f"{earliest:.1f} to {latest:.1f} s"
