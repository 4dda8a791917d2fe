"""Fixtures of the registry cut: one experiment a row of the installation method, and the claims about its cells."""

from collections.abc import Iterator
from functools import partial

import pytest

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.harness.gatekeeper.restart import PullPolicy, pull_policy
from chaos_harness.harness.pytest_plugin.plugin import Experiments
from chaos_harness.scenarios.attempts import Attempt, claims_of, try_row
from chaos_harness.scenarios.registry_cut.table import CUT_SECONDS, CellClaims, CutRow, cut_off, rows

_ATTEMPT = "attempt"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Try each row of the module's installation method: files share their tests, and differ in their shape."""
    shape = metafunc.definition.get_closest_marker("shape")
    if shape and _ATTEMPT in metafunc.fixturenames:
        chosen = [pytest.param(row, id=row.name, marks=_marks(row)) for row in rows(shape.kwargs["install"])]
        metafunc.parametrize(_ATTEMPT, chosen, indirect=True, scope="module")


def _marks(row: CutRow) -> list[pytest.MarkDecorator]:
    """Return how long the row's experiment takes, and its place among the founding incidents, if it is one."""
    takes = pytest.mark.takes(CUT_SECONDS, experiment=row.name)
    return [takes, pytest.mark.founding(1)] if row.is_founding else [takes]


@pytest.fixture(scope="module")
def shipped_policy(cluster: Cluster) -> PullPolicy:
    """Return the pull policy with which Gatekeeper was installed, asked before a row changes it."""
    return pull_policy(cluster)


@pytest.fixture(scope="module")
def attempt(request: pytest.FixtureRequest, experiments: Experiments, shipped_policy: PullPolicy) -> Attempt[CutRow]:
    """Cut the registry as the row that is the parameter says."""
    return try_row(request.param, experiments, partial(cut_off, shipped=shipped_policy))


@pytest.fixture
def cell(request: pytest.FixtureRequest, attempt: Attempt[CutRow]) -> Iterator[CellClaims]:
    """Give the claims of this test about a cell of the row."""
    with claims_of(attempt, request.node) as claims:
        yield CellClaims(claims.attempt, claims.record)
