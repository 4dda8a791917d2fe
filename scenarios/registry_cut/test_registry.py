"""Registry cut, Gatekeeper from its release manifest: what recovers while no image can be pulled."""

import pytest

from chaos_harness.harness.experiment.lifecycle import Experiment
from chaos_harness.harness.gatekeeper.restart import PullPolicy
from chaos_harness.scenarios.registry_cut import cells
from chaos_harness.scenarios.registry_cut.table import CutRow, claim_all_killed, kill_all, rows

pytestmark = pytest.mark.shape(install="manifest", workers=2)

test_admission_without_a_registry = cells.test_admission_without_a_registry
test_the_registry_is_asked_before_and_not_during = cells.test_the_registry_is_asked_before_and_not_during
test_one_replica_enforces_for_all = cells.test_one_replica_enforces_for_all

PRESENT = [row for row in rows("manifest") if row.image == "on the node"]


@pytest.mark.takes(190)
@pytest.mark.parametrize("row", PRESENT, ids=lambda row: row.name)
def test_all_replicas_are_killed(experiment: Experiment, row: CutRow, shipped_policy: PullPolicy) -> None:
    """With `Always`, though the image is on the node, no policy is enforced until the registry is back."""
    kill_all(experiment, row, shipped_policy)
    claim_all_killed(experiment, row)
