"""Spans: sets of moments behave as sets do."""

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaos_harness.harness.history.spans import Spans

_MOMENTS = st.integers(0, 20).map(float)
_SPANS = st.lists(st.tuples(_MOMENTS, _MOMENTS), max_size=6).map(Spans.of)


def _moments(spans: Spans) -> set[float]:
    return {half / 2 for half in range(42) if half / 2 in spans}


@given(_SPANS, _SPANS)
def test_sets(one: Spans, other: Spans) -> None:
    """Union, intersection and difference have the moments that they have for sets."""
    assert _moments(one | other) == _moments(one) | _moments(other)
    assert _moments(one & other) == _moments(one) & _moments(other)
    assert _moments(one - other) == _moments(one) - _moments(other)


@given(_SPANS, _SPANS)
def test_no_two_touch(one: Spans, other: Spans) -> None:
    """Stretches are in their order, have a length, and neither touch nor overlap, so that lengths add up."""
    for spans in (one, one | other, one & other):
        assert all(begin < end for begin, end in spans)
        assert all(before[1] < after[0] for before, after in zip(spans.parts, spans.parts[1:], strict=False))
    assert (one | other).total == pytest.approx(one.total + (other - one).total)


def test_words() -> None:
    """An end that never comes is told as such."""
    assert str(Spans.of([(1.0, 2.5), (4.0, inf)])) == "1.0 to 2.5 s, 4.0 s to the end"
    assert Spans.of([(1.0, 2.5), (4.0, 9.0)]).longer_than(2) == Spans.of([(4.0, 9.0)])
    assert Spans.of([(1.0, 2.5), (4.0, 9.0)]).longest == 5.0
    assert Spans.of([(1.0, 2.5), (4.0, 9.0)]).within(2, 5) == Spans.of([(2.0, 2.5), (4.0, 5.0)])
