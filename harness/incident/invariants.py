"""Invariants: which parts of the bundle of checks apply to an incident file: those whose streams it has recorded."""

from collections.abc import Mapping
from typing import Any

from chaos_harness.harness.incident.contents import listed_parts
from chaos_harness.harness.incident.needs import needs_of, source_of
from chaos_harness.harness.invariants import BUNDLE, INVARIANTS

__all__ = ["with_parts_that_apply"]


def with_parts_that_apply(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return a file's data, in which each claim of the bundle names what it is `without`, if it did not say so."""
    claims = data.get("claims")
    if not isinstance(claims, list):
        return dict(data)
    return {**data, "claims": [_with_without(data, claimed) for claimed in claims]}


def _with_without(data: Mapping[str, Any], claimed: Any) -> Any:
    values = claimed.get("with", {}) if isinstance(claimed, dict) else None
    if not isinstance(values, dict) or claimed.get("check") != BUNDLE or "without" in values:
        return claimed
    left_out = [part for part in INVARIANTS if not _applies(data, part)]
    return {**claimed, "with": {**values, "without": left_out}} if left_out else claimed


def _applies(data: Mapping[str, Any], part: str) -> bool:
    """Whether a file has all that a part reads watched, or asked for."""
    watches = [f"{words} " for words in listed_parts(data, "watch") if isinstance(words, str)]
    probes = [probed.get("probe") for probed in listed_parts(data, "probes") if isinstance(probed, dict)]
    for name, value in map(source_of, needs_of(part).streams):
        if name == "watch" and not any(words.startswith(f"{value} ") for words in watches):
            return False
        if name == "probes" and value not in probes:
            return False
    return True
