"""Registry cut, Gatekeeper from its chart: what recovers while no image can be pulled."""

import pytest

from chaos_harness.harness.checks.pulls import asked_no_registry, asked_registry, no_request_during
from chaos_harness.scenarios.registry_cut.table import TREATMENTS, Cell, Treatment, rows

pytestmark = pytest.mark.shape(install="chart", workers=2)

each_treatment = pytest.mark.parametrize("treatment", TREATMENTS, ids=lambda treatment: treatment.replace(" ", "_"))
each_row = pytest.mark.parametrize("tried", rows("chart"), indirect=True, ids=lambda row: row.name, scope="module")


@each_treatment
@each_row
def test_admission_without_a_registry(cell: Cell, treatment: Treatment) -> None:
    """A pod serves admission, or not, while the registry is away, as the table of predictions says."""
    cell.judge(treatment)


@each_row
def test_the_registry_is_asked_before_and_not_during(cell: Cell) -> None:
    """Every start asks the registry with `Always` and none with `IfNotPresent`; a cut registry answers nothing."""
    always, repository = cell.tried.row.policy == "Always", cell.tried.experiment.gatekeeper_repository
    cell.claim(asked_registry(repository) if always else asked_no_registry(repository))
    cell.claim(no_request_during())


@each_row
def test_one_replica_enforces_for_all(cell: Cell) -> None:
    """While one replica serves, a cut costs no enforcement beyond the moment at which another is killed."""
    cell.judge_enforcement()
