"""Status: what Gatekeeper's pods report about an object in status.byPod."""

from collections.abc import Mapping
from typing import Any

__all__ = ["seen_by_all"]


def seen_by_all(manifest: Mapping[str, Any]) -> bool:
    """Whether every pod in status.byPod has observed the object's current generation, and there is such a pod."""
    statuses = manifest.get("status", {}).get("byPod") or ()
    return bool(statuses) and all(
        status.get("observedGeneration") == manifest["metadata"]["generation"] for status in statuses
    )
