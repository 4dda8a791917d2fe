"""Invariants: the names of the checks in the bundle that can be claimed after any fault, without the checks."""

from typing import Literal, get_args

__all__ = ["BUNDLE", "INVARIANTS", "Invariant"]

BUNDLE = "gatekeeper_invariants"
"""The name of the check that joins them."""

Invariant = Literal[
    "ready_means_enforcing",
    "replicas_agree",
    "nobody_writes_at_rest",
    "policies_match",
    "has_generator",
    "leases_admitted",
]

INVARIANTS = get_args(Invariant)
"""The names of the parts, in the order in which they are told."""
