"""Record: what is told of one experiment, for reports, which are not there when it runs."""

import json
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, Self

from chaos_harness.harness.causes import Cause
from chaos_harness.harness.verdict import Claim, Known, Verdict

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
    """A fault, what proved it, and what proved that it is healed; moments are unix seconds."""

    name: str
    injected_at: float
    proof: str = ""
    healed_at: float | None = None
    heal_proof: str = ""


@dataclass(frozen=True)
class ClaimRecord:
    """A claim as it was judged; `at` is the moment of the history, in seconds, that decided.

    That is when the first thing violated it, or else the end of what was recorded when it was judged. `id` is the
    check and its parameters, the same however its name is worded. `surprise`: it is violated as expected, but not by
    the defect that is known. `broken` is the error of a check that raised: then it is inconclusive by our own fault.
    `judge` is the digest of the sources that judged (`harness.judging.today`), `until` the moment up to which the
    history was written then, `known` how it is known that what is expected is true, if that is no prediction, `because`
    the causes that tell a known defect from any other.
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
    known: Known | None = None
    because: tuple[Cause, ...] = ()

    @classmethod
    def of(cls, claim: Claim, verdict: Verdict, end: float, judge: str) -> Self:
        """Return what is to be told of a claim that `judge` judged when the history was recorded up to `end`."""
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
        """Whether it came out as expected, by what was expected."""
        return self.outcome == self.expected and not self.surprise


@dataclass(frozen=True)
class Attachment:
    """A file worth reading beside the record: its title, path and media type."""

    name: str
    path: str
    type: str


@dataclass
class Record:
    """What there is to tell of one experiment; everything in it is JSON.

    `cluster` has its `name` and its `shape` (a dict). `environment` is what versions and quirks it ran on.
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

    def of(self, name: str) -> Self:
        """Return the record of the test `name` that shares this experiment with others: claims are its own."""
        return replace(self, name=name, claims=[])

    def json(self) -> str:
        """Return the record as JSON."""
        return json.dumps(asdict(self))
