"""Unmutated: the check that no pod is created without the mutation that a policy demands."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from math import inf

from chaos_harness.harness.causes import Cause
from chaos_harness.harness.checks import Check, identified
from chaos_harness.harness.checks.bare_pods import BarePods, between
from chaos_harness.harness.checks.blame import Blame, again, blames, unproved
from chaos_harness.harness.checks.fail_open import named
from chaos_harness.harness.checks.lasting import Loss, Read, measured
from chaos_harness.harness.checks.rule import bounded, unseen_words
from chaos_harness.harness.history import History
from chaos_harness.harness.history.faults import listed
from chaos_harness.harness.history.in_force import CreatedPods, Creation
from chaos_harness.harness.history.settled import settled_words
from chaos_harness.harness.history.spans import Spans
from chaos_harness.harness.history.vocabulary import WATCH_WORKLOAD
from chaos_harness.harness.history.webhook_failures import Why
from chaos_harness.harness.verdict import Verdict

__all__ = ["never_unmutated"]

_ENOUGH = 100
_SHOWN = 5
_ORDER = ("holds", "inconclusive", "violated")
_ALWAYS = Spans(((0.0, inf),))


@identified
def never_unmutated(
    policy: str = "mutate pods",
    *,
    during: str | Sequence[str] = (),
    at_most: float = 0.0,
    excused: Collection[str] = (),
    enough: int = _ENOUGH,
) -> Check:
    """Return the check that no pod was created without its mutation, by the admission probe or in the workload.

    It looks at what was created while `policy` was in force and, with `during` (as `fault` in `fail_open_window`), from
    the start of that fault until another one begins after its healing. `at_most` is the share of these pods that may
    lack it; by default one pod is too many. Requests made when all is well again do not dilute the share: it is the
    worst one from the start of the fault to its healing or any later moment (without a healing: to its proof, and at
    least the first `enough` pods). Isolated losses whose cause is one of `excused` (see
    `harness.history.webhook_failures`) do not count: a busy machine causes some that "timed out".

    Inconclusive: what decides was not seen (an unanswered create may have made a pod), may be caused by another fault,
    or has an excused cause; or the fault is not proved. Fewer than `enough` requests do not prove that it holds, but
    they can prove that it does not.
    """
    wanted = tuple(filter(None, listed(during)))

    def check(recorded: History) -> Verdict:
        workload = CreatedPods()
        read = Read(recorded, workload, events=True)
        if problem := unproved(read.faults, wanted):
            return Verdict("inconclusive", problem)
        times = blames(read.faults, read.coverage, wanted, read.harmless()) if wanted else [_whole(read)]
        if not read.in_force.applied(policy):
            return Verdict("inconclusive", f"0 pods were asked for while {policy} was in force")
        losses = [measured(read, blame, read.losses.of(policy), "bypassed", excused) for blame in times]
        parts = [_Scope(read, workload, loss, policy, excused, enough) for loss in losses]
        verdicts = [part.verdict(at_most, enough) for part in parts]
        worst = max(verdicts, key=lambda verdict: (_ORDER.index(verdict.outcome), verdict.figures["unmutated_pods"]))
        if worst.outcome == "holds" and (problem := again(read.coverage, read.faults, wanted)):
            return worst.as_inconclusive(f"{problem}; {worst.summary}")
        return worst

    among = f" during {' and '.join(wanted)}" if wanted else ""
    share = f"at most {100 * at_most:g} % of pods are" if at_most else "no pod is"
    check.__name__ = named(f"{share} created unmutated{among}", [policy], excused)
    return Check(check)


def _whole(read: Read) -> Blame:
    first = next((begin for begin, _ in read.coverage.lost), inf)
    return Blame((), _ALWAYS, Spans(((0.0, first),)) - read.coverage.blind)


class _Scope:
    """What is judged: the time of some faults, or all time."""

    def __init__(
        self, read: Read, workload: CreatedPods, loss: Loss, policy: str, excused: Collection[str], enough: int
    ) -> None:
        self._read = read
        self._enough = enough
        self._blame = blame = loss.blame
        self.loss = loss
        self._time = time = loss.time
        sure = loss.sure
        self._begin = time.parts[0][0] if time else blame.begin
        self.created = [pod for pod in workload.created if between(pod) & time]
        pods = BarePods(read, loss, [pod for pod in self.created if pod.lacks(policy)], excused)
        self.whys, self.forgiven = pods.whys, pods.excused
        self.strangers = [pod for pod in pods.counted if not between(pod) - sure]
        self.unread = pods.unread
        self.doubtful = [*pods.unread, *(pod for pod in pods.counted if between(pod) - sure)]
        watched = WATCH_WORKLOAD in read.coverage.streams
        gaps = (read.coverage.unknown([WATCH_WORKLOAD], *part) for part in read.judged(time) if watched)
        self.gaps = Spans.of(span for spans in gaps for span in spans)
        self.asked = sum(self.loss.heard.made(*part) for part in time)

    @property
    def bad(self) -> int:
        """How many pods certainly lack the mutation."""
        return len(self.loss.lost) + len(self.strangers)

    @property
    def all(self) -> int:
        """How many pods were created."""
        return self.asked + len(self.created)

    @property
    def open(self) -> int:
        """How many pods may lack it: whether they do, or whether that counts, is unknown."""
        excused = len(self.loss.weighed.excused)
        return len(self.loss.missed) - excused - len(self.loss.lost) + len(self.doubtful) + self._without_an_answer

    def shares(self) -> tuple[float, float]:
        """Return the share of pods without it, at least and at most, from the start to the worst end.

        For a fault that was not healed, the moment up to which all created pods count is unknown: the file may end
        before it, or there may be nothing to heal.
        """
        faults = self._blame.faults
        healed = [fault.healed for fault in faults if fault.healed is not None and not fault.one_shot]
        proved = max((fault.proved or 0.0 for fault in faults), default=inf)
        soon = max(self._until(max((proved, *healed))), self._enough) if faults else self.all
        if len(healed) == len(faults) and faults:
            least = most = self._until(max(healed))
        else:
            least, most = (soon if faults and all(fault.one_shot for fault in faults) else self.all), soon
        uncounted = bool(self.gaps) or (bool(self.loss.unseen) and not self.loss.interval)
        endless = self.loss.unseen.total == inf
        low = 0.0 if uncounted or (endless and least != most) else self._share(least, 0, sure=True)
        return low, 1.0 if uncounted or endless else self._share(most, self.open, sure=False)

    def verdict(self, at_most: float, enough: int) -> Verdict:
        """Return the verdict."""
        low, high = self.shares()
        certain, worst = (low, high) if at_most else (float(self.bad), float(self.bad + self.open))
        if not at_most and (self.gaps or self.loss.unseen):
            worst = inf
        outcome = bounded(certain, worst, at_most)
        doubts = list(self._doubts()) if outcome == "inconclusive" else []
        if outcome == "holds" and self.asked < enough:
            outcome, doubts = "inconclusive", [f"{self.asked} pods were asked for, {enough} are needed to judge"]
        forgiven = len(self.loss.weighed.excused) + len(self.forgiven)
        but = f"; {forgiven} more are excused by their cause" if forgiven else ""
        share = f": {100 * low:.2f} to {100 * high:.2f} % at the worst" if self._blame.faults else ""
        words = f"{self.bad} of {self.all} pods were created unmutated{share}{but}"
        moments = [miss.asked for miss in self.loss.lost] + [pod.at for pod in self.strangers]
        return Verdict(
            outcome,
            "; ".join((*doubts, words)),
            tuple(self._evidence()),
            self._figures(low, high),
            min(moments) if outcome == "violated" else None,
            self._causes(),
        )

    def _evidence(self) -> Iterator[str]:
        bare = sorted((*self.strangers, *self.doubtful, *self.forgiven), key=lambda pod: pod.at)
        yield from (_whose(pod, self.whys[pod], by_id=self._read.failures.by_id) for pod in bare[:_SHOWN])
        yield from self._read.failures.evidence(self.loss.whys, _SHOWN)
        heard = self.loss.heard
        if later := settled_words(
            admission for admission in heard.later if Spans.of([(admission.asked, admission.answered)]) & self._time
        ):
            yield later

    def _causes(self) -> tuple[Cause, ...]:
        """Return why the pods that count lack it, the most frequent cause first."""
        whys = [*(self.loss.whys[miss] for miss in self.loss.lost), *(self.whys[pod] for pod in self.strangers)]
        return tuple(name for name, _ in Counter(name for why in whys for name in why.names).most_common())

    @property
    def _without_an_answer(self) -> int:
        """How many may have been created in the stretches without any answer."""
        unseen, interval = self.loss.unseen, self.loss.interval
        if unseen.total == inf or not interval:
            return len(unseen.parts)
        return sum(max(1, round((end - begin) / interval) - 1) for begin, end in unseen)

    def _share(self, fewest: int, more: int, *, sure: bool) -> float:
        """Return the worst share up to any miss, of at least `fewest` pods, with some `more` misses."""
        pods, bare = sorted(pod.at for pod in self.created), sorted(pod.at for pod in self.strangers)
        ends = [(miss.asked, self.loss.heard.made_until(miss, self._begin)) for miss in self.loss.lost]
        ends += [(at, self.asked if sure else self.loss.heard.made_before(at, self._begin)) for at in bare]
        bad = sorted((*(miss.asked for miss in self.loss.lost), *bare))
        unknown = self._without_an_answer
        counts = [(0, 0), *((bisect_right(bad, at), made + bisect_right(pods, at)) for at, made in ends)]
        return min(1.0, max((count + more) / max(1, max(total, fewest) + unknown) for count, total in counts))

    def _until(self, moment: float) -> int:
        """Return how many were created up to the moment at which a fault was proved, or healed."""
        return self.loss.heard.made(self._begin, moment) + sum(pod.at <= moment for pod in self.created)

    def _doubts(self) -> Iterator[str]:
        yield from self.loss.doubts(self._read.coverage)
        if self.gaps:
            yield unseen_words(self._read.coverage, [WATCH_WORKLOAD], self.gaps)
        if self.unread:
            yield f"{self.loss.source} does not say why {len(self.unread)} pods of the workload lack the mutation"
        if self.doubtful and (words := self._blame.shared(Spans.of((pod.after - 1, pod.at) for pod in self.doubtful))):
            yield words

    def _figures(self, low: float, high: float) -> dict[str, float]:
        return {
            "unmutated_pods": float(self.bad),
            "excused_pods": float(len(self.loss.weighed.excused) + len(self.forgiven)),
            "created_pods": float(self.all),
            "unmutated_percent": round(100 * self.bad / self.all, 3) if self.all else 0.0,
            "unmutated_low_percent": round(100 * low, 3),
            "unmutated_high_percent": round(100 * high, 3),
        }


def _whose(pod: Creation, why: Why, *, by_id: bool) -> str:
    seen = "seen after a gap" if pod.after < pod.at else "seen"
    return f"{pod.at:.2f} s: pod {pod.name} of {pod.owner} {seen} without the mutation{f': {why}' if by_id else ''}"
