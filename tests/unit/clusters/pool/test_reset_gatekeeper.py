"""Tests of clusters.pool.reset_gatekeeper: what it may take back; that it does is in tests/api."""

import pytest

from chaos_harness.clusters.pool.deviations import Deviation, Trait
from chaos_harness.clusters.pool.reset_gatekeeper import can_reset
from chaos_harness.clusters.shape import NAMESPACE


def test_only_gatekeepers_deployments_and_what_they_make_can_be_reset() -> None:
    """A pod of another namespace, a rule, a Secret: that cluster is thrown away."""
    ours = [
        Deviation(Trait("deployments", "audit", NAMESPACE), "a", "b"),
        Deviation(Trait("pods", "ReplicaSet x", NAMESPACE), "a", None),
        Deviation(Trait("replicasets", "y", NAMESPACE), None, "z"),
    ]
    assert can_reset(ours, NAMESPACE)
    for other in (
        Trait("pods", "nobody x", "default"),
        Trait("node", "n", aspect="rules"),
        Trait("secrets", "x", NAMESPACE),
        Trait("deployments", NAMESPACE),
    ):
        assert not can_reset([*ours, Deviation(other, "a", "b")], NAMESPACE)
    assert not can_reset(ours, "policy")


def test_no_word_decides_what_may_be_reset(monkeypatch: pytest.MonkeyPatch) -> None:
    """However deviations are worded, a reset takes back the same ones."""
    monkeypatch.setattr(Deviation, "__str__", lambda _: "another wording")
    assert can_reset([Deviation(Trait("deployments", "audit", NAMESPACE), "a", "b")], NAMESPACE)
