"""Rollouts: what the scenario expects of which version, as it stands in its table."""

import pytest

from harness.verdict import Claim
from scenarios.rollouts import CASES, ISSUE


def expected(version: str) -> dict[str, list[tuple[str, str | None]]]:
    """Return what is expected of a version, and why, case by case."""
    claims = {case.name: [Claim.on(each, version) for each in case.claims("fault")] for case in CASES}
    return {name: [(each.expected, each.issue) for each in found] for name, found in claims.items()}


@pytest.mark.parametrize(
    ("version", "lost"),
    [
        ("v3.17.1", ("violated", ISSUE)),
        ("v3.18.3", ("violated", ISSUE)),
        ("v3.20.1", ("holds", None)),
        ("v3.23.1", ("holds", None)),
    ],
)
def test_expectations(version: str, lost: tuple[str, str | None]) -> None:
    """Gentle ways hold everywhere; when all replicas are deleted, only older versions lose mutation for long."""
    assert expected(version) == {
        "restart_rollout": [("holds", None), ("holds", None)],
        "evict_replicas": [("holds", None), ("holds", None)],
        "delete_replicas": [("violated", None), lost],
        "scale_to_zero": [("violated", None), ("holds", None)],
    }


def test_names() -> None:
    """A claim says during what pods are created, and what is excused."""
    assert [each.__name__ for each in CASES[0].claims("restart rollout")] == [
        "at most 2 % of pods are created unmutated during restart rollout, unless timed out",
        "enforcement is lost for at most 30 s after restart rollout",
    ]
