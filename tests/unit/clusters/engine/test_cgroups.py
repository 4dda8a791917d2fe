"""Cgroups: they are read to the end though some of them go meanwhile, as cgroups of ended containers do."""

import shutil
import threading
from pathlib import Path

from chaos_harness.clusters.engine.cgroups import tree

_TIMES = 300


def test_a_tree_comes_the_deepest_first(tmp_path: Path) -> None:
    """Each cgroup comes ahead of the one that it is in, so they can be removed in this order; files are left out."""
    (tmp_path / "pod" / "container").mkdir(parents=True)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "cgroup.procs").touch()
    found = tree(tmp_path)
    assert sorted(found) == [tmp_path, tmp_path / "other", tmp_path / "pod", tmp_path / "pod" / "container"]
    assert all(found.index(path) < found.index(path.parent) for path in found if path != tmp_path)
    assert tree(tmp_path / "nowhere") == []


def test_what_goes_while_it_is_read_is_left_out(tmp_path: Path) -> None:
    """Cgroups are made and removed all the time, several deep; those that stay are found each time."""
    stays = tmp_path / "kubelet.slice" / "stays"
    stays.mkdir(parents=True)
    ended = threading.Event()

    def come_and_go() -> None:
        while not ended.is_set():
            for number in range(10):
                (stays.parent / f"pod{number}" / "container").mkdir(parents=True)
            for number in range(10):
                shutil.rmtree(stays.parent / f"pod{number}")

    others = threading.Thread(target=come_and_go)
    others.start()
    try:
        found = [set(tree(tmp_path)) for _ in range(_TIMES)]
    finally:
        ended.set()
        others.join()
    assert all({tmp_path, stays.parent, stays} <= paths for paths in found)
    assert len({frozenset(paths) for paths in found}) > 1
