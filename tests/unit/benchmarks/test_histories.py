"""Tests of benchmarks.histories: the history that is checked is one, and memory does not grow with it as it does."""

from benchmarks.histories import Histories


def test_longer_histories_are_checked_in_nearly_the_same_memory() -> None:
    """A hundred times the operations do not take twice the memory: entries are read one by one."""
    found = Histories((100, 10_000))
    found.measure(1)
    assert all(each.figures for each in found.samples)
    assert found.verdicts == {"holds"}
    assert found.memory[1].median < 2 * found.memory[0].median
