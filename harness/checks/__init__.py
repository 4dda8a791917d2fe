"""Checks: pure functions from a history to a verdict, and how they are joined, limited, and expected to come out."""

import functools
import inspect
import json
import traceback
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import ParamSpec

from chaos_harness.harness.causes import CAUSES, Cause, unknown_causes
from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.history import History
from chaos_harness.harness.history.faults import Faults
from chaos_harness.harness.history.following import follow
from chaos_harness.harness.history.until import Extent, Until
from chaos_harness.harness.verdict import CheckFunction, Expectation, Expected, Verdict
from chaos_harness.harness.versions import Versions

__all__ = ["Check", "identified"]

Parameters = ParamSpec("Parameters")


def identified(factory: Callable[Parameters, "Check"]) -> Callable[Parameters, "Check"]:
    """Give the checks that a function makes their id: the function's name and the parameters.

    So a claim is the same claim in trends, tables and bundles, whatever its name says. Parameters that have their
    default are left out, so that a new one changes no id, and the order in a collection does not count.
    """
    signature = inspect.signature(factory)

    @functools.wraps(factory)
    def made(*args: Parameters.args, **kwargs: Parameters.kwargs) -> "Check":
        check = factory(*args, **kwargs)
        bound = signature.bind(*args, **kwargs)
        words = [
            _written(value)
            if signature.parameters[name].default is inspect.Parameter.empty
            else f"{name}={_written(value)}"
            for name, value in bound.arguments.items()
            if value != signature.parameters[name].default
        ]
        return Check(check._check, check.expectations, f"{factory.__name__}({', '.join(words)})")  # noqa: SLF001

    return made


class Check:
    """A check that can be joined with others, limited in time, and given an expected outcome.

    Usable as a decorator. Read as a sentence: `(policies_match() & enforced()).within(60).expect("violated",
    issue="gatekeeper#4441", on="<3.22.1")`.
    """

    def __init__(self, check: CheckFunction, expectations: tuple[Expectation, ...] = (), id_: str = "") -> None:
        self._check = check
        self.expectations = expectations
        self.__name__: str = getattr(check, "__name__", type(check).__name__)
        self.__doc__ = check.__doc__
        self.id = id_ or getattr(check, "id", "") or self.__name__

    def __call__(self, recorded: History) -> Verdict:
        """Return the verdict on a history; a check that raises is inconclusive, and `Verdict.broken` has the error."""
        try:
            return self._check(recorded)
        except Exception as error:  # noqa: BLE001 - the other claims are judged all the same
            where = traceback.extract_tb(error.__traceback__)[-1]
            broken = f"{type(error).__name__}: {error} ({Path(where.filename).name}:{where.lineno})"
            return Verdict("inconclusive", f"the check itself failed: {broken}", broken=broken)

    def __and__(self, other: CheckFunction) -> "Check":
        """Return the check that holds if both do: all of them on the same history, `Verdict & Verdict`.

        Raises BadScenario if one part has an expectation: only the joined check may have one.
        """

        def both(recorded: History) -> Verdict:
            return self(recorded) & other(recorded)

        one, two = self.__name__, Check(other).__name__
        if self.expectations or getattr(other, "expectations", ()):
            raise BadScenario(f"({one}) & ({two}): say what is expected of both together, by (a & b).expect(…)")
        both.__name__ = f"{one} and {two}"
        return Check(both, id_=f"{self.id} & {Check(other).id}")

    def within(self, seconds: float, *, after: str = "") -> "Check":
        """Return the check limited to what was recorded until `seconds` after a fault was healed.

        `after` is the fault's name or id ("fault 2"); "": the last fault that was healed. A state that the check waits
        for must be reached by then: what is still missing at the end of the limited part (`History.until`) counts as
        missing, even if it is young. What happens later is ignored. Inconclusive if one of these faults was not proved
        or not healed, if the recording is shorter than that, or if lines are missing, because they may have recorded a
        fault.
        """

        def check(recorded: History) -> Verdict:
            extent, faults = Extent(), Faults()
            follow(recorded, extent, faults)
            words = after or "a fault"
            chosen = faults.named(after) if after else faults.all
            healed = [fault.healed for fault in chosen if fault.healed is not None and fault.proved is not None]
            if not chosen or len(healed) < len(chosen):
                return Verdict("inconclusive", f"{words} was not proved, or not healed")
            moment = max(healed) + seconds
            if extent.until < moment:
                lasted = extent.until - max(healed)
                return Verdict("inconclusive", f"only {lasted:.1f} of {seconds:g} s after {words} were recorded")
            if extent.lost < inf:
                words = f"lines are missing from {extent.lost:.1f} s on, which may have recorded a fault"
                return Verdict("inconclusive", words)
            return self(replace(recorded, entries=Until(recorded, moment), ended=True, until=moment))

        check.__name__ = f"{self.__name__} within {seconds:g} s after {after or 'the last fault'}"
        where = f", after={_written(after)}" if after else ""
        return Check(check, self.expectations, f"({self.id}).within({_written(seconds)}{where})")

    def expect(
        self,
        outcome: Expected,
        *,
        issue: str | None = None,
        on: str = "",
        because: Sequence[Cause] = (),
        race: bool = False,
    ) -> "Check":
        """Return the same check, expected to come out like this on versions of Gatekeeper such as ">=3.18,<3.22.1".

        The first expectation that covers the version counts; if none does, the check is expected to hold.
        `because` are the causes of which at least one must be seen, so that another defect is a surprise. `race`: the
        defect does not show in every run.
        Raises BadScenario for a cause that no verdict names.
        """
        if unknown := unknown_causes(because):
            raise BadScenario(f"{self.__name__}: no verdict names {', '.join(unknown)}; there are {', '.join(CAUSES)}")
        expectation = Expectation(outcome, issue, Versions(on), tuple(because), race)
        return Check(self._check, (*self.expectations, expectation), self.id)


def _mistakable(word: str) -> bool:
    """Whether a word could be mistaken for an empty value, a number, a constant, or the punctuation of an id."""
    try:
        return float(word) is not None
    except ValueError:
        return not word or word in ("True", "False", "None") or any(sign in word for sign in '(),=[]"&')


def _written(value: object) -> str:
    """Return a parameter as written in an id; words that could be mistaken for its punctuation are quoted."""
    if isinstance(value, str):
        return json.dumps(value) if _mistakable(value) else value
    if isinstance(value, bool) or not isinstance(value, int | float | Collection):
        return str(value)
    if isinstance(value, Collection):
        return f"[{', '.join(sorted(map(_written, value)))}]"
    return f"{value:g}"
