"""Recovery: checks on how pods come back, in phases: harmed, pull asked, started, Ready, serving admission again."""

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from math import inf
from operator import and_

from chaos_harness.harness.causes import Cause
from chaos_harness.harness.checks import Check, identified
from chaos_harness.harness.checks.rule import unseen_words
from chaos_harness.harness.history import History
from chaos_harness.harness.history.faults import FaultSpan, Names, listed
from chaos_harness.harness.history.harms import Harm
from chaos_harness.harness.history.recoveries import IMAGE_REASONS, PodHistory, Recovery
from chaos_harness.harness.history.replicas import UNASKED_SECONDS
from chaos_harness.harness.history.spans import Span, Spans, when_passed
from chaos_harness.harness.history.vocabulary import RESCHEDULED
from chaos_harness.harness.verdict import Verdict

__all__ = ["end_of", "joined", "recovers", "recovers_after", "recovers_within"]

_STEADY_SECONDS = 10.0
_COUNTS = ("late_pods", "late_pods_without_image")


@identified
def recovers_within(
    seconds: float, how: str, *, during: Names = "cut registry", steady: float = _STEADY_SECONDS
) -> Check:
    """Return the check that pods harmed in the way `how` while `during` lasts serve again within `seconds`.

    They must do so while it still lasts, and keep serving for `steady` seconds, or until the recording ends or
    something else is done to them. Only pods harmed between the start of `during` and its healing count. `during` may
    be several faults: then it is the time of any of them, and those in effect must stay so. A fault that harms other
    pods is no cause.

    The figures are the phases since the harm, of the slowest pod, and how many pods were late, and how many of these
    waited for an image that could not be pulled. Inconclusive: no pod was harmed, a fault is not proved or ended too
    early, a replacement was created on the same node, another fault may have interfered, or whether it serves was not
    seen.
    """
    names = listed(during)

    def check(recorded: History) -> Verdict:
        history = PodHistory(recorded)
        faults = history.faults.named(*names)
        times = [(fault.injected, end_of(history, fault)) for fault in faults]
        harms = [one for one in history.harms.of(how) if any(begin <= one.at <= end for begin, end in times)]
        backs = history.recoveries(harms)
        verdicts = [_within(history, back, seconds, steady, faults) for back in backs]
        return joined(history, names, verdicts, f"no pod was {how}")

    check.__name__ = f"pods {how} recover within {seconds:g} s during {' and '.join(names)}{_steadily(steady)}"
    return Check(check)


@identified
def recovers_after(
    seconds: float, how: str, *, fault: Names = "cut registry", steady: float = _STEADY_SECONDS
) -> Check:
    """Return the check that pods harmed in the way `how` serve again within `seconds` of the end of `fault`.

    They must keep serving, as in `recovers_within`. With several faults, a pod belongs to the one that lasted when it
    was harmed. The figure `after_heal_seconds` is how long back-off delays it (0: it served before). Inconclusive:
    as in `recovers_within`, or the fault was not healed.
    """
    names = listed(fault)

    def check(recorded: History) -> Verdict:
        history = PodHistory(recorded)
        faults = history.faults.named(*names)
        if not any(one.proved is not None and one.healing is not None for one in faults):
            return Verdict("inconclusive", f"{' and '.join(names)} was never healed, or never proved")
        verdicts: list[Verdict] = []
        for one in faults:
            begin = one.proved if one.injected == -inf and one.proved is not None else one.injected
            harms = [harm for harm in history.harms.of(how) if begin <= harm.at <= end_of(history, one)]
            lasting = [harm for harm in harms if not _again(history, harm, one)]
            verdicts += [_after(history, back, seconds, steady, one) for back in history.recoveries(lasting)]
        return joined(history, names, verdicts, f"no pod was {how}")

    check.__name__ = f"pods {how} recover within {seconds:g} s after {' and '.join(names)}{_steadily(steady)}"
    return Check(check)


@identified
def recovers(seconds: float, how: str, *, fault: Names = (), steady: float = _STEADY_SECONDS) -> Check:
    """Return the check that pods harmed in the way `how` serve again within `seconds` of the harm.

    They must keep serving, as in `recovers_within`, but nothing else need be in effect meanwhile, and whatever is does
    not matter. Without a `fault`, what any fault did to pods counts. Figures are as in `recovers_within`. Inconclusive:
    no pod was harmed, a fault is not proved, the recording ends too early, a pod was harmed again meanwhile, or whether
    it serves was not seen.
    """
    names = listed(fault)

    def check(recorded: History) -> Verdict:
        history = PodHistory(recorded)
        chosen = {one.id for one in history.faults.named(*names)} if names else None
        harms = [one for one in history.harms.of(how) if chosen is None or (one.fault and one.fault.id in chosen)]
        verdicts = [_soon(history, back, seconds, steady) for back in history.recoveries(harms)]
        doing = names or tuple(dict.fromkeys(one.fault.name for one in harms if one.fault))
        if not verdicts:
            return Verdict("inconclusive", f"no pod was {how}")
        verdict = joined(history, doing, verdicts, "")
        if verdict.outcome == "holds" and history.coverage.lost:
            return verdict.as_inconclusive(f"lines are missing from {history.coverage.lost}")
        return verdict

    after = f" of {' and '.join(names)}" if names else ""
    check.__name__ = f"pods {how} recover within {seconds:g} s{after}{_steadily(steady)}"
    return Check(check)


def end_of(history: PodHistory, fault: FaultSpan) -> float:
    """Return when the healing of a fault began, or up to when it is judged, in seconds."""
    until = history.coverage.until
    return until if fault.healing is None else min(fault.healing, until)


def joined(history: PodHistory, names: Sequence[str], verdicts: Sequence[Verdict], none: str) -> Verdict:
    """Return the verdict on all pods, or `none` if there are none; figures are maxima, counts are added.

    `names` are the faults that the claim names. It does not hold if one of them is not proved, if lines are missing
    that may have recorded harm while they lasted, or if the history is cut off: more faults of these names may have
    followed, unless they are named by id.
    """
    chosen = history.faults.named(*names)
    if not chosen:
        return Verdict("inconclusive", f"{' and '.join(names)} was not proved")
    if not verdicts:
        return Verdict("inconclusive", none)
    figures: dict[str, float] = {}
    for verdict in verdicts:
        for name, value in verdict.figures.items():
            before = figures.get(name, 0.0)
            figures[name] = before + value if name in _COUNTS else max(value, before)
    verdict = replace(reduce(and_, verdicts), figures=figures)
    why = [f"{fault.name} was not proved" for fault in chosen if fault.proved is None]
    for fault in chosen:
        lost = history.coverage.lost.within(fault.injected, end_of(history, fault))
        why += [f"lines are missing from {lost}"] if lost else []
    why += (
        []
        if history.coverage.ended or set(names) == {fault.id for fault in chosen}
        else ["the history is cut off: there may have been more of these faults"]
    )
    return verdict.as_inconclusive(why[0]) if why and verdict.outcome == "holds" else verdict


def _within(history: PodHistory, back: Recovery, seconds: float, steady: float, faults: Sequence[FaultSpan]) -> Verdict:
    harm, limit = back.harm, back.harm.at + seconds
    forced = [one for one in faults if one.proved is not None and one.proved <= harm.at <= end_of(history, one)]
    stop = _stop(history, back, forced)
    surely, perhaps = _return(back, harm.at, limit, steady, stop)
    lines, figures = _lines(back, surely), back.figures(surely, limit)
    name = " and ".join(dict.fromkeys(one.name for one in faults))
    if not forced:
        return Verdict("inconclusive", f"{name} was not proved when {harm.pod} was {harm.how}", lines, figures)
    if unsure := _unsure(back):
        return Verdict("inconclusive", unsure, lines, figures)
    lasted = min(end_of(history, one) for one in forced)
    if surely is not None and surely <= min(limit, lasted):
        took = surely - harm.at
        return Verdict("holds", f"{back.pod} serves again {took:.1f} s after it was {harm.how}", lines, figures)
    if lasted < limit:
        words = f"{name} lasted only {lasted - harm.at:.1f} of {seconds:g} s after {harm.pod} was {harm.how}"
        return Verdict("inconclusive", words, lines, figures)
    why = _undecided(history, back, (harm.at, limit), stop, steady, perhaps=perhaps, chosen=forced)
    return _late(back, seconds, why, lines, figures)


def _soon(history: PodHistory, back: Recovery, seconds: float, steady: float) -> Verdict:
    harm, limit, every = back.harm, back.harm.at + seconds, history.faults.all
    stop = _stop(history, back, every)
    surely, perhaps = _return(back, harm.at, limit, steady, stop)
    lines, figures = _lines(back, surely), back.figures(surely, limit)
    if harm.fault is None:
        return Verdict("inconclusive", f"which fault {harm.how} {harm.pod} is not recorded", lines, figures)
    if unsure := _unsure(back, anywhere=True):
        return Verdict("inconclusive", unsure, lines, figures)
    if surely is not None and history.coverage.until >= min(limit, surely + steady):
        words = f"{back.pod} serves again {surely - harm.at:.1f} s after it was {harm.how}"
        return Verdict("holds", words, lines, figures)
    recorded = history.coverage.until
    if recorded < limit:
        words = f"{back.pod} was watched for only {recorded - harm.at:.1f} of {seconds:g} s"
        return Verdict("inconclusive", words, lines, figures)
    why = _undecided(history, back, (harm.at, limit), stop, steady, perhaps=perhaps, chosen=every)
    return _late(back, seconds, why, lines, figures)


def _late(back: Recovery, seconds: float, why: str, lines: tuple[str, ...], figures: dict[str, float]) -> Verdict:
    """Return the verdict on a pod that surely does not serve in time, unless there is a reason `why` not to judge."""
    harm = back.harm
    limit = harm.at + seconds
    if why:
        return Verdict("inconclusive", why, lines, figures)
    causes = _causes(back, limit)
    counts = dict(zip(_COUNTS, (1.0, float(bool(causes))), strict=True))
    words = f"{back.pod} does not serve {seconds:g} s after {harm.pod} was {harm.how}{_stints(back, harm.at, limit)}"
    return Verdict("violated", words, lines, {**figures, **counts}, limit, causes)


def _after(history: PodHistory, back: Recovery, seconds: float, steady: float, fault: FaultSpan) -> Verdict:
    harm, lines = back.harm, _lines(back, None)
    if fault.proved is None or fault.healing is None:
        return Verdict("inconclusive", f"{fault.name} was never healed, or never proved", lines)
    begin = fault.healing
    limit, stop = begin + seconds, _stop(history, back, [fault])
    if unsure := _unsure(back, anywhere=True):
        return Verdict("inconclusive", unsure, lines)
    surely, perhaps = _return(back, begin, limit, steady, stop)
    if surely is not None:
        first, _ = _return(back, harm.at, limit, steady, stop)
        took = surely - begin
        words = f"{back.pod} serves again {took:.1f} s after the end" if took else f"{back.pod} served before the end"
        figures = {"after_heal_seconds": round(took, 3), **back.figures(first)}
        return Verdict("holds", words, _lines(back, first), figures)
    if history.coverage.until < limit:
        words = f"{back.pod} was watched for only {history.coverage.until - begin:.1f} s after the end"
        return Verdict("inconclusive", words, lines)
    if why := _undecided(history, back, (begin, limit), stop, steady, perhaps=perhaps, chosen=[fault]):
        return Verdict("inconclusive", why, lines)
    words = f"{back.pod} does not serve {seconds:g} s after the end{_stints(back, begin, limit)}"
    return Verdict("violated", words, lines, at=limit, causes=_causes(back, limit))


def _return(back: Recovery, begin: float, limit: float, steady: float, stop: float) -> tuple[float | None, bool]:
    """Return since when, from `begin` to `limit`, it surely serves steadily, and whether it perhaps does.

    Steadily is for `steady` seconds, or until `stop`.
    """
    end = min(limit + steady, stop)
    bad = back.away(begin, end)
    late = end - UNASKED_SECONDS if end == stop else inf
    surely = (
        since
        for since, until in back.serving(begin, end)
        if since <= limit and (until - since >= steady or (until >= late and not bad.within(until, end)))
    )
    perhaps = (
        since <= limit and (until - since >= steady or until >= end) for since, until in Spans.of([(begin, end)]) - bad
    )
    return next(surely, None), any(perhaps)


def _stop(history: PodHistory, back: Recovery, chosen: Sequence[FaultSpan]) -> float:
    """Return until when its serving is recorded and affected by nothing else."""
    harm = back.harm
    hits = history.harms.hit(back.by.uid, back.by.node) if back.by else []
    again = [hit.at for hit in hits if hit.at > harm.at]
    others = [one.injected for one in _others(history, back, chosen, (harm.at, inf)) if one.injected > harm.at]
    return min([*again, *others, history.until])


def _others(history: PodHistory, back: Recovery, chosen: Sequence[FaultSpan], times: Span) -> list[FaultSpan]:
    own = [*chosen, *filter(None, [back.harm.fault])]
    uid, node = (back.by.uid, back.by.node) if back.by else ("", "")
    return history.others(own, uid, node, *times)


def _unsure(back: Recovery, *, anywhere: bool = False) -> str:
    """Return why it is uncertain what was done to a pod, or which pod replaced it, or ""."""
    harm = back.harm
    if back.lost is None:
        return f"{harm.pod} was not watched"
    if harm.fault and harm.fault.proved is None:
        return f"{harm.fault.name} was not proved: {harm.pod} was perhaps not {harm.how}"
    if harm.how == RESCHEDULED and back.node == harm.node and not anywhere:
        return f"{back.pod} was created on the same node {harm.node}, not on another"
    return ""


def _undecided(
    history: PodHistory,
    back: Recovery,
    times: Span,
    stop: float,
    steady: float,
    *,
    perhaps: bool,
    chosen: Sequence[FaultSpan],
) -> str:
    """Return why a pod that did not certainly come back in time is no violation, or ""."""
    begin, limit = times
    others = [one.name for one in _others(history, back, chosen, times)]
    if others:
        mine = " and ".join(dict.fromkeys(one.name for one in chosen))
        return f"{back.pod} may not serve, and the cause may be {mine} or {' or '.join(others)}"
    if stop < limit:
        return f"only {stop - begin:.1f} of {limit - begin:g} s of {back.pod} were undisturbed"
    if lost := history.coverage.lost.within(back.harm.at, limit):
        return f"lines are missing from {lost}"
    late = when_passed(begin, limit - begin, history.coverage.blind)
    if late > limit and (stop < late or _return(back, begin, late, steady, stop)[1]):
        return f"{back.pod} was late, and this machine was starved meanwhile"
    if perhaps:
        unseen = history.coverage.unseen(back.streams, begin, limit)
        return unseen_words(history.coverage, back.streams, unseen) or f"{back.pod} was not seen to serve for good"
    return ""


def _causes(back: Recovery, limit: float) -> tuple[Cause, ...]:
    """Return the cause that it waited for its image and did not start in time, if that is so."""
    started = back.started is not None and back.started <= limit
    return () if started or IMAGE_REASONS.isdisjoint(back.waited_for(limit)) else ("image pull failed",)


def _again(history: PodHistory, harm: Harm, fault: FaultSpan) -> bool:
    """Whether the same pod was harmed again before the fault was healed: then only the later harm counts."""
    end = end_of(history, fault)
    return any(harm.at < hit.at <= end for hit in history.harms.hit(harm.uid, ""))


def _lines(back: Recovery, serving: float | None) -> tuple[str, ...]:
    return (back.phases(serving), *filter(None, [back.error]))


def _stints(back: Recovery, begin: float, end: float) -> str:
    """Return, in words, when it served without keeping on, or ""."""
    stints = back.serving(begin, end)
    return f", but from {stints}" if stints else ""


def _steadily(steady: float) -> str:
    return "" if steady == _STEADY_SECONDS else f" for {steady:g} s"
