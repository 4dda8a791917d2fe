"""Tests of clusters.pool: what comes from the shelf, what goes back to it, and what is removed instead."""

import io
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chaos_harness.clusters import pool as pools
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.errors import ClusterUnavailable, CommandFailed
from chaos_harness.clusters.garbage import Owner, run_directories
from chaos_harness.clusters.images import Images
from chaos_harness.clusters.kind.logs import LogKeeper
from chaos_harness.clusters.pool import Pool, capacity, frozen
from chaos_harness.clusters.pool.deviations import Trait
from chaos_harness.clusters.pool.fingerprint import UNREADY
from chaos_harness.clusters.shape import Shape
from chaos_harness.clusters.terminal.progress import Progress
from tests.fakes.engine import FakeEngine

_IMAGES = Images(node="node:1", gatekeeper="gatekeeper:1", gatekeeper_crds=None, registry="registry:1")
_LOGS = LogKeeper(Path("/nowhere"))
_PODS = Trait("pods", "ReplicaSet x", "gatekeeper-system")
_UNREADY = Trait("pods", "ReplicaSet coredns", "kube-system", UNREADY)


class World:
    """Clusters that are only pretended, and what is done to them."""

    def __init__(self) -> None:
        self.did: list[str] = []
        self.like = {Trait("objects", "all"): "as made"}
        self.failing: dict[str, Exception] = {}
        self.clusters: dict[str, Cluster] = {}
        self.unready: tuple[bool, ...] = ()

    def act(self, verb: str) -> None:
        self.did.append(verb)
        if verb in self.failing:
            raise self.failing[verb]

    def create(
        self, engine: Any, _images: Any, shape: Shape, owner: Owner, directory: Path, *_: Any, **__: Any
    ) -> Cluster:
        self.act("create")
        folder = directory / f"c-{len(self.clusters)}"
        folder.mkdir()
        cluster = Cluster(folder.name, shape, engine, folder / "kubeconfig", "c", None, owner.run, folder)
        self.clusters[cluster.name] = cluster
        return cluster

    def fingerprint(self, *_: Any) -> dict[Trait, str]:
        moment, self.unready = (self.unready[0], self.unready[1:]) if self.unready else (False, ())
        return self.like | ({_UNREADY: "1"} if moment else {})

    def does(self, verb: str) -> Callable[..., None]:
        return lambda *_: self.act(verb)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> World:
    world = World()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(pools, "create", world.create)
    for verb in ("delete", "freeze", "thaw", "reset"):
        monkeypatch.setattr(pools, verb, world.does(verb))
    monkeypatch.setattr(pools, "fingerprint", world.fingerprint)
    monkeypatch.setattr(Cluster, "open", lambda _engine, name: world.clusters[name])
    for verb in ("save_deployments", "wait_settled"):
        monkeypatch.setattr(pools, verb, lambda *_: None)
    monkeypatch.setattr(capacity, "memory_refusal", lambda _: None)
    return world


def pool(**settings: Any) -> Pool:
    return Pool(FakeEngine(), Progress.quiet(), **settings)


def get(lender: Pool, **shape: Any) -> Cluster:
    return lender.get(Shape(**shape), _IMAGES, _LOGS)


def test_an_empty_shelf_costs_a_new_cluster(world: World) -> None:
    """It is made, its fingerprint is noted, and this process owns it."""
    cluster = get(pool())
    assert world.did == ["create"]
    assert frozen.read_note(cluster.directory.parent).fingerprint == world.like
    assert [owner.pid for _, owner in run_directories()] == [os.getpid()]


def test_a_cluster_as_it_was_goes_back_and_comes_again(world: World) -> None:
    """Frozen when it is given back, thawed when it is leased, the same one."""
    cluster = get(pool())
    assert pool().give_back(cluster) == []
    assert get(pool()) == cluster
    assert world.did == ["create", "freeze", "thaw"]


@pytest.mark.parametrize(
    ("unready", "left"),
    [
        ((True, False, False), []),
        ((False, True, False), []),
        ((False, True, True), ["new: pods of kube-system/ReplicaSet coredns not ready (1)"]),
        ((True, False, False), ["gone: pods of kube-system/ReplicaSet coredns not ready"]),
    ],
    ids=["when it was made", "when it is given back", "for good", "when it was made, for long"],
)
def test_a_pod_that_is_not_ready_for_a_moment_is_no_change(
    world: World, monkeypatch: pytest.MonkeyPatch, unready: tuple[bool, ...], left: list[str]
) -> None:
    """It is waited for as a pod that still begins is, before the fingerprint is kept and before it is compared."""
    monkeypatch.setattr(pools, "_SETTLE_SECONDS", 0.0 if left else 60.0)
    world.unready = unready
    assert pool().give_back(get(pool())) == left


def test_another_shape_does_not_get_it(world: World) -> None:
    """One that differs in anything gets a new cluster, and the first stays."""
    pool().give_back(get(pool()))
    get(pool(), certificate="native")
    assert world.did == ["create", "freeze", "create"]
    assert len(list(frozen.entries())) == 1


def test_another_image_of_the_same_name_is_not_leased(world: World) -> None:
    """An image that was built anew has its name, and another id: a cluster of the old one stays on the shelf."""
    pool().give_back(get(pool()))
    anew = replace(_IMAGES, ids={"node:1": "sha256:2"})
    assert pool().lease(Shape(), anew) is None
    assert pool().lease(Shape(), _IMAGES) is not None


def test_a_cluster_that_was_changed_is_thrown_away_and_what_differs_is_told(world: World) -> None:
    """The next one gets a new cluster."""
    cluster = get(pool())
    world.like = {Trait("objects", "all"): "broken"}
    assert pool().give_back(cluster) == ["changed: objects all (was as made, is broken)"]
    assert world.did == ["create", "delete"]
    assert not cluster.directory.parent.exists()
    assert pool().lease(Shape(), _IMAGES) is None


@pytest.mark.parametrize("unready", [(), (True,), (False, True)], ids=["", "before", "after"])
def test_a_cluster_whose_gatekeeper_alone_was_changed_is_reset(
    world: World, monkeypatch: pytest.MonkeyPatch, unready: tuple[bool, ...]
) -> None:
    """Afterwards it must be as it was made, and only then it goes back; another pod may be unready for a moment."""
    cluster = get(pool())
    world.unready = unready
    world.like = {**world.like, _PODS: "restarted"}

    def mend(*_: object) -> None:
        world.act("reset")
        world.like.pop(_PODS)

    monkeypatch.setattr(pools, "reset", mend)
    assert pool().give_back(cluster) == []
    assert world.did == ["create", "reset", "freeze"]


def test_a_cluster_that_a_reset_does_not_mend_is_thrown_away(world: World) -> None:
    """What is left is told."""
    cluster = get(pool())
    world.like = {**world.like, Trait("replicasets", "old", "gatekeeper-system"): "there"}
    assert pool().give_back(cluster) == ["new: replicasets gatekeeper-system/old (there)"]
    assert world.did == ["create", "reset", "delete"]


def test_a_cluster_that_its_user_knows_to_be_broken_is_thrown_away(world: World) -> None:
    """Nothing is compared."""
    assert pool().give_back(get(pool()), broken="not undone: x") == ["not undone: x"]
    assert world.did == ["create", "delete"]


@pytest.mark.parametrize("verb", ["thaw", "open"])
def test_a_cluster_that_cannot_be_proved_healthy_is_not_handed_out(
    world: World, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    """It is removed, why is told, and a new one is made."""
    stream = io.StringIO()
    pool().give_back(get(pool()))
    world.failing["thaw"] = ClusterUnavailable("Kubernetes noticed the pause")
    if verb == "open":
        world.clusters.clear()
        monkeypatch.setattr(Cluster, "open", lambda *_: world.act("thaw"))
    noisy = Pool(FakeEngine(), Progress(stream))
    assert get(noisy)
    assert world.did == ["create", "freeze", "thaw", "create"]
    assert "was not leased: Kubernetes noticed the pause" in stream.getvalue()
    assert len(list(run_directories())) == 1


def test_one_that_cannot_be_frozen_is_thrown_away(world: World) -> None:
    """It is on no shelf."""
    world.failing["freeze"] = CommandFailed("no freezer")
    assert pool().give_back(get(pool())) == ["it could not be frozen: no freezer"]
    assert (world.did, list(frozen.entries())) == (["create", "freeze", "delete"], [])


def test_a_full_pool_takes_no_more(world: World) -> None:
    """What does not fit is removed."""
    first, second = get(pool()), get(pool())
    pool(most=1).give_back(first)
    assert pool(most=1).give_back(second) == ["1 clusters are in the pool already"]


def test_the_oldest_of_another_shape_makes_room(world: World) -> None:
    """Who works on a third shape finds its cluster the next time, and not those of the shapes of before."""
    shapes = [Shape(workers=number) for number in (0, 1, 2)]
    made = [pool().get(shape, _IMAGES, _LOGS) for shape in shapes]
    for cluster in made:
        assert pool().give_back(cluster) == []
    assert {entry.cluster for _, entry in frozen.entries()} == {made[1].name, made[2].name}
    assert [pool().lease(shape, _IMAGES) is None for shape in shapes] == [True, False, False]


def test_what_stands_in_another_pool_takes_no_place(world: World) -> None:
    """Each has as many as it may have; memory limits all of them together."""
    pool(name="a", most=1).give_back(get(pool(name="a")))
    assert pool(most=1).give_back(get(pool())) == []


def test_less_memory_makes_a_smaller_pool_and_is_said_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cluster is removed each time, and the reason is shown the first time."""
    monkeypatch.setattr(capacity, "memory_refusal", lambda _: "100 MiB of memory are available")
    stream = io.StringIO()
    small = Pool(FakeEngine(), Progress(stream))
    for _ in range(2):
        assert small.give_back(get(small)) == ["100 MiB of memory are available"]
    assert stream.getvalue().count("the pool stays small") == 1


def test_filling_makes_what_is_not_there_yet(world: World) -> None:
    """One of a shape, and no second one."""
    for _ in range(2):
        pool().fill(Shape(), _IMAGES, _LOGS)
    assert world.did == ["create", "freeze"]


def test_a_cluster_that_does_not_come_up_leaves_nothing(world: World) -> None:
    """Its error is passed on and its run's directory is gone."""
    world.failing["create"] = ClusterUnavailable("no")
    with pytest.raises(ClusterUnavailable):
        get(pool())
    assert list(run_directories()) == []


def test_a_cluster_is_put_back_without_a_place_in_the_pool(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its next use is in the same run: no lack of memory keeps it from that, and it is not frozen."""
    monkeypatch.setattr(capacity, "memory_refusal", lambda _: "no memory")
    cluster = get(pool(), control_planes=3)
    assert pool().restore(cluster) == []
    assert pool().restore(cluster, broken="not undone: x") == ["not undone: x"]
    world.like = {Trait("objects", "all"): "broken"}
    assert pool().restore(cluster) == ["changed: objects all (was as made, is broken)"]
    assert world.did == ["create"]


def test_a_pool_with_a_name_has_clusters_of_its_own(world: World) -> None:
    """No other pool gets them, and it gets none of theirs."""
    pool(name="a").give_back(get(pool(name="a")))
    assert (pool().lease(Shape(), _IMAGES), pool(name="b").lease(Shape(), _IMAGES)) == (None, None)
    assert pool(name="a").lease(Shape(), _IMAGES) is not None
    pool().give_back(get(pool()))
    assert pool(name="a").lease(Shape(), _IMAGES) is None


def test_a_pool_is_emptied(world: World) -> None:
    """What stands in it is removed, but the shapes that are still needed, and nothing of another pool."""
    clusters = {}
    for name, certificate in (("a", "prepared"), ("a", "native"), ("", "native")):
        clusters[name, certificate] = get(pool(name=name), certificate=certificate)
        pool(name=name).give_back(clusters[name, certificate])
    needed = clusters["a", "prepared"]
    assert pool(name="a").empty(keep={needed.shape.slug}) == [clusters["a", "native"].name]
    assert {entry.cluster for _, entry in frozen.entries()} == {needed.name, clusters["", "native"].name}
    assert not clusters["a", "native"].directory.parent.exists()
    assert pool(name="a").empty() == [needed.name]
    assert [entry.pool for _, entry in frozen.entries()] == [""]
