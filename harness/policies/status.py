"""Seen: what Gatekeeper's pods tell, in status.byPod, of having dealt with an object as it is."""

from collections.abc import Mapping
from typing import Any

__all__ = ["seen_by_all"]


def seen_by_all(manifest: Mapping[str, Any]) -> bool:
    """Whether each pod that tells of an object tells of its newest generation, and some pod does."""
    statuses = manifest.get("status", {}).get("byPod") or ()
    return bool(statuses) and all(
        status.get("observedGeneration") == manifest["metadata"]["generation"] for status in statuses
    )
