"""Rollouts: when a replacement counts, by what is seen of the pods; that it comes about is in tests/api."""

import pytest

from chaos_harness.harness.faults.targets import Target
from chaos_harness.harness.faults.workloads.rollouts import DELETED, ROLLED, _Replacement


def pods(**leaving: bool) -> dict[str, dict[str, dict[str, str]]]:
    return {
        name: {"metadata": {"name": name, "uid": name, **({"deletionTimestamp": "now"} if gone else {})}}
        for name, gone in leaving.items()
    }


@pytest.mark.parametrize(
    ("how", "state", "seen"),
    [
        (DELETED, pods(a=True, new=False), "a, b deleted, new came"),
        (DELETED, pods(a=False, new=False), ""),
        (DELETED, pods(a=True, b=True), ""),
        (ROLLED, pods(a=False, new=False), "b of 2 webhook pods rolled out, new came"),
        (ROLLED, pods(a=False, b=False, new=False), ""),
    ],
)
def test_half_a_deletion_is_none(how: str, state: dict[str, dict[str, dict[str, str]]], seen: str) -> None:
    """All must be on their way out, or one in a rollout, and another one must have come."""
    fault = _Replacement("x", how, lambda *_: "")
    fault._targets = [Target(name, name, "node", (), "owner") for name in ("a", "b")]
    assert fault._replaced(state).startswith(seen)
    assert bool(fault._replaced(state)) == bool(seen)
