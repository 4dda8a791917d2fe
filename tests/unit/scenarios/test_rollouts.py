"""Rollouts: what the scenario expects of which version, as it stands in its table."""

import pytest

from chaos_harness.harness.verdict import Claim
from chaos_harness.scenarios.rollout.table import CASES, ISSUE


def expected(version: str) -> dict[str, list[tuple[str, str | None]]]:
    """Return what is expected of a version, and why, case by case."""
    claims = {case.name: [Claim.on(check, version) for check in case.claims("fault")] for case in CASES}
    return {name: [(claim.expected, claim.issue) for claim in of_case] for name, of_case in claims.items()}


@pytest.mark.parametrize(
    ("version", "lasts"),
    [
        ("v3.17.1", ("violated", ISSUE)),
        ("v3.18.3", ("violated", ISSUE)),
        ("v3.20.1", ("holds", None)),
        ("v3.23.1", ("holds", None)),
    ],
)
def test_expectations(version: str, lasts: tuple[str, str | None]) -> None:
    """Enforcement always comes back; when all replicas go at once, those of older versions do not serve on."""
    assert expected(version) == {
        "restart_rollout": [("holds", None), ("holds", None)],
        "evict_replicas": [("holds", None), ("holds", None)],
        "delete_replicas": [lasts, ("holds", None)],
        "scale_to_zero": [lasts, ("holds", None)],
    }


def test_names() -> None:
    """A claim says during what pods are created, and what is excused; none is about how long something may take."""
    names = [check.__name__ for case in (CASES[0], CASES[2]) for check in case.claims("fault")]
    assert names == [
        "at most 2 % of pods are created unmutated during fault (mutate pods), unless timed out",
        "enforcement comes back after fault (mutate pods, deny by rego), unless timed out",
        "enforcement outlasts fault by 8 s (mutate pods, deny by rego), unless timed out",
        "enforcement comes back after fault (mutate pods, deny by rego), unless timed out",
    ]
