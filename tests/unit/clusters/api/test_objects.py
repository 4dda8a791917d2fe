"""Objects: what clusters reads of a Kubernetes object is what a history reads of it."""

from typing import Any

import pytest

from chaos_harness.clusters.api import objects
from chaos_harness.harness.history import objects as upper


def _with(*conditions: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    return {"metadata": metadata, "status": {"conditions": list(conditions)}}


@pytest.mark.parametrize(
    ("thing", "ready", "leaving"),
    [
        (_with({"type": "Ready", "status": "True"}), True, False),
        (_with({"type": "Ready", "status": "False"}), False, False),
        (_with({"type": "Ready", "status": None}), False, False),
        (_with({"type": "Other", "status": "True"}), False, False),
        (_with({"type": "Ready", "status": "True"}, deletionTimestamp="2026-01-01T00:00:00Z"), True, True),
        (_with(deletionTimestamp=None), False, False),
        ({"metadata": None, "status": None}, False, False),
        ({"status": {"conditions": None}}, False, False),
        ({}, False, False),
    ],
)
def test_both_say_the_same(thing: dict[str, Any], ready: bool, leaving: bool) -> None:
    """Two folders have the words, for one may not import the other; fields may be missing, or null."""
    for module in (objects, upper):
        assert (module.is_ready(thing), module.is_leaving(thing)) == (ready, leaving)
    assert objects.condition(thing, "Ready") == upper.condition(thing, "Ready")
