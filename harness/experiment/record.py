"""Record: the data of one experiment for reports, which are made after it."""

import json
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, Self

from chaos_harness.harness.causes import Cause
from chaos_harness.harness.verdict import Claim, KnownBy, Verdict

__all__ = ["PROPERTY", "Attachment", "ClaimRecord", "FaultRecord", "Phase", "Record"]

PROPERTY = "chaos-record"
"""Name under which a test's `user_properties` carry its record, as JSON; the last one counts."""


@dataclass
class Phase:
    """One step of the life cycle; `start` and `stop` are unix seconds."""

    name: str
    start: float
    stop: float | None = None
    status: Literal["running", "passed", "failed", "broken"] = "running"
    detail: str = ""


@dataclass
class FaultRecord:
    """A fault with the proof of its effect and the proof that it is healed; times are unix seconds."""

    name: str
    injected_at: float
    proof: str = ""
    healed_at: float | None = None
    heal_proof: str = ""


@dataclass(frozen=True)
class ClaimRecord:
    """A claim with its verdict; `at` is the moment that decided, in seconds of the history.

    `at` is when the first violation happened, else the end of the history when the claim was judged. `id` is the check
    with its parameters, independent of the wording of its name. `surprise`: it is violated as expected, but not by the
    known defect. `broken` is the error of a check that raised; the claim is inconclusive then, and the error is ours.
    `judge` is the digest of the sources that judged (`harness.judging.today`). `until` is the moment up to which the
    history was written then. `known` says how it is known that the expectation is true, if it is no prediction.
    `because` are the causes that identify the known defect.
    """

    name: str
    expected: str
    outcome: str
    issue: str | None
    summary: str
    evidence: list[str]
    figures: dict[str, float]
    at: float | None = None
    id: str = ""
    surprise: bool = False
    broken: str = ""
    judge: str = ""
    until: float | None = None
    known: KnownBy | None = None
    because: tuple[Cause, ...] = ()

    @classmethod
    def of(cls, claim: Claim, verdict: Verdict, end: float, judge: str) -> Self:
        """Return the record of a claim that `judge` judged when the history was recorded up to `end`."""
        return cls(
            name=claim.name,
            expected=claim.expected,
            outcome=verdict.outcome,
            issue=claim.issue,
            summary=verdict.summary,
            evidence=list(verdict.evidence),
            figures=dict(verdict.figures),
            at=end if verdict.at is None else verdict.at,
            id=claim.id,
            surprise=claim.surprising(verdict),
            broken=verdict.broken,
            judge=judge,
            until=end,
            known=claim.known,
            because=claim.because,
        )

    @property
    def as_expected(self) -> bool:
        """Whether the outcome is the expected one, and not by another defect."""
        return self.outcome == self.expected and not self.surprise

    @property
    def expectation(self) -> str:
        """The expected outcome in words, with the known causes if the claim was violated by another one."""
        return f"{self.expected} by {' or '.join(self.because)}" if self.surprise else self.expected


@dataclass(frozen=True)
class Attachment:
    """A file to attach to the record: its title, path and media type."""

    name: str
    path: str
    type: str


@dataclass
class Record:
    """All data of one experiment that reports use; it can be written as JSON.

    `cluster` has its `name` and its `shape` (a dict). `drawn` is what the seed decided of an incident's timeline:
    `jitter_seconds` of a `step` in a `turn`, both from 1. `environment` has the versions and the quirks of the host.
    """

    name: str
    cluster: dict[str, Any]
    seed: int
    history: str
    journal: str
    phases: list[Phase] = field(default_factory=list)
    faults: list[FaultRecord] = field(default_factory=list)
    claims: list[ClaimRecord] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    drawn: list[dict[str, Any]] = field(default_factory=list)

    def of(self, name: str) -> Self:
        """Return the record of the test `name`, which shares this experiment with others but has its own claims."""
        return replace(self, name=name, claims=[])

    def json(self) -> str:
        """Return the record as JSON."""
        return json.dumps(asdict(self))
