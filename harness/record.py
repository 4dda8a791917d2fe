"""Record: what is told of one experiment, for reports, which are not there when it runs."""

import json
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, Self

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

    That is when the first thing violated it, or else the end of what was recorded when it was judged.
    """

    name: str
    expected: str
    outcome: str
    issue: str | None
    summary: str
    evidence: list[str]
    figures: dict[str, float]
    at: float | None = None


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
