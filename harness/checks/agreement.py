"""Agreement: the check that webhook pods which serve at the same time decide alike."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from math import inf
from operator import and_

from chaos_harness.harness.checks import Check, identified
from chaos_harness.harness.history import History
from chaos_harness.harness.history.decisions import ReviewRound
from chaos_harness.harness.history.in_service import covers
from chaos_harness.harness.history.review_scene import ReviewScene
from chaos_harness.harness.history.spans import Span, Spans
from chaos_harness.harness.verdict import Verdict

__all__ = ["replicas_agree"]

_SHOWN = 5


@identified
def replicas_agree(seconds: float = 10.0, policies: Sequence[str] = ()) -> Check:
    """Return the check that webhook pods in service never decide differently for longer than `seconds`.

    They are compared round by round: in one round the replica probe sends all of them the same review, and those count
    that were Ready and in rotation from question to answer. Within `seconds` after a change (of a policy, by a fault,
    of the pods in service) they may differ; afterwards, once they agreed, they must not differ again, not even in one
    round. While a fault lasts, only the duration counts. `policies` are those that the reviews are about; none: all,
    and the label review. A pod that cannot be reached decides nothing.

    Inconclusive: an answer is missing, or it is not known which pods were in service, for longer than that or, where
    they must not differ again, for longer than from one round to the next; no two pods were compared; or the history is
    older than the numbers of rounds.

    Source: each webhook pod of Gatekeeper observes policies by itself, without a leader.
    """

    def check(recorded: History) -> Verdict:
        scene = ReviewScene(recorded)
        if unasked := scene.unasked(policies):
            return Verdict("inconclusive", f"no webhook pod was asked about {', '.join(unasked)}")
        verdicts = [_Compared(scene, question, seconds).verdict() for question in scene.asked_about(policies)]
        if not verdicts:
            return Verdict("inconclusive", "no webhook pod was asked anything")
        return reduce(and_, verdicts)

    check.__name__ = f"webhook pods in service decide alike but for {seconds:g} s after a change"
    return Check(check)


@dataclass(frozen=True)
class _Comparison:
    """One round: the decisions of pods that were surely in service, and whether all that may have been were `alike`."""

    begin: float
    end: float
    sure: Mapping[str, str]
    alike: bool

    @property
    def differs(self) -> bool:
        """Whether two pods in service surely decided differently."""
        return len(set(self.sure.values())) > 1

    @property
    def compared(self) -> bool:
        """Whether two pods surely were in service."""
        return len(self.sure) > 1


class _Compared:
    """The rounds of one question: in which of them pods in service surely decided alike, and in which differently."""

    def __init__(self, scene: ReviewScene, question: str, seconds: float) -> None:
        self._scene, self._seconds = scene, seconds
        self._what = question or "the label review"
        self._apart = scene.tolerance(question)
        self._begin, self._last = scene.decisions.first[question], scene.coverage.until
        rounds = scene.decisions.rounds(question, self._last)
        self._rounds = [_Comparison(one.begin, one.end, self._sure(one), self._agrees(one)) for one in rounds]
        self._differ = [one for one in self._rounds if one.differs]

    def verdict(self) -> Verdict:
        """Return the verdict on this question."""
        surely, again = self._surely(), self._again()
        compared = sum(one.compared for one in self._rounds)
        figures = {
            "compared_rounds": float(compared),
            "different_rounds": float(len(self._differ)),
            "longest_difference_seconds": round(surely.longest, 3),
        }
        words = f"{self._what}: pods in service decide differently in {len(self._differ)} of {compared} rounds"
        lines = tuple(map(self._told, (again or self._differ)[:_SHOWN]))
        for begin, end in surely.longer_than(self._seconds):
            words = f"{words}, for {end - begin:.1f} s from {begin:.1f} s on"
            return Verdict("violated", words, lines, figures, begin + self._seconds)
        if again:
            words = f"{words}, and once more at {again[0].end:.1f} s, after they had agreed"
            return Verdict("violated", words, lines, figures, again[0].end)
        if doubts := self._doubts() or "two of them must be in service in one numbered round" * (not compared):
            return Verdict("inconclusive", f"{words}; {doubts}", lines, figures)
        return Verdict("holds", f"{words}; gaps of up to {self._apart:.1f} s count as seen", lines, figures)

    def _doubts(self) -> str:
        """Return, in words, when they may have differed for too long, or again; "" if they did not."""
        bad = self._maybe_bad()
        if bad.longest > self._seconds:
            return f"perhaps for longer than that, from {bad.longer_than(self._seconds)}"
        unsure = Spans.of((one.begin, one.end) for one in self._rounds if not one.alike) | self._gaps()
        again = unsure & self._settled([*self._scene.marked(), *self._scene.service.changes()])
        return f"perhaps again, from {again}" if again else ""

    def _sure(self, one: ReviewRound) -> dict[str, str]:
        """Return what pods said that were in service for certain, and not while this machine was starved."""
        service, blind = self._scene.service, self._scene.coverage.blind
        return {
            uid: decision.said
            for uid, decision in one.by.items()
            if decision.said
            and covers(service.sure(uid), decision.asked, decision.answered)
            and not blind.within(decision.asked, decision.answered)
        }

    def _agrees(self, one: ReviewRound) -> bool:
        """Whether all pods that may have been in service certainly decided alike."""
        service = self._scene.service
        missing = (uid for uid in service.uids if uid not in one.by)
        unasked = any(covers(service.maybe(uid), one.begin, one.end) for uid in missing)
        if unasked or service.unknown.within(one.begin, one.end):
            return False
        maybe = [
            decision.said
            for uid, decision in one.by.items()
            if covers(service.maybe(uid), decision.asked, decision.answered)
        ]
        return None not in maybe and len({said for said in maybe if said}) <= 1

    def _surely(self) -> Spans:
        """Return when they differed in each of several rounds, one after the other."""
        pairs = [(one, other) for one, other in self._joined(pairwise(self._rounds)) if one.differs and other.differs]
        return Spans.of((one.begin, other.begin) for one, other in pairs) & Spans.of(
            (one.end, other.end) for one, other in pairs
        )

    def _maybe_bad(self) -> Spans:
        """Return when they may have differed: all time but that from one agreement to the next."""
        last = _Comparison(self._last, self._last, {}, alike=True)
        pairs = [*pairwise([*self._rounds, last]), *zip(self._rounds, self._rounds, strict=True)]
        good = Spans.of((one.begin, other.end) for one, other in self._joined(pairs) if one.alike and other.alike)
        return (Spans.of([(self._begin, self._scene.until)]) | self._scene.coverage.lost) - good

    def _gaps(self) -> Spans:
        """Return when no round was asked for too long, or may not have been."""
        edges = [(self._begin, self._begin), *((one.begin, one.end) for one in self._rounds), (self._last, self._last)]
        apart = Spans.of((end, begin) for (_, end), (begin, _) in pairwise(edges)).longer_than(self._apart)
        return apart | self._scene.coverage.lost

    def _joined(self, pairs: Iterable[tuple[_Comparison, _Comparison]]) -> Iterator[tuple[_Comparison, _Comparison]]:
        return ((one, other) for one, other in pairs if other.begin - one.end <= self._apart)

    def _again(self) -> list[_Comparison]:
        """Return the rounds in which they surely differed again, when no change can have been the cause."""
        service = self._scene.service
        pods = [span for uid in service.uids for span in service.maybe(uid) - service.sure(uid)]
        found: list[_Comparison] = []
        for begin, end in self._settled([*self._scene.marked(), *pods]):
            since = begin - self._seconds
            agreed = min(
                (one.end for one in self._rounds if one.alike and one.compared and one.begin > since), default=inf
            )
            found += [one for one in self._differ if begin <= one.begin and one.end <= end and one.begin >= agreed]
        return found

    def _settled(self, changes: Iterable[Span]) -> Spans:
        """Return when they must not differ again: some time after each of these changes, and after the beginning."""
        unsettled = Spans.of((begin, end + self._seconds) for begin, end in [(self._begin, self._begin), *changes])
        return Spans.of([(self._begin, self._last)]) - unsettled

    def _told(self, one: _Comparison) -> str:
        said = ", ".join(f"{uid} {said}" for uid, said in sorted(one.sure.items()))
        return f"{one.begin:.1f} s, {self._what}: {said}"
