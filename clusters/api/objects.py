"""Objects: what a Kubernetes object in plain JSON says of itself; any of its fields may be missing, or null."""

from collections.abc import Mapping
from typing import Any

__all__ = ["Object", "condition", "is_ready", "is_terminating", "metadata", "status"]

Object = Mapping[str, Any]


def metadata(thing: Object) -> Object:
    """Return its metadata."""
    return thing.get("metadata") or {}


def status(thing: Object) -> Object:
    """Return its status."""
    return thing.get("status") or {}


def is_terminating(thing: Object) -> bool:
    """Whether it is about to be deleted."""
    return bool(metadata(thing).get("deletionTimestamp"))


def condition(thing: Object, kind: str) -> str:
    """Return the status of a condition: "True", "False", "Unknown", or "" if it has no such condition."""
    conditions = status(thing).get("conditions") or ()
    return str(next((one.get("status") for one in conditions if one.get("type") == kind), "") or "")


def is_ready(thing: Object) -> bool:
    """Whether a pod or a node has the condition Ready."""
    return condition(thing, "Ready") == "True"
