"""Tests of clusters.pool.capacity: what a machine has to spare."""

from pathlib import Path

import pytest

from chaos_harness.clusters.machine import memory
from chaos_harness.clusters.pool import capacity
from chaos_harness.clusters.shape import Shape


@pytest.mark.parametrize(("mib", "enough"), [(16_000, True), (3_000, False)])
def test_a_frozen_cluster_needs_memory_beside_one_that_works(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, mib: int, enough: bool
) -> None:
    """Its own, and a reserve; what is there and what should be is told."""
    meminfo = tmp_path / "meminfo"
    meminfo.write_text(f"MemTotal: 1 kB\nMemAvailable: {mib * 1024} kB\n")
    monkeypatch.setattr(memory, "MEMINFO", meminfo)
    assert capacity.memory_refusal(Shape()) == (
        None if enough else "3000 MiB of memory are available, 4748 MiB should be"
    )


@pytest.mark.parametrize(("load", "idle"), [(0.0, True), (7.0, False)])
def test_clusters_are_made_ahead_on_idle_cores_only(monkeypatch: pytest.MonkeyPatch, load: float, idle: bool) -> None:
    """A scenario that measures must not pay for it."""
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setattr("os.getloadavg", lambda: (load, 0.0, 0.0))
    assert capacity.processor_refusal() == (None if idle else "1.0 of 8 cores are idle, 2 should be")
