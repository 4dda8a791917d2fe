"""Pods that are deleted: with grace they wait for a kubelet, without it the API server forgets them at once."""

import pytest
from kubernetes.client import ApiClient

from chaos_harness.clusters.api.rest import list_objects, request
from chaos_harness.harness.errors import BadScenario, FaultNotApplied
from chaos_harness.harness.faults import ONE_SHOT
from chaos_harness.harness.faults.workloads import delete_pods as deletion
from chaos_harness.harness.faults.workloads.delete_pods import delete_pods
from chaos_harness.harness.history import read
from tests.fakes.bench import Bench
from tests.live_api.kubelet import kubelet
from tests.live_api.server import ApiServer

PODS = "/api/v1/namespaces/default/pods"


@pytest.fixture(autouse=True)
def pods(api: ApiClient) -> None:
    """Put three pods on a node; no kubelet looks after them."""
    for name, app in (("a", "web"), ("b", "web"), ("c", "other")):
        spec = {"nodeName": "live-worker", "containers": [{"name": "c", "image": "i"}]}
        request(api, "POST", PODS, body={"metadata": {"name": name, "labels": {"app": app}}, "spec": spec})


def names(api: ApiClient) -> list[str]:
    return [pod["metadata"]["name"] for pod in list_objects(api, PODS, "items")]


def test_by_force(api: ApiClient, bench: Bench) -> None:
    """They are gone at once, others stay, and the history has who was harmed; there is nothing to undo."""
    fault = delete_pods("app=web", namespace="default", grace=0)
    bench.inject(fault)
    assert bench.observed(fault) == "the API server knows no more of a of live-worker, b of live-worker"
    assert names(api) == ["c"]
    harm = [entry for entry in read(bench.history.path).entries if entry.process == "harm"]
    assert [(entry.f, entry.value["pod"]) for entry in harm] == [("deleted", "a"), ("deleted", "b")]
    assert fault.healed is ONE_SHOT
    assert bench.pending() == []


def test_with_grace(server: ApiServer, api: ApiClient, bench: Bench) -> None:
    """They stay, on their way out, until their kubelet lets them go: until then nothing is proved."""
    fault = delete_pods("app=web", namespace="default")
    bench.inject(fault)
    with pytest.raises(FaultNotApplied, match="there still is a, b; see `kubectl --namespace default get pods`"):
        bench.observed(fault, 0.2)
    with kubelet(server):
        bench.observed(fault, 20)
    assert names(api) == ["c"]


def test_a_limit(api: ApiClient, bench: Bench) -> None:
    """More pods than are allowed, or none, are refused, and none is deleted."""
    with pytest.raises(
        BadScenario, match=r"at most 1 pods would be deleted, 'app=web' selects 2 in default; say `most`"
    ):
        bench.inject(delete_pods("app=web", namespace="default", most=1))
    with pytest.raises(BadScenario, match="no pod in default has the labels 'app=none'"):
        bench.inject(delete_pods("app=none", namespace="default"))
    assert names(api) == ["a", "b", "c"]


def test_what_does_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A deletion that nobody made is found out."""
    monkeypatch.setattr(deletion, "delete", lambda *_: True)
    fault = delete_pods("app=web", namespace="default", grace=0)
    bench.inject(fault)
    with pytest.raises(FaultNotApplied, match="there still is a, b"):
        bench.observed(fault, 0.2)
