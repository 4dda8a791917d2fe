"""Setup: what an incident brings before its policies is there in time, told why if not, and deleted again."""

from pathlib import Path

import pytest
import yaml
from kubernetes.client import ApiClient

from chaos_harness.clusters.api.objects import Object
from chaos_harness.clusters.api.rest import list_objects
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.harness.errors import PreparationFailed
from chaos_harness.harness.incident.load import load
from chaos_harness.harness.incident.replay.setup import setup_of
from chaos_harness.harness.preparation import Preparation
from chaos_harness.harness.undo import journal
from chaos_harness.harness.undo.journal import Journal
from tests.live_api.kubelet import kubelet
from tests.live_api.server import ApiServer
from tests.live_api.widgets import DEFINITION

_WIDGET: Object = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "mine"}}
_NAMESPACE: Object = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "operators"}}
_WIDGETS = "/apis/example.com/v1/widgets"


def _operator(node: str = "") -> Object:
    """Return an operator whose pod is on a node, or waits for one."""
    spec = {"containers": [{"name": "a", "image": "acme/operator:1"}], "automountServiceAccountToken": False}
    spec |= {"nodeName": node} if node else {}
    template = {"metadata": {"labels": {"app": "operator"}}, "spec": spec}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "operator", "namespace": "operators"},
        "spec": {"selector": {"matchLabels": {"app": "operator"}}, "template": template},
    }


def _setup(folder: Path, *objects: Object) -> Preparation:
    """Return the setup of an incident that has these objects in a file."""
    (folder / "operator.yaml").write_text(yaml.safe_dump_all(objects), encoding="utf-8")
    data = {
        "schema": 2,
        "title": "A title",
        "setup": [{"file": "operator.yaml"}],
        "faults": [{"fault": "cut_registry", "at": 0, "lasts": "1m"}],
        "claims": [{"check": "undisturbed", "with": {"during": "cut_registry"}}],
    }
    path = folder / "a.yaml"
    path.write_text(yaml.safe_dump(data), encoding="utf-8")
    (preparation,) = setup_of(load(path))
    return preparation


def test_a_kind_and_an_object_of_it(api: ApiClient, cluster: Cluster, undo: Journal, tmp_path: Path) -> None:
    """The definition is established before the object comes; in the end nothing of both is left."""
    preparation = _setup(tmp_path, DEFINITION, _WIDGET)
    with preparation.make(cluster, undo) as proof:
        assert (preparation.name, proof) == (
            "set up operator.yaml",
            "2 objects are applied; widgets.example.com is established",
        )
        assert [one["metadata"]["name"] for one in list_objects(api, _WIDGETS, "items")] == ["mine"]
    assert list_objects(api, _WIDGETS, "items") == []
    assert journal.pending(undo.path) == []


def test_an_operator_is_waited_for(
    server: ApiServer, api: ApiClient, cluster: Cluster, undo: Journal, tmp_path: Path
) -> None:
    """It is Ready before the next item comes."""
    with (
        server.controllers(),
        kubelet(server),
        _setup(tmp_path, _NAMESPACE, _operator("live-worker")).make(cluster, undo) as proof,
    ):
        assert proof == "2 objects are applied; Deployment operator is Ready"


def test_what_does_not_get_ready_is_told(
    cluster: Cluster, undo: Journal, tmp_path: Path, server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its own reason; what was applied is deleted all the same."""
    monkeypatch.setattr("chaos_harness.harness.gatekeeper.in_force._READY_SECONDS", 2.0)
    preparation = _setup(tmp_path, _NAMESPACE, _operator())
    with (
        server.controllers(),
        pytest.raises(PreparationFailed, match=r"set up operator\.yaml: .*Deployment operator is not: "),
        preparation.make(cluster, undo),
    ):
        pytest.fail("it is not Ready")
    assert journal.pending(undo.path) == []


def test_what_is_refused_is_told(
    cluster: Cluster, undo: Journal, tmp_path: Path, api: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the API server's words."""
    monkeypatch.setattr("chaos_harness.harness.undo.put_object._REFUSED_SECONDS", 0.5)
    wrong = {**DEFINITION, "spec": {**DEFINITION["spec"], "scope": "Everywhere"}}
    preparation = _setup(tmp_path, wrong)
    with (
        pytest.raises(PreparationFailed, match=r"CustomResourceDefinition widgets\.example\.com: .*Everywhere"),
        preparation.make(cluster, undo),
    ):
        pytest.fail("it was refused")
