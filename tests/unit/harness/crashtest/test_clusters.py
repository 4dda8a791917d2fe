"""Clusters: one on which something differs is never used again, and who is killed knows which one it is."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.shape import Shape
from chaos_harness.clusters.terminal.progress import Progress
from chaos_harness.harness.crashtest import stage
from chaos_harness.harness.crashtest.clusters import ClusterLender
from chaos_harness.harness.errors import HarnessError
from tests.fakes.engine import FakeEngine

if TYPE_CHECKING:
    from chaos_harness.clusters.pool import Pool


class Shelf:
    """A pool that notes what becomes of a cluster."""

    def __init__(self) -> None:
        self.became: list[str] = []

    def give_back(self, _: Cluster, *, broken: str | None) -> list[str]:
        self.became.append(f"given back: {broken}")
        return []

    def remove(self, _: Cluster) -> None:
        self.became.append("removed")


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


def lender(shelf: Shelf, folder: Path, *, pooled: bool) -> ClusterLender:
    cluster = Cluster("c", Shape(), FakeEngine(), folder / "kubeconfig", "c", None, "run", folder)
    return ClusterLender(cast("Pool", shelf), lambda: cluster, "private", folder, Progress.quiet(), pooled)


@pytest.mark.parametrize(
    ("pooled", "is_clean", "became"),
    [
        (True, True, ["taken down", "given back: None"]),
        (True, False, ["given back: something differs after a trial"]),
        (False, True, ["removed"]),
        (False, False, ["removed"]),
    ],
)
def test_what_becomes_of_a_cluster(
    shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pooled: bool, is_clean: bool, became: list[str]
) -> None:
    """It goes back to the pool without the objects of samples, or with the reason why it is to be removed."""
    monkeypatch.setattr(stage, "take_down", lambda *_: shelf.became.append("taken down"))
    with lender(shelf, tmp_path, pooled=pooled).lend() as lent:
        lent.is_clean = is_clean
    assert shelf.became == became


def test_objects_that_stay_keep_it_out_of_the_pool(
    shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cluster whose objects of samples cannot be deleted is removed."""

    def refuse(*_: Any) -> None:
        raise HarnessError("no answer")

    monkeypatch.setattr(stage, "take_down", refuse)
    with lender(shelf, tmp_path, pooled=True).lend():
        pass
    assert shelf.became == ["given back: no answer"]


def test_what_the_process_that_is_killed_is_told(shelf: Shelf, tmp_path: Path) -> None:
    """The engine, the cluster, the fault with its parameters, and the moment."""
    with lender(shelf, tmp_path, pooled=False).lend() as lent:
        python, *module, asked = lent.place.child("kill_node", {"node": "w"}, "undoing")
    assert [python, *module] == [sys.executable, "-m", "chaos_harness.harness.crashtest.child"]
    assert json.loads(asked) == {
        "engine": "private",
        "cluster": "c",
        "fault": "kill_node",
        "values": {"node": "w"},
        "moment": "undoing",
    }
