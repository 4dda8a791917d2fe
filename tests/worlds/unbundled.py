"""Unbundled: how the bundle of checks on Gatekeeper's invariants would be wrong (see `mutated`)."""

__all__ = ["UNBUNDLED"]

_BUNDLE = ("gatekeeper_invariants",)

UNBUNDLED: dict[str, list[tuple[tuple[str, ...], str, str]]] = {
    "harness/checks/invariants.py": [
        (_BUNDLE, "joint = reduce(and_, verdicts.values())", "joint = next(iter(verdicts.values()))"),
        (_BUNDLE, "joint = reduce(and_, verdicts.values())", "joint = [*verdicts.values()][-1]"),
        (_BUNDLE, "for name in INVARIANTS if name not in without]", "for name in INVARIANTS if name in without]"),
        (_BUNDLE, "for name in INVARIANTS if name not in without]", "for name in INVARIANTS]"),
        (_BUNDLE, '"replicas_agree": replicas_agree', '"replicas_agree": ready_means_enforcing'),
        (_BUNDLE, '"ready_means_enforcing": ready_means_enforcing', '"ready_means_enforcing": replicas_agree'),
    ],
}
"""For each file which checks become wrong, an old text, and the new one."""
