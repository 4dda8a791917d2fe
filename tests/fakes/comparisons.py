"""Comparisons for tests: runs of two arms as they would be observed, with the truth given."""

from collections.abc import Mapping, Sequence
from random import Random

from chaos_harness.harness.incident.ab.arms import LABELS, Label
from chaos_harness.harness.incident.ab.observed import ObservedRun
from chaos_harness.harness.incident.judge import JudgedClaim
from chaos_harness.harness.verdict import Outcome

__all__ = ["chance", "drawn", "observed", "outcomes"]

_WORDS: Mapping[str, Outcome] = {"v": "violated", "h": "holds", "?": "inconclusive"}


def observed(
    arm: Label, seed: int, claims: Mapping[str, Outcome], figures: Mapping[str, float] | None = None
) -> ObservedRun:
    """Return a run with these outcomes of claims, each with these figures."""
    judged = {
        name: JudgedClaim(f"the claim {name}", False, None, outcome, "", (), name, figures=dict(figures or {}))
        for name, outcome in claims.items()
    }
    return ObservedRun(arm, "a", "A title", seed, 1, {"gatekeeper": "v3.20.1"}, judged)


def outcomes(a: str, b: str) -> list[ObservedRun]:
    """Return runs of one claim from texts such as "vvh?": violated twice, held, undecided."""
    return [
        observed(label, seed, {"c": _WORDS[letter]})
        for label, letters in zip(LABELS, (a, b), strict=True)
        for seed, letter in enumerate(letters)
    ]


def chance(seed: int) -> Random:
    """Return what draws the runs of a simulation."""
    return Random(seed)  # noqa: S311 - no secret


def drawn(
    dice: Random, pairs: int, rates: Sequence[tuple[float, float]], *, slower: float = 0.0, figures: int = 2
) -> list[ObservedRun]:
    """Return runs whose claims are violated at the `rates` on A and on B, with figures about 20 s, `slower` on B."""
    runs = []
    for place, label in enumerate(LABELS):
        for seed in range(pairs):
            claims: dict[str, Outcome] = {
                f"c{number}": "violated" if dice.random() < both[place] else "holds"
                for number, both in enumerate(rates)
            }
            times = {f"f{number}_seconds": 20 + dice.gauss(slower * place, 3) for number in range(figures)}
            runs.append(observed(label, seed, claims, times))
    return runs
