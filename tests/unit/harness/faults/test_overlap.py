"""Overlap: faults, or settings, of one target at the same time leave what was there before the first of them."""

from collections.abc import Callable
from typing import Any

import pytest

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.registry.container import DOWN_FILE
from chaos_harness.harness.errors import CommandFailed, FaultNotApplied
from tests.fakes.crash_world import CGROUP, DEPLOYMENT
from tests.fakes.crashes import EDIT, NODE, Run

_REPLICAS = {"kind": "ConfigMap", "name": "c", "namespace": "n"}
PAIRS: dict[str, tuple[tuple[str, dict[str, Any]], ...]] = {
    "throttle": (("throttle", {"selector": "a=b", "cpu": 0.1}), ("throttle", {"selector": "a", "cpu": 0.5})),
    "other fields": (("edit_object", EDIT), ("edit_object", _REPLICAS | {"patch": {"data": {"b": "9", "d": "1"}}})),
    "a field of what is replaced": (
        ("edit_object", _REPLICAS | {"patch": {"data": {"a": "5"}}}),
        ("edit_object", _REPLICAS | {"patch": {"data": None}}),
    ),
    "what is replaced has fields": (
        ("edit_object", _REPLICAS | {"patch": {"data": None}}),
        ("edit_object", _REPLICAS | {"patch": {"data": {"a": "5", "e": "6"}}}),
    ),
    "cordon": (("reschedule_pod", {"pod": "a"}), ("drain_node", NODE)),
    "down": (("pause_node", NODE), ("kill_node", NODE)),
    "down twice": (("kill_node", NODE), ("stop_node", NODE)),
    "registry 503 and stop": (("cut_registry 503", {"how": "503"}), ("cut_registry stop", {"how": "stop"})),
    "registry drop and stop": (("cut_registry drop", {"how": "drop"}), ("cut_registry stop", {"how": "stop"})),
    "webhook": (("cut_webhook", {}), ("cut_webhook", {"how": "reject"})),
    "webhook of one": (("cut_webhook", {}), ("cut_webhook of one", {"count": 1})),
    "failurePolicy": (("fail_mutation", {"policy": "Fail"}), ("fail_closed", {})),
    "failurePolicy twice": (("fail_closed", {}), ("fail_closed", {})),
    "failurePolicy and time-out": (("fail_closed", {}), ("time_out_webhooks", {"mutation": 5, "validation": 7})),
    "time-outs": (("time_out_webhooks", {"mutation": 5}), ("time_out_webhooks", {"mutation": 7, "validation": 9})),
}


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize("order", [(0, 1), (1, 0), (0,), (1,), ()], ids=str)
def test_two_faults_on_one_target_leave_what_was_there(
    live: Callable[[], Run], pair: str, order: tuple[int, ...]
) -> None:
    """Two faults on one target leave what was there before the first, healed in any order, or killed at any point."""
    run = live()
    (first, values), (second, more) = PAIRS[pair]
    faults = [run.inject(first, **values), run.inject(second, **more)]
    for index in order:
        run.heal(faults[index])
    run.replay()
    run.is_healed()


@pytest.mark.parametrize("order", [(0, 1), (1, 0), (0,), (1,), ()], ids=str)
def test_a_fault_that_another_one_keeps_from_being_done(live: Callable[[], Run], order: tuple[int, ...]) -> None:
    """A stopped registry takes no 503: that fails, and in whatever order they are healed, it answers afterwards."""
    run = live()
    stop = run.inject("cut_registry stop")
    with pytest.raises(CommandFailed, match="is not running"):
        run.inject("cut_registry 503")
    faults = [stop, list(run.injected)[-1]]
    for index in order:
        run.heal(faults[index])
    run.replay()
    run.is_healed()


@pytest.mark.parametrize("first", [0, 1])
def test_a_registry_that_two_faults_cut_off(live: Callable[[], Run], first: int) -> None:
    """While one of a 503 and a stop is healed the other one goes on."""
    run = live()
    faults = [run.inject("cut_registry 503"), run.inject("cut_registry stop")]
    registry = run.world.containers["w-registry"]
    run.heal(faults[first])
    assert registry.status == ("exited", "running")[first]
    assert DOWN_FILE in registry.files
    run.heal(faults[1 - first])
    run.is_healed()


@pytest.mark.parametrize("healed", [0, 1])
def test_the_other_one_goes_on(live: Callable[[], Run], healed: int) -> None:
    """While one of two faults on one target is healed, the other's harm stays, and both prove that they are healed."""
    run = live()
    faults = [run.inject("throttle", selector="a", cpu=cpu) for cpu in (0.1, 0.5)]
    edits = [run.inject("edit_object", **_REPLICAS, patch={"data": {"a": value}}) for value in "56"]
    scale = run.inject("scale_to_zero")
    run.heal(faults[healed])
    run.heal(edits[healed])
    limits = {container.files[CGROUP] for container in run.world.containers.values()}
    assert limits == {"-1", "50000" if healed == 0 else "10000"}
    assert run.world.objects["/api/v1/namespaces/n/configmaps/c"]["data"]["a"] == ("6" if healed == 0 else "5")
    assert run.world.objects[DEPLOYMENT]["spec"]["replicas"] == 0
    run.heal(scale)
    run.heal(faults[1 - healed])
    run.heal(edits[1 - healed])
    run.is_healed()


@pytest.mark.parametrize("name", ["drain_node", "reschedule_pod"])
def test_a_node_that_was_closed_before(live: Callable[[], Run], name: str) -> None:
    """A node that was cordoned before the fault stays cordoned after any healing, and the proof says so."""
    for healing in (True, False):
        run = live()
        run.world.objects["/api/v1/nodes/w-worker"]["spec"]["unschedulable"] = True
        run.before = run.world.state()
        fault = run.inject(name)
        if healing:
            run.heal(fault)
            proof = fault.healed(run.cluster, Deadline.after(5, "the proof"))
            assert proof == "w-worker takes no pods: it was cordoned before"
        run.replay()
        run.is_healed()


def test_a_node_that_two_faults_close(live: Callable[[], Run]) -> None:
    """It is opened by the last one, and the first one says why it is not."""
    run = live()
    faults = [run.inject("reschedule_pod"), run.inject("drain_node")]
    proofs = []
    for fault in faults:
        with pytest.raises(FaultNotApplied, match="it is cordoned"):
            fault.healed(run.cluster, Deadline.after(5, "the proof"))
        run.heal(fault)
        proofs.append(fault.healed(run.cluster, Deadline.after(5, "the proof")))
    assert proofs == ["w-worker takes no pods: another fault keeps it cordoned", "w-worker takes pods again"]
    run.is_healed()
