"""Heals: the check that the cluster comes back once a fault is undone, which every lasting fault claims by itself."""

from collections.abc import Collection, Iterator
from functools import reduce
from math import inf
from operator import and_

from chaos_harness.harness.checks import Check, identified
from chaos_harness.harness.checks.rule import bounded
from chaos_harness.harness.errors import HarnessError
from chaos_harness.harness.history import History
from chaos_harness.harness.history.coverage import Coverage
from chaos_harness.harness.history.faults import Faults, FaultSpan, Names, listed
from chaos_harness.harness.history.following import follow
from chaos_harness.harness.history.spans import Spans, when_passed
from chaos_harness.harness.verdict import Verdict

__all__ = ["heals", "implied"]


@identified
def heals(seconds: float, *, fault: Names) -> Check:
    """Return the check that `fault` is proved to be healed within `seconds` after all its undos were done.

    Of several faults, or a repeated one, all must be. Seconds in which this machine was starved, or another fault
    lasted, do not count towards a violation. If it is not recorded when its undos were done, that may have been as
    early as they began. The figure `heal_seconds` is how long the slowest fault took. Violated: the proof came later,
    or was requested in vain for longer. Inconclusive: the fault was not proved, or not undone, or is one-shot; the
    proof was not requested for long enough; or lines are missing before its end that may record starvation or another
    fault.
    """
    names = listed(fault)

    def check(recorded: History) -> Verdict:
        return _HealedFaults(recorded).judge(names, seconds)

    check.__name__ = f"{' and '.join(names)} heals within {seconds:g} s after it is undone"
    return Check(check)


def implied(recorded: History, named: Collection[str] = ()) -> list[tuple[Check, Verdict]]:
    """Return the implied claims of a history: each lasting fault that was proved and undone heals within its deadline.

    With their verdicts: the history is read once for all of them. `named` are the names, or ids, of faults that have
    such a claim already: nothing is added for those. Faults of one name share a claim if all of them were undone and
    have the same deadline; otherwise each is named by its id.

    Raises HarnessError if the history is broken, or an entry of a fault has a value that no fault writes.
    """
    try:
        history = _HealedFaults(recorded)
        claims = list(history.implied(named))
        return [(heals(seconds, fault=fault), history.judge(listed(fault), seconds)) for seconds, fault in claims]
    except HarnessError:
        raise
    except Exception as error:
        why = f"{type(error).__name__}: {error}"
        raise HarnessError(f"whether the faults healed cannot be judged: {why}") from error


class _HealedFaults:
    """How the faults of a history were undone and healed, read once."""

    def __init__(self, recorded: History) -> None:
        self._coverage, self._faults = Coverage(recorded), Faults()
        follow(recorded, self._faults, self._coverage)

    def implied(self, named: Collection[str]) -> Iterator[tuple[float, str]]:
        """Yield the seconds and the faults of the implied claims."""
        for name in dict.fromkeys(fault.name for fault in self._faults.all):
            faults = self._faults.named(name)
            open_ones = [fault for fault in faults if _lasts(fault) and not {fault.name, fault.id} & set(named)]
            deadlines = {fault.heals_within for fault in open_ones}
            if len(open_ones) == len(faults) and len(deadlines) == 1:
                yield deadlines.pop(), name
            else:
                yield from ((fault.heals_within, fault.id) for fault in open_ones)

    def judge(self, names: Collection[str], seconds: float) -> Verdict:
        """Return the verdict on all faults of these names or ids."""
        name, faults = " and ".join(names), self._faults.named(*names)
        if not faults:
            return Verdict("inconclusive", f"there was no {name}")
        verdict = reduce(and_, (self._judge(fault, seconds) for fault in faults))
        taken = [(fault.undone, fault.healed) for fault in faults]
        took = [round(healed - undone, 3) for undone, healed in taken if undone is not None and healed is not None]
        by_id = set(names) == {fault.id for fault in faults}
        if verdict.outcome == "holds" and not (self._coverage.ended or by_id):
            return Verdict("inconclusive", f"the history has no end: {name} may have been repeated")
        figures = {"heal_seconds": max(took)} if took else {}
        return Verdict(verdict.outcome, verdict.summary, verdict.evidence, figures, verdict.at)

    def _judge(self, fault: FaultSpan, seconds: float) -> Verdict:
        name = fault.name
        if fault.one_shot:
            return Verdict("inconclusive", f"{name} is one-shot: it has nothing to heal")
        if fault.proved is None:
            return Verdict("inconclusive", f"{name} was not proved")
        begin = fault.healing if fault.undone is None else fault.undone
        if begin is None or (fault.undone is None and fault.healed in (None, begin)):
            return Verdict("inconclusive", f"{name} was not undone")
        end = fault.healed if fault.healed is not None else fault.given_up
        if end is None:
            return Verdict("inconclusive", f"{name} is not healed, and nothing tells for how long that was asked")
        lost, others = self._coverage.lost.within(0.0, end), self._others(fault, begin, end)
        excused = self._coverage.blind | Spans.of(other.harm for other in others)
        certain = 0.0 if lost or fault.undone is None else end - begin - excused.within(begin, end).total
        worst = inf if fault.healed is None else end - begin
        outcome = bounded(certain, worst, seconds)
        since = "its undos began" if fault.undone is None else "it was undone"
        words = f"{name} is {'not ' if fault.healed is None else ''}healed {end - begin:.1f} s after {since}"
        evidence = (fault.heal_proof or fault.said,)
        if outcome != "inconclusive":
            at = when_passed(begin, seconds, excused) if outcome == "violated" else None
            return Verdict(outcome, words, evidence, at=at)
        starved = self._coverage.blind.within(begin, end)
        why = f"lines are missing from {lost}" if lost else f"{seconds:g} s are allowed"
        why += f", and {' and '.join(other.name for other in others)} was there, too" if others else ""
        why += f", and this machine was starved from {starved}" if starved and not lost else ""
        return Verdict("inconclusive", f"{words}: {why}", evidence)

    def _others(self, fault: FaultSpan, begin: float, end: float) -> list[FaultSpan]:
        """Return the other faults that may have kept the cluster from coming back between two moments."""
        return [other for other in self._faults.all if other != fault and Spans.of([other.harm]).within(begin, end)]


def _lasts(fault: FaultSpan) -> bool:
    """Whether a fault was proved, is not one-shot, and was undone."""
    return fault.proved is not None and not fault.one_shot and fault.undone is not None
