"""Faults that replace webhook pods, with the controllers that replace them: each proves that it bit."""

from collections.abc import Iterator

import pytest
from kubernetes.client import ApiClient

from chaos_harness.clusters.api.rest import apply, list_objects, merge_patch, request
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.harness.errors import FaultNotApplied
from chaos_harness.harness.faults import ONE_SHOT, Fault
from chaos_harness.harness.faults.workloads import rollouts
from chaos_harness.harness.faults.workloads.rollouts import (
    delete_replicas,
    evict_replicas,
    restart_rollout,
    scale_to_zero,
)
from chaos_harness.harness.history import read
from chaos_harness.harness.undo import journal
from chaos_harness.harness.undo.journal import Undo
from tests.fakes.bench import Bench
from tests.gatekeeper_names import CONTROLLER, DEPLOYMENTS, NAMESPACE
from tests.live_api.gatekeeper import released
from tests.live_api.kubelet import kubelet
from tests.live_api.server import ApiServer

PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
DEPLOYMENT = f"{DEPLOYMENTS}/{CONTROLLER}"
BUDGET = f"/apis/policy/v1/namespaces/{NAMESPACE}/poddisruptionbudgets/{CONTROLLER}"


def names(api: ApiClient) -> set[str]:
    return {pod["metadata"]["name"] for pod in list_objects(api, PODS, "items")}


@pytest.fixture
def gatekeeper(server: ApiServer, api: ApiClient) -> Iterator[set[str]]:
    """Give the names of two webhook pods that run, as their Deployment's controllers have made them."""
    (deployment,) = [made for made in released("Deployment") if made["metadata"]["name"] == CONTROLLER]
    objects = (*released("Namespace"), *released("PodDisruptionBudget"), deployment)
    apply(api, objects, Deadline.after(20, "Gatekeeper"))
    template = {"spec": {"nodeName": "live-worker", "priorityClassName": None}}
    merge_patch(api, DEPLOYMENT, {"spec": {"replicas": 2, "template": template}})
    with server.controllers(), kubelet(server):
        for _ in Deadline.after(30, "two pods").attempts(0.05, 0.2):
            deployed = request(api, "GET", DEPLOYMENT).get("status", {})
            budget = request(api, "GET", BUDGET).get("status", {})
            if deployed.get("readyReplicas") == 2 and budget.get("disruptionsAllowed") == 1:
                break
        else:
            pytest.fail(f"{deployed}, {budget}, {list_objects(api, PODS, 'items')}")
        yield names(api)


@pytest.mark.parametrize(
    ("fault", "how"),
    [(restart_rollout(), "rolled out"), (delete_replicas(), "deleted"), (evict_replicas(), "evicted")],
    ids=lambda argument: getattr(argument, "name", argument),
)
def test_replaces(bench: Bench, api: ApiClient, gatekeeper: set[str], fault: Fault, how: str) -> None:
    """Replicas go and others come; the history has who was harmed, and there is nothing to undo."""
    bench.inject(fault)
    proof = bench.observed(fault, 20)
    fresh = names(api) - gatekeeper
    assert f"{how}, " in proof
    assert any(name in proof for name in fresh)
    assert ("the disruption budget refused" in proof) == (how == "evicted")
    assert bench.pending() == []
    assert fault.healed is ONE_SHOT
    harm = [entry for entry in read(bench.history.path).entries if entry.process == "harm"]
    assert {entry.f for entry in harm} == {how}
    assert {entry.value["pod"] for entry in harm} == gatekeeper


def test_a_budget_that_never_lets_go(
    bench: Bench, api: ApiClient, gatekeeper: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A budget that refuses for too long makes the fault not applied, in the API server's words."""
    monkeypatch.setattr(rollouts, "_EVICT_SECONDS", 1.0)
    merge_patch(api, BUDGET, {"spec": {"minAvailable": 2}})
    for _ in Deadline.after(20, "the budget to be counted").attempts(0.05, 0.2):
        if request(api, "GET", BUDGET)["status"]["disruptionsAllowed"] == 0:
            break
    with pytest.raises(FaultNotApplied, match="Cannot evict pod as it would violate the pod's disruption budget"):
        bench.inject(evict_replicas())
    assert names(api) == gatekeeper


@pytest.mark.usefixtures("gatekeeper")
def test_scales(bench: Bench, api: ApiClient) -> None:
    """No replica is left, and as many as before are wanted afterwards, and by a journal of an earlier version, too."""
    fault = scale_to_zero()
    bench.inject(fault)
    assert [undo.action for undo in bench.pending()] == ["edits.restore"]
    assert "no webhook pod is left" in bench.observed(fault, 20)
    with pytest.raises(FaultNotApplied, match="expected 2 replicas"):
        bench.healed(fault)
    bench.heal(fault)
    assert bench.healed(fault) == "2 replicas are wanted again"
    assert bench.pending() == []
    merge_patch(api, DEPLOYMENT, {"spec": {"replicas": 0}})
    bench.journal.record(Undo("rollouts.scale", {"control_plane": bench.cluster.control_planes[0], "replicas": 2}))
    journal.replay(bench.journal.path, bench.cluster.engine)
    assert request(api, "GET", DEPLOYMENT)["spec"]["replicas"] == 2
