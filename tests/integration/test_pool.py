"""Tests of the pool on a real cluster: what stood still wakes unharmed, what was changed is not handed out."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chaos_harness.clusters.api.rest import request
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine
from chaos_harness.clusters.engine.inventory import RUN, inventory
from chaos_harness.clusters.garbage import collect_garbage
from chaos_harness.clusters.gatekeeper.install import wait_until_serving
from chaos_harness.clusters.images import Images, ensure
from chaos_harness.clusters.kind.logs import LogKeeper
from chaos_harness.clusters.pool import Pool, frozen, reset_gatekeeper
from chaos_harness.clusters.pool.deviations import Trait, deviations
from chaos_harness.clusters.pool.fingerprint import fingerprint
from chaos_harness.clusters.shape import Shape
from chaos_harness.clusters.terminal.progress import Progress
from chaos_harness.harness.faults import ONE_SHOT
from chaos_harness.harness.faults.registry.cut import cut_registry
from chaos_harness.harness.gatekeeper.restart import restart_gatekeeper

pytestmark = [pytest.mark.cluster, pytest.mark.beside]

_SHAPE = Shape()
_MAPS = "/api/v1/namespaces/default/configmaps"
_RULE = ["FORWARD", "--destination", "203.0.113.9", "--jump", "DROP"]


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
def cluster(pool: Pool, images: Images, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    made = pool.make(_SHAPE, images, LogKeeper(tmp_path_factory.mktemp("logs")))
    yield made
    pool.remove(made)


def soon(what: str = "the test", seconds: float = 60) -> Deadline:
    return Deadline.after(seconds, what)


def of_cluster(cluster: Cluster) -> list[str]:
    return [thing.name for thing in inventory(cluster.engine, soon()) if thing.labels[RUN] == cluster.run]


def past(cluster: Cluster) -> dict[str, Any]:
    """Return what a loss of nodes would change: pods and their restarts, who holds which lease, taints."""
    with cluster.client() as api:
        pods = request(api, "GET", "/api/v1/pods")["items"]
        leases = request(api, "GET", "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases")["items"]
        nodes = request(api, "GET", "/api/v1/nodes")["items"]
    restarts = {
        pod["metadata"]["uid"]: sum(container["restartCount"] for container in pod["status"]["containerStatuses"])
        for pod in pods
    }
    holders = {lease["metadata"]["name"]: lease["spec"]["holderIdentity"] for lease in leases}
    turns = {lease["metadata"]["name"]: lease["spec"].get("leaseTransitions") for lease in leases}
    return {
        "pods": restarts,
        "holders": holders,
        "turns": turns,
        "taints": [node["spec"].get("taints") for node in nodes],
    }


def test_nobody_notices_that_time_stood_still(pool: Pool, cluster: Cluster, images: Images) -> None:
    """Returned, frozen for longer than a node may be silent, and leased: no pod, lease or taint has changed."""
    before = past(cluster)
    assert pool.give_back(cluster) == []
    states = {
        thing.attributes["State"]["Status"]
        for thing in inventory(cluster.engine, soon(), cluster=cluster.name)
        if thing.kind == "container"
    }
    assert states == {"paused"}
    for _ in Deadline.after(65, "a node to be silent for too long").attempts(first=65):
        pass
    assert pool.lease(_SHAPE, images) == cluster
    assert past(cluster) == before
    assert len(wait_until_serving(cluster, soon("Gatekeeper"))) == 3


def test_a_cluster_that_slept_has_its_registry_still(cluster: Cluster) -> None:
    """Whoever has leased it knows the registry's password, and so do its nodes."""
    opened = Cluster.open(cluster.engine, cluster.name)
    fault, deadline = cut_registry("503"), soon("the registry")
    assert opened.registry
    assert fault.healed is not ONE_SHOT
    assert fault.healed(opened, deadline).endswith(": 200")
    opened.exec(opened.workers[0], ["crictl", "pull", "docker.io/openpolicyagent/gatekeeper:v3.23.1"], deadline)


def test_garbage_collection_leaves_the_shelf_alone(pool: Pool, cluster: Cluster, images: Images) -> None:
    """A frozen cluster has no process, and is no garbage."""
    assert pool.give_back(cluster) == []
    before = of_cluster(cluster)
    collect_garbage(cluster.engine)
    assert of_cluster(cluster) == before
    assert pool.lease(_SHAPE, images) == cluster


def test_gatekeeper_that_was_rolled_out_anew_is_as_it_was_again(pool: Pool, cluster: Cluster, images: Images) -> None:
    """Another pull policy, another ReplicaSet, a killed container: after the reset nothing of it is left."""
    restart_gatekeeper(cluster, soon("the roll-out", 240), pull_policy="IfNotPresent")
    argv = "crictl stop --timeout 0 $(crictl ps --quiet --label io.kubernetes.container.name=manager)"
    for node in cluster.workers:
        cluster.exec(node, ["sh", "-c", argv], soon())
    assert pool.give_back(cluster) == []
    assert pool.lease(_SHAPE, images) == cluster
    assert set(past(cluster)["pods"].values()) == {0}


def test_no_container_outlives_the_pods_that_a_reset_removes(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With nothing remembered, nothing is made: what runs on a node then is of the old."""
    (tmp_path / "deployments.json").write_text("[]", encoding="utf-8")
    with monkeypatch.context() as patch:
        patch.setattr(reset_gatekeeper, "wait_until_serving", lambda *_: [])
        reset_gatekeeper.reset(cluster, tmp_path, soon())
    argv = ["crictl", "ps", "--quiet", "--label", "io.kubernetes.pod.namespace=gatekeeper-system"]
    running = [cluster.exec(node, argv, soon()).stdout for node in cluster.nodes()]
    reset_gatekeeper.reset(cluster, cluster.directory.parent, soon("Gatekeeper to be there again", 240))
    assert running == [""] * len(cluster.nodes())


def test_what_a_scenario_leaves_is_found_and_what_it_takes_back_is_forgotten(pool: Pool, cluster: Cluster) -> None:
    """An object and a rule are named while they are there; without them the cluster is as it was."""
    made = frozen.read_note(cluster.directory.parent).fingerprint
    node = cluster.workers[0]
    with cluster.client() as api:
        request(api, "POST", _MAPS, body={"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "left"}})
        cluster.exec(node, ["iptables", "--insert", *_RULE], soon())
        differences = deviations(made, fingerprint(cluster, soon()))
        request(api, "DELETE", f"{_MAPS}/left")
        cluster.exec(node, ["iptables", "--delete", *_RULE], soon())
    assert [deviation.trait for deviation in differences] == [
        Trait("node", node, aspect="rules"),
        Trait("configmaps", "left", "default"),
    ]
    assert deviations(made, fingerprint(cluster, soon())) == []


def test_a_frozen_cluster_that_lost_a_node_is_a_miss_and_nothing_of_it_stays(
    pool: Pool, cluster: Cluster, images: Images
) -> None:
    """It is not handed out; containers, network, volumes and directory are gone."""
    assert pool.give_back(cluster) == []
    cluster.engine.run(["rm", "--force", "--volumes", cluster.workers[0]], soon())
    assert pool.lease(_SHAPE, images) is None
    assert (of_cluster(cluster), cluster.directory.parent.exists()) == ([], False)
