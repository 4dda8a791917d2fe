"""Objects: what a Kubernetes object says of itself, and that one that says nothing breaks nobody."""

from typing import Any

import pytest

from chaos_harness.harness.history import objects


@pytest.mark.parametrize(
    "thing",
    [
        {},
        {"metadata": None, "spec": None, "status": None},
        {"metadata": {"labels": None, "ownerReferences": None}, "status": {"conditions": None}},
        {"status": {"containerStatuses": [{}], "conditions": [{}]}, "endpoints": [{}, {"targetRef": None}]},
        {"status": {"containerStatuses": [{"state": None, "restartCount": None}]}, "endpoints": None},
    ],
)
def test_nothing(thing: dict[str, Any]) -> None:
    """Of what has no field, or null in it, nothing is said."""
    assert not objects.is_ready(thing)
    assert not objects.is_terminating(thing)
    said = (objects.uid_of, objects.name_of, objects.node_of, objects.owner_uid, objects.waiting, objects.labels)
    assert not any(one(thing) for one in (*said, objects.running, objects.restarts, objects.endpoints))


@pytest.mark.parametrize(("status", "ready"), [("True", True), ("False", False), ("Unknown", False)])
def test_ready(status: str, ready: bool) -> None:
    """An object is ready if its condition Ready is true: not if that is not known, nor by another condition."""
    conditions = [{"type": "Initialized", "status": "True"}, {"type": "Ready", "status": status}]
    assert objects.is_ready({"status": {"conditions": conditions}}) is ready
    assert objects.condition({"status": {"conditions": conditions}}, "Ready") == status


def test_owner() -> None:
    """The owner is the controller, wherever it stands; without one, the first owner."""
    owners = [{"uid": "a"}, {"uid": "b", "controller": True}]
    assert objects.owner_uid({"metadata": {"ownerReferences": owners}}) == "b"
    assert objects.owner_uid({"metadata": {"ownerReferences": owners[:1]}}) == "a"


@pytest.mark.parametrize(
    ("conditions", "leads"), [({"ready": True}, True), ({"ready": None}, True), ({}, True), ({"ready": False}, False)]
)
def test_endpoints(conditions: dict[str, Any], leads: bool) -> None:
    """An endpoint of which nobody knows whether it is ready is sent requests; only one that is not ready is not."""
    piece = {"endpoints": [{"conditions": conditions, "targetRef": {"uid": "u", "name": "a"}}]}
    assert objects.endpoints(piece) == ({"u": "a"} if leads else {})


def test_containers() -> None:
    """Containers are told by their ids, without who runs them; who waits, for what."""
    statuses = [
        {"containerID": "containerd://c1", "restartCount": 2, "state": {"running": {}}},
        {"restartCount": 1, "state": {"waiting": {"reason": "ErrImagePull"}}},
    ]
    pod = {"status": {"containerStatuses": statuses}}
    assert (objects.running(pod), objects.restarts(pod), objects.waiting(pod)) == (("c1",), 3, "ErrImagePull")
