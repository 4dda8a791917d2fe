"""Comparison: what differs between two fingerprints, and which of that the fault says that it does not give back."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from chaos_harness.clusters.pool.deviations import Deviation, Fingerprint, deviations
from chaos_harness.harness.faults.leaves import Leave

__all__ = ["Compared", "compare", "unseen"]


@dataclass(frozen=True)
class Compared:
    """The deviations that nobody declared, and those that are left out, each with the leave that covers it."""

    differences: tuple[Deviation, ...] = ()
    left: tuple[tuple[Deviation, Leave], ...] = ()


def compare(before: Fingerprint, after: Fingerprint, leaves: Sequence[Leave]) -> Compared:
    """Compare two fingerprints; what one of the leaves covers is left out, and nothing else."""
    differences: list[Deviation] = []
    left: list[tuple[Deviation, Leave]] = []
    for deviation in deviations(before, after):
        leave = next((leave for leave in leaves if leave.covers(deviation.trait)), None)
        if leave is None:
            differences.append(deviation)
        else:
            left.append((deviation, leave))
    return Compared(tuple(differences), tuple(left))


def unseen(declared: Iterable[str], left: Iterable[tuple[str, str]]) -> list[str]:
    """Return what was declared, in words, and never seen among what is left, in the order of declaration."""
    seen = {words for _, words in left}
    return [words for words in dict.fromkeys(declared) if words not in seen]
