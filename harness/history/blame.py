"""Blame: which control plane changes count as harm, which a fault itself caused, and which are not certain."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from math import inf

from chaos_harness.harness.history.control_plane import LEADERS, STREAMS, ControlPlane, ControlPlanePart, PlaneChange
from chaos_harness.harness.history.coverage import Coverage
from chaos_harness.harness.history.faults import Faults
from chaos_harness.harness.history.recorded import History
from chaos_harness.harness.history.silences import DatedEvent, Moments, Silence
from chaos_harness.harness.history.spans import Spans
from chaos_harness.harness.history.vocabulary import WATCH_LEASES, WATCH_NODES, WATCH_SYSTEM_PODS

__all__ = ["FEW_RENEWALS", "ControlPlaneHarm"]

FEW_RENEWALS = 3
"""Who was seen to renew less often may lead or not."""

_LEASE_LOST_SECONDS = 30.0
"""How long nobody renews a lease that its holder could not renew: the holder gives up after 10 s, and whoever comes
next waits for 15 s and asks every 2 s (client-go's leader election, with the defaults of Kubernetes)."""

_HARMS_TOLD_SINCE = 2
"""The first schema in which each fault tells what it ends; in older histories a name that is spared stands for that."""

_STREAM = {"lease": WATCH_LEASES, "container": WATCH_SYSTEM_PODS, "pod": WATCH_SYSTEM_PODS, "node": WATCH_NODES}


@dataclass
class KnownHarm:
    """Harm, each with its moment, in words; and what may be harm or not."""

    harm: list[tuple[float, str]] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)


class ControlPlaneHarm:
    """What a history says of the control plane, but for what is to be spared.

    `spare` are names of leaders and nodes, from the first fault on; and whatever the faults themselves ended is.
    """

    def __init__(
        self, recorded: History, coverage: Coverage, faults: Faults, plane: ControlPlane, spare: Collection[str]
    ) -> None:
        self.coverage, self.faults, self.plane = coverage, faults, plane
        self._spare = frozenset(spare)
        old = recorded.header.schema < _HARMS_TOLD_SINCE
        self._names = self._spare if old else self._spare.intersection(LEADERS)
        self._moments: dict[str, Moments] = {}

    def moments(self, stream: str) -> Moments:
        """Return when it was of which a watch told."""
        if stream not in self._moments:
            begin = self.plane.begin(stream, self.coverage)
            self._moments[stream] = Moments(self.coverage, [stream], begin)
        return self._moments[stream]

    def changes(self) -> KnownHarm:
        """Return what did not stay as it was."""
        blamed = KnownHarm()
        for change in self.plane.changes:
            moment = self.moments(_STREAM[change.part.kind]).of(change.at)
            sure, unsure = self._spared(change.part)
            if moment.least > self.coverage.until or _inside(moment, sure):
                continue
            if change.at > self.coverage.until or _touches(moment, sure | unsure):
                blamed.doubts.append(f"a fault may have caused it, or it came after the end: {change.words}")
            elif self._starved(change, moment):
                blamed.doubts.append(f"this machine was starved at that time: {change.words}")
            else:
                blamed.harm.append((change.at, change.words))
        return blamed

    def idle(self, seconds: float) -> KnownHarm:
        """Return who did not renew a lease, or was not Ready, for more than some seconds."""
        blamed = KnownHarm()
        for down in self.plane.downs:
            moments = self.moments(_STREAM[down.part.kind])
            if (since := moments.of(down.since)).least <= self.coverage.until:
                silence = moments.between(since, moments.ends(down.until), *self._spared(down.part))
                _add(blamed, f"{down.part.kind} {down.part.name} was not Ready", [silence], seconds)
        for name in self.plane.leases:
            _add(blamed, f"{name} did not renew its lease", self.silences(name, seconds), seconds)
        return blamed

    def silences(self, name: str, longer: float) -> Iterator[Silence]:
        """Return for how long a lease was not renewed: each time that was `longer`, and the longest one."""
        lease, moments = self.plane.leases[name], self.moments(WATCH_LEASES)
        begin = self.plane.begin(WATCH_LEASES, self.coverage)
        first = None if lease.new else DatedEvent(begin, begin)
        place = ControlPlanePart(
            "lease", name, name if name == lease.part.node else ""
        )  # whoever leads may be replaced in time
        return moments.silences(first, lease.seen, longer, *self._spared(place))

    def leaderless(self) -> list[str]:
        """Return which leaders that count were seen too rarely to say that they lead."""
        few = [
            name
            for name in LEADERS
            if name not in self.plane.leases or len(self.plane.leases[name].seen) < FEW_RENEWALS
        ]
        return [name for name in few if name not in self._spare]

    def unwatched(self) -> list[str]:
        """Return of what nothing at all was seen."""
        return [what for what, seen in (("pods", self.plane.containers), ("nodes", self.plane.nodes)) if not seen]

    def missing(self) -> Iterator[str]:
        """Yield in words when changes may have come of which no watch told, not even afterwards."""
        for stream in STREAMS:
            if missing := self.plane.missing(stream, self.coverage):
                yield f"{stream} was not seen from {missing}"

    def _starved(self, change: PlaneChange, moment: DatedEvent) -> bool:
        """Whether a change may be the doing of this machine, which was starved meanwhile: it deletes nothing.

        A node that was not Ready for longer than that was so for another reason, and so was a leader who did not renew
        for as long as it takes to lose a lease, not counting the time in which this machine was starved.
        """
        since = self.moments(_STREAM[change.part.kind]).of(change.since)
        blind = self.coverage.blind
        starved = blind.within(since.least, moment.most).total
        lasted = (Spans.of([(since.most, moment.least)]) - blind).total
        longest = _LEASE_LOST_SECONDS if change.part.kind == "lease" else starved
        return starved > 0 and lasted <= longest and not change.gone

    def _spared(self, part: ControlPlanePart) -> tuple[Spans, Spans]:
        """Return when what happens to a part does not count, and when perhaps not."""
        sure, unsure = self.plane.spared(part, self.faults)
        named = any(part.name == name or part.name.startswith(f"{name}-") for name in self._names)
        if named or part.node in self._spare:
            since = self.faults.all[0].injected if self.faults.all else 0.0
            sure |= Spans.of([(since, inf)])
        return sure, unsure


def _inside(moment: DatedEvent, spans: Spans) -> bool:
    return any(begin <= moment.least and moment.most <= end for begin, end in spans)


def _touches(moment: DatedEvent, spans: Spans) -> bool:
    return any(begin <= moment.most and moment.least <= end for begin, end in spans)


def _add(blamed: KnownHarm, what: str, silences: Iterable[Silence], seconds: float) -> None:
    for silence in silences:
        if silence.least > seconds:
            blamed.harm.append((silence.since + seconds, f"{what} for {silence.least:.1f} s"))
        elif silence.most > seconds:
            blamed.doubts.append(f"{what}, perhaps, from {silence.since:.1f} s on for up to {silence.most:.1f} s")
