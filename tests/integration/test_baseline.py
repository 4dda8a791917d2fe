"""Baseline: on a real cluster without Gatekeeper an experiment begins, breaks something, and judges the rest."""

from collections.abc import Callable

import pytest

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.shape import Shape
from chaos_harness.harness.checks.pulls import no_request_during
from chaos_harness.harness.experiment.lifecycle import Experiment
from chaos_harness.harness.faults.registry.cut import cut_registry

pytestmark = [pytest.mark.cluster, pytest.mark.beside]


@pytest.fixture(scope="module")
def cluster(build: Callable[..., Cluster]) -> Cluster:
    return build(Shape(workers=0, gatekeeper=None))


def test_a_fault_is_judged_without_gatekeeper(make: Callable[[], Experiment]) -> None:
    """Nobody waits for it or asks it; a fault of the registry proves itself, heals, and a claim on it is decided."""
    with make() as experiment:
        with experiment.fault(cut_registry()):
            experiment.hold(5)
        assert experiment.recovered()
        assert experiment.claim(no_request_during("cut registry"), expected="holds").outcome == "holds"
    told = {phase.name: phase.detail for phase in experiment.record.phases}
    assert told["steady state"].startswith("no Gatekeeper; ")
    assert told["recovered"] == "no Gatekeeper"
    assert "canary" not in told["probes"]
