"""Objects: whether a Kubernetes object is Ready, or about to go, whatever of it is missing."""

from typing import Any

import pytest

from chaos_harness.clusters.api import objects


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
def test_what_is_missing_says_nothing(thing: dict[str, Any], ready: bool, leaving: bool) -> None:
    """Fields may be missing, or null."""
    assert (objects.is_ready(thing), objects.is_terminating(thing)) == (ready, leaving)
