"""Recoveries: when harmed pods, or their replacements, served again, as far as that is certain."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from functools import cached_property
from math import inf

from chaos_harness.harness.history.coverage import Coverage
from chaos_harness.harness.history.events import FAILED, PULLING, Events
from chaos_harness.harness.history.faults import Faults, FaultSpan
from chaos_harness.harness.history.following import follow
from chaos_harness.harness.history.harms import Harm, Harms
from chaos_harness.harness.history.pods import Pod, PodLife, Pods, doubt
from chaos_harness.harness.history.recorded import History
from chaos_harness.harness.history.replicas import UNASKED_SECONDS, Replicas
from chaos_harness.harness.history.rotation import Rotation
from chaos_harness.harness.history.spans import Spans
from chaos_harness.harness.history.vocabulary import KILLED, WATCH_PODS, WATCH_SLICES

__all__ = ["IMAGE_REASONS", "PodHistory", "Recovery"]

IMAGE_REASONS = frozenset({"ErrImagePull", "ImagePullBackOff"})
"""The reasons for which a container waits whose image cannot be pulled."""

_BLOW_SECONDS = 5.0
"""After how many seconds a killed container is certainly dead, if it is not recorded which fault killed it."""


class PodHistory:
    """Everything that a history records of Gatekeeper's pods and the harm done to them; it is read once."""

    def __init__(self, recorded: History) -> None:
        self.coverage, self.faults, self.pods = Coverage(recorded), Faults(), Pods()
        self.harms, self.rotation, self.events = Harms(self.faults), Rotation(), Events()
        self.replicas = Replicas(self.coverage)
        readers = (self.faults, self.harms, self.pods, self.rotation, self.events, self.coverage, self.replicas)
        follow(recorded, *readers)

    @property
    def until(self) -> float:
        """Where the recording ended by choice, in seconds; infinite if entries may be missing after its last one."""
        return self.coverage.until if self.coverage.ended else inf

    def others(self, chosen: Iterable[FaultSpan], uid: str, node: str, begin: float, end: float) -> list[FaultSpan]:
        """Return the faults other than the chosen ones that may have harmed a pod, or its node, between two moments."""
        ids = {fault.id for fault in chosen}
        return [
            fault
            for fault in self.faults.all
            if fault.id not in ids
            and fault.injected < end
            and fault.harm[1] > begin
            and self.harms.strays(fault, uid, node)
        ]

    def recoveries(self, harms: Iterable[Harm]) -> list["Recovery"]:
        """Return how harmed pods came back: the pod itself if it was killed, otherwise its replacement."""
        taken: set[str] = set()
        back = []
        for harm in harms:
            lost = by = self.pods.lives.get(harm.uid)
            if harm.how != KILLED:
                by = self._replacement(harm, taken)
                taken.add(by.uid if by else "")
            back.append(Recovery(self, harm, lost, by))
        return back

    def _replacement(self, harm: Harm, taken: Collection[str]) -> PodLife | None:
        lives = self.pods.lives.values()
        born = [life for life in lives if life.born and life.owner == harm.owner and life.seen[0].at >= harm.at]
        free = [life for life in born if life.uid not in taken]
        lasting = [life for life in free if not life.seen[-1].pod.deleted]
        return next(iter(lasting or free), None)


@dataclass(frozen=True, eq=False)
class Recovery:
    """How one harmed pod came back: the pod itself if it was killed (`lost` is `by`), otherwise its replacement.

    A pod serves while it is Ready with a container that was not harmed. A webhook pod must also receive requests from
    the Service and answer all questions correctly, with no more than 5 s at a time without a question.
    """

    history: PodHistory
    harm: Harm
    lost: PodLife | None
    by: PodLife | None

    @property
    def pod(self) -> str:
        """The name of the pod that came back."""
        return self.by.name if self.by else "no replacement"

    @property
    def node(self) -> str:
        """The node of the pod that came back."""
        return (self.by.node if self.by else "") or "no node"

    @property
    def streams(self) -> list[str]:
        """The streams that must be seen to know whether it serves."""
        if self.by is None or not self.by.webhook:
            return [WATCH_PODS]
        return [WATCH_PODS, WATCH_SLICES, *self.history.replicas.streams(self.by.uid)]

    def serving(self, begin: float, end: float) -> Spans:
        """Return when, between two moments, it surely served."""
        by, coverage = self.by, self.history.coverage
        if by is None:
            return Spans()
        if not by.webhook:
            return by.when(self._fit).within(begin, end) - doubt(coverage, WATCH_PODS, begin, end, by.moments)
        rotation = self.history.rotation
        sent = rotation.when(by.uid) - doubt(coverage, WATCH_SLICES, begin, end, rotation.moments)
        right = self.history.replicas.right(by.uid, max(self._fresh, begin - UNASKED_SECONDS), end + UNASKED_SECONDS)
        return (sent & right).within(begin, end) - coverage.lost - self.away(begin, end)

    def away(self, begin: float, end: float) -> Spans:
        """Return when, between two moments, it surely did not serve."""
        by, coverage, window = self.by, self.history.coverage, Spans.of([(begin, end)])
        if by is None:
            return window - doubt(coverage, WATCH_PODS, begin, end, ())
        spans = window - by.when(self._fit) - doubt(coverage, WATCH_PODS, begin, end, by.moments)
        if by.webhook:
            rotation = self.history.rotation
            spans |= window - rotation.when(by.uid) - doubt(coverage, WATCH_SLICES, begin, end, rotation.moments)
            spans |= self.history.replicas.wrong(by.uid, begin, end)
        return spans.within(begin, end) - coverage.lost

    @cached_property
    def asked(self) -> float | None:
        """When its kubelet first reported that it pulls the image."""
        pulling = self.history.events.first(PULLING, self.by.uid if self.by else "", self.harm.at)
        return pulling.at if pulling else None

    @cached_property
    def started(self) -> float | None:
        """When it was first seen with a container that was not harmed."""
        return self._first(lambda pod: self._fresh_container(pod) and not pod.deleted)

    @cached_property
    def ready(self) -> float | None:
        """When it was first seen to be Ready with such a container."""
        return self._first(self._fit)

    def waited_for(self, until: float = inf) -> tuple[str, ...]:
        """Return the kubelet's reasons why it was not running, up to a moment, until it was Ready."""
        end = min(until, inf if self.ready is None else self.ready)
        seen = [one.pod.waiting for one in self.by.seen if self.harm.at <= one.at < end] if self.by else []
        return tuple(dict.fromkeys(filter(None, seen)))

    @cached_property
    def error(self) -> str:
        """The first failure that the kubelet reported, or ""."""
        failed = self.history.events.first(FAILED, self.by.uid if self.by else "", self.harm.at)
        return failed.message if failed else ""

    def phases(self, serving: float | None) -> str:
        """Return the phases in words, in seconds since the harm; `serving` is when it served again."""
        moments = {"pull asked": self.asked, "started": self.started, "Ready": self.ready, "serving": serving}
        words = [f"{name} {'never' if at is None else f'{at - self.harm.at:.1f} s'}" for name, at in moments.items()]
        reasons = f" ({', then '.join(self.waited_for())})" if self.waited_for() else ""
        return f"{self.pod} on {self.node}, {self.harm.how}: {', '.join(words)}{reasons}"

    def figures(self, serving: float | None, until: float = inf) -> dict[str, float]:
        """Return the phases that were seen `until` then, in seconds since the harm, the last one first."""
        moments = {"serving": serving, "ready": self.ready, "started": self.started, "asked": self.asked}
        seen = {name: at for name, at in moments.items() if at is not None and at <= until}
        return {f"{name}_seconds": round(at - self.harm.at, 3) for name, at in seen.items()}

    @cached_property
    def _fresh(self) -> float:
        """From when on answers of this pod do not come from its harmed container."""
        if self.by is not self.lost or self.by is None:
            return self.harm.at
        dead = self._first(lambda pod: not set(pod.running) & set(self.harm.containers))
        proved = self.harm.fault.proved if self.harm.fault else None
        if self.harm.fault is None:
            proved = self.harm.at + _BLOW_SECONDS
        return min((at for at in (dead, proved) if at is not None), default=inf)

    def _fit(self, pod: Pod) -> bool:
        return pod.ready and not pod.deleted and self._fresh_container(pod)

    def _fresh_container(self, pod: Pod) -> bool:
        return bool(pod.running) and not set(pod.running) & set(self.harm.containers)

    def _first(self, fits: Callable[[Pod], bool]) -> float | None:
        seen = self.by.seen if self.by else ()
        return next((one.at for one in seen if one.at >= self.harm.at and fits(one.pod)), None)
