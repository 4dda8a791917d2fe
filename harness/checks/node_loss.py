"""Node loss: checks on the pods that replace those of a lost node: that they come, and carry the mutation."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf, isfinite

from chaos_harness.harness.causes import known_causes
from chaos_harness.harness.checks import Check, identified
from chaos_harness.harness.checks.rule import unseen_words
from chaos_harness.harness.history import History
from chaos_harness.harness.history.births import Excuses, asked, cause_of, is_excused
from chaos_harness.harness.history.faults import FaultSpan
from chaos_harness.harness.history.node_loss import PHASES, NodeLoss, Replacement
from chaos_harness.harness.history.node_scene import Named, Scene, Scope, harm, in_words
from chaos_harness.harness.history.spans import Spans, when_passed
from chaos_harness.harness.history.vocabulary import WATCH_WORKLOAD
from chaos_harness.harness.history.workload import WorkloadPod
from chaos_harness.harness.statistics import percentile
from chaos_harness.harness.verdict import Outcome, Verdict

__all__ = ["Excuses", "never_replaced", "replaced_within", "replacements_mutated", "spread"]

Kinds = tuple[str, ...]
_STALE_SECONDS = 10.0
"""For how many seconds after a node is back an unchanged status is stale: until then its kubelet reports again."""

_KUBELET_LIVES = ("drained node",)
"""Harm that does not affect the node's kubelet, so that its earlier reports are still valid."""

_STARVED = "this machine was starved at that time; otherwise it may have been in time"
_BARE = "{} of {} pods lacked the mutation before their node was harmed"


@dataclass(frozen=True)
class _Finding:
    """The outcome for one pod; `at` is when it violated the claim, in seconds."""

    outcome: Outcome = "holds"
    why: str = ""
    at: float = 0.0


@identified
def replaced_within(seconds: float, how: str, *, namespace: str = "", kinds: Kinds = (), fault: Named = ()) -> Check:
    """Return the check that every pod on a node that was harmed in the way `how` is replaced by a Ready one in time.

    Only pods in `namespace` ("": all workloads) of controllers of these `kinds` (none: all but DaemonSets), and only
    nodes that a `fault` of this name or id harmed (several: each of them; none: any). The replacement must be Ready
    when the time is over; where a node that it was on was harmed in the same way, its own replacement is judged.
    Inconclusive: the fault is not proved, the workload was not seen, or another fault lasted meanwhile, without which
    it may have been in time. The figures are the phases since the harm: median, 95th percentile, maximum (`spread`).
    """
    chosen = Scope.of(how, fault, namespace, kinds)

    def check(recorded: History) -> Verdict:
        scene = Scene(recorded, chosen)
        cases = [_in_time(scene, case, seconds) for case in scene.lost]
        late = [case for case, finding in zip(scene.lost, cases, strict=True) if finding.outcome == "violated"]
        names = ", ".join(f"{case.lost.namespace}/{case.lost.name}" for case in late)
        bad = f"{len(late)} of {len(cases)} pods had no Ready replacement {seconds:g} s after the harm: {names}"
        figures = spread(scene.lost)
        last = figures.get("ready_max_seconds", 0.0)
        good = f"{len(cases)} of {len(cases)} pods were replaced, the last one was Ready after {last:.1f} s"
        return _verdict(scene, cases, good, bad, figures)

    check.__name__ = f"{chosen.pods} of a {chosen} are replaced within {seconds:g} s"
    return Check(check)


@identified
def replacements_mutated(
    how: str, *, namespace: str = "", kinds: Kinds = (), excused: Excuses = (), fault: Named = ()
) -> Check:
    """Return the check that pods which replace those of a node harmed in the way `how` carry the mutation when created.

    So must a replacement of a replacement, up to the next fault. A pod without it is `excused`, and counted, if at its
    creation, or in the 2 s before (a call or kube-proxy may lag that much), there was "nobody in rotation", or an
    "endpoint on the lost node". For `namespace`, `kinds` and `fault` see `replaced_within`.

    A violation describes the webhook endpoints at that moment. Inconclusive: the fault is not proved; nothing was lost
    or replaced; the watch had a gap in which a pod may have come and gone; another fault was in effect, or this machine
    was starved, when a pod was created; no policy is known to have been in force then; what would excuse a pod was not
    seen; or no earlier pod of its controller had the mutation either, so that it was not lost with the node.
    """
    chosen = Scope.of(how, fault, namespace, kinds)

    def check(recorded: History) -> Verdict:
        scene = Scene(recorded, chosen)
        births = _births(scene)
        cases = [_born(scene, case, pod, excused) for case, pod in births]
        bare = [case for case in scene.lost if not case.lost.mutated]
        if any(finding.why == _BARE for finding in cases):
            cases = [
                _Finding(finding.outcome, finding.why.format(len(bare), len(scene.lost)), finding.at)
                for finding in cases
            ]
        pods = [pod for finding, (_, pod) in zip(cases, births, strict=True) if finding.outcome == "violated"]
        causes = Counter(finding.why for finding in cases if finding.outcome == "violated").most_common()
        bad = f"{len(pods)} of {len(births)} replacements lack the mutation: {causes[0][0] if causes else ''}"
        unmutated = [pod for _, pod in births if not pod.mutated]
        figures = {"replaced": float(len(births)), "unmutated": float(len(unmutated)), **spread(scene.lost)}
        good = f"{len(births) - len(unmutated)} of {len(births)} replacements carry the mutation"
        good += f", {len(unmutated)} are excused: {' or '.join(excused)}" * bool(unmutated)
        rest = [*cases, *(_all_seen(scene, loss) for loss in scene.losses), _all_replaced(scene, births)]
        lacking = {cause_of(scene, case.loss, pod.seen) for case, pod in births if pod in pods}
        verdict = _verdict(scene, rest, good, bad, figures, tuple(cause for cause, _ in causes))
        return replace(verdict, causes=known_causes(filter(None, lacking)) if pods else ())

    unless = f", unless {' or '.join(excused)}" * bool(excused)
    check.__name__ = f"{chosen.pods} that replace those of a {chosen} carry the mutation{unless}"
    return Check(check)


@identified
def never_replaced(
    how: str, *, namespace: str = "", kinds: Kinds = (), within: float = 120.0, fault: Named = ()
) -> Check:
    """Return the check that pods on a node harmed in the way `how` survive: same pod, Ready again, still mutated.

    Each must be Ready `within` so many seconds after the node was proved to be healed or, if the judged part ends
    sooner, at its end; later events are ignored. For `namespace`, `kinds` and `fault` see `replaced_within`.
    Inconclusive: the fault or its healing is not proved, the workload was not seen, the recording ends sooner and no
    pod was Ready again, another fault harmed the node in the meantime, or the pod lacked the mutation before.
    """
    chosen = Scope.of(how, fault, namespace, kinds)

    def check(recorded: History) -> Verdict:
        scene = Scene(recorded, chosen)
        cases = [_outlives(scene, case, within) for case in scene.lost]
        reasons = Counter(finding.why for finding in cases if finding.outcome == "violated")
        bad = ", ".join(f"{count} of {len(cases)} pods {why}" for why, count in reasons.items())
        good = f"{len(cases)} of {len(cases)} pods are the same as before, Ready again, with their mutation"
        return _verdict(scene, cases, good, bad, {})

    check.__name__ = f"{chosen.pods} of a {chosen} outlive it"
    return Check(check)


def spread(cases: Sequence[Replacement]) -> dict[str, float]:
    """Return median, 95th percentile and maximum of each phase that was seen, in seconds since the harm.

    The 95th percentile has the bounds between which it lies with 95 % confidence, as far as so few samples give them.
    """
    figures: dict[str, float] = {}
    for phase in PHASES:
        seen = [phases[phase] for phases in (case.phases() for case in cases) if phase in phases]
        if not seen:
            continue
        median, late = percentile(seen, 0.5), percentile(seen, 0.95)
        bounds = {"median": median.estimate, "median_low": median.low, "median_high": median.high}
        bounds |= {"p95": late.estimate, "p95_low": late.low, "p95_high": late.high, "max": max(seen)}
        figures |= {f"{phase}_{name}_seconds": value for name, value in bounds.items() if isfinite(value)}
    return figures


def _verdict(
    scene: Scene, cases: Sequence[_Finding], good: str, bad: str, figures: dict[str, float], first: tuple[str, ...] = ()
) -> Verdict:
    """Return the verdict on all findings: one violation decides, else one that is inconclusive."""
    evidence = (*first, *map(str, scene.lost))
    violations = [finding.at for finding in cases if finding.outcome == "violated"]
    if violations:
        return Verdict("violated", bad, evidence, figures, min(violations))
    unknown = [finding.why for finding in cases if finding.outcome == "inconclusive"]
    why = next(iter([*filter(None, [scene.hindrance]), *unknown]), "")
    return Verdict("inconclusive" if why else "holds", why or good, evidence, figures)


def _in_time(scene: Scene, case: Replacement, seconds: float) -> _Finding:
    loss = case.loss
    due, end = loss.at + seconds, min(loss.at + seconds, scene.end(loss))
    if case.again and case.again.at <= due:
        return _Finding()
    ready = scene.ready(case.chain, end)
    if ready:
        now = [pod for pod in case.chain if pod.is_ready(end)]
        since = min((at for pod in now for at, turned in pod.turns if turned and at <= end), default=loss.at)
        others = scene.taken(now, since, end)
        return _unknown(_both(loss, others) if others else _not_seen(scene, since, end))
    if end < due:
        return _Finding("inconclusive", f"only {max(0.0, end - loss.at):.1f} of {seconds:g} s were watched")
    others = scene.others(loss, loss.at, due)
    late = when_passed(loss.at, seconds, Spans.of(map(harm, others)) | scene.coverage.blind)
    if late > due and _perhaps(scene, loss, case.chain, late):
        return _Finding("inconclusive", _both(loss, others) if others else _STARVED)
    if (why := _not_seen(scene, loss.at, late) or _doubt(case)) or ready is None:
        return _Finding("inconclusive", why or _moment(end))
    return _Finding("violated", at=due)


def _born(scene: Scene, case: Replacement, pod: WorkloadPod, excused: Excuses) -> _Finding:
    if pod.mutated:
        return _Finding()
    loss, birth = case.loss, scene.earliest(pod.seen)
    excuse = is_excused(scene, loss, birth, pod.seen, excused)
    if excuse is not False:
        why = f"whether {pod.name} is excused is not known: the webhook endpoints were not seen when it was created"
        return _unknown(why * (excuse is None))
    if not scene.mutated_before(case.lost, loss.at):
        return _Finding("inconclusive", _BARE)
    if others := scene.others(loss, birth, pod.seen):
        return _Finding("inconclusive", _both(loss, others))
    why = _unasked(scene, birth, pod) or _doubt(case)
    why = why or _moment(pod.seen) * (
        birth <= loss.at or pod.seen > scene.end(loss) or pod.uid in scene.workload.doubtful
    )
    return _violated(asked(scene, loss, pod.seen), pod.seen, why)


def _unasked(scene: Scene, birth: float, pod: WorkloadPod) -> str:
    """Return why perhaps no webhook could mutate a pod in time, without any fault, or ""."""
    if scene.coverage.lost.within(0.0, pod.seen) or not scene.nodes.in_force(birth, pod.seen):
        return f"no policy is known to have been in force when {pod.name} was created"
    starved = scene.coverage.blind.within(birth, pod.seen)
    return f"this machine was starved when {pod.name} was created" * bool(starved)


def _births(scene: Scene) -> list[tuple[Replacement, WorkloadPod]]:
    """Return all pods that were, or may have been, created in a loss's time to replace a lost pod or a replacement."""
    born = [
        (case, pod)
        for case in scene.lost
        for pod in case.chain
        if case.loss.at < pod.seen and scene.earliest(pod.seen) <= scene.end(case.loss)
    ]
    return list({pod.uid: (case, pod) for case, pod in reversed(born)}.values())[::-1]


def _all_seen(scene: Scene, loss: NodeLoss) -> _Finding:
    why = _not_seen(scene, loss.at, scene.end(loss))
    return _unknown(f"{why}: a replacement may have come and gone unseen" * bool(why))


def _all_replaced(scene: Scene, births: Sequence[object]) -> _Finding:
    missing = [case for case in scene.lost if not births or not (case.chain or case.again)]
    return _unknown(f"{len(missing)} of {len(scene.lost)} pods were not replaced" * bool(missing))


def _outlives(scene: Scene, case: Replacement, within: float) -> _Finding:
    loss, pod = case.loss, case.lost
    healed = loss.fault.healed if loss.fault else None
    due = inf if healed is None else healed + within
    end = min(due, scene.end(loss))
    lost = [(pod.leaving, "were taken away"), (pod.bared, "lack the mutation that they had")]
    for at, words in ((at, words) for at, words in lost if at is not None and at <= end):
        return _violated(words, at, _acquitted(scene, case, at))
    if not pod.mutated:
        bare = sum(not other.lost.mutated for other in scene.lost)
        return _Finding("inconclusive", _BARE.format(bare, len(scene.lost)))
    if healed is None or healed > end:
        return _Finding("inconclusive", f"{loss.node} was not proved to be healed")
    fresh = loss.how in _KUBELET_LIVES or end >= healed + _STALE_SECONDS
    ready = scene.ready([pod], end, -inf if fresh else loss.at)
    why = _not_seen(scene, loss.at, end) or _moment(end) * (ready is None)
    later = min(due, scene.coverage.until)  # if another fault began before it was Ready, and it was so after all
    if ready or why or (end < later and scene.ready([pod], later, end) and not scene.hidden(end, later)):
        return _unknown(why)
    if end < due:
        words = f"only {end - healed:.1f} of {within:g} s after {loss.node} was healed were watched"
        return _Finding("inconclusive", f"{words}, and {pod.name} was not Ready again by then")
    others = scene.others(loss, loss.at, end, here=True)
    late = when_passed(healed, within, scene.coverage.blind)
    starved = _STARVED * (late > due and _perhaps(scene, loss, [pod], late))
    why = _both(loss, others) if others else starved or _doubt(case)
    return _violated(f"were not Ready {within:g} s after the healing", end, why)


def _perhaps(scene: Scene, loss: NodeLoss, pods: Sequence[WorkloadPod], late: float) -> bool:
    """Whether one of these pods was perhaps Ready at a moment, which may lie after the time of the loss."""
    return late > scene.end(loss) or scene.ready(pods, late) is not False


def _acquitted(scene: Scene, case: Replacement, at: float) -> str:
    """Return why the node's loss may not be the cause of a pod that is deleted, or unmutated, at a moment, or ""."""
    begin = scene.earliest(at)
    if others := scene.others(case.loss, begin, at, here=True):
        return _both(case.loss, others)
    if missing := scene.coverage.lost.within(case.loss.at, at):
        return f"lines of the history are missing from {missing}"
    return _doubt(case) or _moment(case.loss.at) * (begin <= case.loss.at)


def _not_seen(scene: Scene, begin: float, end: float) -> str:
    return unseen_words(scene.coverage, [WATCH_WORKLOAD], scene.hidden(begin, end))


def _unknown(why: str) -> _Finding:
    return _Finding("inconclusive", why) if why else _Finding()


def _violated(words: str, at: float, acquitted: str) -> _Finding:
    return _Finding("inconclusive", acquitted) if acquitted else _Finding("violated", words, at)


def _moment(at: float) -> str:
    return f"the state at {at:.1f} s is not known: {WATCH_WORKLOAD} was not seen then"


def _doubt(case: Replacement) -> str:
    """Return why the cause of a loss is unknown, or ""."""
    if not case.loss.proved:
        return f"{case.loss.how}: {case.loss.node} was not proved to be lost"
    where = f"whether {case.lost.name} was on {case.loss.node} when it was harmed is not known"
    return "" if case.sure else f"{where}: {WATCH_WORKLOAD} was not seen just then"


def _both(loss: NodeLoss, others: Sequence[FaultSpan]) -> str:
    faults = [*([loss.fault] if loss.fault else []), *others]
    return f"{' and '.join(map(in_words, faults))} overlapped: which of them is the cause is not known"
