"""Fields: a check on one field of one object, which an assertion of one's own names."""

import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import inf
from typing import Any, Self

from chaos_harness.harness import jsonpath
from chaos_harness.harness.checks import Check, identified
from chaos_harness.harness.checks.rule import unseen_words
from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.history import History
from chaos_harness.harness.history.coverage import Coverage
from chaos_harness.harness.history.following import follow
from chaos_harness.harness.history.lists import KnownSpans, Lists, ObjectList, any_of
from chaos_harness.harness.history.spans import Spans, longer_than, when_passed
from chaos_harness.harness.history.vocabulary import FIELDS
from chaos_harness.harness.verdict import Verdict

__all__ = ["field_stays"]

Scalar = str | bool | int | float

_COMPARED = re.compile(r"\s*(>=|<=|!=|>|<)\s*(.*?)\s*")
_ORDERED: Mapping[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
_SHOWN = 10


@identified
def field_stays(field: str, value: Scalar, *, but_for: float = 0.0) -> Check:
    """Return the check that a watched field has a `value` all the time, but for `but_for` seconds at a time.

    `value` is the value itself, or a comparison: ">= 2", "<= 5", "> 0", "< 3", "!= Failed". Equal is what kubectl
    writes alike. If the field's path finds several values, each must fit; if it finds none, or there is no such object,
    it does not fit.

    Judged from the first sign of the probe `watch_field` of this name to the end, whatever was done to the cluster.
    Inconclusive if the field may have had another value unseen, if it had only while this machine was starved, or if it
    has at the end and that is younger than `but_for`. Raises BadScenario for a comparison with what is no number.
    """
    condition = _Condition.of(value)

    def check(recorded: History) -> Verdict:
        coverage, process = Coverage(recorded), f"{FIELDS}{field}"
        lists = Lists(coverage, lambda watched: watched == process)
        follow(recorded, coverage, lists)
        if process not in lists.all:
            return Verdict("inconclusive", f"nobody watched the field {field!r}")
        return _judge(coverage, process, lists[process], condition, but_for)

    check.__name__ = f"{field} stays {condition}{f' but for {but_for:g} s' if but_for else ''}"
    return Check(check)


@dataclass(frozen=True)
class _Condition:
    """What a value must be like: compared by a sign, or equal ("")."""

    sign: str
    wanted: Scalar

    @classmethod
    def of(cls, value: Scalar) -> Self:
        """Return the condition that is written like this. Raises BadScenario."""
        compared = _COMPARED.fullmatch(value) if isinstance(value, str) else None
        if isinstance(value, str) and value.lstrip().startswith("="):
            raise BadScenario(f"value: {value[:80]!r}: to be equal, write the value alone; else >=, <=, >, < or !=")
        if compared is None:
            return cls("", value)
        if compared[1] == "!=":
            return cls(compared[1], compared[2])
        try:
            return cls(compared[1], float(compared[2]))
        except ValueError as error:
            raise BadScenario(f"value: expected a number behind {compared[1]}, found {compared[2][:80]!r}") from error

    def fits(self, found: list[Any]) -> bool:
        """Whether there is a value, and all of them are like this."""
        return bool(found) and all(map(self._fits, found))

    def _fits(self, found: Any) -> bool:
        if self.sign in _ORDERED:
            return _is_number(found) and _ORDERED[self.sign](found, self.wanted)  # type: ignore[arg-type]
        if _is_number(found) and _is_number(self.wanted):
            return bool(found == self.wanted)
        return jsonpath.same(found, self.wanted) == (self.sign == "")

    def __str__(self) -> str:
        """Return it as it is written."""
        wanted = f"{self.wanted:g}" if isinstance(self.wanted, float) else str(self.wanted)
        return f"{self.sign} {wanted}".strip()


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _judge(coverage: Coverage, process: str, listed: ObjectList, condition: _Condition, but_for: float) -> Verdict:
    def so(watched: Mapping[str, Any]) -> bool:
        return condition.fits(watched["found"])

    fitting = any_of(listed.known(name, so) for name in listed.turns)
    other = ~KnownSpans(fitting.yes, fitting.no - listed.unknown)
    window = (_begin(coverage, listed), coverage.until if coverage.ended else inf)
    certain, possible = other.yes.within(*window), other.possible.within(*window)
    figures = {"otherwise_seconds": round(certain.within(-inf, coverage.until).total, 3)}
    if late := longer_than(certain, but_for, coverage.blind):
        longest = f" for more than {but_for:g} s" if but_for else ""
        words = f"it was otherwise{longest}, from {late}"
        at = when_passed(late.parts[0][0], but_for, coverage.blind)
        return Verdict("violated", words, tuple(_values(listed, so))[:_SHOWN], figures, at)
    doubtful = possible.longer_than(but_for)
    if doubtful or (possible and possible.parts[-1][1] == window[1]):
        unseen = unseen_words(coverage, [process], coverage.unknown([process], *window))
        perhaps = f"whether it was {condition} is not known, or not yet, from {doubtful or Spans(possible.parts[-1:])}"
        return Verdict("inconclusive", "; ".join(filter(None, (perhaps, unseen))), (), figures)
    words = f"it was {condition} all the time"
    if possible:
        words = f"it was {condition} but for {possible.longest:.1f} s at most"
    return Verdict("holds", words, (), figures)


def _begin(coverage: Coverage, listed: ObjectList) -> float:
    """Return when its watch gave its first sign; one of the lines that are missing may have been an earlier one."""
    return min([listed.begun or 0.0, *(begin for begin, _ in coverage.lost)])


def _values(listed: ObjectList, so: Callable[[Mapping[str, Any]], bool]) -> Iterator[str]:
    """Yield in words what it was instead, and from when on."""
    for name, turns in listed.turns.items():
        for turn in turns:
            if turn.object is None:
                yield f"{name} is gone from {turn.latest:.1f} s on"
            elif isinstance(turn.object, Mapping) and not so(turn.object):
                found = ", ".join(map(str, turn.object["found"])) or "nothing"
                yield f"{found} from {turn.latest:.1f} s on"
