"""Checks: pure functions from a history to a verdict, and how two are joined."""

from harness.history import Recorded
from harness.verdict import Check, Verdict

__all__ = ["Checked"]


class Checked:
    """A check that `&` joins with others; usable as a decorator.

    The joint check runs all of them on the same history and gives `Verdict & Verdict`.
    """

    def __init__(self, check: Check) -> None:
        self._check = check
        self.__name__: str = getattr(check, "__name__", type(check).__name__)
        self.__doc__ = check.__doc__

    def __call__(self, recorded: Recorded) -> Verdict:
        """Return the verdict on a history."""
        return self._check(recorded)

    def __and__(self, other: Check) -> "Checked":
        """Return the check that holds if both do."""

        def both(recorded: Recorded) -> Verdict:
            return self(recorded) & other(recorded)

        both.__name__ = f"{self.__name__} and {Checked(other).__name__}"
        return Checked(both)
