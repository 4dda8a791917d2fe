"""Brisk: in unit tests a pause between attempts is a tenth of itself, unless a test is about pauses."""

from itertools import islice
from types import SimpleNamespace

import pytest

from chaos_harness.clusters import deadline
from chaos_harness.clusters.deadline import Deadline


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Note what is slept, while no time passes."""
    slept: list[float] = []
    monkeypatch.setattr(deadline, "time", SimpleNamespace(monotonic=lambda: 0.0, sleep=slept.append))
    return slept


def test_pauses_are_a_tenth(slept: list[float]) -> None:
    """They still grow, and are no shorter than 10 ms, but for who wants that."""
    list(islice(Deadline.after(60, "it").attempts(first=0.5, most=2), 5))
    list(islice(Deadline.after(60, "it").attempts(first=0.001, most=0.05), 6))
    assert slept == pytest.approx([0.05, 0.1, 0.2, 0.2, 0.001, 0.002, 0.004, 0.008, 0.01])


@pytest.mark.usefixtures("real_pauses")
def test_who_asks_for_them_has_real_pauses(slept: list[float]) -> None:
    """Tests of how long pauses are see them as they are."""
    list(islice(Deadline.after(60, "it").attempts(first=0.5, most=2), 4))
    assert slept == [0.5, 1, 2]
