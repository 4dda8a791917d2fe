"""Resetting: Gatekeeper's Deployments come back as they were, with pods that have no past."""

from collections.abc import Iterator
from typing import Any

import pytest
from kubernetes.client import ApiClient

from chaos_harness.clusters.api.rest import apply, list_objects, merge_patch, read, request
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.errors import ClusterUnavailable, DeadlineExceeded
from chaos_harness.clusters.pool import reset_gatekeeper
from chaos_harness.clusters.pool.reset_gatekeeper import reset, save_deployments
from tests.gatekeeper_names import DEPLOYMENTS, NAMESPACE
from tests.live_api.gatekeeper import released
from tests.live_api.kubelet import kubelet
from tests.live_api.server import ApiServer

PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
SETS = f"/apis/apps/v1/namespaces/{NAMESPACE}/replicasets"


def uids(api: ApiClient, path: str) -> set[str]:
    return {entry["metadata"]["uid"] for entry in list_objects(api, path, "items")}


def specs(api: ApiClient) -> dict[str, Any]:
    return {entry["metadata"]["name"]: entry["spec"] for entry in list_objects(api, DEPLOYMENTS, "items")}


@pytest.fixture
def gatekeeper(server: ApiServer, api: ApiClient, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Put Gatekeeper's Deployments there, and wait for their pods; whether they serve is another's test."""
    monkeypatch.setattr(reset_gatekeeper, "wait_until_serving", lambda *_: [])
    apply(api, (*released("Namespace"), *released("Deployment")), Deadline.after(20, "Gatekeeper"))
    for name in specs(api):
        bound = {"nodeName": "live-worker", "priorityClassName": None}
        merge_patch(api, f"{DEPLOYMENTS}/{name}", {"spec": {"replicas": 1, "template": {"spec": bound}}})
    with server.controllers():
        wait_for_pods(api)
        yield


def wait_for_pods(api: ApiClient) -> None:
    for _ in Deadline.after(30, "a pod of each").attempts(0.05, 0.2):
        if len(list_objects(api, PODS, "items")) == len(specs(api)):
            return
    pytest.fail("no pods in 30 s")


@pytest.mark.usefixtures("gatekeeper")
def test_what_was_is_made_again_when_nothing_old_is_left(server: ApiServer, api: ApiClient, cluster: Cluster) -> None:
    """Deployments, ReplicaSets and pods are others, and what was remembered is so again."""
    save_deployments(cluster, cluster.directory, Deadline.after(30, "the deployments"))
    before, old = specs(api), [uids(api, path) for path in (DEPLOYMENTS, SETS, PODS)]
    name = next(iter(before))
    change = {"replicas": 2, "template": {"metadata": {"annotations": {"a": "b"}}}}
    merge_patch(api, f"{DEPLOYMENTS}/{name}", {"spec": change})
    with kubelet(server):
        reset(cluster, cluster.directory, Deadline.after(30, "a reset"))
    assert specs(api) == before
    wait_for_pods(api)
    for path, those in zip((DEPLOYMENTS, SETS, PODS), old, strict=True):
        assert uids(api, path)
        assert not uids(api, path) & those
    revisions = [made["metadata"]["annotations"] for made in list_objects(api, DEPLOYMENTS, "items")]
    assert {annotations["deployment.kubernetes.io/revision"] for annotations in revisions} == {"1"}


@pytest.mark.usefixtures("gatekeeper")
def test_what_goes_by_itself_after_it_was_listed_is_no_error(
    server: ApiServer, api: ApiClient, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The controllers remove orphans, too: a ReplicaSet that is already gone is as it should be."""
    save_deployments(cluster, cluster.directory, Deadline.after(30, "the deployments"))
    gone: list[str] = []

    def read_and_remove(client: ApiClient, path: str, deadline: Deadline) -> Any:
        listed = read(client, path, deadline)
        if path == SETS and not gone:
            gone.append(listed["items"][0]["metadata"]["name"])
            request(client, "DELETE", f"{path}/{gone[0]}", body={"propagationPolicy": "Background"})
        return listed

    monkeypatch.setattr(reset_gatekeeper, "read", read_and_remove)
    with kubelet(server):
        reset(cluster, cluster.directory, Deadline.after(30, "a reset"))
    assert gone
    wait_for_pods(api)


@pytest.mark.usefixtures("gatekeeper")
def test_a_pod_that_stays_keeps_the_new_from_being_made(server: ApiServer, api: ApiClient, cluster: Cluster) -> None:
    """Its container still runs on a node that says nothing: it would be taken for one of the new."""
    save_deployments(cluster, cluster.directory, Deadline.after(30, "the deployments"))
    with kubelet(server, ends=False), pytest.raises(DeadlineExceeded):
        reset(cluster, cluster.directory, Deadline.after(3, "a reset"))
    left = Deadline.after(30, "the Deployments to go").attempts()
    assert any(list_objects(api, DEPLOYMENTS, "items") == [] for _ in left)
    assert uids(api, PODS)


def test_without_what_was_remembered_nothing_is_touched(api: ApiClient, cluster: Cluster) -> None:
    """The cluster is thrown away instead."""
    apply(api, (*released("Namespace"), *released("Deployment")), Deadline.after(20, "Gatekeeper"))
    before = uids(api, DEPLOYMENTS)
    with pytest.raises(ClusterUnavailable, match=r"deployments\.json"):
        reset(cluster, cluster.directory, Deadline.after(1, "a reset"))
    assert uids(api, DEPLOYMENTS) == before
    assert request(api, "GET", f"/api/v1/namespaces/{NAMESPACE}")
