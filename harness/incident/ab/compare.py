"""Compare: whether claims are violated more often on B than on A, and figures worse, beyond chance."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Literal

from chaos_harness.harness.figures import least_difference, unit, worse_if
from chaos_harness.harness.incident.ab.arms import LABELS, Label
from chaos_harness.harness.incident.ab.observed import ObservedRun
from chaos_harness.harness.incident.judge import JudgedClaim
from chaos_harness.harness.significance import adjusted, fisher, shift, signed_rank
from chaos_harness.harness.statistics import Interval

__all__ = [
    "ALPHA",
    "ClaimDifference",
    "Comparison",
    "Counted",
    "Difference",
    "FigureDifference",
    "Judgement",
    "compare",
]

Judgement = Literal["worse", "better", "undecided", "not worse"]
Relation = Literal["same", "only A", "only B", "both", "unknown"]

_WORST_FIRST: tuple[Judgement, ...] = ("worse", "undecided", "better", "not worse")

ALPHA = 0.025
"""Probability that anything is called worse although A and B are equal, for all claims and figures together."""

LEANING = 0.1
"""What could be chance with a smaller probability than this, for a claim, or for all figures, is undecided."""


@dataclass(frozen=True)
class Counted:
    """In how many runs of an arm a claim was violated, of those that decided it, and how many did not."""

    violated: int
    decided: int
    undecided: int

    @property
    def runs(self) -> int:
        """All runs of the arm."""
        return self.decided + self.undecided


@dataclass(frozen=True)
class ClaimDifference:
    """One claim of an incident on both arms."""

    incident: str
    id: str
    name: str
    a: Counted
    b: Counted
    judgement: Judgement = "not worse"

    @property
    def relation(self) -> Relation:
        """Where it was violated: equally often on both, on one alone, or on both and on one of them more often.

        Unknown, if an arm decided it in no run.
        """
        if not (self.a.decided and self.b.decided):
            return "unknown"
        if self.a.violated * self.b.decided == self.b.violated * self.a.decided:
            return "same"
        if self.a.violated and self.b.violated:
            return "both"
        return "only A" if self.a.violated else "only B"

    @property
    def by_chance(self) -> float:
        """How likely so many violations on B are by chance, if undecided runs are what speaks least against B."""
        return fisher(self.b.violated, self.b.runs, self.a.violated + self.a.undecided, self.a.runs)

    @property
    def at_least_by_chance(self) -> float:
        """The same, if undecided runs are what speaks most against B."""
        return fisher(self.b.violated + self.b.undecided, self.b.runs, self.a.violated, self.a.runs)

    @property
    def better_by_chance(self) -> float:
        """How likely so few violations on B are by chance, if undecided runs are what speaks most against B."""
        return fisher(self.a.violated, self.a.runs, self.b.violated + self.b.undecided, self.b.runs)

    @property
    def testable(self) -> bool:
        """Whether so many violations in all could lie so that they are no chance, whatever undecided runs are."""
        least = self.a.violated + self.b.violated
        return any(
            fisher(on_one := min(hits, self.b.runs), self.b.runs, hits - on_one, self.a.runs) <= ALPHA
            for hits in range(least, least + self.a.undecided + self.b.undecided + 1)
        )

    @property
    def visible(self) -> bool:
        """Whether "always on B, never on A" would have been seen, undecided runs speaking least against B."""
        return fisher(self.b.decided, self.b.runs, self.a.undecided, self.a.runs) <= ALPHA


@dataclass(frozen=True)
class FigureDifference:
    """One figure of a claim (its id and its name): `pairs` has its values on A and B, of pairs of runs that have both.

    `missing` pairs lack it because a run of them was not decided. `towards` is 1 if more of it is worse, -1 if less.
    """

    incident: str
    claim: str
    name: str
    figure: str
    pairs: tuple[tuple[float, float], ...]
    missing: int
    towards: Literal[1, -1]
    judgement: Judgement = "not worse"

    @property
    def unit(self) -> str:
        """Its unit."""
        return unit(self.figure)

    @property
    def medians(self) -> tuple[float, float]:
        """Its median on A and on B."""
        return median(first for first, _ in self.pairs), median(second for _, second in self.pairs)

    @property
    def difference(self) -> Interval:
        """By how much it is larger on B, with the interval for it alone."""
        return shift([second - first for first, second in self.pairs])

    @property
    def floor(self) -> float:
        """The smallest difference that is called worse or better: 1 s, 1 %, 1, or a tenth of the median on A."""
        return least_difference(self.figure, self.medians[0])

    @property
    def harms(self) -> list[float]:
        """By how much it is worse on B, pair by pair."""
        return [self.towards * (second - first) for first, second in self.pairs]

    def filled(self, sign: Literal[1, -1]) -> list[float]:
        """Return the harms, those of missing pairs being larger than all others, or smaller."""
        harms = self.harms
        return [*harms, *[sign * (max(map(abs, harms)) + 1)] * self.missing]

    @property
    def testable(self) -> bool:
        """Whether so many differences could be no chance."""
        return 0.5 ** (sum(map(bool, self.harms)) + self.missing) <= ALPHA


Difference = ClaimDifference | FigureDifference


@dataclass(frozen=True)
class Comparison:
    """What all runs show: `runs` of each arm, how many of them could not be judged, claims and figures.

    `silent` are incidents of which no run could be judged.
    """

    runs: Mapping[Label, int]
    unjudged: Mapping[Label, int]
    broken: Mapping[Label, int]
    silent: tuple[str, ...]
    claims: tuple[ClaimDifference, ...]
    figures: tuple[FigureDifference, ...]

    @property
    def parts(self) -> list[Difference]:
        """All claims, then all figures."""
        return [*self.claims, *self.figures]

    @property
    def judgement(self) -> Judgement:
        """Whether B is worse in any respect, or that is undecided; it is better only if nothing is worse."""
        seen = {part.judgement for part in self.parts}
        seen |= {"undecided"} if self.silent else set()
        return next((judgement for judgement in _WORST_FIRST if judgement in seen), "not worse")

    def level(self, part: Difference) -> float:
        """Return the probability of chance below which this claim or figure is surely called worse."""
        others = sum(other.testable for other in self.parts if other is not part)
        return ALPHA / (others + 1)


def compare(runs: Sequence[ObservedRun]) -> Comparison:
    """Return what the runs of both arms show."""
    claims, figures = list(_claims(runs)), list(_figures(runs))
    return Comparison(
        {label: sum(run.arm == label for run in runs) for label in LABELS},
        {label: sum(run.arm == label and not run.claims for run in runs) for label in LABELS},
        {label: sum(run.arm == label and run.broken for run in runs) for label in LABELS},
        tuple(name for name, own in _by_incident(runs).items() if not any(run.claims for run in own)),
        *_judged(claims, figures),
    )


def _judged(
    claims: Sequence[ClaimDifference], figures: Sequence[FigureDifference]
) -> tuple[tuple[ClaimDifference, ...], tuple[FigureDifference, ...]]:
    """Return them with their judgements: the tests of all that could be chance or not are corrected together."""
    parts: list[Difference] = [*claims, *figures]
    tested = [index for index, part in enumerate(parts) if part.testable]
    worse = _corrected(tested, [_worse(parts[index]) for index in tested])
    better = _corrected(tested, [_better(parts[index]) for index in tested])
    alarming = adjusted([signed_rank(figure.filled(1)) for figure in figures])
    return (
        tuple(
            replace(claim, judgement=_of_claim(claim, worse.get(index, 1.0), better.get(index, 1.0)))
            for index, claim in enumerate(claims)
        ),
        tuple(
            replace(figure, judgement=_of_figure(figure, worse.get(index, 1.0), better.get(index, 1.0), leans))
            for index, (figure, leans) in enumerate(zip(figures, alarming, strict=True), start=len(claims))
        ),
    )


def _corrected(tested: Sequence[int], probabilities: Sequence[float]) -> dict[int, float]:
    return dict(zip(tested, adjusted(probabilities), strict=True))


def _worse(part: Difference) -> float:
    return part.by_chance if isinstance(part, ClaimDifference) else signed_rank(part.filled(-1))


def _better(part: Difference) -> float:
    if isinstance(part, ClaimDifference):
        return part.better_by_chance
    return signed_rank([-harm for harm in part.filled(1)])


def _of_claim(claim: ClaimDifference, worse: float, better: float) -> Judgement:
    if worse <= ALPHA:
        return "worse"
    if not claim.visible or claim.at_least_by_chance <= LEANING:
        return "undecided"
    return "better" if better <= ALPHA else "not worse"


def _of_figure(figure: FigureDifference, worse: float, better: float, leans: float) -> Judgement:
    if worse <= ALPHA and shift(figure.filled(-1)).estimate >= figure.floor:
        return "worse"
    if leans <= LEANING and shift(figure.filled(1)).estimate >= figure.floor:
        return "undecided"
    return "better" if better <= ALPHA and -shift(figure.filled(1)).estimate >= figure.floor else "not worse"


def _claims(runs: Sequence[ObservedRun]) -> Iterator[ClaimDifference]:
    for incident, of_incident in _by_incident(runs).items():
        names = {claim.id: claim.name for run in of_incident for claim in run.claims.values()}
        for id_, name in names.items():
            a, b = (_count(run.claims.get(id_) for run in of_incident if run.arm == label) for label in LABELS)
            yield ClaimDifference(incident, id_, name, a, b)


def _count(judged: Iterable[JudgedClaim | None]) -> Counted:
    outcomes = [claim.outcome if claim else "inconclusive" for claim in judged]
    undecided = outcomes.count("inconclusive")
    return Counted(outcomes.count("violated"), len(outcomes) - undecided, undecided)


def _figures(runs: Sequence[ObservedRun]) -> Iterator[FigureDifference]:
    for incident, of_incident in _by_incident(runs).items():
        pairs = _pairs(of_incident)
        claims = [claim for run in of_incident for claim in run.claims.values()]
        named = ((claim.id, claim.name, figure) for claim in claims for figure in claim.figures)
        for id_, name, figure in dict.fromkeys(named):
            direction = worse_if(figure)
            values = [tuple(_value(run, id_, figure) for run in pair) for pair in pairs]
            both = tuple((first, second) for first, second in values if first is not None and second is not None)
            if direction and both:
                missing = sum(any(not _decided(run, id_) for run in pair) for pair in pairs)
                yield FigureDifference(incident, id_, name, figure, both, missing, 1 if direction == "more" else -1)


def _pairs(runs: Iterable[ObservedRun]) -> list[tuple[ObservedRun, ObservedRun]]:
    """Return the runs of the same seed on both arms, the first with the first, and so on."""
    arms: dict[Label, dict[tuple[int, int], ObservedRun]] = {label: {} for label in LABELS}
    for run in runs:
        arms[run.arm][run.seed, run.turn] = run
    first, second = (arms[label] for label in LABELS)
    return [(run, second[key]) for key, run in first.items() if key in second]


def _decided(run: ObservedRun, id_: str) -> bool:
    return id_ in run.claims and run.claims[id_].outcome != "inconclusive"


def _value(run: ObservedRun, id_: str, name: str) -> float | None:
    return run.claims[id_].figures.get(name) if _decided(run, id_) else None


def _by_incident(runs: Sequence[ObservedRun]) -> dict[str, list[ObservedRun]]:
    by_name: dict[str, list[ObservedRun]] = {}
    for run in runs:
        by_name.setdefault(run.incident, []).append(run)
    return by_name
