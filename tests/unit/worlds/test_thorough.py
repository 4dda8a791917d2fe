"""Thorough: all is tried unless the quick loop asks for less."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import settings

from tests.fakes.histories import HistoryBuilder, some_lines
from tests.profiles import EXAMPLES
from tests.thorough import deselect_thorough, examples, sampled, some


@pytest.fixture(params=["busy", "quick", "explore"])
def profile(request: pytest.FixtureRequest) -> Iterator[str]:
    """Name the profile with which a test runs; that of this run comes back."""
    before = settings.get_current_profile_name()
    settings.load_profile(request.param)
    yield request.param
    settings.load_profile(before)


def test_a_profile_says_how_many_examples_are_tried(profile: str) -> None:
    """A quarter in the quick loop, and yet at least one; ten times as many when others are drawn each time."""
    assert (examples(40), examples(1)) == {"busy": (40, 1), "quick": (10, 1), "explore": (400, 10)}[profile]
    assert settings().max_examples == EXAMPLES[profile] == 100 * examples(40) // 40


def test_only_the_quick_loop_tries_some(profile: str) -> None:
    """Of many parts it tries every fourth, and the first one of few."""
    assert list(some(range(9))) == ([0, 4, 8] if profile == "quick" else [*range(9)])
    assert list(some("a")) == ["a"]


def test_lines_of_every_kind_are_tried(profile: str) -> None:
    """What is written all the time is tried at its begin, and then every fourth time; of few lines each is."""
    history = HistoryBuilder()
    for at in range(20):
        history.add(at, "change", "watch pods", "BOOKMARK")
    history.fault(20, 21, 30)
    tried = [*range(13), 16, *range(20, 24)]
    assert list(some_lines(history.recorded())) == (tried[::4] if profile == "quick" else tried)


def test_only_the_quick_loop_leaves_rows_out(profile: str) -> None:
    """Rows that are no part of the sample are tests that are deselected, and counted as such."""
    tests: list[Any] = [_Test(row) for row in sampled([*range(9), (9, "b")], 3)]
    left_out: list[Any] = []

    def deselect(items: list[Any]) -> None:
        left_out.extend(items)

    deselect_thorough(SimpleNamespace(hook=SimpleNamespace(pytest_deselected=deselect)), tests)  # type: ignore[arg-type]
    rows = [test.values for test in tests]
    assert rows == ([(0,), (3,), (6,)] if profile == "quick" else [*((number,) for number in range(9)), (9, "b")])
    assert len(rows) + len(left_out) == 10


class _Test:
    """A row as a collected test."""

    def __init__(self, row: Any) -> None:
        self.values = row.values
        self._marks = row.marks

    def get_closest_marker(self, name: str) -> Any:
        return next((mark for mark in self._marks if mark.name == name), None)
