"""Comparison: a check that one fault costs no more enforcement than another one in the same history."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from math import inf, isfinite

from chaos_harness.harness.checks import Check, identified
from chaos_harness.harness.checks.blame import Blame, again, unproved
from chaos_harness.harness.checks.fail_open import named
from chaos_harness.harness.checks.lasting import Loss, Read, decided, measured
from chaos_harness.harness.history import History
from chaos_harness.harness.history.coverage import asked
from chaos_harness.harness.history.faults import Faults, FaultSpan, listed
from chaos_harness.harness.history.spans import Span, Spans
from chaos_harness.harness.verdict import Outcome, Verdict

__all__ = ["loses_no_longer_than"]

_TOLERANCE_SECONDS = 5.0
_SELDOM_SECONDS = 2.0
_SHOWN = 2
_ORDER: tuple[Outcome, ...] = ("holds", "inconclusive", "violated")


@identified
def loses_no_longer_than(
    *,
    fault: str | Sequence[str],
    than: str | Sequence[str],
    seconds: float = _TOLERANCE_SECONDS,
    policies: Iterable[str] = (),
    excused: Collection[str] = (),
) -> Check:
    """Return the check that no policy is bypassed longer after `fault` than after `than`, by more than `seconds`.

    So an upgrade is compared with a restart of the same version, on the same machine in the same minutes. Both figures
    are told, as in `fail_open_window`. Names stand for all faults of the name, of which the longest loss counts. The
    time of a one-shot fault ends when another fault begins after its proof: leave enough time between them.

    Holds if what `fault` may have lost at most is within what `than` lost at least, and `seconds` more; violated if
    what it lost at least is more than what `than` may have lost at most, and `seconds` more. What was not seen counts
    as lost. Inconclusive in between, if a fault is not proved, or if a policy was asked about too seldom.
    """
    one, other, chosen = listed(fault), listed(than), tuple(policies)

    def check(recorded: History) -> Verdict:
        read = Read(recorded)
        if problem := unproved(read.faults, one) or unproved(read.faults, other):
            return Verdict("inconclusive", problem)
        mine, theirs = _times(read, one), _times(read, other)
        judged = dict.fromkeys(policy for blame in (*mine, *theirs) for policy in read.policies(blame, chosen))
        verdicts = [_judge(read, policy, mine, theirs, seconds, excused) for policy in judged or ["any policy"]]
        verdicts.sort(key=lambda verdict: -_ORDER.index(verdict.outcome))
        worst = verdicts[0]
        evidence = tuple(line for verdict in verdicts for line in verdict.evidence)
        figures = {name: value for verdict in verdicts for name, value in verdict.figures.items()}
        if worst.outcome != "inconclusive" and (problem := again(read.coverage, read.faults, (*one, *other))):
            return Verdict("inconclusive", f"{problem}; {worst.summary}", evidence, figures)
        return Verdict(worst.outcome, worst.summary, evidence, figures, worst.at, worst.causes)

    words = f"enforcement is lost no longer after {' and '.join(one)} than after {' and '.join(other)}"
    check.__name__ = named(f"{words}, and {seconds:g} s", chosen, excused)
    return Check(check)


@dataclass(frozen=True)
class _Side:
    """What one policy lost after some faults, the longest of their losses: at least and at most, in seconds."""

    losses: tuple[Loss, ...]

    @property
    def least(self) -> float:
        return max(loss.least for loss in self.losses)

    @property
    def most(self) -> float:
        return max(loss.most for loss in self.losses)

    @property
    def worst(self) -> Loss:
        return max(self.losses, key=lambda loss: (loss.least, len(loss.lost)))

    @property
    def words(self) -> str:
        most = f"{self.most:.1f}" if isfinite(self.most) else "any number of"
        lost = f"{len(self.worst.lost)} of {self.worst.decided} requests"
        return f"{self.least:.1f} to {most} s ({lost}) after {self.worst.blame.words}"

    def figures(self, which: str) -> dict[str, float]:
        name = (
            "".join(letter if letter.isalnum() else "_" for letter in self.worst.policy).strip("_").replace("__", "_")
        )
        figures = {f"{name}_{which}_least_seconds": round(self.least, 3)}
        if isfinite(self.most):
            figures[f"{name}_{which}_most_seconds"] = round(self.most, 3)
        return figures | {f"{name}_{which}_requests": float(max(len(loss.lost) for loss in self.losses))}


def _judge(
    read: Read,
    policy: str,
    mine: Sequence[Blame],
    theirs: Sequence[Blame],
    seconds: float,
    excused: Collection[str],
) -> Verdict:
    heard = read.losses.of(policy)
    for blame in (*mine, *theirs):
        if not decided(heard, read.until_judged(blame.own & read.in_force.maybe(policy))):
            return Verdict("inconclusive", f"nobody asked about {policy} after {blame.words}")
    interval = read.coverage.of(asked(policy)).interval
    if interval > _SELDOM_SECONDS:
        return Verdict("inconclusive", f"one request about {policy} in {interval:.1f} s: too few to judge")
    one, other = (
        _Side(tuple(measured(read, blame, heard, "bypassed", excused) for blame in blames)) for blames in (mine, theirs)
    )
    outcome: Outcome = "inconclusive"
    if one.least > other.most + seconds:
        outcome = "violated"
    elif one.most <= other.least + seconds:
        outcome = "holds"
    words = f"{policy}: lost for {one.words}, and for {other.words}"
    losses = (*one.losses, *other.losses)
    doubts = dict.fromkeys(doubt for loss in losses for doubt in loss.doubts(read.coverage))
    whys = {admission: why for loss in losses for admission, why in loss.whys.items()}
    return Verdict(
        outcome,
        "; ".join((*doubts, words)) if outcome == "inconclusive" else words,
        (words, *read.failures.evidence(whys, _SHOWN)),
        one.figures("lost") | other.figures("compared"),
        one.worst.lost[0].asked if outcome == "violated" else None,
        one.worst.causes(),
    )


def _times(read: Read, wanted: Sequence[str]) -> list[Blame]:
    """Return the time of each fault with these names or ids, and what of it no other fault shares."""
    faults, coverage, harmless = read.faults, read.coverage, read.harmless()
    found = []
    for fault in faults.named(*wanted):
        own = Spans.of([_time(faults, fault)])
        others = [
            other
            for other in faults.all
            if other.id != fault.id and other not in harmless and own & Spans.of([_harm(faults, other)])
        ]
        first = next((begin for begin, _ in coverage.lost & own), inf)
        sure = own - Spans.of(_harm(faults, other) for other in others) - coverage.blind
        found.append(Blame((fault,), own, sure & Spans.of([(-inf, first)]), tuple(others)))
    return found


def _time(faults: Faults, fault: FaultSpan) -> Span:
    """Return the time of a fault: that of a one-shot one ends with the next, though it is healed with all others."""
    begin, end = faults.window(fault)
    if not fault.blow or fault.proved is None:
        return begin, end
    return begin, min((other.injected for other in faults.all if other.injected >= fault.proved), default=end)


def _harm(faults: Faults, fault: FaultSpan) -> Span:
    return _time(faults, fault) if fault.blow else fault.harm
