"""Rollout under load: how many pods lack the mutation while all webhook pods are replaced (gatekeeper#3776)."""

import pytest

from chaos_harness.harness.experiment.lifecycle import Experiment
from chaos_harness.scenarios.rollout.table import CASES, Case, replace_under_load

pytestmark = [pytest.mark.shape(workers=2, install="manifest"), pytest.mark.takes(50)]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_pods_are_mutated_while_replicas_are_replaced(experiment: Experiment, case: Case) -> None:
    """A gradual replacement loses hardly a mutation; one of all replicas at once loses them for a limited time."""
    fault = replace_under_load(experiment, case)
    for claim in case.claims(fault):
        experiment.claim(claim)
