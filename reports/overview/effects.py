"""Effects: what faults did to admission, as the read model of a history knows it; what was not seen is no zero."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import reduce
from math import inf
from operator import or_

from chaos_harness.harness.causes import Cause
from chaos_harness.harness.checks.blame import Blame, blames
from chaos_harness.harness.checks.lasting import Loss, Read, measured
from chaos_harness.harness.history import History
from chaos_harness.harness.history.admissions import answers
from chaos_harness.harness.history.faults import FaultSpan
from chaos_harness.harness.history.losses import LossKind
from chaos_harness.harness.history.spans import Spans
from chaos_harness.reports.overview.answer_times import AnswerTimes

__all__ = ["KINDS", "FaultEffect", "PolicyLoss", "read_effects"]

KINDS: tuple[LossKind, ...] = ("bypassed", "refused")
"""The two ways in which enforcement is lost; see `harness.history.admissions.Admission`."""

_LEAST_SECONDS = 1e-3


@dataclass(frozen=True)
class PolicyLoss:
    """How one policy was lost in one way: `least` to `most` seconds (inf: to the end), `lost` of `decided` requests.

    `perhaps` more were lost, but not certainly because of these faults alone. `causes` are counted in requests.
    `certain` and `possible` are when it was lost.
    """

    policy: str
    kind: LossKind
    least: float
    most: float
    lost: int
    perhaps: int
    decided: int
    causes: Counter[Cause]
    certain: Spans
    possible: Spans

    @property
    def badness(self) -> tuple[float, int]:
        """The sort key by which the worst comes first: whole seconds, then requests."""
        return -round(self.least), -self.lost


@dataclass
class FaultEffect:
    """What the faults did whose times overlap; a loss in that time is attributed to all of them.

    Moments are seconds of the history. The time that belongs to the faults is from `begin` to `end`. `stopped` is when
    the healing of the last of them began, or when a one-shot fault struck; None: one was never healed. `over` is when
    they were healed, and what they lost was enforced again; None: that was not seen. `recovered` is when the last loss
    was over at the latest; None: there was none, or it was not over at the end. `unasked` are policies in force about
    which nobody asked, `unseen` when not all questions were answered, `unanswered` how many had no conclusive answer.
    """

    faults: tuple[FaultSpan, ...]
    begin: float
    end: float
    stopped: float | None
    over: float | None
    recovered: float | None
    losses: tuple[PolicyLoss, ...]
    unasked: tuple[str, ...]
    unseen: Spans
    asked: int
    unanswered: int
    before: AnswerTimes = field(default_factory=AnswerTimes)
    during: AnswerTimes = field(default_factory=AnswerTimes)
    after: AnswerTimes = field(default_factory=AnswerTimes)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the faults, each once."""
        return tuple(dict.fromkeys(fault.name for fault in self.faults))

    def of(self, kind: LossKind) -> list[PolicyLoss]:
        """Return the losses of one kind, the longest first."""
        lost = [loss for loss in self.losses if loss.kind == kind]
        return sorted(lost, key=lambda loss: (*loss.badness, loss.policy))

    @property
    def lasted(self) -> bool:
        """Whether something is still lost at the end of its time."""
        return any(loss.possible.within(self.end - _LEAST_SECONDS, inf) for loss in self.losses)

    @property
    def badness(self) -> tuple[float, ...]:
        """The sort key by which the worst comes first."""
        seconds = [max((loss.least for loss in self.of(kind)), default=0.0) for kind in KINDS]
        return (
            *(-part for part in seconds),
            -sum(loss.lost + loss.perhaps for loss in self.losses),
            -self.unseen.total,
        )

    @property
    def causes(self) -> Counter[Cause]:
        """The causes of all losses, counted in requests."""
        return sum((loss.causes for loss in self.losses), Counter())


def read_effects(recorded: History) -> list[FaultEffect]:
    """Return what the faults of a history did, in order; raises what reading a history raises."""
    read = Read(recorded)
    ids = [fault.id for fault in read.faults.all]
    effects = [_effect(read, blame) for blame in blames(read.faults, read.coverage, ids, read.harmless())]
    _take_times(recorded, effects, read.coverage.until)
    return effects


def _effect(read: Read, blame: Blame) -> FaultEffect:
    until = read.coverage.until
    begin, end = max(0.0, blame.begin), min(until, blame.own.parts[-1][1])
    judged = {
        policy: [measured(read, blame, read.losses.of(policy), kind, ()) for kind in KINDS]
        for policy in read.policies(blame, ())
    }
    answered = {policy: ways for policy, ways in judged.items() if ways[0].decided}
    losses = tuple(_loss(way) for ways in answered.values() for way in ways if way.missed)
    stopped = _latest(_stop(fault) for fault in blame.faults)
    healed = _latest(fault.proved if fault.one_shot else fault.healed for fault in blame.faults)
    last = max((loss.possible.parts[-1][1] for loss in losses if loss.possible), default=None)
    recovered = last if last is not None and last < end else None
    over = healed if last is None else None if recovered is None or healed is None else max(healed, recovered)
    undecided = [
        admission
        for policy in judged
        for admission in read.losses.of(policy).undecided
        if begin <= admission.asked < end
    ]
    return FaultEffect(
        blame.faults,
        begin,
        end,
        stopped,
        over,
        recovered,
        losses,
        tuple(policy for policy in judged if policy not in answered),
        reduce(or_, (ways[0].unseen for ways in answered.values()), Spans()),
        sum(ways[0].decided for ways in answered.values()),
        len(undecided),
    )


def _loss(loss: Loss) -> PolicyLoss:
    sure = set(loss.lost)
    return PolicyLoss(
        loss.policy,
        loss.kind,
        loss.least,
        loss.most,
        len(sure),
        len(loss.missed) - len(sure),
        loss.decided,
        Counter(name for admission in loss.missed for name in loss.whys[admission].names),
        loss.certain,
        loss.possible,
    )


def _stop(fault: FaultSpan) -> float | None:
    return fault.injected if fault.one_shot else fault.healing


def _latest(moments: Iterable[float | None]) -> float | None:
    """Return the last of some moments; None if one of them never came."""
    known = list(moments)
    return None if None in known else max(moment for moment in known if moment is not None)


def _take_times(recorded: History, effects: Sequence[FaultEffect], until: float) -> None:
    """Count how long the answers took before, during and after the faults; answers after `until` do not count."""
    if not effects:
        return
    current = 0
    for admission in answers(recorded):
        if admission.kind == "info" or admission.asked >= until:
            continue
        took = admission.answered - admission.asked
        while current + 1 < len(effects) and admission.asked >= effects[current + 1].begin:
            current += 1
        effect = effects[current]
        if admission.asked < effect.begin:
            effect.before.add(took)
        elif effect.over is None or admission.asked < effect.over:
            effect.during.add(took)
        else:
            effect.after.add(took)
            if current + 1 < len(effects):
                effects[current + 1].before.add(took)
