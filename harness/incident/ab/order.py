"""Order: which arm runs when, so that whatever changes on the machine meanwhile meets both alike."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from random import Random

from chaos_harness.harness.incident.ab.arms import LABELS, Label

__all__ = ["Slot", "slots"]

_SEEDS = 2**32


@dataclass(frozen=True)
class Slot:
    """One run of a comparison: its place from 1, its pair, its arm, its incident (by index) and its seed."""

    number: int
    pair: int
    arm: Label
    incident: int
    seed: int


def slots(pairs: int, incidents: int, seed: int) -> Iterator[Slot]:
    """Yield all runs in order: A B B A, or B A A B, by the seed, for each two pairs.

    So each arm is first in half of the pairs (of an odd number, one more or less), and a cluster serves two pairs.
    Within a pair all incidents run on one arm, then all on the other, with the same seed: `seed` in the first pair,
    the next number in the next.
    """
    numbers = count(1)
    chance = Random(seed)  # noqa: S311 - an order, no secret
    for pair, arms in enumerate(_orders(pairs, chance), start=1):
        for arm in arms:
            for incident in range(incidents):
                yield Slot(next(numbers), pair, arm, incident, (seed + pair - 1) % _SEEDS)


def _orders(pairs: int, chance: Random) -> Iterator[Sequence[Label]]:
    forward, backward = LABELS, LABELS[::-1]
    for first in range(0, pairs, 2):
        both = (forward, backward) if chance.random() < 0.5 else (backward, forward)  # noqa: PLR2004 - a coin
        yield from both[: pairs - first]
