"""Tests of clusters.pool.reset_gatekeeper: what it may take back, and that nothing old is left when the new is made."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.errors import ClusterUnavailable, DeadlineExceeded
from chaos_harness.clusters.gatekeeper.readiness import DEPLOYMENTS, NAMESPACE
from chaos_harness.clusters.pool import reset_gatekeeper
from chaos_harness.clusters.pool.deviations import Deviation, Trait
from chaos_harness.clusters.pool.reset_gatekeeper import can_reset, reset, save_deployments
from tests.fakes.engine import FakeEngine
from tests.fakes.rest_server import RestServer, cluster_on, rest_server

_SETS = DEPLOYMENTS.replace("deployments", "replicasets")
_PODS = "/api/v1/namespaces/gatekeeper-system/pods"
_MADE = {
    "metadata": {
        "name": "audit",
        "namespace": "gatekeeper-system",
        "uid": "u",
        "resourceVersion": "7",
        "annotations": {"deployment.kubernetes.io/revision": "1", "mine": "x"},
    },
    "spec": {"replicas": 1},
    "status": {"replicas": 1},
}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[RestServer]:
    monkeypatch.setattr(reset_gatekeeper, "wait_until_serving", lambda *_: [])
    with rest_server() as server:
        yield server


@pytest.fixture
def cluster(server: RestServer, tmp_path: Path) -> Cluster:
    return cluster_on(server, FakeEngine(), tmp_path)


def listed(server: RestServer, path: str, *items: Any, stays: bool = False) -> None:
    """Let the path list the items, until the first of them is deleted."""

    def answer() -> Any:
        deleted = any(verb == "DELETE" and target.startswith(path) for verb, target, _ in server.changes)
        remaining = [] if deleted and not stays else list(items)
        return {"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": "1"}, "items": remaining}

    server.answers[path] = answer


def named(name: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "resourceVersion": "1"}}


def test_only_gatekeepers_deployments_and_what_they_make_can_be_reset() -> None:
    """A pod of another namespace, a rule, a Secret: that cluster is thrown away."""
    ours = [
        Deviation(Trait("deployments", "audit", NAMESPACE), "a", "b"),
        Deviation(Trait("pods", "ReplicaSet x", NAMESPACE), "a", None),
        Deviation(Trait("replicasets", "y", NAMESPACE), None, "z"),
    ]
    assert can_reset(ours)
    for other in (
        Trait("pods", "nobody x", "default"),
        Trait("node", "n", aspect="rules"),
        Trait("secrets", "x", NAMESPACE),
        Trait("deployments", NAMESPACE),
    ):
        assert not can_reset([*ours, Deviation(other, "a", "b")])


def test_no_word_decides_what_may_be_reset(monkeypatch: pytest.MonkeyPatch) -> None:
    """However deviations are worded, a reset takes back the same ones."""
    monkeypatch.setattr(Deviation, "__str__", lambda _: "another wording")
    assert can_reset([Deviation(Trait("deployments", "audit", NAMESPACE), "a", "b")])


def test_what_was_is_made_again_when_nothing_old_is_left(server: RestServer, cluster: Cluster) -> None:
    """Deployments go, then what they made, and then they come back without what the server had added."""
    listed(server, DEPLOYMENTS, _MADE)
    listed(server, _SETS, named("audit-5f"))
    listed(server, _PODS, named("audit-5f-1"))
    save_deployments(cluster, cluster.directory)
    reset(cluster, cluster.directory, Deadline.after(5, "a reset"))
    assert [(verb, path.rpartition("/")[2]) for verb, path, _ in server.changes] == [
        ("DELETE", "audit"),
        ("DELETE", "audit-5f"),
        ("DELETE", "audit-5f-1"),
        ("POST", "deployments"),
    ]
    assert server.changes[-1][2] == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "audit", "namespace": "gatekeeper-system", "annotations": {"mine": "x"}},
        "spec": {"replicas": 1},
    }


def test_an_old_replica_set_that_stays_keeps_the_new_from_being_made(server: RestServer, cluster: Cluster) -> None:
    """It would be adopted, or collide."""
    listed(server, DEPLOYMENTS, _MADE)
    listed(server, _SETS, named("audit-5f"), stays=True)
    save_deployments(cluster, cluster.directory)
    with pytest.raises(DeadlineExceeded):
        reset(cluster, cluster.directory, Deadline.after(0.5, "a reset"))
    assert "POST" not in {verb for verb, _, _ in server.changes}


def test_without_what_was_remembered_nothing_is_touched(server: RestServer, cluster: Cluster) -> None:
    """The cluster is thrown away instead."""
    with pytest.raises(ClusterUnavailable, match=r"deployments\.json"):
        reset(cluster, cluster.directory, Deadline.after(1, "a reset"))
    assert server.changes == []
