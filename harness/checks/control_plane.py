"""Control plane: checks on whether it went on leading, running and writing its leases, whatever Gatekeeper did."""

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from itertools import pairwise
from typing import Any

from harness.checks import Checked
from harness.history import Recorded
from harness.verdict import Verdict

__all__ = ["control_plane_unharmed", "leases_admitted", "leases_renewed", "leases_renewed_again"]

# The watches of a history, as harness.probes.objects calls them; a test holds them equal.
_LEASES, _PODS, _NODES = "watch leases", "watch system pods", "watch nodes"
_LEADERS = ("kube-controller-manager", "kube-scheduler")
_OF_NODES = "kube-node-lease"
_API_SERVER = "api server"
_FAULT = "fault "
_FEW_RENEWALS = 3
_SILENT_SECONDS = 15.0
_DENIERS = ("ValidatingAdmissionPolicy", "admission webhook", "failed calling webhook")
_SHOWN = 5

Object = Mapping[str, Any]
State = tuple[float, str]


def control_plane_unharmed(*, spare: Collection[str] = ()) -> Checked:
    """Return the check that leaders kept their leases, nothing of kube-system restarted, and nodes stayed Ready.

    `spare` are the names of what the fault itself forbids to stay as it was: of leases ("kube-scheduler"), of
    containers of kube-system ("kube-apiserver"), of nodes. What changed and changed back in a gap of a watch is seen,
    too, for the objects count it themselves. Inconclusive if leases, pods or nodes were not watched, or a leader that
    counts was seen to renew too rarely to say that it leads.
    """

    def check(recorded: Recorded) -> Verdict:
        seen = _Seen(recorded)
        missing = [name for name in _LEADERS if name not in spare and len(seen.renewals.get(name, ())) < _FEW_RENEWALS]
        missing += [what for what, found in (("pods", seen.containers), ("nodes", seen.nodes)) if not found]
        if missing:
            return Verdict("inconclusive", f"too little was seen of {', '.join(missing)}")
        harm = [
            *_changes("the lease", seen.holders, spare),
            *_changes("container", seen.containers, spare),
            *_changes("node", seen.nodes, spare),
        ]
        figures = {"control_plane_changes": float(len(harm))}
        if harm:
            told, words = tuple(each for _, each in harm), f"{len(harm)} changes in the control plane"
            return Verdict("violated", words, told, figures, min(at for at, _ in harm))
        counted = f"{len(seen.holders)} leases, {len(seen.containers)} containers, {len(seen.nodes)} nodes"
        return Verdict("holds", f"{counted} stayed as they were", (), figures)

    check.__name__ = " but for ".join(["the control plane is unharmed", *filter(None, [", ".join(sorted(spare))])])
    return Checked(check)


def leases_renewed(seconds: float, *, spare: Collection[str] = ()) -> Checked:
    """Return the check that no leader and no node let more than `seconds` pass between two renewals of its lease.

    Counted are the moments that the leases themselves tell, from the first that was seen to the history's end; not
    those of `spare`, such as leaders that the fault itself ends, and that a kubelet's back-off lets wait for minutes.
    Inconclusive if a leader that counts was not seen to renew.
    """

    def check(recorded: Recorded) -> Verdict:
        seen = _Seen(recorded)
        lacking = [name for name in _LEADERS if name not in spare and len(seen.renewals.get(name, ())) < _FEW_RENEWALS]
        counted = {name: moments for name, moments in seen.renewals.items() if name not in spare}
        if lacking or not counted:
            return Verdict(
                "inconclusive", f"{', '.join(lacking) or 'nobody'} was seen to renew less than {_FEW_RENEWALS} times"
            )
        silences, late_at = {}, []
        for name, moments in counted.items():
            pauses = [(later - earlier, earlier) for earlier, later in pairwise([*moments, max(seen.end, moments[-1])])]
            silences[name] = max(pause for pause, _ in pauses)
            late_at += [since + seconds - recorded.header.started for pause, since in pauses if pause > seconds]
        longest = max(silences, key=lambda name: silences[name])
        figures = {"lease_silence_seconds": round(silences[longest], 3)}
        late = [f"{name} let {silence:.1f} s pass" for name, silence in silences.items() if silence > seconds]
        words = f"{longest} let {silences[longest]:.1f} s pass between renewals of its lease"
        return Verdict("violated" if late else "holds", words, tuple(late), figures, min(late_at, default=None))

    names = [f"leases are renewed every {seconds:g} s", *filter(None, [", ".join(sorted(spare))])]
    check.__name__ = " but for ".join(names)
    return Checked(check)


def leases_renewed_again(seconds: float, *, fault: str) -> Checked:
    """Return the check that leaders and nodes renew their leases again `seconds` after the healing of `fault` began.

    Nobody has helped until then, so what still keeps them from it would do so for ever. Violated: one that had a lease
    before the fault has not renewed it for 15 s at that moment; nodes do every 10 s, leaders more often. The figure
    `control_plane_back_seconds` is when the last of them renewed for the first time. Inconclusive: the fault was not
    proved and healed, the history ends before, or a leader had no lease.
    """

    def check(recorded: Recorded) -> Verdict:
        seen = _Seen(recorded)
        moments = seen.healing.get(fault)
        if not moments:
            return Verdict("inconclusive", f"{fault} was not proved and taken back")
        injected, healing = moments
        before = {name: found for name, found in seen.renewals.items() if found[0] < injected}
        lacking = [name for name in _LEADERS if name not in before]
        if lacking or seen.end < healing + seconds:
            why = f"{', '.join(lacking)} had no lease before" if lacking else "the history ends"
            return Verdict("inconclusive", f"{why}, {seen.end - healing:.1f} of {seconds:g} s after {fault}")
        return _back(before, healing, seconds, fault, recorded.header.started)

    check.__name__ = f"leases are renewed again {seconds:g} s after {fault}"
    return Checked(check)


def _back(renewals: Mapping[str, list[float]], healing: float, seconds: float, fault: str, started: float) -> Verdict:
    """Judge when those that had leases renewed them again; `started` is when the history began."""
    limit = healing + seconds
    last = {name: max(at for at in moments if at <= limit) for name, moments in renewals.items()}
    late = [name for name in sorted(last) if last[name] < limit - _SILENT_SECONDS]
    if late:
        told = tuple(f"{name} renewed last {last[name] - healing:+.1f} s from then" for name in late)
        words = f"{len(late)} of {len(last)} leases are not renewed {seconds:g} s after {fault} began to be healed"
        return Verdict("violated", words, told, {"leases_not_renewed": float(len(late))}, limit - started)
    back = max(min(at for at in moments if at > healing) for moments in renewals.values()) - healing
    words = f"all of {len(last)} leases are renewed again, the last one after {back:.1f} s"
    return Verdict("holds", words, (), {"control_plane_back_seconds": round(back, 3)})


def leases_admitted(*, least: int = 20) -> Checked:
    """Return the check that no policy and no webhook denied a Lease that the probe asked the API server to create.

    None asks anything of it that it does not have, so a denial is a configuration that fails closed
    (gatekeeper#4530). What else an API server says that has just started, and no answer, is no such denial.
    Inconclusive with less than `least` answers.
    """

    def check(recorded: Recorded) -> Verdict:
        answers = [each for each in recorded.entries if (each.process, each.f) == (_API_SERVER, "write lease")]
        admitted = sum(each.kind == "ok" for each in answers)
        denied = [each for each in answers if each.kind == "fail" and any(by in each.value["said"] for by in _DENIERS)]
        if admitted + len(denied) < least:
            return Verdict("inconclusive", f"{admitted + len(denied)} answers, {least} are needed")
        figures = {"leases_admitted": float(admitted), "leases_denied": float(len(denied))}
        if not denied:
            return Verdict("holds", f"all of {admitted} leases that were answered were admitted", (), figures)
        figures["denial_seconds"] = round(denied[-1].at - denied[0].at, 3)
        told = tuple(f"{each.at:.1f} s: {each.value['status']} {each.value['said']}" for each in denied[:_SHOWN])
        words = f"{len(denied)} of {admitted + len(denied)} leases were denied"
        return Verdict("violated", words, told, figures, denied[0].at)

    check.__name__ = "no policy denies a lease"
    return Checked(check)


class _Seen:
    """What the watches saw of the control plane: states in their order, since when; renewals in unix seconds."""

    def __init__(self, recorded: Recorded) -> None:
        self.holders: dict[str, list[State]] = {}
        self.renewals: dict[str, list[float]] = {}
        self.containers: dict[str, list[State]] = {}
        self.nodes: dict[str, list[State]] = {}
        self.healing: dict[str, tuple[float, float]] = {}
        self.end = self._at = 0.0
        injected: dict[str, tuple[str, float]] = {}
        proved: set[str] = set()
        take = {_LEASES: self._take_lease, _PODS: self._take_pod, _NODES: self._take_node}
        for entry in recorded.entries:
            self.end, self._at = entry.wall, entry.at
            if entry.process in take and entry.kind == "change" and "object" in entry.value and entry.f != "DELETED":
                take[entry.process](entry.value["object"])
            elif entry.process.startswith(_FAULT):
                if entry.f == "inject":
                    injected[entry.process] = (entry.value["name"], entry.wall)
                elif entry.f == "observed":
                    proved.add(entry.process)
                elif entry.f == "heal" and entry.process in proved:
                    name, moment = injected[entry.process]
                    self.healing[name] = (moment, entry.wall)

    def _take_lease(self, lease: Object) -> None:
        name, spec = lease["metadata"]["name"], lease["spec"]
        of_node = lease["metadata"]["namespace"] == _OF_NODES
        if not of_node and name not in _LEADERS:
            return
        if not of_node:
            holder = f"{spec.get('holderIdentity') or 'nobody'} (transition {spec.get('leaseTransitions', 0)})"
            self.holders.setdefault(name, []).append((self._at, holder))
        if spec.get("renewTime"):
            moment = datetime.fromisoformat(spec["renewTime"]).timestamp()
            moments = self.renewals.setdefault(name, [])
            if not moments or moments[-1] < moment:
                moments.append(moment)

    def _take_pod(self, pod: Object) -> None:
        for each in pod["status"].get("containerStatuses") or ():
            identity = each.get("containerID", "").rpartition("/")[2]
            if identity:
                told = f"{identity[:12]} (restart {each.get('restartCount', 0)})"
                states = self.containers.setdefault(f"{each['name']} of {pod['metadata']['name']}", [])
                states.append((self._at, told))

    def _take_node(self, node: Object) -> None:
        for each in node["status"].get("conditions") or ():
            if each["type"] == "Ready":
                told = f"Ready={each['status']} since {each.get('lastTransitionTime', 'ever')}"
                self.nodes.setdefault(node["metadata"]["name"], []).append((self._at, told))


def _changes(what: str, states: Mapping[str, list[State]], spare: Collection[str]) -> Iterator[State]:
    """Yield each change, and when it was seen."""
    for name, told in states.items():
        if name.partition(" of ")[0] not in spare:
            for (_, earlier), (at, later) in pairwise(told):
                if earlier != later:
                    yield at, f"{what} {name}: {earlier}, then {later}"
