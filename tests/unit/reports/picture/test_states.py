"""Lives: what a pod, a node or a lease is at a glance."""

from typing import Any

import pytest

from chaos_harness.reports.picture.states import Lifeline, lease_state, node_state, pod_state


def _pod(*states: dict[str, Any], ready: bool = False, **metadata: str) -> dict[str, Any]:
    conditions = [{"type": "Ready", "status": str(ready)}]
    statuses = [{"state": state} for state in states]
    return {"metadata": metadata, "spec": {}, "status": {"conditions": conditions, "containerStatuses": statuses}}


@pytest.mark.parametrize(
    ("pod", "state"),
    [
        (_pod({"running": {}}, ready=True), ("ready", "")),
        (_pod({"running": {}}), ("running", "runs, is not Ready")),
        (_pod({"waiting": {"reason": "ImagePullBackOff"}}), ("waiting", "ImagePullBackOff")),
        (_pod({"waiting": {"reason": "ContainerCreating"}}), ("starting", "ContainerCreating")),
        (_pod({"terminated": {"reason": "Error"}}), ("waiting", "Error")),
        (_pod({"terminated": {"reason": "Completed"}}, {"running": {}}), ("running", "runs, is not Ready")),
        (_pod(), ("starting", "not scheduled")),
        (_pod({"running": {}}, ready=True, deletionTimestamp="now"), ("leaving", "is being deleted")),
        ({"metadata": {}, "status": {"phase": "Failed", "reason": "Evicted"}}, ("gone", "Evicted")),
        ({"metadata": {}}, ("starting", "not scheduled")),
    ],
)
def test_state_of_a_pod(pod: dict[str, Any], state: tuple[str, str]) -> None:
    """A pod's status becomes one of few states and a reason, also if half of it is missing."""
    assert pod_state(pod) == state


def test_state_of_nodes_and_leases() -> None:
    """A node is what its Ready condition says, a lease belongs to its holder."""
    ready = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}

    assert node_state(ready) == ("ready", "")
    assert node_state({**ready, "spec": {"unschedulable": True}}) == ("leaving", "cordoned")
    assert node_state({"status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}})[0] == "unready"
    assert lease_state({"spec": {"holderIdentity": "a"}}) == ("held", "a")
    assert lease_state({"spec": {}})[0] == "unheld"


def test_life_without_rest_stays_small() -> None:
    """Of too many states the shortest are left out and counted; the last one is always there."""
    life = Lifeline("pod", "webhook")
    for number in range(5_000):
        life.see(number if number % 10 else number + 0.9, "ready" if number % 2 else "waiting")

    assert len(life.stretches) <= 201
    assert life.left_out > 4_000
    assert life.stretches[-1].state == "ready"


def test_same_state_is_seen_once() -> None:
    """A status that comes again unchanged begins nothing new."""
    life = Lifeline("pod", "webhook")

    assert [life.see(1, "ready"), life.see(2, "ready"), life.see(3, "waiting", "Error")] == [True, False, True]
