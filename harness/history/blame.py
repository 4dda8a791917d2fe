"""Blame: which control plane changes count as harm, which a fault itself caused, and which are not certain."""

from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import inf
from statistics import median

from chaos_harness.harness.history.control_plane import LEADERS, STREAMS, ControlPlane, ControlPlanePart, PlaneChange
from chaos_harness.harness.history.coverage import Coverage
from chaos_harness.harness.history.faults import Faults
from chaos_harness.harness.history.recorded import History
from chaos_harness.harness.history.silences import DatedEvent, Moments, Silence
from chaos_harness.harness.history.spans import Spans
from chaos_harness.harness.history.streams import JITTER
from chaos_harness.harness.history.vocabulary import WATCH_LEASES, WATCH_NODES, WATCH_SYSTEM_PODS

__all__ = ["FEW_RENEWALS", "ControlPlaneHarm"]

FEW_RENEWALS = 3
"""With fewer renewals seen than this, whether the holder leads is unknown."""

_LEASE_LOST_SECONDS = 30.0
"""How long a lease stays without renewal if its holder cannot renew it: the holder gives up after 10 s, and the next
leader waits for 15 s and tries every 2 s (client-go's leader election, with the defaults of Kubernetes)."""

_RENEWS_SECONDS = {"lease": 2.0, "node": 10.0}
"""How often a leader and a node renew their leases, by the defaults of Kubernetes; seldom more often."""

_GIVES_UP_SECONDS = {"lease": 10.0, "node": 40.0}
"""After how long without renewal a leader gives up its lease (client-go's leader election), and a node no longer counts
as Ready (`--node-monitor-grace-period` of the controller manager; newer versions of Kubernetes wait for 50 s)."""

_HARMS_TOLD_SINCE = 2
"""The first schema in which each fault records what it ends; in older histories a spared name stands for that."""

_STREAM = {"lease": WATCH_LEASES, "container": WATCH_SYSTEM_PODS, "pod": WATCH_SYSTEM_PODS, "node": WATCH_NODES}


@dataclass
class KnownHarm:
    """Harm, in words and with its moment; `doubts` is what may be harm or not."""

    harm: list[tuple[float, str]] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)


class ControlPlaneHarm:
    """The harm that a history records of the control plane, without what is spared.

    Spared are leaders and nodes named in `spare`, from the first fault on, and all that the faults themselves ended.
    A lease is lost, and a node taken for not Ready, some time after its last renewal: the cause is as old as that.
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
        """Return what dates the reports of a watch."""
        if stream not in self._moments:
            begin = self.plane.begin(stream, self.coverage)
            self._moments[stream] = Moments(self.coverage, [stream], begin)
        return self._moments[stream]

    def changes(self) -> KnownHarm:
        """Return what did not stay as it was, as harm and doubts."""
        blamed = KnownHarm()
        for change in self.plane.changes:
            moment = self.moments(_STREAM[change.part.kind]).of(change.at)
            sure, unsure = self._spared(change.part)
            if moment.least > self.coverage.until:
                continue
            older = self._is_older(change, moment, sure | unsure)
            if _inside(moment, sure) and older is False:
                continue
            if change.at > self.coverage.until or (_touches(moment, sure | unsure) and not older):
                blamed.doubts.append(f"a fault may have caused it, or it came after the end: {change.words}")
            elif self._starved(change, moment):
                blamed.doubts.append(f"this machine was starved at that time: {change.words}")
            else:
                blamed.harm.append((change.at, change.words))
        return blamed

    def idle(self, seconds: float) -> KnownHarm:
        """Return which leases were not renewed, and what was not Ready, for more than some seconds."""
        blamed = KnownHarm()
        for down in self.plane.downs:
            moments = self.moments(_STREAM[down.part.kind])
            if (since := moments.of(down.since)).least <= self.coverage.until:
                silence = moments.between(since, moments.ends(down.until), *self._spared(down.part))
                _add(blamed, f"{down.part.kind} {down.part.name} was not Ready", [silence], seconds)
        for name in self.plane.leases:
            silences = self._silences(name, seconds, *self._caused_silence(name))
            _add(blamed, f"{name} did not renew its lease", silences, seconds)
        return blamed

    def silences(self, name: str, longer: float) -> Iterator[Silence]:
        """Yield the times in which a lease was not renewed: all `longer` ones, and the longest one."""
        return self._silences(name, longer, *self._spared(self._place(name)))

    def _silences(self, name: str, longer: float, sure: Spans, unsure: Spans) -> Iterator[Silence]:
        lease, begin = self.plane.leases[name], self.plane.begin(WATCH_LEASES, self.coverage)
        first = None if lease.new else DatedEvent(begin, begin)
        return self.moments(WATCH_LEASES).silences(first, lease.seen, longer, sure, unsure)

    def _place(self, name: str) -> ControlPlanePart:
        """Return a lease at a place: a node's; a leader may be replaced in time."""
        return ControlPlanePart("lease", name, name if name == self.plane.leases[name].part.node else "")

    def _caused_silence(self, name: str) -> tuple[Spans, Spans]:
        """Return when a lease that is not renewed does not count: certainly, and perhaps.

        A silence in which the holder had given up before it was spared goes on to count until the next renewal.
        """
        sure, unsure = self._spared(self._place(name))
        seen, date = self.plane.leases[name].seen, self.moments(WATCH_LEASES).of
        kind = "lease" if name in LEADERS else "node"
        for begin, _ in sure | unsure:
            after = bisect_left(seen, begin)
            while after < len(seen) and date(seen[after]).least <= begin:
                after += 1
            silence = Spans.of([(begin, seen[after] if after < len(seen) else inf)])
            given_up = self._had_given_up(kind, seen[:after], begin)
            unsure = unsure | (sure & silence) if given_up is None else unsure
            sure = sure if given_up is False else sure - silence
            unsure = unsure - silence if given_up else unsure
        return sure, unsure

    def leaderless(self) -> list[str]:
        """Return the leaders that count and were seen to renew too rarely to prove that they lead."""
        few = [
            name
            for name in LEADERS
            if name not in self.plane.leases or len(self.plane.leases[name].seen) < FEW_RENEWALS
        ]
        return [name for name in few if name not in self._spare]

    def unwatched(self) -> list[str]:
        """Return the streams of which nothing at all was seen."""
        return [what for what, seen in (("pods", self.plane.containers), ("nodes", self.plane.nodes)) if not seen]

    def missing(self) -> Iterator[str]:
        """Yield, in words, when changes may have happened that no watch reported, not even afterwards."""
        for stream in STREAMS:
            if missing := self.plane.missing(stream, self.coverage):
                yield f"{stream} was not seen from {missing}"

    def _is_older(self, change: PlaneChange, moment: DatedEvent, spared: Spans) -> bool | None:
        """Whether the cause of a change is older than the spared time in which it lies; None if that is not known.

        It is if the holder of the lease was silent before that time for so long that it had given up. It is not if no
        renewal was missing yet.
        """
        kind = change.part.kind
        lease = self.plane.leases.get(change.part.name) if kind in _GIVES_UP_SECONDS else None
        begin = next((begin for begin, end in spared if begin <= moment.most and moment.least <= end), None)
        if begin is None or lease is None:
            return False
        return self._had_given_up(kind, lease.seen[: bisect_left(lease.seen, change.at)], begin)

    def _had_given_up(self, kind: str, seen: Sequence[float], begin: float) -> bool | None:
        """Whether the holder of a lease, last renewed as `seen`, had given up before `begin`; None: not known."""
        if not seen:
            return False
        moments = self.moments(WATCH_LEASES)
        silence = moments.between(moments.of(seen[-1]), DatedEvent(begin, begin))
        if silence.least > _GIVES_UP_SECONDS[kind]:
            return True
        apart = (after - before for before, after in pairwise(seen[1:]))  # the first one is from a list
        usual = max(_RENEWS_SECONDS[kind], median([*apart] or [0.0]))
        return None if silence.most > usual * JITTER else False

    def _starved(self, change: PlaneChange, moment: DatedEvent) -> bool:
        """Whether a change may be caused by this machine, which was starved meanwhile; a deletion never is.

        Another cause is certain if a node was not Ready for longer than that, or if a leader did not renew for as long
        as it takes to lose a lease, without the time in which this machine was starved.
        """
        since = self.moments(_STREAM[change.part.kind]).of(change.since)
        blind = self.coverage.blind
        starved = blind.within(since.least, moment.most).total
        lasted = (Spans.of([(since.most, moment.least)]) - blind).total
        longest = _LEASE_LOST_SECONDS if change.part.kind == "lease" else starved
        return starved > 0 and lasted <= longest and not change.gone

    def _spared(self, part: ControlPlanePart) -> tuple[Spans, Spans]:
        """Return when changes of a part certainly do not count, and when they perhaps do not."""
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
