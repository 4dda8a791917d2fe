"""Verdict lines: the claims of a run with their verdicts, one JSON line each, as a run's directory has them."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from chaos_harness.harness.causes import Cause
from chaos_harness.harness.errors import BadScenario

__all__ = ["BROKEN", "FILE", "VerdictLine", "read_verdicts"]

FILE = "verdicts.jsonl"
"""Name of the file in a run's directory."""

BROKEN = "broken"
"""Outcome of a test that failed besides its claims: it says nothing about Gatekeeper."""


@dataclass(frozen=True)
class VerdictLine:
    """A claim of one test with its verdict; with outcome `broken`, a test that failed besides its claims.

    `test` is the same for all its repetitions. `seconds` is the experiment's duration from its first phase to its last:
    the time to this verdict. `id` is the claim's check with its parameters; `surprise`, `broken`, `judge`, `until`,
    `known`, `because`, `at` and `evidence` are as in `harness.experiment.record.ClaimRecord`. `history` is the path of
    the judged file relative to this file; `run` is unique for a run; `commit` is the project's
    (`reports.truth.commit`).
    """

    test: str
    claim: str
    expected: str
    outcome: str
    issue: str | None
    seed: int
    shape: dict[str, Any]
    seconds: float
    summary: str
    figures: dict[str, float] = field(default_factory=dict)
    id: str = ""
    surprise: bool = False
    broken: str = ""
    judge: str = ""
    until: float | None = None
    known: str | None = None
    because: tuple[Cause, ...] = ()
    at: float | None = None
    evidence: tuple[str, ...] = ()
    history: str = ""
    run: str = ""
    commit: str = ""


_LINE = TypeAdapter(VerdictLine)


def read_verdicts(path: Path) -> list[VerdictLine]:
    """Return the lines of the file `path`; a last line that was cut off by a kill is skipped.

    Raises BadScenario if the file does not exist, or with the number of an invalid line.
    """
    try:
        *lines, _torn = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        said = getattr(error, "strerror", None) or "expected UTF-8"
        raise BadScenario(f"{path}: no verdicts can be read: {said}") from error
    read_lines = []
    for number, line in enumerate(lines, start=1):
        try:
            read_lines.append(_LINE.validate_json(line))
        except ValidationError as error:
            raise BadScenario(f"{path}:{number}: expected a verdict, found {line[:80]!r}") from error
    return read_lines
