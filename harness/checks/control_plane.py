"""Control plane: checks that it keeps leading, running and renewing its leases, whatever happens to Gatekeeper."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from math import inf

from chaos_harness.harness.checks import Check, identified
from chaos_harness.harness.checks.rule import bounded, unseen_words
from chaos_harness.harness.history import History
from chaos_harness.harness.history.blame import FEW_RENEWALS, ControlPlaneHarm
from chaos_harness.harness.history.control_plane import LEADERS, ControlPlane
from chaos_harness.harness.history.coverage import Coverage
from chaos_harness.harness.history.faults import Faults, FaultSpan
from chaos_harness.harness.history.following import follow
from chaos_harness.harness.history.lease_requests import LeaseRequests
from chaos_harness.harness.history.silences import DatedEvent, Moments, Silence
from chaos_harness.harness.history.spans import Spans
from chaos_harness.harness.history.vocabulary import WATCH_LEASES
from chaos_harness.harness.verdict import Verdict

__all__ = ["control_plane_unharmed", "leases_admitted", "leases_renewed", "leases_renewed_again"]

_SILENT_SECONDS = 15.0
_UNSURE = "this machine was starved at that time, or lines that may say why are missing"
_SHOWN = 5


@identified
def control_plane_unharmed(*, spare: Collection[str] = (), seconds: float = 60.0) -> Check:
    """Return the check that leaders kept their leases, no kube-system container ended, and nodes stayed Ready.

    Also violated if a leader or a node renewed no lease, or a pod or a node was not Ready, for more than `seconds`.
    What a fault itself ended, and what happens on a node that it harmed, does not count: the history says which.
    `spare` are names of nodes, and of leaders, that may fail besides: such a leader may lose its lease, end, and wait
    in a back-off. A loss is as old as the last renewal before it: a leader that had renewed nothing for 10 s, or a node
    for 40 s, when the fault began was lost before it, and is not spared; for a shorter time that is not known.

    Judged from the start of the watches on leases, pods and nodes to the end. Inconclusive if the watches may have
    missed a change, if a lease was lost, a container ended or a node was not Ready while this machine was starved, or
    if too few renewals of a leader that counts were seen.
    """

    def check(recorded: History) -> Verdict:
        seen = _read(recorded, spare)
        changes, idle = seen.changes(), seen.idle(seconds)
        harm = [*changes.harm, *idle.harm]
        figures = {"control_plane_changes": float(len(changes.harm))}
        if harm:
            words = f"{len(changes.harm)} changes in the control plane"
            if idle.harm:
                words += f", {len(idle.harm)} times a part was not Ready or renewed no lease for over {seconds:g} s"
            evidence = tuple(words for _, words in harm)
            return _violated(seen, Verdict("violated", words, evidence, figures, min(at for at, _ in harm)))
        if few := [*seen.leaderless(), *seen.unwatched()]:
            return Verdict("inconclusive", f"too little was seen of {', '.join(few)}")
        if why := [*seen.missing(), *changes.doubts, *idle.doubts]:
            return Verdict("inconclusive", "; ".join(why[:_SHOWN]), tuple(why[_SHOWN:]))
        plane = seen.plane
        leases = sum(name in LEADERS for name in plane.leases)
        counted = f"{leases} leases, {len(plane.containers)} containers, {len(plane.nodes)} nodes"
        return Verdict("holds", f"{counted} stayed as they were", (), figures)

    check.__name__ = " but for ".join(["the control plane is unharmed", *filter(None, [", ".join(sorted(spare))])])
    return Check(check)


@identified
def leases_renewed(seconds: float, *, spare: Collection[str] = ()) -> Check:
    """Return the check that no leader and no node goes more than `seconds` between two renewals of its lease.

    Renewals are counted when the watch saw them, in the history's own time, from the start of the watch to the end of
    the history. While the watch did not see, a renewal may have happened or not; while this machine was starved,
    nothing could renew. Ignored are the lease of a node that a fault harmed, and those of `spare`, such as leaders that
    the fault itself ends and that then wait in a kubelet back-off for minutes.

    Inconclusive if too few renewals of a leader that counts were seen.
    """

    def check(recorded: History) -> Verdict:
        seen = _read(recorded, spare)
        silences = {name: list(seen.silences(name, seconds)) for name in seen.plane.leases if name not in spare}
        pauses = [(silence, name) for name, its in silences.items() for silence in its]
        lacking = seen.leaderless()
        if not pauses:
            return Verdict("inconclusive", "no lease that counts was seen")
        longest, name = max(pauses, key=lambda pause: pause[0].least)
        worst, hidden = max(pauses, key=lambda pause: pause[0].most)
        figures = {"lease_silence_seconds": round(longest.least, 3)}
        words = f"{name} did not renew its lease for {longest.least:.1f} s"
        outcome = bounded(longest.least, worst.most, seconds)
        if outcome == "violated":
            late = {name: max(silence.least for silence in its) for name, its in silences.items() if its}
            evidence = tuple(
                f"{name} did not renew for {least:.1f} s" for name, least in late.items() if least > seconds
            )
            at = min(silence.since for silence, _ in pauses if silence.least > seconds) + seconds
            return _violated(seen, Verdict(outcome, words, evidence, figures, at))
        if lacking:
            return Verdict("inconclusive", f"fewer than {FEW_RENEWALS} renewals by {', '.join(lacking)} were seen")
        if outcome == "inconclusive":
            most = "an unknown time" if worst.most == inf else f"{worst.most:.1f} s"
            words = f"{hidden} may not have renewed its lease for {most}: {_unseen(seen)}"
            return Verdict(outcome, words)
        return Verdict(outcome, words, (), figures)

    names = [f"leases are renewed every {seconds:g} s", *filter(None, [", ".join(sorted(spare))])]
    check.__name__ = " but for ".join(names)
    return Check(check)


@identified
def leases_renewed_again(seconds: float, *, fault: str | Sequence[str]) -> Check:
    """Return the check that leaders and nodes renew their leases again `seconds` after the healing of `fault` began.

    Violated if one that had a lease before the fault has not renewed it for 15 s at that moment; nodes renew every 10
    s, leaders more often. The figure `control_plane_back_seconds` is when the last of them renewed for the first time.
    `fault` are names or ids; each such fault is judged.

    Inconclusive if one was not proved or not healed, another fault was in effect at that moment, the history ends
    before it, a leader had no lease, or the watch did not see.
    """
    names = [fault] if isinstance(fault, str) else list(fault)

    def check(recorded: History) -> Verdict:
        seen = _read(recorded)
        chosen = seen.faults.named(*names)
        if not chosen:
            return Verdict("inconclusive", f"{', '.join(names)} was not proved, or not healed")
        first, *others = (_again(seen, one, seconds) for one in chosen)
        for other in others:
            first &= other
        return first

    check.__name__ = f"leases are renewed again {seconds:g} s after {', '.join(names)}"
    return Check(check)


@identified
def leases_admitted(*, least: int = 20, fault: str | Sequence[str] = ()) -> Check:
    """Return the check that no policy and no webhook denied a Lease that the probe created since `fault` began.

    These Leases comply with every policy, so a denial is a configuration that fails closed (gatekeeper#4530). Other
    errors of an API server that has just started are no such denial. `fault` are names or ids; by default all faults
    are meant.

    Inconclusive if denials came only while this machine was starved, so that a call, or a list of parameters, may have
    timed out; if there are fewer than `least` answers after one of the faults, or it was not proved; if, once the API
    server answered again, a Lease was not answered, or none was created for longer than usual (0.5 s, or 1.5 times the
    usual interval); or if several API servers may have answered.
    """
    names = [fault] if isinstance(fault, str) else list(fault)

    def check(recorded: History) -> Verdict:
        coverage, faults = Coverage(recorded), Faults()
        requests = LeaseRequests(faults)
        follow(recorded, coverage, faults, requests)
        chosen = faults.named(*names) if names else faults.all
        windows = Spans.of(faults.window(one) for one in chosen if one.proved is not None)
        theirs = [one for one in faults.others(chosen) if names]
        shared = Spans.of(one.harm for one in theirs)
        admitted = sum(asked in windows for asked in requests.admitted)
        denied = [denial for denial in requests.denied if denial[0] in windows]
        own = [denial for denial in denied if denial[0] not in shared]
        sure = [(asked, answered) for asked, answered, _ in own if not coverage.blind.within(asked, answered)]
        figures = {"leases_admitted": float(admitted), "leases_denied": float(len(denied))}
        if denied:
            figures["denial_seconds"] = round(denied[-1][1] - denied[0][1], 3)
        evidence = tuple(words for _, _, words in (own or denied)[:_SHOWN])
        words = f"{len(denied)} of {admitted + len(denied)} leases were denied"
        if sure and not coverage.lost.within(0, sure[0][1]):
            return Verdict("violated", words, evidence, figures, sure[0][1], ("denied by configuration error",))
        overlap = f"{', '.join(one.name for one in (*chosen, *theirs))} overlap"
        why = [f"{words}, {f'but {_UNSURE}' if own else f'and {overlap}'}"] if denied else []
        why += [] if chosen else [f"there was no {' or '.join(names) or 'fault'}"]
        for one in chosen:
            why += _unknown(requests, coverage, faults, one, least)
        if why:
            return Verdict("inconclusive", "; ".join(dict.fromkeys(why)), evidence)
        return Verdict("holds", f"all {admitted} Lease requests that were answered were admitted", (), figures)

    check.__name__ = " after ".join(["no policy denies a lease", *filter(None, [", ".join(names)])])
    return Check(check)


def _again(seen: ControlPlaneHarm, fault: FaultSpan, seconds: float) -> Verdict:
    """Judge when those that had leases before a fault renewed them again after it."""
    if fault.proved is None or fault.healing is None:
        return Verdict("inconclusive", f"{fault.name} was not proved, or not healed")
    healing, limit = fault.healing, fault.healing + seconds
    before = {name: its.seen for name, its in seen.plane.leases.items() if its.seen and its.seen[0] < fault.injected}
    lacking = [name for name in LEADERS if name not in before]
    if lacking or seen.coverage.until < limit:
        why = f"{', '.join(lacking)} had no lease before" if lacking else "the history ends"
        return Verdict(
            "inconclusive", f"{why}, {seen.coverage.until - healing:.1f} of {seconds:g} s after {fault.name}"
        )
    moments = seen.moments(WATCH_LEASES)
    silences = {name: _silence_at(limit, its, moments) for name, its in sorted(before.items())}
    outcomes = {name: bounded(silence.least, silence.most, _SILENT_SECONDS) for name, silence in silences.items()}
    late = [name for name, outcome in outcomes.items() if outcome == "violated"]
    unsure = [name for name, outcome in outcomes.items() if outcome == "inconclusive"]
    words = f"leases are not renewed {seconds:g} s after the healing of {fault.name} began"
    if late:
        evidence = tuple(
            f"{name} renewed last {silences[name].since - healing:+.1f} s from the start of the healing"
            for name in late
        )
        figures = {"leases_not_renewed": float(len(late))}
        verdict = Verdict("violated", f"{len(late)} of {len(before)} {words}", evidence, figures, limit)
        others = [
            one.name for one in seen.faults.all if one != fault and one.injected < limit and one.harm[1] > healing
        ]
        if others:
            words = f"{verdict.summary}, but {', '.join(others)} lasted at the same time"
            return Verdict("inconclusive", words, evidence)
        return _violated(seen, verdict)
    if unsure:
        words = f"whether {', '.join(unsure)} renewed is not known: {_unseen(seen)}"
        return Verdict("inconclusive", words)
    back = max(next((at for at in its if at > healing), limit) for its in before.values()) - healing
    words = f"all of {len(before)} leases are renewed again, the last one after {back:.1f} s"
    return Verdict("holds", words, (), {"control_plane_back_seconds": round(back, 3)})


def _silence_at(limit: float, seen: Sequence[float], moments: Moments) -> Silence:
    """Return for how long a lease was not renewed at a moment; `since` is when its last renewal was seen."""
    last, least = DatedEvent(0.0, 0.0), 0.0
    for moment in map(moments.of, seen):
        if moment.least > limit:
            break
        least = min(moment.most, limit)
        last = moment if moment.most <= limit else last
    blind = max((min(end, limit) for begin, end in moments.unknown if begin < limit), default=0.0)
    silence = Silence(limit - max(least, blind), limit - last.least, last.most)
    return replace(silence, least=silence.least - moments.blind.within(limit - silence.least, limit).total)


def _unknown(
    requests: LeaseRequests, coverage: Coverage, faults: Faults, fault: FaultSpan, least: int
) -> Iterator[str]:
    """Yield why it is not known that no Lease was denied after a fault."""
    begin, end = faults.window(fault)
    if fault.proved is None:
        yield f"{fault.name} was not proved"
    answers = sum(begin <= asked < end for asked in requests.admitted)
    if answers < least:
        yield f"{answers} answers after {fault.name}, {least} are needed"
    if end == inf and not coverage.ended:
        yield f"the history was not recorded to its end, after {coverage.until:.1f} s"
    if unknown := requests.unknown(coverage, min(requests.back(fault), end), min(end, coverage.until)):
        yield f"no Lease request was answered from {unknown}"
    if requests.servers > 1:
        yield f"which of {requests.servers} API servers admitted them is not known"


def _read(recorded: History, spare: Collection[str] = ()) -> ControlPlaneHarm:
    coverage, faults, plane = Coverage(recorded), Faults(), ControlPlane()
    follow(recorded, coverage, faults, plane)
    return ControlPlaneHarm(recorded, coverage, faults, plane, spare)


def _violated(seen: ControlPlaneHarm, verdict: Verdict) -> Verdict:
    """Return the verdict; inconclusive if lines are missing that may record a fault as the cause."""
    if lost := seen.coverage.lost.within(0, verdict.at or inf):
        words = f"lines are missing from {lost}, which may say that a fault caused this; {verdict.summary}"
        return replace(verdict.as_inconclusive(words), figures={})
    return verdict


def _unseen(seen: ControlPlaneHarm) -> str:
    unseen = seen.coverage.unseen([WATCH_LEASES], seen.plane.begin(WATCH_LEASES, seen.coverage), inf)
    return unseen_words(seen.coverage, [WATCH_LEASES], unseen)
