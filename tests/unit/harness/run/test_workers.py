"""Tests of harness.run.workers: the scarcest thing decides how many clusters there are at once."""

import os
import sys
from pathlib import Path

import pytest

from chaos_harness.clusters.machine import memory
from chaos_harness.clusters.shape import Shape
from chaos_harness.harness.run.workers import count_clusters, count_fitting
from tests.forked import session

_PLENTY = {"free_mib": 64_000, "cores": 32, "inotify_instances": 8192}


@pytest.mark.parametrize(
    ("scarce", "expected"),
    [
        ({}, 4),
        ({"free_mib": 1024 + 2 * Shape().memory_mib}, 2),
        ({"free_mib": 100}, 1),
        ({"cores": 2}, 1),
        ({"cores": 6}, 3),
        ({"inotify_instances": 700}, 2),
        ({"inotify_instances": 128}, 1),
        ({"inotify_instances": None}, 4),
    ],
)
def test_the_scarcest_thing_decides(scarce: dict[str, int | None], expected: int) -> None:
    """Memory, cores, inotify instances, and how many nodes kind can boot; one cluster is tried in any case."""
    assert count_fitting(Shape(), **{**_PLENTY, **scarce}) == expected  # type: ignore[arg-type]  # None for one of them


def test_this_machine_bears_at_least_one() -> None:
    """What is read of this machine makes sense."""
    assert 1 <= count_clusters(Shape()) <= 4


def test_one_fits_where_free_memory_is_not_known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A kernel that does not say how much is free ends no run."""
    monkeypatch.setattr(memory, "MEMINFO", tmp_path / "none")
    monkeypatch.setattr(os, "cpu_count", lambda: 32)
    assert count_clusters(Shape()) == 1


@pytest.mark.parametrize("workers", ["2", "auto"])
def test_the_tests_of_a_file_stay_together(tmp_path: Path, workers: str) -> None:
    """However many workers there are, and without being told so; `auto` is as many as the machine bears."""
    for name in ("a", "b"):
        source = "import os, pathlib\n" + "".join(
            f"def test_{n}(): pathlib.Path('{name}-' + os.environ['PYTEST_XDIST_WORKER']).touch()\n" for n in range(4)
        )
        (tmp_path / f"test_{name}.py").write_text(source)
    compiled = {"PYTHONPYCACHEPREFIX": sys.pycache_prefix} if sys.pycache_prefix else {}  # or each worker compiles all
    environment = {
        **compiled,
        "PYTHONPATH": os.environ["PYTHONPATH"],
        "PATH": "/usr/bin:/bin",
        "XDG_STATE_HOME": str(tmp_path),
    }
    status, output = session(
        ["-p", "chaos_harness.harness.pytest_plugin.plugin", "-n", workers, str(tmp_path)], tmp_path, environment, 120
    )
    assert status == 0, output
    expected = count_clusters(Shape()) if workers == "auto" else 2
    assert f"created: {expected}/{expected} worker" in output
    assert sorted(path.name[0] for path in tmp_path.glob("[ab]-*")) == ["a", "b"]
