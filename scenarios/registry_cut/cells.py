"""Cells: the tests that both installation methods share; `attempt` is each row of the file that imports them."""

import pytest

from chaos_harness.harness.checks.pulls import asked_no_registry, asked_registry, no_request_during
from chaos_harness.scenarios.registry_cut.table import TREATMENTS, CellClaims, Treatment

__all__ = [
    "test_admission_without_a_registry",
    "test_one_replica_enforces_for_all",
    "test_the_registry_is_asked_before_and_not_during",
]


@pytest.mark.parametrize("treatment", TREATMENTS, ids=lambda treatment: treatment.replace(" ", "_"))
def test_admission_without_a_registry(cell: CellClaims, treatment: Treatment) -> None:
    """A pod serves admission, or not, while the registry is away, as the table of predictions says."""
    cell.judge(treatment)


def test_the_registry_is_asked_before_and_not_during(cell: CellClaims) -> None:
    """Every start asks the registry with `Always` and none with `IfNotPresent`; a cut registry answers nothing."""
    always, repository = cell.row.policy == "Always", cell.experiment.gatekeeper_repository
    cell.claim(asked_registry(repository) if always else asked_no_registry(repository))
    cell.claim(no_request_during())


def test_one_replica_enforces_for_all(cell: CellClaims) -> None:
    """While one replica serves, a cut costs no enforcement beyond the moment at which another is killed."""
    cell.judge_enforcement()
