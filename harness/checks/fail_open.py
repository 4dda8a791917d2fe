"""Fail open: checks on how long policies were bypassed, and on how long compliant requests were refused."""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import NamedTuple

from chaos_harness.harness.checks import Check, identified
from chaos_harness.harness.checks.blame import Blame, again, blames, unproved
from chaos_harness.harness.checks.lasting import FIRST_LOST, Loss, Read, decided, measured
from chaos_harness.harness.checks.rule import bounded
from chaos_harness.harness.history import History
from chaos_harness.harness.history.coverage import asked
from chaos_harness.harness.history.faults import listed
from chaos_harness.harness.history.losses import LossKind
from chaos_harness.harness.history.settled import settled_words
from chaos_harness.harness.history.spans import Spans
from chaos_harness.harness.verdict import Verdict

__all__ = ["fail_open_window", "judged", "named", "refused_for_at_most"]

_SELDOM_SECONDS = 2.0
_SHOWN = 2

JudgeLoss = Callable[[Loss, Read], Verdict]
"""Judges one loss; `judged` adds evidence and figures."""


@identified
def fail_open_window(
    seconds: float, *, fault: str | Sequence[str], policies: Iterable[str] = (), excused: Collection[str] = ()
) -> Check:
    """Return the check that no policy is bypassed for longer than `seconds` after the fault `fault` began.

    Bypassed is a request that was admitted although it violates the policy, or without the mutation. The rate of asking
    limits how exactly the duration is known, so figures have both bounds, `least` and `most`: from the first bad answer
    to the last one, as long as good answers in between do not last for STEADY_SECONDS. `fault` is a name or an id
    ("fault 2"), or a list of them: those whose times overlap are judged together. Isolated losses whose cause is
    `excused` (see `harness.history.webhook_failures`) are left out.

    Holds if `most` is within `seconds`; violated if `least` is not, or, with `seconds` 0, if any request was lost.
    Inconclusive in between, if what decides was not seen or may be caused by another fault, or if the fault is not
    proved.
    """
    return _for_at_most(seconds, "bypassed", "enforcement is lost", fault, policies, excused)


@identified
def refused_for_at_most(
    seconds: float, *, fault: str | Sequence[str], policies: Iterable[str] = (), excused: Collection[str] = ()
) -> Check:
    """Return the check that no compliant request is refused for longer than `seconds` after `fault` began.

    Refused is a request that was denied although it complies, or because a call of a webhook failed that fails closed.
    All else is as in `fail_open_window`.
    """
    return _for_at_most(seconds, "refused", "what complies is refused", fault, policies, excused)


def _for_at_most(
    seconds: float,
    kind: LossKind,
    what: str,
    fault: str | Sequence[str],
    policies: Iterable[str],
    excused: Collection[str],
) -> Check:
    def check(loss: Loss, read: Read) -> Verdict:
        counted = loss.least if seconds else float(len(loss.lost))
        outcome = bounded(counted, loss.most, seconds)
        why = "; ".join((*loss.doubts(read.coverage), loss.words())) if outcome == "inconclusive" else loss.words()
        return Verdict(outcome, why, at=loss.lost[0].asked if outcome == "violated" else None)

    name = f"{what} for at most {seconds:g} s after {' and '.join(listed(fault))}"
    return judged(name, check, kind, fault, policies, excused)


def judged(
    name: str,
    check: JudgeLoss,
    kind: LossKind,
    fault: str | Sequence[str],
    policies: Iterable[str],
    excused: Collection[str],
) -> Check:
    """Wrap `check`: judge what each policy lost in the way `kind` after `fault`; every policy must hold.

    Inconclusive if a fault is not proved, or a policy was asked about too seldom.
    """
    wanted, chosen = listed(fault), tuple(policies)

    def judge(recorded: History) -> Verdict:
        read = Read(recorded)
        if problem := unproved(read.faults, wanted):
            return Verdict("inconclusive", problem)
        all_ = [
            _judge(read, blame, policy, check, kind, excused)
            for blame in blames(read.faults, read.coverage, wanted, read.harmless())
            for policy in read.policies(blame, chosen) or ["any policy"]
        ]
        worst = max(all_, key=_badness).verdict
        verdicts = [one.verdict for one in all_]
        figures: dict[str, float] = {}
        for verdict in verdicts:
            for figure, value in verdict.figures.items():
                worse = min if figure == FIRST_LOST else max
                figures[figure] = worse(value, figures.get(figure, value))
        evidence = tuple(line for verdict in verdicts for line in verdict.evidence)
        first = min((verdict.at for verdict in verdicts if verdict.at is not None), default=None)
        causes = tuple(
            dict.fromkeys(cause for verdict in verdicts if verdict.at is not None for cause in verdict.causes)
        )
        if worst.outcome == "violated":
            return Verdict("violated", worst.summary, evidence, figures, first, causes)
        if worst.outcome == "holds" and (problem := again(read.coverage, read.faults, wanted)):
            return Verdict("inconclusive", f"{problem}; {worst.summary}", evidence, figures)
        return Verdict(worst.outcome, worst.summary, evidence, figures, causes=worst.causes)

    judge.__name__ = named(name, chosen, excused)
    return Check(judge)


def named(claim: str, policies: Collection[str], excused: Collection[str]) -> str:
    """Return the name of a check: what it claims, of which policies, and what is excused."""
    among = f" ({', '.join(policies)})" if policies else ""
    unless = f", unless {' or '.join(excused)}" if excused else ""
    return f"{claim}{among}{unless}"


class _PolicyVerdict(NamedTuple):
    """The verdict on one policy, and the losses from which its figures come."""

    verdict: Verdict
    losses: Collection[Loss] = ()


def _badness(judged_policy: _PolicyVerdict) -> tuple[int, float, int]:
    """Return the sort key of a verdict: its outcome, then the seconds lost, then the requests lost."""
    order = ("holds", "inconclusive", "violated")
    verdict, losses = judged_policy
    seconds = max((round(loss.least, 3) for loss in losses), default=0.0)
    return order.index(verdict.outcome), seconds, max((len(loss.lost) for loss in losses), default=0)


def _judge(
    read: Read, blame: Blame, policy: str, check: JudgeLoss, kind: LossKind, excused: Collection[str]
) -> _PolicyVerdict:
    """Return the verdict on one policy in the time of some faults, with evidence and figures."""
    heard = read.losses.of(policy)
    time = read.until_judged(blame.own & read.in_force.maybe(policy))
    if not decided(heard, time):
        return _PolicyVerdict(Verdict("inconclusive", f"nobody asked about {policy} after {blame.words}"))
    interval = read.coverage.of(asked(policy)).interval
    if interval > _SELDOM_SECONDS:
        words = f"{decided(heard, time)} requests about {policy} were answered, one in {interval:.1f} s"
        return _PolicyVerdict(Verdict("inconclusive", f"{words}: too few to judge"))
    losses = {way: measured(read, blame, heard, way, excused) for way in ("bypassed", "refused", kind)}
    loss = losses[kind]
    verdict = check(loss, read)
    lines = [kind_loss.words() for kind_loss in losses.values() if kind_loss is loss or kind_loss.missed]
    figures = {name: value for kind_loss in losses.values() for name, value in kind_loss.figures().items()}
    later = settled_words(
        admission for admission in heard.later if Spans.of([(admission.asked, admission.answered)]) & time
    )
    lines += [f"{policy}: {later}"] if later else []
    evidence = (*lines, *read.failures.evidence(loss.whys, _SHOWN), *verdict.evidence)
    figures |= verdict.figures
    causes = verdict.causes or loss.causes()
    joint = Verdict(verdict.outcome, verdict.summary, evidence, figures, verdict.at, causes)
    return _PolicyVerdict(joint, {kind_loss.verb: kind_loss for kind_loss in losses.values()}.values())
