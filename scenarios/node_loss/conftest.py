"""Fixtures of the node-loss scenarios: one experiment a row, and the claims of each test about it."""

from collections.abc import Iterator

import pytest

from chaos_harness.harness.pytest_plugin.plugin import Experiments
from chaos_harness.scenarios.attempts import Attempt, RowClaims, claims_of, try_row
from chaos_harness.scenarios.node_loss.steps import lose
from chaos_harness.scenarios.node_loss.table import LossRow


@pytest.fixture(scope="module")
def attempt(request: pytest.FixtureRequest, experiments: Experiments) -> Attempt[LossRow]:
    """Lose the node of the row that is the parameter."""
    return try_row(request.param, experiments, lose)


@pytest.fixture
def claims(request: pytest.FixtureRequest, attempt: Attempt[LossRow]) -> Iterator[RowClaims[LossRow]]:
    """Give the claims of this test about the row."""
    with claims_of(attempt, request.node) as of_row:
        yield of_row
