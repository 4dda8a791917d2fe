"""Causes: why something was lost or did not recover, as values that distinguish a known defect from any other."""

from collections.abc import Iterable
from typing import Literal, get_args

__all__ = ["CAUSES", "Cause", "known_causes", "unknown_causes"]

Cause = Literal[
    # Why a webhook call failed, by the API server's log (harness.history.webhook_failures).
    "timed out",
    "connection refused",
    "no endpoint",
    "TLS not right",
    "cut in the middle",
    "no route",
    "other",
    "not logged",
    "log not read",
    # A webhook that was called, or did not have to be, and enforced nothing (by the audit log).
    "did not mutate",
    "not called",
    "allowed or not called",
    "not enforced",
    # What denied a compliant request.
    "denied by webhook",
    "denied by policy",
    # Which webhook pod could have been called for a mutation.
    "nobody in rotation",
    "endpoint on the lost node",
    # Why a pod did not serve again.
    "image pull failed",
    # How generated policies differed from what was asked for.
    "orphan policy",
    "orphan binding",
    "missing policy",
    "missing binding",
    "altered policy",
    "altered binding",
    # Why nothing was replaced, or a control plane did not recover.
    "never evicted",
    "nobody led",
    "denied by configuration error",
]
"""What a verdict may name as evidence; an expectation says by `because` which of these are the defect it knows."""

CAUSES: tuple[Cause, ...] = get_args(Cause)


def known_causes(names: Iterable[str]) -> tuple[Cause, ...]:
    """Return the causes among `names`, each once, in the order of CAUSES."""
    there = set(names)
    return tuple(cause for cause in CAUSES if cause in there)


def unknown_causes(names: Iterable[str]) -> list[str]:
    """Return those of `names` that are no causes."""
    return [name for name in names if name not in CAUSES]
