"""Undos by kubectl: what each of them leaves on a real API server, and the words by which it is done already."""

from typing import Any

import pytest
from kubernetes.client import ApiClient

from chaos_harness.clusters.api.rest import apply, delete, list_objects, request
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.machine.process import CommandResult
from chaos_harness.harness.errors import CommandFailed
from chaos_harness.harness.faults.nodes.drain import _manifest, register
from chaos_harness.harness.faults.objects.edit import restore
from chaos_harness.harness.faults.webhook.empty_certificate import refill
from chaos_harness.harness.faults.webhook.template_load import delete_templates, filler
from chaos_harness.harness.faults.workloads.reschedule import uncordon
from chaos_harness.harness.gatekeeper.webhook_settings import set_back
from tests.gatekeeper_names import CONTROLLER, NAMESPACE
from tests.live_api.cluster import KubectlEngine
from tests.live_api.gatekeeper import install_kinds, install_webhooks, released
from tests.live_api.server import ApiServer

PLANE = "live-control-plane"
TAINT = {"key": "example.com/dedicated", "value": "a", "effect": "NoSchedule"}
GONE_TAINT = {"key": "node.kubernetes.io/not-ready", "effect": "NoExecute"}
NODE = {
    "metadata": {"name": "live-worker", "labels": {"a": "b"}, "annotations": {"c": "d"}},
    "spec": {"podCIDR": "10.1.0.0/24", "taints": [TAINT, GONE_TAINT], "unschedulable": True},
}
TEMPLATES = "/apis/templates.gatekeeper.sh/v1/constrainttemplates"
SECRET = f"/api/v1/namespaces/{NAMESPACE}/secrets/gatekeeper-webhook-server-cert"
DEPLOYMENT = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/{CONTROLLER}"


@pytest.fixture
def engine(cluster: Cluster) -> KubectlEngine:
    assert isinstance(cluster.engine, KubectlEngine)
    cluster.engine.programs["systemctl"] = lambda *_: CommandResult("", "", 0)
    return cluster.engine


@pytest.fixture
def gatekeeper(api: ApiClient) -> None:
    """Put Gatekeeper's namespace, Deployment and empty Secret there."""
    (deployment,) = [made for made in released("Deployment") if made["metadata"]["name"] == CONTROLLER]
    secrets = [made for made in released("Secret") if made["metadata"]["name"].endswith("-cert")]
    apply(api, (*released("Namespace"), deployment, *secrets), Deadline.after(20, "Gatekeeper"))


def node(api: ApiClient) -> Any:
    return request(api, "GET", "/api/v1/nodes/live-worker")


def test_uncordon(api: ApiClient, engine: KubectlEngine) -> None:
    """A node that is cordoned takes pods again; one that takes them, or is not there, is left."""
    request(api, "POST", "/api/v1/nodes", body=NODE | {"spec": {"unschedulable": True}})
    for _ in range(2):
        uncordon(engine, control_plane=PLANE, node="live-worker")
        assert "unschedulable" not in node(api)["spec"]
    uncordon(engine, control_plane=PLANE, node="nobody")
    assert len(engine.ran) == 3


def test_register(api: ApiClient, engine: KubectlEngine) -> None:
    """A Node object that was deleted is made anew with its labels, taints, cordon and addresses; one there stays."""
    before = request(api, "POST", "/api/v1/nodes", body=NODE)
    assert delete(api, "/api/v1/nodes/live-worker")
    for _ in range(2):
        register(engine, control_plane=PLANE, node="live-worker", manifest=_manifest(before))
    after = node(api)
    assert after["metadata"]["uid"] != before["metadata"]["uid"]
    assert after["metadata"]["labels"] == before["metadata"]["labels"]
    assert after["metadata"]["annotations"] == {"c": "d"}
    taints = after["spec"]["taints"]
    assert TAINT in taints
    assert "NoExecute" not in [taint["effect"] for taint in taints]
    assert after["spec"]["unschedulable"] is True
    assert after["spec"]["podCIDR"] == "10.1.0.0/24"


def test_a_node_that_is_refused(engine: KubectlEngine) -> None:
    """It is told in the API server's words."""
    wrong = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "../x"}, "spec": {}}
    with pytest.raises(CommandFailed, match="Invalid value"):
        register(engine, control_plane=PLANE, node="live-worker", manifest=wrong)


def test_set_back(api: ApiClient, engine: KubectlEngine) -> None:
    """One webhook of a configuration is changed, the others are not; a configuration that is gone needs nothing."""
    install_webhooks(api)
    kind, name = "validatingwebhookconfiguration", "gatekeeper-validating-webhook-configuration"
    path = f"/apis/admissionregistration.k8s.io/v1/{kind}s/{name}"
    before = request(api, "GET", path)["webhooks"]
    place: dict[str, Any] = {"control_plane": PLANE, "kind": kind, "configuration": name}
    set_back(engine, **place, patch='{"webhooks": [{"name": "validation.gatekeeper.sh", "timeoutSeconds": 7}]}')
    after = request(api, "GET", path)["webhooks"]
    assert len(after) == len(before) == 2
    changed = [webhook["name"] for webhook, was in zip(after, before, strict=True) if webhook != was]
    assert changed == ["validation.gatekeeper.sh"]
    assert delete(api, path)
    set_back(engine, **place, patch="{}")


def test_disperse(api: ApiClient, engine: KubectlEngine) -> None:
    """All templates of one crowd go, those of another stay; none, and no such kind, is fine."""
    delete_templates(engine, control_plane=PLANE, label="a")
    install_kinds(api)
    crowd = [filler(number, "a", label="a") for number in range(3)]
    apply(api, [*crowd, filler(9, "b", label="b")], Deadline.after(20, "the templates"))
    for _ in range(2):
        delete_templates(engine, control_plane=PLANE, label="a")
        assert [template["metadata"]["name"] for template in list_objects(api, TEMPLATES, "items")] == ["chaosfiller9"]


@pytest.mark.usefixtures("gatekeeper")
def test_refill(api: ApiClient, engine: KubectlEngine) -> None:
    """Gatekeeper is restarted if its Secret is empty, and not if it is not, or not there."""
    template = request(api, "GET", DEPLOYMENT)["spec"]["template"]
    certificate = {"data": {"tls.crt": "QQ==", "ca.crt": "QQ=="}}
    request(api, "PATCH", SECRET, body=certificate, content_type="application/merge-patch+json")
    refill(engine, control_plane=PLANE)
    assert request(api, "GET", DEPLOYMENT)["spec"]["template"] == template
    request(api, "PATCH", SECRET, body={"data": None}, content_type="application/merge-patch+json")
    refill(engine, control_plane=PLANE)
    restarted = request(api, "GET", DEPLOYMENT)["spec"]["template"]
    assert "kubectl.kubernetes.io/restartedAt" in restarted["metadata"]["annotations"]
    assert delete(api, SECRET)
    assert delete(api, DEPLOYMENT)
    refill(engine, control_plane=PLANE)


@pytest.mark.parametrize(
    ("resource", "name", "namespace"),
    [
        ("Deployment.v1.apps", "gone", "default"),
        ("Deployment.v1.apps", "gone", "nowhere"),
        ("Assign.v1.mutations.gatekeeper.sh", "gone", ""),
        ("Assign.v9.apps", "gone", ""),
    ],
)
def test_restore_of_what_is_gone(engine: KubectlEngine, resource: str, name: str, namespace: str) -> None:
    """No object, no namespace, no kind and no version of it have nothing to restore."""
    restore(engine, control_plane=PLANE, resource=resource, name=name, namespace=namespace, patch={"spec": {"a": 1}})
    assert len(engine.ran) == 1


def test_restore_that_is_refused(engine: KubectlEngine) -> None:
    """What the API server says is told."""
    where = {"control_plane": PLANE, "resource": "Namespace", "name": "default", "namespace": ""}
    with pytest.raises(CommandFailed, match="Invalid value"):
        restore(engine, **where, patch={"metadata": {"labels": {"a": "not a label!"}}})


def test_a_server_that_is_away(server: ApiServer, engine: KubectlEngine) -> None:
    """Nobody knows then what is left to be undone: every control plane is asked, and the last one's words are told."""
    object.__setattr__(engine, "planes", (PLANE, "live-control-plane2"))
    server.kill()
    with pytest.raises(CommandFailed, match=r"refused"):
        uncordon(engine, control_plane=PLANE, others=["live-control-plane2"], node="live-worker")
    assert len(engine.ran) == 2
