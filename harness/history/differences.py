"""Differences: what was there and not asked for, missing, or other than asked for, and for how long."""

from dataclasses import dataclass
from math import inf
from typing import NamedTuple

from chaos_harness.harness.history.spans import Spans

__all__ = ["Difference", "DifferenceKind"]


class DifferenceKind(NamedTuple):
    """What differs: an "orphan policy" is there and nobody asks for it, a "missing binding" is asked for.

    An "altered" one is asked for and is there, and says something else than it should.
    """

    how: str
    name: str

    @property
    def orphan(self) -> bool:
        """Whether something is there that nobody asks for."""
        return self.how.startswith("orphan")

    @property
    def missing(self) -> bool:
        """Whether something is asked for that is not there."""
        return self.how.startswith("missing")

    @property
    def altered(self) -> bool:
        """Whether something is there that says something else than it should."""
        return self.how.startswith("altered")

    @property
    def policy(self) -> str:
        """The policy that it is, or that it binds."""
        return self.name.rpartition(" of ")[2]

    def __str__(self) -> str:
        """Return it in words."""
        return f"{self.how} {self.name}"


@dataclass(frozen=True)
class Difference:
    """One difference, in seconds of the history: `since` when at most, `until` when; `over` if it was seen to end.

    `certain` is when it was seen to be there: what may have changed while nobody looked does not count.
    """

    kind: DifferenceKind
    since: float
    until: float
    over: bool
    certain: Spans

    @property
    def age(self) -> float:
        """How long it lasted, at most."""
        return self.until - self.since

    @property
    def stands(self) -> bool:
        """Whether it was there at the end, without a doubt."""
        return not self.over and bool(self.certain) and self.certain.parts[-1][1] == self.until

    def __str__(self) -> str:
        """Return it in words."""
        if self.until == inf:
            return f"{self.kind}: since {self.since:.1f} s, and for how long was not seen"
        end = f"until {self.until:.1f} s" if self.over else "and still"
        return f"{self.kind}: since {self.since:.1f} s {end}, {self.age:.1f} s old"
