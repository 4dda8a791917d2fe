"""In service: when each webhook pod was Ready and an endpoint of the Service, for certain, or perhaps."""

from functools import cached_property
from math import inf

from chaos_harness.harness.history.coverage import LAG, Coverage
from chaos_harness.harness.history.pods import Pod, Pods, doubt
from chaos_harness.harness.history.rotation import Rotation
from chaos_harness.harness.history.spans import Spans
from chaos_harness.harness.history.vocabulary import WATCH_PODS, WATCH_SLICES

__all__ = ["InService", "covers"]

_NOTICED_SECONDS = 3.0
"""How many seconds a kubelet may take to report that a container ended, and a watch to deliver it."""


class InService:
    """When webhook pods were Ready and in rotation; valid once the readers that it is given have read the history.

    A pod that is told to be so may have ended up to _NOTICED_SECONDS before the report of its end, and have begun up to
    LAG before that of its begin. After a missing line nothing is certain any more: it may have reported a change.
    """

    def __init__(self, coverage: Coverage, pods: Pods, rotation: Rotation) -> None:
        self._coverage, self._pods, self._rotation = coverage, pods, rotation
        self._sure: dict[str, Spans] = {}
        self._maybe: dict[str, Spans] = {}

    @cached_property
    def uids(self) -> list[str]:
        """The uids of all pods that may have been in service."""
        webhooks = [life.uid for life in self._pods.lives.values() if life.webhook]
        return sorted({*webhooks, *(uid for _, uids in self._rotation.changes for uid in uids)})

    @cached_property
    def unknown(self) -> Spans:
        """When a pod may have been in service of which nothing was reported."""
        of_each = [self._coverage.unknown([stream], 0.0, inf) for stream in (WATCH_PODS, WATCH_SLICES)]
        return (of_each[0] & of_each[1]) | self._lost

    def sure(self, uid: str) -> Spans:
        """Return when a pod was in service for certain."""
        if uid not in self._sure:
            ready, routed = self._reported(uid)
            pods, slices = self._doubts_of(uid)
            there = ((ready & routed) - pods - slices - self._lost).within(0.0, self._coverage.surely_until)
            self._sure[uid] = Spans.of((begin, end - _NOTICED_SECONDS) for begin, end in there)
        return self._sure[uid]

    def maybe(self, uid: str) -> Spans:
        """Return when a pod was in service, or may have been."""
        if uid not in self._maybe:
            always = Spans.of([(0.0, inf)])
            ready, routed = self._reported(uid)
            pods, slices = self._doubts_of(uid)
            away = [_sooner(always - ready - pods), _sooner(always - routed - slices)]
            self._maybe[uid] = (always - away[0] - away[1]) | self._lost
        return self._maybe[uid]

    def changes(self) -> Spans:
        """Return when a pod came into service, or left it, where that was reported as it happened."""
        late = self._coverage.delayed([WATCH_PODS]) | self._coverage.delayed([WATCH_SLICES])
        spans = [span for uid in self.uids for reported in self._reported(uid) for span in reported]
        came = ((begin - LAG, begin) for begin, _ in spans)
        left = ((end - _NOTICED_SECONDS, end) for _, end in spans if end < inf)
        return Spans.of(span for span in (*came, *left) if not any(begin <= span[1] <= end for begin, end in late))

    @cached_property
    def _lost(self) -> Spans:
        lost = self._coverage.lost
        return Spans.of([(lost.parts[0][0], inf)] if lost else [])

    def _reported(self, uid: str) -> tuple[Spans, Spans]:
        life = self._pods.lives.get(uid)
        return life.when(_serves) if life else Spans(), self._rotation.when(uid)

    def _doubts_of(self, uid: str) -> tuple[Spans, Spans]:
        life = self._pods.lives.get(uid)
        moments = life.moments if life else []
        return (
            doubt(self._coverage, WATCH_PODS, 0.0, inf, moments),
            doubt(self._coverage, WATCH_SLICES, 0.0, inf, self._rotation.moments),
        )


def covers(spans: Spans, begin: float, end: float) -> bool:
    """Whether one of these stretches has all of the time between two moments."""
    return any(first <= begin and end <= last for first, last in spans)


def _serves(pod: Pod) -> bool:
    return pod.ready and not pod.deleted


def _sooner(away: Spans) -> Spans:
    return Spans.of((begin, end - LAG) for begin, end in away)
