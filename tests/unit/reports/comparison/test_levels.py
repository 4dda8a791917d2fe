"""Levels: what each of many tests may use of one error, by values whose spread is known."""

import random
from collections.abc import Sequence
from math import exp

import pytest

from chaos_harness.reports.comparison.compare import FigureChange, judge_figures
from chaos_harness.reports.comparison.levels import LEAST_SHARE, levels
from chaos_harness.reports.comparison.samples import Key

_ERROR = 0.005


def _values(*spreads: float, count: int = 40) -> list[list[float]]:
    draw = random.Random(3)  # noqa: S311 - no secret
    return [[draw.gauss(3.0, spread) for _ in range(count)] for spread in spreads]


def test_they_are_the_error_together() -> None:
    """Whatever the values are: also of one test, of values that are all equal, and of none."""
    for pooled in (_values(0.15), _values(*[0.15] * 30), _values(0.1, 3.0, 0.0), [[1.0] * 20] * 4):
        assert sum(levels(pooled, _ERROR)) == pytest.approx(_ERROR)
    assert levels([], _ERROR) == []


def test_one_that_varies_more_than_the_others_has_more() -> None:
    """Where all vary alike, a difference between the groups is seen in the values of both together."""
    found = levels(_values(*[0.15] * 99, 0.2), _ERROR)
    assert found[-1] > 3 * _ERROR / 100
    assert min(found) >= LEAST_SHARE * _ERROR / 100


def test_where_each_varies_in_its_own_way_all_have_about_the_same() -> None:
    """Then it says nothing that one varies more."""
    found = levels(_values(*(exp(-3 + number / 33) for number in range(100))), _ERROR)
    assert max(found) < 2 * _ERROR / 100


def test_they_do_not_know_the_groups() -> None:
    """Values in another order, those of B first, have the same levels: only so is a test by permutation exact."""
    pooled = _values(*[0.15] * 20)
    turned = [list(reversed(values)) for values in pooled]
    assert levels(turned, _ERROR) == levels(pooled, _ERROR)


def test_too_few_values() -> None:
    """Of three values nobody knows how much they vary."""
    with pytest.raises(ValueError, match="got 3"):
        levels([[1.0, 2.0, 3.0]], _ERROR)


def _figure(number: int, a: Sequence[float], b: Sequence[float]) -> FigureChange:
    first, second = (tuple((value,) for value in side) for side in (a, b))
    return FigureChange(Key("test", "claim", str(number)), "recovers", "recovered_seconds", first, second)


@pytest.mark.parametrize(("other", "judgement"), [(0.9, "worse"), (30.0, "as before")], ids=["the same", "another"])
def test_a_figure_that_cannot_be_worse_has_no_part(other: float, judgement: str) -> None:
    """Ninety figures that differ by less than a second take nothing from one that differs; ninety that could do."""
    a, b = [20.0 + number / 2 for number in range(7)], [22.3 + number / 2 for number in range(7)]
    quiet = [_figure(number, [20.0] * 7, [20.0] * 6 + [20.0 + other]) for number in range(1, 91)]
    changed, *_ = judge_figures([_figure(0, a, b), *quiet])
    assert changed.judgement == judgement
