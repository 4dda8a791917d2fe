"""Seen: all pods have observed an object when every pod's status reports its newest generation."""

from typing import Any

import pytest

from chaos_harness.harness.policies.status import seen_by_all


@pytest.mark.parametrize(
    ("generations", "seen"), [([2, 2], True), ([2, 1], False), ([2, None], False), ([], False), (None, False)]
)
def test_seen_by_all(generations: list[int | None] | None, seen: bool) -> None:
    """An older generation is not the object as it is, and who tells nothing has seen nothing."""
    manifest: dict[str, Any] = {"metadata": {"generation": 2}}
    if generations is not None:
        manifest["status"] = {
            "byPod": [{"observedGeneration": generation} if generation else {} for generation in generations]
        }
    assert seen_by_all(manifest) == seen
