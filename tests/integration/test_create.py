"""Tests of creation on a real engine: what it leaves when it succeeds, fails or is interrupted is nothing."""

import contextlib
import dataclasses
import os
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from chaos_harness.clusters.api.rest import request
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.creation.create import delete
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine
from chaos_harness.clusters.engine.inventory import RUN, EngineObject, inventory
from chaos_harness.clusters.errors import ApiRefused, ApiUnreachable, ClusterUnavailable
from chaos_harness.clusters.gatekeeper.install import wait_until_serving
from chaos_harness.clusters.images import ensure
from chaos_harness.clusters.kind.logs import LogKeeper
from chaos_harness.clusters.pool.freeze import freeze, thaw
from chaos_harness.clusters.shape import Shape
from chaos_harness.clusters.terminal.progress import Progress
from tests.fakes.child import child

pytestmark = [pytest.mark.cluster, pytest.mark.beside]

_BARE = Shape(workers=0, gatekeeper=None)


def soon(what: str = "the test", seconds: float = 60) -> Deadline:
    return Deadline.after(seconds, what)


def of_run(engine: Engine, run: str) -> list[EngineObject]:
    return [thing for thing in inventory(engine, soon()) if thing.labels[RUN] == run]


def test_gatekeeper_serves_when_its_chart_installed_it(build: Callable[..., Cluster]) -> None:
    """Helm brings it up, from the nodes where there is no registry; test_pool_orders.py has one with a registry."""
    cluster = build(Shape(workers=1, registry=False, install="chart"))
    assert len(wait_until_serving(cluster, soon("Gatekeeper"))) == 3
    delete(cluster)
    assert not [thing for thing in of_run(cluster.engine, cluster.run) if cluster.name in thing.name]


@pytest.fixture(scope="module")
def pair(build: Callable[..., Cluster]) -> tuple[Cluster, Cluster]:
    """Make two clusters at once, which takes little longer than one."""
    with ThreadPoolExecutor(2) as pool:
        one, two = pool.map(build, (_BARE, _BARE))
    return one, two


def test_two_clusters_come_up_at_once(pair: tuple[Cluster, Cluster]) -> None:
    """Neither network nor ports collide."""
    one, two = pair
    with one.client() as first, two.client() as second:
        names = [request(api, "GET", "/api/v1/nodes")["items"][0]["metadata"]["name"] for api in (first, second)]
    assert names == [one.control_planes[0], two.control_planes[0]]


def test_deleting_a_cluster_leaves_nothing(pair: tuple[Cluster, Cluster], engine: Engine) -> None:
    """No container, network, volume, image name or file is left, and deleting twice is no error."""
    cluster, _ = pair
    things = [thing for thing in of_run(engine, cluster.run) if thing.labels["chaos-harness.cluster"] == cluster.name]
    assert len(traces(engine, things)) == 5  # node, registry, network, a volume each
    delete(cluster)
    delete(cluster)
    assert (traces(engine, things), cluster.directory.exists()) == ([], False)


FREEZE = """
scopes=$(find /sys/fs/cgroup -ignore_readdir_race -type d -name 'cri-containerd-*.scope' 2>/dev/null || :)
scope=$(echo "$scopes" | grep -E '^/sys/fs/cgroup/(freezer/|kubelet)' | head -n 1)
if [ -e "$scope/freezer.state" ]; then echo FROZEN > "$scope/freezer.state"; else echo 1 > "$scope/cgroup.freeze"; fi
"""


def test_a_node_is_deleted_while_a_container_is_frozen_in_it(pair: tuple[Cluster, Cluster], engine: Engine) -> None:
    """A pod that runc has frozen to change its devices does not keep the node from dying (cgroup v1)."""
    _, cluster = pair
    cluster.exec(cluster.control_planes[0], ["sh", "-ec", FREEZE], soon())
    delete(cluster)
    assert not [thing for thing in of_run(engine, cluster.run) if cluster.name in thing.name]


def test_several_api_servers_stand_behind_one_address(build: Callable[..., Cluster], engine: Engine) -> None:
    """With three control planes the cluster answers, also when the first API server is away, and all is deleted.

    It sleeps unnoticed for longer than the lease of a leader, for which two others wait.
    """
    cluster = build(Shape(control_planes=3, workers=0, gatekeeper=None, registry=False))
    freeze(cluster, soon("the cluster to freeze"))
    for _ in Deadline.after(20, "leases to run out").attempts(first=20):
        pass
    thaw(cluster, soon("the cluster to be as it was"))
    with cluster.client() as api:
        assert len(request(api, "GET", "/api/v1/nodes")["items"]) == 3
    engine.run(["pause", cluster.control_planes[0]], soon())
    answered = 0
    for _ in soon("ten answers in a row").attempts():
        with cluster.client() as api, contextlib.suppress(ApiRefused, ApiUnreachable):
            answered = answered + 1 if request(api, "GET", "/version", timeout=(2.0, 2.0)) else 0
        if answered == 10:
            break
    assert answered == 10
    engine.run(["unpause", cluster.control_planes[0]], soon())
    delete(cluster)
    assert not inventory(engine, soon(), cluster=cluster.name)


def test_nodes_that_do_not_boot_leave_their_logs_and_nothing_else(
    build: Callable[..., Cluster], engine: Engine, tmp_path: Path
) -> None:
    """The error names kind's action and the logs' place, where the container's last words are."""
    images = ensure(engine, _BARE, Progress.quiet())
    assert images.registry
    with pytest.raises(ClusterUnavailable, match=r"could not wait for the nodes.*kind create cluster") as caught:
        build(_BARE, images=dataclasses.replace(images, node=images.registry), logs=LogKeeper(tmp_path))
    (logs,) = tmp_path.iterdir()
    assert f"logs: {logs}" in str(caught.value)
    assert list(logs.glob("*-control-plane.log"))
    assert not inventory(engine, soon(), cluster=logs.name)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_creation_removes_itself(engine: Engine, number: signal.Signals) -> None:
    """Ctrl-C and SIGTERM in the middle of kind's work leave nothing."""
    run = f"ended-{os.urandom(2).hex()}"
    with child(run, "create the nodes") as process:
        for _ in soon("a node container").attempts():
            if any(thing.name.endswith("control-plane") for thing in of_run(engine, run)):
                break
        process.send_signal(number)
        assert process.wait(60) != 0
    assert of_run(engine, run) == []


def traces(engine: Engine, things: list[EngineObject]) -> list[str]:
    """Return which of `things`, of the volumes they mount and of the names pushed to their ports are in the engine."""
    mounts = [mount for thing in things for mount in thing.attributes.get("Mounts", [])]
    ids = {thing.id for thing in things} | {mount["Name"] for mount in mounts if mount["Type"] == "volume"}
    ports = {f"127.0.0.1:{port}/" for thing in things for port in thing.host_ports}
    lists = (["ps", "--all", "--no-trunc"], ["network", "ls", "--no-trunc"], ["volume", "ls"])
    there = [engine.run([*words, "--quiet"], soon()).stdout for words in lists]
    names = engine.run(["images", "--format", "{{.Repository}}"], soon()).stdout.split()
    pushed = [name for name in names if any(name.startswith(port) for port in ports)]
    return [identity for text in there for identity in text.split() if identity in ids] + pushed
