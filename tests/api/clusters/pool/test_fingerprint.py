"""Fingerprint: the objects of a real API server, of which what changes by itself is left out and the rest is named."""

import pytest
from kubernetes.client import ApiClient

from chaos_harness.clusters.api.rest import apply, delete, merge_patch, request
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.pool.deviations import Trait, deviations
from chaos_harness.clusters.pool.fingerprint import object_traits
from chaos_harness.harness.policies import mutate_pods
from tests.live_api.gatekeeper import install_kinds, install_webhooks
from tests.live_api.server import ApiServer

ASSIGN = mutate_pods().objects[0]
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
MAPS = "/api/v1/namespaces/default/configmaps"


def soon() -> Deadline:
    return Deadline.after(30, "a fingerprint")


def changed(api: ApiClient, before: dict[Trait, str]) -> list[str]:
    return list(map(str, deviations(before, object_traits(api, soon()))))


def test_a_cluster_that_nobody_touched_is_as_it_was(server: ApiServer, api: ApiClient) -> None:
    """Policies that come and go leave it as it was, and so does an API server that restarts."""
    install_kinds(api)
    install_webhooks(api)
    before = object_traits(api, soon())
    assert {trait.kind for trait in before} > {"namespaces", "customresourcedefinitions", "clusterroles", "services"}
    apply(api, (ASSIGN,), soon())
    (difference,) = changed(api, before)
    assert difference.startswith("new: assign chaos-pods")
    assert delete(api, "/apis/mutations.gatekeeper.sh/v1/assign/chaos-pods")
    assert changed(api, before) == []
    server.restart()
    assert changed(api, before) == []


@pytest.mark.parametrize(
    ("path", "patch", "words"),
    [
        (f"{MAPS}/m", {"data": {"a": "c"}}, "changed: configmaps default/m"),
        (f"{MAPS}/m", {"metadata": {"labels": {"a": "b"}}}, "changed: configmaps default/m"),
        ("/api/v1/nodes/live-worker", {"spec": {"unschedulable": True}}, "changed: nodes live-worker"),
        ("/apis/rbac.authorization.k8s.io/v1/clusterroles/system:discovery", {"rules": []}, "changed: clusterroles"),
    ],
)
def test_what_changed_is_named(api: ApiClient, path: str, patch: dict[str, object], words: str) -> None:
    """An object that has other content, labels, a taint, other rights."""
    request(api, "POST", MAPS, body={"metadata": {"name": "m"}, "data": {"a": "b"}})
    request(api, "POST", "/api/v1/nodes", body={"metadata": {"name": "live-worker"}})
    status = {"conditions": [{"type": "Ready", "status": "True"}], "nodeInfo": {"bootID": "b"}}
    merge_patch(api, "/api/v1/nodes/live-worker/status", {"status": status})
    before = object_traits(api, soon())
    merge_patch(api, path, patch)
    (difference,) = changed(api, before)
    assert difference.startswith(words)


def test_a_definition_that_goes_while_it_is_looked_at(api: ApiClient) -> None:
    """The server still tells of a kind that has just gone, or of its group: there is nothing of it to compare."""
    before = object_traits(api, soon())
    for _ in range(2):
        install_kinds(api)
        for name in ("assign", "modifyset"):
            assert delete(api, f"{DEFINITIONS}/{name}.mutations.gatekeeper.sh")
        assert object_traits(api, soon()).keys() > before.keys()
