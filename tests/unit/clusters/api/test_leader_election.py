"""Leader election: the leader is reported, and also that there is none."""

from pathlib import Path

import pytest

from chaos_harness.clusters.api.leader_election import LEADERS, wait_for_leaders
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.errors import DeadlineExceeded
from chaos_harness.harness.experiment.lifecycle import Experiment
from tests.fakes.world import World


def test_led(tmp_path: Path) -> None:
    """Both leaders are told once each has renewed its lease."""
    with World().cluster(tmp_path) as cluster:
        proof = wait_for_leaders(cluster, Deadline.after(30, "leaders"))
    assert proof == "w_1 leads as kube-controller-manager, w_1 leads as kube-scheduler"


@pytest.mark.parametrize("dead", LEADERS)
def test_not_led(tmp_path: Path, dead: str) -> None:
    """A lease that stays as it is is nobody's, whatever stands in it."""
    world = World()
    world.leaders.discard(dead)
    message = f"renews the lease of {dead} since 00:00:00, see `kubectl logs .* component={dead}`$"
    with world.cluster(tmp_path) as cluster, pytest.raises(DeadlineExceeded, match=message):
        wait_for_leaders(cluster, Deadline.after(1, "leaders"))


def test_nobody_tells(tmp_path: Path) -> None:
    """An API server that answers nobody says nothing of leases."""
    with World().cluster(tmp_path) as cluster:
        pass
    with pytest.raises(DeadlineExceeded, match="blind for"):
        wait_for_leaders(cluster, Deadline.after(0.5, "leaders"))


def test_nothing_begins_without_leaders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No experiment begins while nobody would schedule a pod, however well all is according to its status."""
    monkeypatch.setattr("chaos_harness.harness.experiment.lifecycle._LED_SECONDS", 1.0)
    world = World()
    world.pod("a", "w-worker")
    world.leaders.clear()
    with world.cluster(tmp_path) as cluster:
        experiment = Experiment(cluster, tmp_path / "try", name="a", seed=1, probes=lambda *_: pytest.fail("probes"))
        with pytest.raises(DeadlineExceeded, match="the control plane to be led"), experiment:
            pytest.fail("the block was entered")
