"""Differences: what existed without being asked for, was missing, or had other content, and for how long."""

from dataclasses import dataclass
from math import inf
from typing import Literal, NamedTuple

from chaos_harness.harness.history.spans import Spans

__all__ = ["Difference", "DifferenceKind", "GeneratedKind", "Way"]

Way = Literal["orphan", "missing", "altered"]
GeneratedKind = Literal["policy", "binding"]

_PLURALS: dict[GeneratedKind, str] = {"policy": "policies", "binding": "bindings"}


class DifferenceKind(NamedTuple):
    """What differs: an orphan exists although nothing asks for it; what is missing is asked for and does not exist.

    What is altered exists and is asked for, with other content. `policy` is the policy itself, or the one that the
    binding binds; `name` is the object in words ("name of policy" for a binding).
    """

    how: Way
    what: GeneratedKind
    name: str
    policy: str

    @property
    def orphan(self) -> bool:
        """Whether something exists that nothing asks for."""
        return self.how == "orphan"

    @property
    def missing(self) -> bool:
        """Whether something is asked for that does not exist."""
        return self.how == "missing"

    @property
    def altered(self) -> bool:
        """Whether something exists with other content than is asked for."""
        return self.how == "altered"

    @property
    def cause(self) -> str:
        """What a verdict gives as the cause ("orphan policy"), where `harness.causes` has it."""
        return f"{self.how} {self.what}"

    def counted(self, count: int) -> str:
        """Return a number of differences of this kind, in words ("2 orphan policies")."""
        return f"{count} {self.how} {_PLURALS[self.what] if count > 1 else self.what}"

    def __str__(self) -> str:
        """Return it in words."""
        return f"{self.cause} {self.name}"


@dataclass(frozen=True)
class Difference:
    """One difference, from `since` to `until` at most, in seconds of the history; `over` if its end was seen.

    `certain` is when it was certainly there: time that was not seen does not count.
    """

    kind: DifferenceKind
    since: float
    until: float
    over: bool
    certain: Spans

    @property
    def age(self) -> float:
        """How long it lasted at most, in seconds."""
        return self.until - self.since

    @property
    def stands(self) -> bool:
        """Whether it was certainly there at the end."""
        return not self.over and bool(self.certain) and self.certain.parts[-1][1] == self.until

    def __str__(self) -> str:
        """Return it in words."""
        if self.until == inf:
            return f"{self.kind}: since {self.since:.1f} s, and for how long was not seen"
        end = f"until {self.until:.1f} s" if self.over else "and still"
        return f"{self.kind}: since {self.since:.1f} s {end}, {self.age:.1f} s old"
