"""Tests of clusters.pool.fingerprint: what was changed is named, what changes by itself is not."""

import copy
import dataclasses
import json
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.errors import DeadlineExceeded
from chaos_harness.clusters.machine.process import CommandResult
from chaos_harness.clusters.pool.deviations import Deviation, Trait, deviations
from chaos_harness.clusters.pool.fingerprint import fingerprint, is_settled, wait_settled
from chaos_harness.clusters.pool.reset_gatekeeper import can_reset
from chaos_harness.clusters.registry.container import Registry
from chaos_harness.clusters.registry.login import Login
from chaos_harness.clusters.shape import Shape
from tests.fakes.engine import FakeEngine
from tests.fakes.rest_server import RestServer, cluster_on, rest_server

_INSIDE = "== rules\n-P INPUT ACCEPT\n== images\na\nb\n== stopped\n"
_PODS, _SECRETS, _NODES = "/api/v1/pods", "/api/v1/secrets", "/api/v1/nodes"


@dataclass(frozen=True)
class Nodes(FakeEngine):
    """Two containers, and what is said inside each of them."""

    inside: dict[str, str] = field(default_factory=lambda: dict.fromkeys(("c-control-plane", "c-worker"), _INSIDE))
    containers: dict[str, Any] = field(default_factory=dict)

    def run(self, argv: Any, deadline: Deadline, *, check: bool = True, **_: Any) -> CommandResult:
        """Answer inspect and exec."""
        if argv[0] == "exec":
            return CommandResult(self.inside[argv[1]], "", 0)
        return CommandResult(json.dumps(list(self.containers.values())), "", 0)


def container(name: str) -> dict[str, Any]:
    state = {"Status": "running", "StartedAt": "2026-01-01T00:00:00Z"}
    networks = {"c": {"IPAddress": "10.0.0.2"}}
    settings = {"HostConfig": {"Memory": 0}, "NetworkSettings": {"Networks": networks}}
    return {"Name": f"/{name}", "State": state, **settings}


def pod(name: str, restarts: int = 0, owner: str = "webhook-5f") -> dict[str, Any]:
    status = {
        "phase": "Running",
        "conditions": [{"type": "Ready", "status": "True"}],
        "containerStatuses": [{"name": "manager", "image": "gatekeeper:1", "restartCount": restarts}],
    }
    owners = [{"kind": "ReplicaSet", "name": owner}]
    return {"metadata": {"name": name, "namespace": "gatekeeper-system", "ownerReferences": owners}, "status": status}


def node() -> dict[str, Any]:
    conditions = [{"type": "Ready", "status": "True", "lastHeartbeatTime": "1"}]
    status = {"conditions": conditions, "nodeInfo": {"kubeletVersion": "v1.36.4", "bootID": "b"}}
    return {"metadata": {"name": "c-worker", "resourceVersion": "1"}, "spec": {}, "status": status}


def secret() -> dict[str, Any]:
    return {"metadata": {"name": "cert", "namespace": "gatekeeper-system"}, "data": {"tls.crt": "QQ=="}}


@pytest.fixture
def server() -> Iterator[RestServer]:
    kinds = [{"name": name, "verbs": ["list"]} for name in ("pods", "secrets", "nodes", "events")]
    with rest_server() as server:
        server.answers["/apis"] = {"groups": []}
        server.answers["/api/v1"] = {"resources": [*kinds, {"name": "pods/log", "verbs": ["get"]}]}
        server.answers[_PODS] = {"items": [pod("a"), pod("b")]}
        server.answers[_SECRETS] = {"items": [secret()]}
        server.answers[_NODES] = {"items": [node()]}
        server.answers["/api/v1/events"] = 500
        yield server


@pytest.fixture
def engine() -> Nodes:
    return Nodes(containers={name: container(name) for name in ("c-control-plane", "c-worker")})


@pytest.fixture
def cluster(server: RestServer, engine: Nodes, tmp_path: Path) -> Cluster:
    return cluster_on(server, engine, tmp_path, Shape(workers=1))


def take(cluster: Cluster) -> dict[Trait, str]:
    return fingerprint(cluster, Deadline.after(10, "a fingerprint"))


def deviating(cluster: Cluster, change: Callable[[], object]) -> list[Deviation]:
    before = take(cluster)
    change()
    return deviations(before, take(cluster))


def changed(cluster: Cluster, change: Callable[[], object]) -> list[str]:
    return list(map(str, deviating(cluster, change)))


def items(server: RestServer, path: str) -> list[Any]:
    """Return the objects at a path, copied, so that a change is a change."""
    server.answers[path] = copy.deepcopy(server.answers[path])
    objects: list[Any] = server.answers[path]["items"]
    return objects


def test_a_cluster_that_nobody_touched_is_as_it_was(server: RestServer, cluster: Cluster) -> None:
    """Other pod names, versions of objects, heartbeats and events are no difference."""

    def live() -> None:
        server.answers[_PODS] = {"items": [pod("x"), pod("y")]}
        worker = items(server, _NODES)[0]
        worker["metadata"]["resourceVersion"] = "9"
        worker["status"]["conditions"][0]["lastHeartbeatTime"] = "2"

    assert changed(cluster, live) == []


def test_a_kind_whose_definition_has_just_gone_has_no_objects(server: RestServer, cluster: Cluster) -> None:
    """The API server still tells of it, and of its group, for a moment: then there is nothing of it to compare."""

    def going() -> None:
        server.answers["/api/v1"]["resources"].append({"name": "chaosleft", "verbs": ["list"]})
        server.answers["/apis"]["groups"].append({"preferredVersion": {"groupVersion": "constraints.gatekeeper.sh/v1"}})
        server.answers.update({"/api/v1/chaosleft": 404, "/apis/constraints.gatekeeper.sh/v1": 404})

    assert changed(cluster, going) == []


def test_what_changed_among_the_objects_is_named(server: RestServer, cluster: Cluster) -> None:
    """An object that is gone, new or other, a pod too many, one with a past, a node with a taint."""

    def is_named(path: str, change: Callable[[list[Any]], object], *words: str) -> None:
        original = server.answers[path]
        (difference,) = changed(cluster, lambda: change(items(server, path)))
        assert all(word in difference for word in words), difference
        server.answers[path] = original

    is_named(_SECRETS, lambda secrets: secrets.clear(), "gone: secrets gatekeeper-system/cert")
    is_named(_SECRETS, lambda secrets: secrets.append({"metadata": {"name": "more"}}), "new: secrets more")
    is_named(_SECRETS, lambda secrets: secrets[0]["data"].update({"tls.crt": "Qg=="}), "changed: secrets", "cert")
    is_named(_PODS, lambda pods: pods.append(pod("c")), "changed: pods of gatekeeper-system/ReplicaSet webhook-5f")
    is_named(_PODS, lambda pods: pods.append(pod("c", owner="webhook-6a")), "new: pods of", "webhook-6a")
    is_named(_PODS, lambda pods: pods.__setitem__(0, pod("a", restarts=1)), "changed: pods of")
    is_named(_NODES, lambda nodes: nodes[0]["spec"].update(taints=[{"key": "x"}]), "changed: nodes c-worker")
    is_named(_NODES, lambda nodes: nodes[0]["status"]["conditions"][0].update(status="False"), "changed: nodes")


@pytest.mark.parametrize(
    ("inside", "part"),
    [
        (_INSIDE.replace("ACCEPT", "DROP"), "rules"),
        (_INSIDE.replace("a\n", ""), "images"),
        (f"{_INSIDE}T /usr/bin/kubelet\n", "stopped"),
    ],
)
def test_what_changed_inside_a_node_is_named(cluster: Cluster, engine: Nodes, inside: str, part: str) -> None:
    """Rules of iptables, images that went, processes that were stopped."""
    (difference,) = changed(cluster, lambda: engine.inside.update({"c-worker": inside}))
    assert difference.startswith(f"changed: node c-worker {part} (was ")


def test_a_blow_that_no_status_tells_of_yet_is_named(cluster: Cluster, engine: Nodes) -> None:
    """Nodes are asked what they run, and how often it was started; on which of them it runs is chance."""
    names = ("c-control-plane", "c-worker")

    def run(*starts: int) -> None:
        ours = [f"gatekeeper-system manager started {number} times\n" for number in starts]
        engine.inside.update({names[0]: f"{_INSIDE}== containers\n{ours[0]}", names[1]: f"{_INSIDE}== containers\n"})
        for line in ours[1:]:
            engine.inside[names[1]] += line

    run(1, 2)
    assert changed(cluster, lambda: run(2, 1)) == []
    (restarted,) = deviating(cluster, lambda: run(2, 2))
    (ended,) = deviating(cluster, lambda: run(2))
    assert restarted.trait == ended.trait == Trait("pods", "as nodes run them", "gatekeeper-system")
    assert can_reset([restarted, ended], "gatekeeper-system")


@pytest.mark.parametrize(
    ("changes", "settled"),
    [
        ({}, True),
        ({"conditions": [{"type": "Ready", "status": "False"}]}, False),
        ({"conditions": [], "phase": "Pending"}, False),
        ({"conditions": [], "phase": "Succeeded"}, True),
    ],
)
def test_a_cluster_is_settled_when_no_pod_is_still_beginning(
    server: RestServer, cluster: Cluster, changes: dict[str, Any], settled: bool
) -> None:
    """A fingerprint of what is not ready yet would tell of a change as soon as it is."""
    pods = items(server, _PODS)
    pods[1]["status"].update(changes)
    for listed_pod in pods:
        listed_pod["metadata"]["resourceVersion"] = "1"
    server.answers[_PODS] |= {"apiVersion": "v1", "kind": "PodList", "metadata": {"resourceVersion": "1"}}
    waiting = nullcontext() if settled else pytest.raises(DeadlineExceeded, match="all pods")
    with waiting:
        wait_settled(cluster, Deadline.after(1, "all pods to be ready"))


def test_a_pod_that_is_not_ready_is_told_apart(server: RestServer, cluster: Cluster) -> None:
    """It may be so for a moment only: what the pod is, has not changed."""
    assert is_settled(take(cluster))
    conditions = [{"type": "Ready", "status": "False"}]
    (difference,) = changed(cluster, lambda: items(server, _PODS)[0]["status"].update(conditions=conditions))
    assert difference == "new: pods of gatekeeper-system/ReplicaSet webhook-5f not ready (1)"
    assert not is_settled(take(cluster))


def test_a_registry_that_was_stopped_and_started_is_as_it_was(
    server: RestServer, engine: Nodes, tmp_path: Path
) -> None:
    """What it holds lies in a volume; one that does not run is a difference."""
    registry = Registry(engine, "c-registry", "", "", "", Login.of(tmp_path))
    cluster = dataclasses.replace(cluster_on(server, engine, tmp_path, Shape(workers=1)), registry=registry)
    engine.containers["c-registry"] = made = container("c-registry")
    later, stopped = ({"Status": status, "StartedAt": "2026-01-01T01:00:00Z"} for status in ("running", "exited"))
    assert changed(cluster, lambda: engine.containers.update({"c-registry": made | {"State": later}})) == []
    (difference,) = changed(cluster, lambda: engine.containers.update({"c-registry": made | {"State": stopped}}))
    assert difference == "changed: container c-registry state (was running, is exited)"


@pytest.mark.parametrize(
    ("field_", "value", "part"),
    [
        ("State", {"Status": "running", "StartedAt": "2026-01-01T01:00:00Z"}, "state"),
        ("HostConfig", {"Memory": 1}, "limits"),
        ("NetworkSettings", {"Networks": {}}, "networks"),
    ],
)
def test_what_changed_about_a_container_is_named(
    cluster: Cluster, engine: Nodes, field_: str, value: Any, part: str
) -> None:
    """A node that was restarted, throttled, or cut off is not the node that it was."""
    (difference,) = changed(
        cluster, lambda: engine.containers.update({"c-worker": container("c-worker") | {field_: value}})
    )
    assert difference.startswith(f"changed: container c-worker {part} (was ")


def whole(cluster: Cluster) -> dict[Trait, str]:
    return fingerprint(cluster, Deadline.after(10, "a fingerprint"), whole=True)


def test_a_whole_one_tells_more_apart(server: RestServer, engine: Nodes, cluster: Cluster) -> None:
    """A uid, a restart, a line of a node, and a lease's duration are traits of their own; its holder is none."""
    lease = {"metadata": {"name": "l", "namespace": "n", "uid": "1"}, "spec": {"holderIdentity": "a"}}
    server.answers["/api/v1"]["resources"].append({"name": "leases", "verbs": ["list"]})
    server.answers["/api/v1/leases"] = {"items": [lease]}
    for number, one in enumerate([*items(server, _SECRETS), *items(server, _PODS), *items(server, _NODES)]):
        one["metadata"]["uid"] = str(number)
    before, pooled = whole(cluster), take(cluster)
    items(server, _SECRETS)[0]["metadata"]["uid"] = "new"
    items(server, _PODS)[0]["status"]["containerStatuses"][0]["restartCount"] = 1
    items(server, "/api/v1/leases")[0]["spec"] |= {"holderIdentity": "b", "leaseDurationSeconds": 3600}
    engine.inside["c-worker"] = _INSIDE.replace("ACCEPT", "ACCEPT\n-A INPUT -j DROP")
    found = [str(deviation).partition(" (")[0] for deviation in deviations(before, whole(cluster))]
    assert found == [
        "changed: leases n/l",
        "changed: pods of gatekeeper-system/ReplicaSet webhook-5f restarts",
        "changed: secrets gatekeeper-system/cert uid",
        "new: node c-worker rules: -A INPUT -j DROP",
    ]
    assert [str(deviation).partition(" (")[0] for deviation in deviations(pooled, take(cluster))] == [
        "changed: node c-worker rules",
        "changed: pods of gatekeeper-system/ReplicaSet webhook-5f",
    ]
