"""Samples: each fault of the catalogue can be made from one, and declares in order what it does not give back."""

import pytest

from chaos_harness.clusters.pool.deviations import Trait
from chaos_harness.harness.catalogue import entries
from chaos_harness.harness.crashtest.samples import NOT_SAMPLED, SAMPLES
from chaos_harness.harness.faults import ONE_SHOT
from chaos_harness.harness.faults.leaves import (
    NEW_PODS,
    RESTARTS,
    Leave,
    leaves_of,
    made_again,
    shut_down,
    started_again,
)
from chaos_harness.harness.faults.nodes.power import kill_node, reboot_node, stop_node
from chaos_harness.harness.incident.references import problems_of_references


def test_each_fault_has_a_sample() -> None:
    """A fault that is new in the catalogue is crash tested, or it is said why not."""
    assert {sample.fault for sample in SAMPLES.values()} | set(NOT_SAMPLED) == set(entries("fault"))
    assert not {sample.fault for sample in SAMPLES.values()} & set(NOT_SAMPLED)


@pytest.mark.parametrize("name", SAMPLES)
def test_a_fault_can_be_made_from_it(name: str) -> None:
    """Its parameters are right, and its references are known."""
    sample = SAMPLES[name]
    made = entries("fault")[sample.fault].make(sample.values)
    assert list(problems_of_references(sample.values)) == []
    assert all(leave.words for leave in leaves_of(made))
    assert sample.undone or made.healed is ONE_SHOT or sample.fault == "restart_api_server"


@pytest.mark.parametrize(
    ("leave", "trait", "covers"),
    [
        (made_again("c", "n"), Trait("configmaps", "c", "n", "uid"), True),
        (made_again("c", "n"), Trait("configmaps", "c", "n"), False),
        (made_again("c", "n"), Trait("configmaps", "d", "n", "uid"), False),
        (made_again("c", "n"), Trait("configmaps", "c", "m", "uid"), False),
        (made_again("c", ""), Trait("clusterroles", "c", "", "uid"), True),
        (NEW_PODS[0], Trait("pods", "ReplicaSet a", "n", "uid"), True),
        (NEW_PODS[0], Trait("pods", "ReplicaSet a", "n", "restarts"), False),
        (RESTARTS[0], Trait("pods", "ReplicaSet a", "n", "restarts"), True),
        (RESTARTS[0], Trait("pods", "ReplicaSet a", "n"), False),
        (started_again("w")[0], Trait("container", "w", aspect="state"), True),
        (started_again("w")[0], Trait("container", "v", aspect="state"), False),
        (Leave("a mount", "node", aspect="mounts: *"), Trait("node", "w", "", "mounts: /a tmpfs"), True),
        (Leave("a mount", "node", aspect="mounts: *"), Trait("node", "w", "", "rules: -A"), False),
    ],
    ids=str,
)
def test_what_a_leave_covers(leave: Leave, trait: Trait, covers: bool) -> None:
    """The traits that it names, in all four parts, and no other."""
    assert leave.covers(trait) == covers


def test_a_control_plane_that_shuts_down_gives_its_lease_away() -> None:
    """Its API server ends in order, and makes another one when it starts; one that is killed, or a worker, does not."""
    (lease,) = shut_down("c-control-plane2")
    assert lease.covers(Trait("leases", "apiserver-abc", "kube-system", "uid"))
    assert not lease.covers(Trait("leases", "kube-scheduler", "kube-system", "uid"))
    for fault, gives in (
        (stop_node(["c-control-plane", "c-worker"]), True),
        (reboot_node("c-control-plane"), True),
        (stop_node("c-worker"), False),
        (kill_node(["c-control-plane", "c-worker"]), False),
    ):
        assert (lease in leaves_of(fault)) == gives
