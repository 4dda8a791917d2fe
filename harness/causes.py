"""Causes: why something was lost or did not come back, as values that tell a known defect from anything else."""

from collections.abc import Iterable
from typing import Literal, get_args

__all__ = ["CAUSES", "Cause", "known_causes", "unknown_causes"]

Cause = Literal[
    # Why a webhook was not heard, in the API server's words (harness.history.webhook_failures).
    "timed out",
    "connection refused",
    "no endpoint",
    "TLS not right",
    "cut in the middle",
    "no route",
    "other",
    "not logged",
    "log not read",
    # Who could have been asked for a mutation.
    "nobody in rotation",
    "endpoint on the lost node",
    # Why a pod did not serve again.
    "image pull failed",
    # What of the generated policies differed from what was asked for.
    "orphan policy",
    "orphan binding",
    "missing policy",
    "missing binding",
    "altered policy",
    "altered binding",
    # Why nothing was replaced, or a control plane did not go on.
    "never evicted",
    "nobody led",
    "denied by configuration error",
]
"""What a verdict may name as evidence; an expectation says by `because` which of these are the defect it knows."""

CAUSES: tuple[Cause, ...] = get_args(Cause)


def known_causes(names: Iterable[str]) -> tuple[Cause, ...]:
    """Return those of `names` that are causes, each once, in the order of CAUSES."""
    there = set(names)
    return tuple(cause for cause in CAUSES if cause in there)


def unknown_causes(names: Iterable[str]) -> list[str]:
    """Return those of `names` that no verdict can name."""
    return [name for name in names if name not in CAUSES]
