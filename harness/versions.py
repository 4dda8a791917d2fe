"""Versions: ranges of versions, as expectations name them."""

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from chaos_harness.harness.errors import BadScenario

__all__ = ["Versions"]

Numbers = tuple[int, ...]

_PLACES = 3
_BOUND = re.compile(r"(?P<sign><=|>=|==|!=|<|>)\s*v?(?P<numbers>\d+(\.\d+){0,2})")
_VERSION = re.compile(r"v?(?P<numbers>\d+(\.\d+){0,2})(?P<pre>-.*)?")
_SIGNS: dict[str, Callable[[Numbers, Numbers], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}


@dataclass(frozen=True)
class Versions:
    """A range such as ">=3.18,<3.22.1": all bounds must hold; "" contains every version.

    A version ("v3.23.1") has up to three numbers; a missing one is 0. A pre-release ("v3.24.0-beta.0") counts as its
    release. Raises BadScenario for anything else.
    """

    text: str = ""
    _bounds: tuple[tuple[str, Numbers], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Parse the bounds; report all that cannot be parsed."""
        words = [word.strip() for word in self.text.split(",")] if self.text.strip() else []
        matched = [(word, _BOUND.fullmatch(word)) for word in words]
        problems = [
            f"versions {self.text!r}: expected bounds such as '>=3.18,<3.22.1', found {word!r}"
            for word, match in matched
            if match is None
        ]
        if problems:
            raise BadScenario(problems)
        bounds = tuple((match["sign"], _numbers(match["numbers"])) for _, match in matched if match)
        object.__setattr__(self, "_bounds", bounds)

    def __contains__(self, version: str) -> bool:
        """Whether `version` is in the range."""
        match = _VERSION.fullmatch(version)
        if match is None:
            raise BadScenario(f"expected a version such as 'v3.23.1', found {version!r}")
        numbers = _numbers(match["numbers"])
        return all(_SIGNS[sign](numbers, bound) for sign, bound in self._bounds)

    def __str__(self) -> str:
        """Return the range as it was written."""
        return self.text or "every version"


def _numbers(text: str) -> Numbers:
    numbers = tuple(int(number) for number in text.split("."))
    return numbers + (0,) * (_PLACES - len(numbers))
