"""A lease that a stranger holds: a real controller manager does not get it back before the journal is undone."""

from typing import Any

import pytest
from kubernetes.client import ApiClient

from chaos_harness.clusters.api.rest import find_object, merge_patch, request
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.harness.errors import BadScenario, FaultNotApplied
from chaos_harness.harness.faults.control_plane import lease
from chaos_harness.harness.faults.control_plane.lease import take_lease
from tests.fakes.bench import Bench
from tests.live_api.lives import inject_and_die, replay_afresh
from tests.live_api.server import ApiServer

LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases"
MANAGER = "kube-controller-manager"


def spec(api: ApiClient, name: str) -> dict[str, Any]:
    there = find_object(api, f"{LEASES}/{name}")
    return there["spec"] if there else {}


def wait_led(api: ApiClient) -> None:
    for _ in Deadline.after(30, "a leader").attempts(0.1, 0.5):
        if spec(api, MANAGER).get("holderIdentity") not in (None, "", "chaos-harness-stranger"):
            return
    pytest.fail("nobody leads")


def test_a_leader_does_not_get_it_back(
    server: ApiServer, api: ApiClient, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody takes what a stranger holds; somebody leads when the lease has no holder any more."""
    monkeypatch.setattr(lease, "_SECONDS", 5)
    fault = take_lease(MANAGER)
    with server.controllers(elected=True):
        wait_led(api)
        before = spec(api, MANAGER)["holderIdentity"]
        bench.inject(fault)
        assert f"which {before} held, is chaos-harness-stranger's" in bench.observed(fault, 20)
        with pytest.raises(BadScenario, match="the same fault lasts"):
            bench.inject(take_lease(MANAGER))
        with pytest.raises(FaultNotApplied, match=r"expected somebody to hold Lease .*, chaos-harness-stranger does"):
            bench.healed(fault)
    assert replay_afresh(bench.cluster).startswith("edits.restore(resource='Lease")
    with pytest.raises(FaultNotApplied, match=r"expected somebody to hold Lease .*, nobody does"):
        bench.healed(fault)
    with server.controllers(elected=True):
        wait_led(api)
        assert bench.healed(fault).endswith(f" holds Lease {MANAGER}")
    assert bench.pending() == []


def test_a_lease_that_is_taken_back(api: ApiClient, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody else's write ends the fault, which its proof shows; a harness that is killed leaves no stranger."""
    monkeypatch.setattr(lease, "_SECONDS", 1)
    with pytest.raises(BadScenario, match="expected a Lease kube-system/l, there is none"):
        bench.inject(take_lease("l"))
    request(api, "POST", LEASES, body={"metadata": {"name": "l"}, "spec": {"leaseDurationSeconds": 15}})
    inject_and_die(bench.cluster, "take_lease", {"name": "l"})
    assert spec(api, "l")["holderIdentity"] == "chaos-harness-stranger"
    replay_afresh(bench.cluster)
    assert spec(api, "l") == {"leaseDurationSeconds": 15}
    fault = take_lease("l")
    bench.inject(fault)
    assert "which nobody held" in bench.observed(fault)
    merge_patch(api, f"{LEASES}/l", {"spec": {"holderIdentity": "me"}})
    with pytest.raises(FaultNotApplied, match="expected chaos-harness-stranger to hold Lease l, me does"):
        bench.observed(fault)
    monkeypatch.setattr(lease, "merge_patch", lambda *_: {"metadata": {"resourceVersion": ""}})
    nothing = take_lease("l")
    bench.inject(nothing)
    with pytest.raises(FaultNotApplied, match="expected chaos-harness-stranger to hold Lease l"):
        bench.observed(nothing)
