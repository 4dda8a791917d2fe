"""Judge: judges a history by the claims of an incident, with or without a cluster."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from chaos_harness.clusters.shape import Shape
from chaos_harness.harness.catalogue import entries
from chaos_harness.harness.checks import Check
from chaos_harness.harness.checks.heals import heals, implied
from chaos_harness.harness.errors import HarnessError, InvariantViolated
from chaos_harness.harness.history import History
from chaos_harness.harness.incident.load import LoadedIncident
from chaos_harness.harness.incident.model import ClaimSpec, Incident
from chaos_harness.harness.incident.upgrades import shape_of_claim
from chaos_harness.harness.judging import faults_of
from chaos_harness.harness.verdict import Claim, Outcome, Verdict

if TYPE_CHECKING:
    from chaos_harness.harness.experiment.lifecycle import Experiment

__all__ = ["JudgedClaim", "check_of", "claim_all", "conclude", "judge"]

Seen = Literal["reproduced", "not reproduced", "inconclusive"]


@dataclass(frozen=True)
class JudgedClaim:
    """One judged claim of an incident: whether it is a symptom, and what is expected on this version, if anything.

    `id` is the check with its parameters. `surprise`: it is violated as expected, but not by the known defect. `broken`
    is the error of a check that raised.
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

    @property
    def as_expected(self) -> bool:
        """Whether the outcome is the expected one (or none was expected), and not by another defect."""
        return self.expected in (None, self.outcome) and not self.surprise


def check_of(claimed: ClaimSpec) -> Check:
    """Return the check that a claim names. Raises BadScenario, KeyError (no such check, or no more)."""
    check: Check = entries("check")[claimed.check].make(claimed.with_)
    return check


def judge(incident: Incident, shape: Shape, recorded: History) -> list[JudgedClaim]:
    """Return the judged claims of an incident, then those that its faults imply and the file does not make."""
    own = [_judge_claim(claimed, shape_of_claim(incident, claimed, shape), recorded) for claimed in incident.claims]
    named = faults_of(heals.__name__, (judged.id for judged in own))
    return [*own, *(_judged(Claim(check), verdict, implied=True) for check, verdict in implied(recorded, named))]


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
            experiment.claim(
                check_of(claimed),
                expected=expected,
                issue=claimed.issue,
                because=claimed.because,
                known=claimed.known(expected),
            )
        except (HarnessError, InvariantViolated) as error:
            first = first or error
    if first:
        raise first


def _judge_claim(claimed: ClaimSpec, shape: Shape, recorded: History) -> JudgedClaim:
    expected = claimed.expected(shape)
    claim = Claim(check_of(claimed), expected or "holds", claimed.issue, tuple(claimed.because))
    judged = _judged(claim, claim.check(recorded))
    return replace(
        judged, symptom=claimed.symptom, expected=expected, surprise=expected is not None and judged.surprise
    )


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
    )
