"""Thorough: what of the tests only `nox -s tests` tries, and the quick loop does not."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar

import pytest
from hypothesis import settings

__all__ = ["PROFILES", "deselect_thorough", "examples", "is_quick", "sampled", "some", "thorough"]

_Part = TypeVar("_Part")

_QUICK, _MARKER = "quick", "thorough"
_QUICK_SHARE = 4
PROFILES = {"busy": 100, _QUICK: 100 // _QUICK_SHARE}
"""The examples of a test that names no number, by Hypothesis' profile; noxfile.py asks for `quick`."""

thorough: pytest.MarkDecorator = getattr(pytest.mark, _MARKER)
"""Marks a test, or a row of one, that the quick loop leaves out: it takes half a second of processor or more."""


def examples(number: int) -> int:
    """Return how many of so many examples are tried: a quarter with `--hypothesis-profile quick`, otherwise all."""
    return max(1, number // _QUICK_SHARE) if is_quick() else number


def sampled(rows: Sequence[Any], number: int) -> list[Any]:
    """Return the rows of a parametrised test, of which the quick loop runs so many, spread evenly over all."""
    kept = {index * len(rows) // number for index in range(number)}
    values = [row if isinstance(row, tuple) else (row,) for row in rows]
    return [pytest.param(*value, marks=[] if index in kept else thorough) for index, value in enumerate(values)]


def some(parts: Iterable[_Part]) -> Iterator[_Part]:
    """Yield what a test tries of so many parts: every fourth in the quick loop, otherwise all."""
    return islice(parts, 0, None, _QUICK_SHARE if is_quick() else 1)


def deselect_thorough(config: pytest.Config, tests: list[pytest.Item]) -> None:
    """Take out of the collected tests what the quick loop leaves out, and have pytest count it as deselected."""
    marked = [test for test in tests if test.get_closest_marker(_MARKER)] if is_quick() else []
    if marked:
        config.hook.pytest_deselected(items=marked)
        tests[:] = [test for test in tests if not test.get_closest_marker(_MARKER)]


def is_quick() -> bool:
    """Whether this is the quick loop, by Hypothesis' profile."""
    return settings.get_current_profile_name() == _QUICK
