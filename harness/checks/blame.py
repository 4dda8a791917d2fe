"""Blame: which time of a history belongs to the faults that a claim names, and which part other faults share."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from math import inf

from chaos_harness.harness.history.coverage import Coverage
from chaos_harness.harness.history.faults import Faults, FaultSpan
from chaos_harness.harness.history.spans import Spans

__all__ = ["Blame", "again", "blames", "unproved"]


@dataclass(frozen=True)
class Blame:
    """Faults of a claim whose times overlap, so that every loss in that time is attributed to all of them.

    `own` is their time. What lies in `sure` was caused by them alone: no other fault was in effect (see `others`), this
    machine let the probes run, and no line is missing that could say otherwise.
    """

    faults: tuple[FaultSpan, ...]
    own: Spans
    sure: Spans
    others: tuple[FaultSpan, ...] = ()

    @property
    def begin(self) -> float:
        """When the first of them was injected, in seconds."""
        return self.own.parts[0][0]

    @property
    def words(self) -> str:
        """Their names, in words."""
        return _listed(fault.name for fault in self.faults)

    def shared(self, spans: Spans) -> str:
        """Return, in words, which part of `spans` lies in the time of other faults, or ""."""
        there = spans & self.own
        blamed = [fault for fault in self.others if there & Spans.of([fault.harm])]
        return (
            f"{_listed(fault.name for fault in blamed)} may have caused what was lost at the same time"
            if blamed
            else ""
        )


def unproved(faults: Faults, wanted: Sequence[str]) -> str:
    """Return which of the faults with these names and ids was not proved, or has an unknown start, or ""."""
    for name in wanted:
        chosen = faults.named(name)
        if not chosen or any(fault.proved is None for fault in chosen):
            return f"{name} was not proved"
        if any(fault.injected == -inf for fault in chosen):
            return f"the line that says when {name} began is missing"
    return ""


def again(coverage: Coverage, faults: Faults, wanted: Sequence[str]) -> str:
    """Return, in words, that one of these faults may have been injected again after the history was cut off, or ""."""
    ids = {fault.id for fault in faults.all}
    repeated = [name for name in wanted if name not in ids]
    if coverage.ended or not repeated:
        return ""
    return f"the history is cut off: whether {_listed(repeated)} was injected again is not known"


def blames(
    faults: Faults, coverage: Coverage, wanted: Sequence[str], harmless: Collection[FaultSpan] = ()
) -> list[Blame]:
    """Return the times of the faults with these names or ids, in order: one `Blame` for faults that overlap.

    Other faults that are `harmless` to what is judged do not make the time shared.
    """
    chosen = faults.named(*wanted)
    groups: list[list[FaultSpan]] = []
    for fault in chosen:
        if groups and any(fault.injected < faults.window(other)[1] for other in groups[-1]):
            groups[-1].append(fault)
        else:
            groups.append([fault])
    others = [fault for fault in faults.others(chosen) if fault not in harmless]
    return [_blame(faults, coverage, others, group) for group in groups]


def _blame(faults: Faults, coverage: Coverage, theirs: Sequence[FaultSpan], group: Sequence[FaultSpan]) -> Blame:
    own = Spans.of(faults.window(fault) for fault in group)
    others = [fault for fault in theirs if own & Spans.of([fault.harm])]
    first = next((begin for begin, _ in coverage.lost & own), inf)
    sure = own - Spans.of(fault.harm for fault in others) - coverage.blind
    return Blame(tuple(group), own, sure & Spans.of([(-inf, first)]), tuple(others))


def _listed(words: Iterable[str]) -> str:
    return " and ".join(dict.fromkeys(words))
