"""Thorough: what of the tests only `nox -s tests` tries, and the quick loop does not."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar

import pytest
from hypothesis import settings

from tests.profiles import BUSY, EXAMPLES, QUICK

__all__ = ["deselect_thorough", "examples", "is_quick", "sampled", "some", "thorough"]

_Part = TypeVar("_Part")

_MARKER = "thorough"
_QUICK_SHARE = 4

thorough: pytest.MarkDecorator = getattr(pytest.mark, _MARKER)
"""Marks a test, or a row of one, that the quick loop leaves out: it takes half a second of processor or more."""


def examples(number: int) -> int:
    """Return how many examples are tried of a test that names so many: as many times more, or fewer, as the profile."""
    profile = settings.get_profile(settings.get_current_profile_name())
    return max(1, number * profile.max_examples // EXAMPLES[BUSY])


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
    return settings.get_current_profile_name() == QUICK
