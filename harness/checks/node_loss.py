"""Node loss: checks on the pods that replace those of a lost node: that they come, and carry the mutation."""

from collections.abc import Sequence
from math import isfinite
from typing import Literal

from harness.checks import Checked
from harness.checks.lost import PHASES, Losses, NodeLoss, Replacement
from harness.checks.reading import Reading
from harness.history import Recorded
from harness.statistics import percentile
from harness.verdict import Verdict

__all__ = ["Excuses", "never_replaced", "replaced_within", "replacements_mutated", "spread"]

Kinds = tuple[str, ...]
Excuse = Literal["nobody in rotation", "endpoint on the lost node"]
Excuses = tuple[Excuse, ...]

_LAG_SECONDS = 2.0

_BARE = "{} of {} pods lacked the mutation before anything was done to their node"


def replaced_within(seconds: float, how: str, *, namespace: str = "", kinds: Kinds = ()) -> Checked:
    """Return the check that every pod on a node that was harmed in the way `how` is replaced by a Ready one in time.

    Only pods in `namespace` ("": all workloads) of controllers of these `kinds` (none: all but DaemonSets). The
    figures are the phases since the harm: median, 95th percentile, maximum (see `spread`).
    """

    def check(recorded: Recorded) -> Verdict:
        losses = Losses(recorded)
        found = losses.replacements(how, namespace=namespace, kinds=kinds)
        told, figures = tuple(str(each) for each in found), spread(found)
        undecided = _undecided(losses, how, found)
        if undecided:
            return Verdict("inconclusive", undecided, told, figures)
        late = [each for each in found if each.phases().get("ready", seconds + 1) > seconds]
        if not late:
            words = f"{len(found)} of {len(found)} pods were replaced, the last one was Ready after"
            return Verdict("holds", f"{words} {figures['ready_max_seconds']:.1f} s", told, figures)
        watched = losses.end - found[0].loss.at
        if watched < seconds:
            return Verdict("inconclusive", f"only {watched:.1f} of {seconds:g} s were watched", told, figures)
        names = ", ".join(f"{each.lost.namespace}/{each.lost.name}" for each in late)
        words = f"{len(late)} of {len(found)} pods had no Ready replacement {seconds:g} s after the harm: {names}"
        return Verdict("violated", words, told, figures, min(each.loss.at for each in late) + seconds)

    check.__name__ = f"{_of(namespace, kinds)} of a {how} are replaced within {seconds:g} s"
    return Checked(check)


def replacements_mutated(how: str, *, namespace: str = "", kinds: Kinds = (), excused: Excuses = ()) -> Checked:
    """Return the check that what replaces pods of a node harmed in the way `how` carries the mutation when it is born.

    A pod that lacks it is `excused`, and counted, if at its birth, or in the 2 s before, which a call or kube-proxy may
    be behind, there was "nobody in rotation", or an "endpoint on the lost node".

    A violation tells who could have been asked for the mutation at that moment. Inconclusive: the fault is not
    proved, nothing was lost or replaced, the watch had a gap in which a pod may have come and gone, or what lacks the
    mutation replaces pods that lacked it themselves: then it was not lost with the node.
    """

    def check(recorded: Recorded) -> Verdict:
        losses = Losses(recorded)
        found = losses.replacements(how, namespace=namespace, kinds=kinds)
        born = [each for each in found if each.by]
        lacking = [each for each in born if each.by and not each.by.mutated]
        unlucky = _unlucky(recorded, lacking, excused) if lacking and excused else []
        figures = {"replaced": float(len(born)), "unmutated": float(len(lacking)), **spread(found)}
        lacking = [each for each in lacking if each not in unlucky]
        told = tuple(str(each) for each in found)
        undecided = _undecided(losses, how, found)
        bare = [each.lost.owner for each in found if not each.lost.mutated]
        if not undecided and lacking and all(each.lost.owner in bare for each in lacking):
            undecided = _BARE.format(len(bare), len(found))
        if lacking and not undecided:
            causes = _causes(Reading(recorded), lacking)
            words = f"{len(lacking)} of {len(born)} replacements lack the mutation: {causes[0]}"
            first = min(each.by.seen for each in lacking if each.by)
            return Verdict("violated", words, (*causes, *told), figures, first)
        if not undecided and any(end is None or end > found[0].loss.at for _, end in losses.blind):
            undecided = "the workload was not watched all the time: a replacement may have come and gone unseen"
        if not undecided and len(born) < len(found):
            undecided = f"{len(found) - len(born)} of {len(found)} pods were not replaced"
        if undecided:
            return Verdict("inconclusive", undecided, told, figures)
        words = f"{len(born) - len(unlucky)} of {len(born)} replacements carry the mutation"
        excuse = f", {len(unlucky)} are excused: {' or '.join(excused)}" * bool(unlucky)
        return Verdict("holds", words + excuse, told, figures)

    unless = f", unless {' or '.join(excused)}" * bool(excused)
    check.__name__ = f"{_of(namespace, kinds)} that replace those of a {how} carry the mutation{unless}"
    return Checked(check)


def never_replaced(how: str, *, namespace: str = "", kinds: Kinds = ()) -> Checked:
    """Return the check that pods on a node harmed in the way `how` outlive it: same pod, Ready again, still mutated."""

    def check(recorded: Recorded) -> Verdict:
        losses = Losses(recorded)
        found = losses.replacements(how, namespace=namespace, kinds=kinds)
        told = tuple(str(each) for each in found)
        undecided = _undecided(losses, how, found)
        if undecided:
            return Verdict("inconclusive", undecided, told)
        born = [each for each in found if each.by]
        if born:
            first = min(each.by.seen for each in born if each.by)
            return Verdict("violated", f"{len(born)} of {len(found)} pods were replaced", told, at=first)
        bare = [each for each in found if not each.lost.mutated]
        if bare:
            return Verdict("inconclusive", _BARE.format(len(bare), len(found)), told)
        return Verdict("holds", f"{len(found)} of {len(found)} pods are the same as before, with their mutation", told)

    check.__name__ = f"{_of(namespace, kinds)} of a {how} outlive it"
    return Checked(check)


def spread(found: Sequence[Replacement]) -> dict[str, float]:
    """Return median, 95th percentile and maximum of each phase that was seen, in seconds since the harm.

    The 95th percentile has the bounds between which it lies with 95 % confidence, as far as so few samples give them.
    """
    figures: dict[str, float] = {}
    for phase in PHASES:
        seen = [each.phases()[phase] for each in found if phase in each.phases()]
        if not seen:
            continue
        median, late = percentile(seen, 0.5), percentile(seen, 0.95)
        bounds = {"median": median.estimate, "median_low": median.low, "median_high": median.high}
        bounds |= {"p95": late.estimate, "p95_low": late.low, "p95_high": late.high, "max": max(seen)}
        figures |= {f"{phase}_{name}_seconds": value for name, value in bounds.items() if isfinite(value)}
    return figures


def _undecided(losses: Losses, how: str, found: Sequence[Replacement]) -> str:
    """Return why nothing can be said, or ""."""
    done: list[NodeLoss] = [each for each in losses.losses if each.how == how]
    if not done:
        return f"no {how}: nobody did that to a node"
    if any(each.proved is None for each in done):
        return f"{how}: {done[-1].node} was not proved to be lost"
    if not losses.watched:
        return "the workload was not watched"
    return "" if found else f"none of these pods was on {', '.join(each.node for each in done)}"


def _causes(reading: Reading, lacking: Sequence[Replacement]) -> list[str]:
    """Return who could be asked when pods were born without the mutation, what was so most often first."""
    counts: dict[str, int] = {}
    for each in lacking:
        if each.by:
            words = _asked(reading, each.loss, each.by.seen)
            counts[words] = counts.get(words, 0) + 1
    return sorted(counts, key=lambda words: -counts[words])


def _unlucky(recorded: Recorded, lacking: Sequence[Replacement], excused: Excuses) -> list[Replacement]:
    """Return those that were born without the mutation for a reason that is excused."""
    reading = Reading(recorded)
    return [each for each in lacking if each.by and _excuses(reading, each.loss, each.by.seen) & set(excused)]


def _excuses(reading: Reading, loss: NodeLoss, at: float) -> set[Excuse]:
    """Return what may excuse that a pod was born without the mutation."""
    before = [uids for moment, uids in reading.endpoints if moment <= at - _LAG_SECONDS][-1:]
    since = [uids for moment, uids in reading.endpoints if at - _LAG_SECONDS < moment <= at]
    dead = {uid for uid, life in reading.pods.items() if life.node == loss.node}
    found: set[Excuse] = set()
    for uids in (*before, *since):
        if not uids:
            found.add("nobody in rotation")
        if dead & uids:
            found.add("endpoint on the lost node")
    return found


def _asked(reading: Reading, loss: NodeLoss, at: float) -> str:
    rotation = next((uids for moment, uids in reversed(reading.endpoints) if moment <= at), frozenset[str]())
    webhooks = {
        uid: life for uid, life in reading.pods.items() if life.webhook and (pod := life.at(at)) and not pod.deleted
    }
    dead = [uid for uid, life in webhooks.items() if life.node == loss.node]
    where = f"{len(dead)} of {len(webhooks)} webhook pods were on the lost node"
    stale = len(rotation & set(dead))
    if not rotation:
        return f"no webhook pod was in rotation when they were admitted, {where}"
    if stale:
        return f"{stale} of {len(rotation)} endpoints of the webhook led to the lost node when they were admitted"
    return f"{len(rotation)} webhook pods were in rotation when they were admitted, {where}"


def _of(namespace: str, kinds: Kinds) -> str:
    return " ".join(filter(None, [f"{' and '.join(kinds)} pods" if kinds else "pods", namespace and f"in {namespace}"]))
