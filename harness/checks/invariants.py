"""Invariants: the bundle of checks on Gatekeeper that need no prediction, so that it can be claimed after any fault."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import reduce
from operator import and_

from chaos_harness.harness.checks import Check, identified
from chaos_harness.harness.checks.agreement import replicas_agree
from chaos_harness.harness.checks.control_plane import leases_admitted
from chaos_harness.harness.checks.generators import has_generator
from chaos_harness.harness.checks.policies import policies_match
from chaos_harness.harness.checks.quiescence import nobody_writes_at_rest
from chaos_harness.harness.checks.readiness import ready_means_enforcing
from chaos_harness.harness.history import History
from chaos_harness.harness.invariants import INVARIANTS, Invariant
from chaos_harness.harness.verdict import Verdict

__all__ = ["gatekeeper_invariants"]

_MADE: Mapping[Invariant, Callable[[], Check]] = {
    "ready_means_enforcing": ready_means_enforcing,
    "replicas_agree": replicas_agree,
    "nobody_writes_at_rest": nobody_writes_at_rest,
    "policies_match": policies_match,
    "has_generator": has_generator,
    "leases_admitted": leases_admitted,
}


@identified
def gatekeeper_invariants(without: Sequence[Invariant] = ()) -> Check:
    """Return the check that what a policy engine owes its users holds, whatever was done to the cluster.

    It is a bundle of checks that predict nothing, each with its defaults: pods in service enforce
    (`ready_means_enforcing`) and decide alike (`replicas_agree`), nobody writes at rest (`nobody_writes_at_rest`), what
    is generated is what is asked for (`policies_match`) and somebody generates it (`has_generator`), and no Lease is
    denied (`leases_admitted`). Violated if one part is; else inconclusive if one is. Each part's verdict is a line of
    the evidence.

    `without` are the parts that do not apply, which are named: nothing records what they read. An incident file need
    not say so: parts for which it watches nothing, or has no probe, are left out of its claim.
    """
    parts = [name for name in INVARIANTS if name not in without]

    def check(recorded: History) -> Verdict:
        return _joined({name: _MADE[name]()(recorded) for name in parts}, without)

    check.__name__ = f"Gatekeeper's invariants hold{', without ' * bool(without)}{', '.join(without)}"
    return Check(check)


def _joined(verdicts: Mapping[str, Verdict], without: Sequence[str]) -> Verdict:
    if not verdicts:
        return Verdict("inconclusive", "each part is left out")
    joint = reduce(and_, verdicts.values())
    deciding = [name for name, verdict in verdicts.items() if verdict.outcome == joint.outcome]
    words = f"{len(deciding)} of {len(verdicts)} parts: {joint.outcome}"
    if joint.outcome != "holds":
        words += f": {'; '.join(f'{name}: {verdicts[name].summary}' for name in deciding)}"
    words += f" (left out: {', '.join(without)})" if without else ""
    each = (f"{name}: {verdict.outcome}: {verdict.summary}" for name, verdict in verdicts.items())
    return replace(joint, summary=words, evidence=(*each, *joint.evidence), parts=())
