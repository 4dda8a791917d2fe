"""In force: whom of Gatekeeper's pods to ask about an object, and when a workload is Ready."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.errors import DeadlineExceeded
from chaos_harness.harness.gatekeeper import in_force
from chaos_harness.harness.gatekeeper.in_force import Reporters, wait_for_workload
from tests.fakes.policy_server import PolicyServer


@pytest.fixture
def cluster(policy_server: PolicyServer, tmp_path: Path) -> Iterator[Cluster]:
    with policy_server.cluster(tmp_path) as cluster:
        yield cluster


def _object(version: str, kind: str, **fields: Any) -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": "a", "namespace": "n"}, **fields}


@pytest.mark.parametrize(
    ("version", "kind", "asked"),
    [
        ("templates.gatekeeper.sh/v1", "ConstraintTemplate", True),
        ("constraints.gatekeeper.sh/v1beta1", "Whatever", True),
        ("mutations.gatekeeper.sh/v1", "ModifySet", True),
        ("config.gatekeeper.sh/v1alpha1", "Config", True),
        ("syncset.gatekeeper.sh/v1alpha1", "SyncSet", False),
        ("connection.gatekeeper.sh/v1alpha1", "Connection", False),
        ("v1", "ConfigMap", False),
        ("apps/v1", "Config", False),
    ],
)
def test_who_reports_what(cluster: Cluster, version: str, kind: str, asked: bool) -> None:
    """Replicas report of a kind if Gatekeeper has a kind for their reports; of connections only the audit pod does."""
    with cluster.client() as api:
        assert Reporters(api, {"a"}).are_asked_about(_object(version, kind)) is asked


@pytest.mark.parametrize(
    ("version", "kind", "spec", "status", "ready"),
    [
        ("apps/v1", "Deployment", {"replicas": 2}, {"readyReplicas": 2, "updatedReplicas": 2}, True),
        ("apps/v1", "Deployment", {"replicas": 2}, {"readyReplicas": 1, "updatedReplicas": 2}, False),
        ("apps/v1", "Deployment", {"replicas": 2}, {"readyReplicas": 2, "updatedReplicas": 1}, False),
        ("apps/v1", "Deployment", {"replicas": 0}, {}, True),
        ("apps/v1", "Deployment", {}, {"readyReplicas": 1, "updatedReplicas": 1, "observedGeneration": 7}, False),
        ("apps/v1", "StatefulSet", {"replicas": 1}, {}, False),
        ("apps/v1", "DaemonSet", {}, {"desiredNumberScheduled": 2, "numberReady": 2}, True),
        ("apps/v1", "DaemonSet", {}, {"desiredNumberScheduled": 2, "numberReady": 1}, False),
        ("apps/v1", "DaemonSet", {}, {}, False),
        ("v1", "Pod", {}, {"conditions": [{"type": "Ready", "status": "True"}]}, True),
        ("v1", "Pod", {}, {"phase": "Succeeded"}, True),
        ("v1", "Pod", {}, {"phase": "Pending"}, False),
        ("v1", "ConfigMap", {}, {}, True),
        ("example.com/v1", "Deployment", {"replicas": 2}, {}, True),
    ],
)
def test_ready(
    cluster: Cluster,
    policy_server: PolicyServer,
    monkeypatch: pytest.MonkeyPatch,
    version: str,
    kind: str,
    spec: dict[str, Any],
    status: dict[str, Any],
    ready: bool,
) -> None:
    """Controllers have all pods of their current form, pods are Ready or over; nobody waits for other objects."""
    if not ready:
        monkeypatch.setattr(in_force, "_READY_SECONDS", 0.5)
    item = _object(version, kind, spec=spec)
    item["metadata"] |= {"generation": 1, "uid": "u", "resourceVersion": "1"}
    policy_server.workload = [{**item, "status": status}]
    with cluster.client() as api:
        if ready:
            wait_for_workload(api, [item])
            return
        with pytest.raises(DeadlineExceeded, match=f"the workload to be Ready; last seen: {kind} a is not: ") as error:
            wait_for_workload(api, [item])
    assert "late ImagePullBackOff" in str(error.value)


@pytest.mark.parametrize(
    ("message", "enforcing"),
    [
        ("cannot generate ValidatingAdmissionPolicyBinding: conditions are not satisfied to generate both", {"a"}),
        ("cannot generate ValidatingAdmissionPolicyBinding: the API is disabled", set()),
        ("no such kind", set()),
    ],
)
def test_who_generates_nothing_may_enforce(message: str, enforcing: set[str]) -> None:
    """A constraint in CEL whose template asks for no generated policy is enforced by the webhook all the same."""
    report = {"id": "a", "observedGeneration": 1, "enforced": True, "errors": [{"message": message}]}
    manifest = {"metadata": {"generation": 1}, "status": {"byPod": [report]}}
    assert in_force._find_enforcing_pods(manifest) == enforcing
    assert in_force._errors(manifest) == ([] if enforcing else [message])
