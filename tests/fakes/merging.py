"""Merging: what an API server makes of a merge patch, for worlds in memory."""

from collections.abc import Mapping
from typing import Any

__all__ = ["merge"]


def merge(target: dict[str, Any], patch: Mapping[str, Any]) -> None:
    """Merge as an API server does, in place; webhooks by their names."""
    for name, value in patch.items():
        if name == "webhooks":
            merge(target[name][0], value[0])
            continue
        if value is None:
            target.pop(name, None)
        elif isinstance(value, Mapping):
            target[name] = target.get(name) if isinstance(target.get(name), dict) else {}
            merge(target[name], value)
        else:
            target[name] = value
