"""Tests of what a frozen cluster may meet on its shelf: each is a miss, and nothing of it stays or is handed out."""

import shutil
import time
from collections.abc import Iterator

import pytest

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine, claims
from chaos_harness.clusters.engine.inventory import RUN, inventory
from chaos_harness.clusters.garbage import Owner, collect_garbage
from chaos_harness.clusters.images import Images, ensure
from chaos_harness.clusters.kind.logs import LogKeeper
from chaos_harness.clusters.pool import Pool
from chaos_harness.clusters.shape import Shape
from chaos_harness.clusters.terminal.progress import Progress

pytestmark = [pytest.mark.cluster, pytest.mark.beside]

_SHAPE = Shape(workers=0, gatekeeper=None, registry=False)
_HOUR = 3600.0


@pytest.fixture(scope="module")
def images(engine: Engine, progress: Progress) -> Images:
    return ensure(engine, _SHAPE, progress)


@pytest.fixture(scope="module")
def pool(engine: Engine, progress: Progress, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    with pytest.MonkeyPatch.context() as patch:
        # A shelf of its own: the machine's may hold clusters of others. Leftovers would be found by their labels.
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield Pool(engine, progress)


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
