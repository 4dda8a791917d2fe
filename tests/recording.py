"""Recording: fixtures with and without a real API server alike: a history, a journal, and a bench for faults."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.harness.history import Entry, HistoryWriter, read
from chaos_harness.harness.undo.journal import Journal
from tests.fakes.bench import Bench

__all__ = ["bench", "history", "undo", "wait_for_entries"]


@pytest.fixture
def history(tmp_path: Path) -> Iterator[HistoryWriter]:
    history = HistoryWriter(tmp_path / "history.jsonl")
    yield history
    history.close()


@pytest.fixture
def undo(tmp_path: Path) -> Iterator[Journal]:
    """Give a journal that is being written."""
    opened = Journal(tmp_path / "journal.jsonl")
    yield opened
    opened.close()


@pytest.fixture
def bench(cluster: Cluster, tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(cluster, tmp_path)
    yield bench
    bench.close()


def wait_for_entries(history: HistoryWriter, wanted: Callable[[list[Entry]], bool]) -> list[Entry]:
    """Return the entries as soon as they are as wanted; fail the test after 30 s."""
    for _ in Deadline.after(30, "entries").attempts(0.01, 0.05):
        entries = list(read(history.path).entries)
        if wanted(entries):
            return entries
    pytest.fail("no such entries in 30 s")
