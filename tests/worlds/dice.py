"""Dice: what is drawn from a seed, and stretches of time as plain pairs (begin, end) in seconds of a history."""

import random
from collections.abc import Iterable, Sequence
from typing import TypeVar

__all__ = ["Dice", "Stretch", "clipped", "joined", "longest", "total", "unit", "without"]

Stretch = tuple[float, float]
Any_ = TypeVar("Any_")


class Dice(random.Random):
    """Random numbers, with the few kinds that worlds are made of."""

    def chance(self, share: float) -> bool:
        """Return True in this share of all cases."""
        return self.random() < share

    def pick(self, *options: Any_) -> Any_:
        """Return one of some things."""
        return self.choice(options)

    def some(self, options: Sequence[Any_], least: int, most: int) -> list[Any_]:
        """Return so many of some things, in their order."""
        chosen = set(self.sample(range(len(options)), min(len(options), self.randint(least, most))))
        return [option for number, option in enumerate(options) if number in chosen]

    def between(self, low: float, high: float) -> float:
        """Return a number of so many seconds, to the millisecond."""
        return round(self.uniform(low, max(low, high)), 3)


def unit(seed: int, number: int) -> float:
    """Return a number from 0 to 1 that depends on these two alone, so that an answer is the same whoever asks when."""
    mixed = (seed * 0x9E3779B1 + number * 0x85EBCA77 + 0x165667B1) & 0xFFFFFFFF
    mixed = ((mixed ^ (mixed >> 15)) * 0x2C1B3C6D) & 0xFFFFFFFF
    mixed = ((mixed ^ (mixed >> 12)) * 0x297A2D39) & 0xFFFFFFFF
    return (mixed ^ (mixed >> 15)) / 0x100000000


def joined(stretches: Iterable[Stretch]) -> list[Stretch]:
    """Return the moments that lie in any of them, as stretches in their order."""
    merged: list[Stretch] = []
    for begin, end in sorted(stretch for stretch in stretches if stretch[0] < stretch[1]):
        if merged and begin <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(merged[-1][1], end)
        else:
            merged.append((begin, end))
    return merged


def clipped(stretches: Iterable[Stretch], begin: float, end: float) -> list[Stretch]:
    """Return what of them lies between two moments."""
    return joined((max(one, begin), min(other, end)) for one, other in stretches)


def without(stretches: Iterable[Stretch], taken: Iterable[Stretch]) -> list[Stretch]:
    """Return what of them does not lie in others."""
    remaining = joined(stretches)
    for begin, end in joined(taken):
        remaining = [part for one, other in remaining for part in ((one, min(other, begin)), (max(one, end), other))]
        remaining = joined(remaining)
    return remaining


def total(stretches: Iterable[Stretch]) -> float:
    """Return how many seconds they have together."""
    return sum(end - begin for begin, end in stretches)


def longest(stretches: Iterable[Stretch]) -> float:
    """Return how many seconds the longest of them has."""
    return max((end - begin for begin, end in stretches), default=0.0)
