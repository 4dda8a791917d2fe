"""Tests of what a frozen cluster may meet on its shelf: each is a miss, and nothing of it stays or is handed out."""

import os
import shutil
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine, Layout, claims, connect, processes
from chaos_harness.clusters.engine.inventory import RUN, inventory
from chaos_harness.clusters.garbage import Owner, collect_garbage
from chaos_harness.clusters.images import Images, ensure
from chaos_harness.clusters.kind.logs import LogKeeper
from chaos_harness.clusters.pool import Pool
from chaos_harness.clusters.shape import Shape
from chaos_harness.clusters.terminal.progress import Progress

pytestmark = pytest.mark.cluster

_SHAPE = Shape(workers=0, gatekeeper=None, registry=False)
_HOUR = 3600.0


@pytest.fixture(scope="module")
def engine() -> Engine:
    return connect(progress=Progress.terminal())


@pytest.fixture(scope="module")
def images(engine: Engine) -> Images:
    return ensure(engine, _SHAPE, Progress.terminal())


@pytest.fixture(scope="module")
def pool(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    with pytest.MonkeyPatch.context() as patch:
        # A shelf of its own: the machine's may hold clusters of others. Leftovers would be found by their labels.
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield Pool(engine, Progress.terminal())


@pytest.fixture(scope="module")
def frozen(pool: Pool, images: Images, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    pooled = pool.make(_SHAPE, images, LogKeeper(tmp_path_factory.mktemp("logs")))
    assert pool.give_back(pooled) == []
    yield pooled
    pool.remove(pooled)


def states(cluster: Cluster) -> list[str]:
    things = inventory(cluster.engine, Deadline.after(60, "what is left"))
    mine = [thing for thing in things if thing.labels[RUN] == cluster.run]
    return [thing.attributes["State"]["Status"] if thing.kind == "container" else thing.kind for thing in mine]


@pytest.mark.parametrize("hours", [7, -2], ids=["too old", "clock set back"])
def test_a_cluster_of_another_time_is_a_miss(
    pool: Pool, frozen: Cluster, images: Images, monkeypatch: pytest.MonkeyPatch, hours: float
) -> None:
    """It is not handed out, nor touched: another process may be right about the time. Then it is as good as ever."""
    now = time.time
    with monkeypatch.context() as patch:
        patch.setattr(time, "time", lambda: now() + hours * _HOUR)
        assert pool.lease(_SHAPE, images) is None
    assert "paused" in states(frozen)
    assert pool.lease(_SHAPE, images) == frozen
    assert pool.give_back(frozen) == []


def test_without_its_directory_it_stands_until_its_claim_has_expired(
    pool: Pool, frozen: Cluster, images: Images
) -> None:
    """Somebody who deletes the pool's directory has no pool any more; another machine's collector never saw one."""
    shutil.rmtree(frozen.directory.parent)
    assert pool.lease(_SHAPE, images) is None
    collect_garbage(frozen.engine)
    assert "paused" in states(frozen)
    claims.renew_last(frozen.engine, Owner.nobody(frozen.run), 1)
    for _ in Deadline.after(20, "the claim to expire").attempts():
        collect_garbage(frozen.engine)
        if not states(frozen):
            break
    assert states(frozen) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="a private engine needs root")
def test_an_engine_that_was_restarted_has_no_frozen_clusters(
    engine: Engine, images: Images, layout: Layout, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Whatever the engine made of the frozen nodes, nobody gets them, and all of them go."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    deadline = Deadline.after(300, "the node image in another engine")
    with (tmp_path / "node.tar").open("wb") as archive:
        engine.run(["save", images.node], deadline, stdout=archive)
    own = connect("private", layout=layout)
    own.run(["load", "--input", tmp_path / "node.tar"], deadline)
    pool = Pool(own, Progress.terminal())
    frozen = pool.make(_SHAPE, images, LogKeeper(tmp_path))
    assert pool.give_back(frozen) == []
    for program in ("dockerd", "containerd"):
        for daemon in processes.find(layout, program):
            os.kill(daemon.pid, signal.SIGTERM)
    for _ in Deadline.after(60, "the engine to end").attempts():
        if not processes.find(layout, "dockerd"):
            break
    again = connect("private", layout=layout)
    assert Pool(again, Progress.terminal()).lease(_SHAPE, images) is None
    assert states(replace(frozen, engine=again)) == []
