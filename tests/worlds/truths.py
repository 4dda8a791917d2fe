"""Truths: for each check of the catalogue who draws a claim on a world, with what is true of it."""

from collections.abc import Callable, Mapping

from tests.worlds import (
    agreeing,
    bundled,
    fields,
    generating,
    healing,
    leasing,
    losing,
    nodes,
    plane,
    pulling,
    readying,
    recovering,
    resting,
    unmutated,
)
from tests.worlds.claimed import Claimed, Drawn, hidden
from tests.worlds.dice import Dice

__all__ = ["TRUTHS", "world"]

TRUTHS: Mapping[str, Callable[[Dice], Drawn]] = {
    "fail_open_window": losing.fail_open_window,
    "refused_for_at_most": losing.refused_for_at_most,
    "comes_back": losing.comes_back,
    "loses_no_longer_than": losing.loses_no_longer_than,
    "outlasts": losing.outlasts,
    "enforcement_parity": losing.enforcement_parity,
    "never_unmutated": unmutated.never_unmutated,
    "recovers": recovering.recovers,
    "recovers_within": recovering.recovers_within,
    "recovers_after": recovering.recovers_after,
    "undisturbed": recovering.undisturbed,
    "asked_registry": pulling.asked_registry,
    "asked_no_registry": pulling.asked_no_registry,
    "no_request_during": pulling.no_request_during,
    "replaced_within": nodes.replaced_within,
    "replacements_mutated": nodes.replacements_mutated,
    "never_replaced": nodes.never_replaced,
    "control_plane_unharmed": plane.control_plane_unharmed,
    "leases_renewed": leasing.leases_renewed,
    "leases_renewed_again": leasing.leases_renewed_again,
    "leases_admitted": leasing.leases_admitted,
    "policies_match": generating.policies_match,
    "generated_within": generating.generated_within,
    "has_generator": generating.has_generator,
    "never_orphaned": generating.never_orphaned,
    "no_orphan_stays": generating.no_orphan_stays,
    "heals": healing.heals,
    "field_stays": fields.field_stays,
    "replicas_agree": agreeing.replicas_agree,
    "ready_means_enforcing": readying.ready_means_enforcing,
    "nobody_writes_at_rest": resting.nobody_writes_at_rest,
    "gatekeeper_invariants": bundled.gatekeeper_invariants,
}

_TRIES = 60
_WANTED = ("holds", "violated", "")


def world(check: str, seed: int) -> Claimed:
    """Return the claim and the world of a seed: of three seeds one truly holds and one is truly violated.

    Of two seeds one has nothing hidden.
    """
    wanted, much = _WANTED[seed % 3], (seed // 3) % 2 == 1
    for number in range(_TRIES):
        dice = Dice(f"{check} {seed} {number}")
        drawing = TRUTHS[check](dice)
        if drawing.truth == wanted or not wanted:
            break
    return Claimed(check, seed, drawing, hidden(dice, drawing, much=much))
