"""Objects: reads common fields of a Kubernetes object in plain JSON; any field may be missing or null."""

from collections.abc import Mapping
from typing import Any

__all__ = ["Object", "ObjectsByName", "condition", "is_ready", "is_terminating", "metadata", "status"]

Object = Mapping[str, Any]
"""A Kubernetes object in plain JSON, which is only read."""

ObjectsByName = Mapping[str, Object]
"""The objects of a watched list, by namespace and name, or by name alone; see clusters.watching.changes.key."""


def metadata(thing: Object) -> Object:
    """Return the object's metadata."""
    return thing.get("metadata") or {}


def status(thing: Object) -> Object:
    """Return the object's status."""
    return thing.get("status") or {}


def is_terminating(thing: Object) -> bool:
    """Whether the object has a deletion timestamp."""
    return bool(metadata(thing).get("deletionTimestamp"))


def condition(thing: Object, kind: str) -> str:
    """Return the status of the condition `kind`: "True", "False", "Unknown", or "" if there is no such condition."""
    conditions = status(thing).get("conditions") or ()
    return str(next((one.get("status") for one in conditions if one.get("type") == kind), "") or "")


def is_ready(thing: Object) -> bool:
    """Whether the condition Ready of a pod or a node is True."""
    return condition(thing, "Ready") == "True"
