"""Tests of benchmarks.histories: the history that is checked is one, and memory does not grow with it as it does."""

from benchmarks.histories import Histories
from tests.thorough import thorough


@thorough
def test_longer_histories_are_checked_in_nearly_the_same_memory() -> None:
    """A hundred times the operations do not take twice the memory: entries are read one by one."""
    histories = Histories((100, 10_000))
    histories.measure(1)
    assert all(sample.figures for sample in histories.samples)
    assert histories.verdicts == {"holds"}
    assert histories.memory[1].median < 2 * histories.memory[0].median
