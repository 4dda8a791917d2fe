"""Edits: fields of a real object are changed, proved, and put back as they were by kubectl, also after a crash."""

from typing import Any

import pytest
from kubernetes.client import ApiClient

from chaos_harness.clusters.api.rest import apply, delete, merge_patch, request
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.harness.errors import ApiRefused, FaultNotApplied
from chaos_harness.harness.faults import Fault
from chaos_harness.harness.faults.objects.edit import edit_object
from chaos_harness.harness.undo import journal
from tests.fakes.bench import Bench

_PATH = "/apis/apps/v1/namespaces/default/deployments/d"
_LABELS = {"app": "d"}


@pytest.fixture(autouse=True)
def deployment(api: ApiClient) -> Any:
    """Give the Deployment that is edited, as the API server has completed it."""
    spec = {
        "replicas": 3,
        "revisionHistoryLimit": 7,
        "selector": {"matchLabels": _LABELS},
        "template": {"metadata": {"labels": _LABELS}, "spec": {"containers": [{"name": "c", "image": "i"}]}},
    }
    metadata = {"name": "d", "namespace": "default"}
    made = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}
    apply(api, [made], Deadline.after(10, "a Deployment"))
    return request(api, "GET", _PATH)


def spec(api: ApiClient) -> Any:
    return request(api, "GET", _PATH)["spec"]


def edit_of(change: dict[str, Any]) -> Fault:
    return edit_object("Deployment", "d", {"spec": change}, namespace="default")


def test_life(api: ApiClient, bench: Bench, deployment: Any) -> None:
    """What the patch says is so, and after healing everything is as it was; the undo was written before."""
    fault = edit_of({"replicas": 0, "paused": True, "template": {"metadata": {"labels": {"b": "c"}}}})
    bench.inject(fault)
    (undo,) = bench.pending()
    assert undo.arguments["resource"] == "Deployment.v1.apps"
    assert undo.arguments["patch"] == {
        "spec": {"replicas": 3, "paused": None, "template": {"metadata": {"labels": {"b": None}}}}
    }
    assert (spec(api)["replicas"], spec(api)["paused"]) == (0, True)
    assert bench.observed(fault).startswith("Deployment d has ")
    with pytest.raises(FaultNotApplied, match="expected Deployment d to have"):
        bench.healed(fault)
    bench.heal(fault)
    assert spec(api) == deployment["spec"]
    assert bench.pending() == []
    version = request(api, "GET", _PATH)["metadata"]["resourceVersion"]
    assert bench.healed(fault).endswith(f"in version {version}")


@pytest.mark.parametrize(
    ("change", "taken"),
    [
        ({"template": {"spec": {"containers": [{"name": "c", "image": "other"}]}}}, '"imagePullPolicy": "Always"'),
        ({"revisionHistoryLimit": None}, '"revisionHistoryLimit": 10'),
        ({"strategy": {"rollingUpdate": {"maxSurge": "10%"}}}, '"maxSurge": "10%"'),
    ],
    ids=["a list", "a default", "a field"],
)
def test_what_the_server_makes_of_a_patch_is_an_edit(
    api: ApiClient, bench: Bench, deployment: Any, change: dict[str, Any], taken: str
) -> None:
    """It completes the containers of a list and gives back a default: the proof has what it took, and all is healed."""
    fault = edit_of(change)
    bench.inject(fault)
    assert taken in bench.observed(fault)
    bench.heal(fault)
    bench.healed(fault)
    assert spec(api) == deployment["spec"]


@pytest.mark.parametrize(
    "change", [{"nonsense": 1}, {"template": {"spec": {"nonsense": [{"name": "c"}]}}}, {"replicas": None, "no": "such"}]
)
def test_what_the_server_leaves_out_is_no_edit(bench: Bench, change: dict[str, Any]) -> None:
    """It drops fields that the kind has not, without an error: nothing was harmed by them."""
    fault = edit_of(change)
    bench.inject(fault)
    with pytest.raises(FaultNotApplied, match=r"it left .* of Deployment d as they were"):
        bench.observed(fault)


def test_what_was_taken_back_is_no_edit(api: ApiClient, bench: Bench) -> None:
    """Somebody else has undone it, and the message says what the object has."""
    fault = edit_of({"replicas": 0})
    bench.inject(fault)
    merge_patch(api, _PATH, {"spec": {"replicas": 3}})
    with pytest.raises(FaultNotApplied, match=r"expected Deployment d to have .*, it has {'spec': {'replicas': 3}}"):
        bench.observed(fault)


def test_gone(api: ApiClient, bench: Bench) -> None:
    """An object that is gone meanwhile has nothing to be healed, but was not observed."""
    fault = edit_of({"replicas": 0})
    bench.inject(fault)
    assert delete(api, _PATH)
    with pytest.raises(ApiRefused, match=r'deployments\.apps "d" not found'):
        bench.observed(fault)
    bench.heal(fault)
    assert bench.healed(fault) == "Deployment d is gone"


def test_a_crash_puts_it_back(api: ApiClient, bench: Bench, deployment: Any) -> None:
    """The journal alone has what it was before the first of two edits."""
    for replicas in (0, 1):
        bench.inject(edit_of({"replicas": replicas, "paused": True}))
    journal.replay(bench.journal.path, bench.cluster.engine)
    assert spec(api) == deployment["spec"]
    assert bench.pending() == []


def test_an_edit_that_is_refused_is_none(api: ApiClient, bench: Bench, deployment: Any) -> None:
    """The selector of a Deployment cannot be changed; the undo that was promised finds nothing to do."""
    with pytest.raises(ApiRefused, match=r"422 .*field is immutable"):
        bench.inject(edit_of({"selector": {"matchLabels": {"b": "c"}}}))
    journal.replay(bench.journal.path, bench.cluster.engine)
    assert spec(api) == deployment["spec"]
