"""Judge: judges a history by the claims of an incident, with or without a cluster."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, cast

from chaos_harness.clusters.shape import Shape
from chaos_harness.harness.catalogue import entries
from chaos_harness.harness.checks import Check
from chaos_harness.harness.checks.heals import heals, implied
from chaos_harness.harness.errors import HarnessError, Inconclusive, InvariantViolated
from chaos_harness.harness.history import History
from chaos_harness.harness.incident.load import LoadedIncident
from chaos_harness.harness.incident.model import ClaimSpec, Incident
from chaos_harness.harness.incident.upgrades import shape_of_claim
from chaos_harness.harness.judging import faults_of, up_to
from chaos_harness.harness.verdict import Claim, Expected, Outcome, Verdict

if TYPE_CHECKING:
    from chaos_harness.harness.experiment.lifecycle import Experiment
    from chaos_harness.harness.experiment.record import ClaimRecord, Record

__all__ = ["JudgedClaim", "check_of", "claim_all", "conclude", "judge", "judge_open", "with_implied"]

Seen = Literal["reproduced", "not reproduced", "inconclusive"]


@dataclass(frozen=True)
class JudgedClaim:
    """One judged claim of an incident: whether it is a symptom, and what is expected on this version, if anything.

    `id` is the check with its parameters. `surprise`: it is violated as expected, but not by the known defect. `broken`
    is the error of a check that raised. `figures` are the verdict's; bundles of older versions have none. `until` is
    the moment up to which the history was judged, in seconds; None: all of it, as bundles of older versions.
    """

    name: str
    symptom: bool
    expected: Literal["holds", "violated"] | None
    outcome: Outcome
    summary: str
    evidence: tuple[str, ...]
    id: str = ""
    surprise: bool = False
    broken: str = ""
    implied: bool = False
    figures: Mapping[str, float] = field(default_factory=dict, hash=False)
    until: float | None = None

    @property
    def as_expected(self) -> bool:
        """Whether the outcome is the expected one (or none was expected), and not by another defect."""
        return self.expected in (None, self.outcome) and not self.surprise


def check_of(claimed: ClaimSpec) -> Check:
    """Return the check that a claim names. Raises BadScenario, KeyError (no such check, or no more)."""
    check: Check = entries("check")[claimed.check].make(claimed.with_)
    return check


def judge(
    incident: Incident, shape: Shape, recorded: History, moments: Mapping[str, float | None] | None = None
) -> list[JudgedClaim]:
    """Return the judged claims of an incident, then those that its faults imply and the file does not make.

    `moments` are those up to which claims were judged when they were made, by their ids; the others, and those that
    faults imply, are judged on all that is recorded.
    """
    shapes = (shape_of_claim(incident, claimed, shape) for claimed in incident.claims)
    own = [
        _judge_claim(claimed, its, recorded, moments or {})
        for claimed, its in zip(incident.claims, shapes, strict=True)
    ]
    return [*own, *_implied(own, recorded)]


def judge_open(loaded: LoadedIncident, experiment: "Experiment") -> list[JudgedClaim]:
    """Return the claims of an incident, judged in its open experiment: at the moment at which `claim_all` judges them.

    Claims of which nothing is expected on this version are judged, too. Raises ProbeBroken, and HarnessError if a line
    of the history was lost; an unexpected verdict is none.
    """
    incident, shape = loaded.incident, experiment.cluster.shape
    return [
        _judge_open(claimed, claimed.expected(shape_of_claim(incident, claimed, shape)), experiment)
        for claimed in incident.claims
    ]


def with_implied(judged: list[JudgedClaim], recorded: History) -> list[JudgedClaim]:
    """Return judged claims, and those that faults of a finished history imply."""
    return [*judged, *_implied(judged, recorded)]


def conclude(judged: Iterable[JudgedClaim]) -> Seen:
    """Return whether the incident was reproduced: all its symptoms are violated.

    If no claim is a symptom, because the incident is new, every claim counts as one. A violation by something else than
    the known defect is inconclusive.
    """
    claims = [claim for claim in judged if not claim.implied]
    symptoms = [claim for claim in claims if claim.symptom] or claims
    outcomes = {"inconclusive" if symptom.surprise else symptom.outcome for symptom in symptoms}
    if outcomes == {"violated"}:
        return "reproduced"
    return "not reproduced" if "holds" in outcomes else "inconclusive"


def claim_all(loaded: LoadedIncident, experiment: "Experiment") -> None:
    """Make all claims of an incident for its version in an experiment; raise the first error after all were made."""
    first: HarnessError | InvariantViolated | None = None
    for claimed in loaded.incident.claims:
        expected = claimed.expected(shape_of_claim(loaded.incident, claimed, experiment.cluster.shape))
        if expected is None:
            continue
        try:
            _claim(claimed, expected, experiment)
        except (HarnessError, InvariantViolated) as error:
            first = first or error
    if first:
        raise first


def _claim(claimed: ClaimSpec, expected: Expected, experiment: "Experiment", **record: "Record") -> None:
    experiment.claim(
        check_of(claimed),
        expected=expected,
        issue=claimed.issue,
        because=claimed.because,
        known=claimed.known(expected),
        **record,
    )


def _judge_open(claimed: ClaimSpec, expected: Expected | None, experiment: "Experiment") -> JudgedClaim:
    record = experiment.record.of(experiment.record.name)
    with suppress(InvariantViolated, Inconclusive):
        _claim(claimed, expected or "holds", experiment, record=record)
    (judged,) = record.claims
    return _recorded(judged, claimed, expected)


def _recorded(record: "ClaimRecord", claimed: ClaimSpec, expected: Expected | None) -> JudgedClaim:
    return JudgedClaim(
        name=record.name,
        symptom=claimed.symptom,
        expected=expected,
        outcome=cast("Outcome", record.outcome),
        summary=record.summary,
        evidence=tuple(record.evidence),
        id=record.id,
        surprise=expected is not None and record.surprise,
        broken=record.broken,
        until=record.until,
    )


def _judge_claim(
    claimed: ClaimSpec, shape: Shape, recorded: History, moments: Mapping[str, float | None]
) -> JudgedClaim:
    expected = claimed.expected(shape)
    claim = Claim(check_of(claimed), expected or "holds", claimed.issue, tuple(claimed.because), race=claimed.race)
    until = moments.get(claim.id)
    judged = _judged(claim, claim.check(up_to(recorded, until)))
    return replace(
        judged,
        symptom=claimed.symptom,
        expected=expected,
        surprise=expected is not None and judged.surprise,
        until=until,
    )


def _implied(own: Iterable[JudgedClaim], recorded: History) -> list[JudgedClaim]:
    named = faults_of(heals.__name__, (judged.id for judged in own))
    return [_judged(Claim(check), verdict, implied=True) for check, verdict in implied(recorded, named)]


def _judged(claim: Claim, verdict: Verdict, *, implied: bool = False) -> JudgedClaim:
    return JudgedClaim(
        name=claim.name,
        symptom=False,
        expected=claim.expected,
        outcome=verdict.outcome,
        summary=verdict.summary,
        evidence=tuple(verdict.evidence),
        id=claim.id,
        surprise=claim.surprising(verdict),
        broken=verdict.broken,
        implied=implied,
        figures=dict(verdict.figures),
    )
