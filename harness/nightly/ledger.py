"""Ledger: the file with what a night is of and how each run of a cell ended, so that it can be resumed and merged."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from chaos_harness.clusters.machine import bounded_files
from chaos_harness.clusters.terminal.escape import escape_controls
from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.ledger_file import add_line, replace_lines

__all__ = ["DECIDED", "FILE", "CellFacts", "Ended", "Head", "JudgedLine", "Ledger", "Note", "Outcome"]

FILE = "night.jsonl"
FORMAT = 1
_MOST_BYTES = 256 * 2**20
_SHORT = 200

Outcome = Literal["as expected", "otherwise", "inconclusive", "broken", "refused"]
"""How a run of a cell ended. "refused": a version, an image or a tool could not be had, and no cluster was touched."""

DECIDED: tuple[Outcome, ...] = ("as expected", "otherwise")


class _Line(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CellFacts(_Line):
    """What a ledger says of a cell: its shard, from 1 on, what it runs, on which cluster, and how long that takes."""

    shard: int = 1
    target: str
    axes: Mapping[str, str]
    seconds: float
    memory_mib: int
    without_fault: bool = False


class Head(_Line):
    """What a night is of: all its cells, by their ids, whichever shard has them.

    `harness` is the version, `digest` that of the matrix and its cells; `shard` is which of how many; `night`
    identifies the ledger. `begun` is in unix seconds; `confidence` and `width` are those of the matrix. `only` is what
    was named of it (none: all).
    """

    kind: Literal["night"] = "night"
    format: Literal[1] = 1
    harness: str
    night: str
    matrix: str
    digest: str
    shard: int = 1
    shards: int = 1
    seed: Annotated[int, Field(ge=0, lt=2**32)]
    begun: float
    confidence: float
    width: float
    cells: Mapping[str, CellFacts]
    left_out: tuple[tuple[str, str, int], ...] = ()
    only: tuple[str, ...] = ()


class JudgedLine(_Line):
    """A claim with its verdict, as a run wrote it; `id` is the claim's check, the same in each run."""

    test: str
    id: str
    claim: str
    expected: str
    outcome: str


class Ended(_Line):
    """How one run of a cell ended.

    `attempt` counts the runs of the cell from 1 on; `repeat`: it was made to know the rate of a cell that flips.
    `seconds` are by a clock that nobody sets; `begun` and `ended` are unix seconds; `jumped` is by how many seconds
    that clock was set, or the machine slept, meanwhile. `cluster` is the run that made its cluster ("": not known),
    `used` is whether a run before had that cluster, `clean` whether it went back to the pool (None: it was not to).
    """

    kind: Literal["ended"] = "ended"
    cell: str
    attempt: Annotated[int, Field(ge=1)]
    repeat: bool = False
    outcome: Outcome
    status: int
    seconds: float
    begun: float
    ended: float
    jumped: float = 0.0
    seed: int = 0
    folder: str = ""
    reason: str = ""
    cluster: str = ""
    used: bool = False
    clean: bool | None = None
    claims: tuple[JudgedLine, ...] = ()


class Note(_Line):
    """Something to be told: a clock that jumped, a disk that is full, a night that was resumed."""

    kind: Literal["note"] = "note"
    at: float
    words: str
    broken: bool = False


_LINES: TypeAdapter[Ended | Note] = TypeAdapter(Annotated[Ended | Note, Field(discriminator="kind")])


class _AnyHead(BaseModel):
    """As much of a head as each version of the harness writes."""

    format: int
    harness: str


class Ledger:
    """The runs of one night; a line is written when a run ended, and what was not written is made again."""

    def __init__(self, path: Path, head: Head, lines: Iterable[Ended | Note] = ()) -> None:
        """Take what is in the file at `path`, if that is there."""
        self.path = path
        self.head = head
        self.lines = list(lines)

    @classmethod
    def begin(cls, path: Path, head: Head) -> "Ledger":
        """Return a new ledger. Raises HarnessError if it cannot be written."""
        add_line(path, head)
        return cls(path, head)

    @classmethod
    def read(cls, path: Path, version: str) -> "Ledger":
        """Return the ledger in a file; a last line that was cut off by a kill is left out.

        Raises BadScenario if it is none, or one of another format, or of another version of the harness.
        """
        first, *lines, _torn = _lines_of(path)
        try:
            of = _AnyHead.model_validate_json(first)
            if (of.format, of.harness) != (FORMAT, version):
                theirs = f"format {of.format} of version {escape_controls(of.harness, most=_SHORT)}"
                raise BadScenario(
                    f"{path}: expected format {FORMAT} of version {version} of the harness, found {theirs}"
                )
            return cls(path, Head.model_validate_json(first), map(_LINES.validate_json, lines))
        except ValidationError as error:
            said = escape_controls(str(error.errors()[0]["msg"]), most=_SHORT)
            raise BadScenario(f"{path}: is no ledger of a night: {said}") from error

    def mend(self) -> None:
        """Remove a last line that was cut off, so that others can follow. Raises HarnessError."""
        if _lines_of(self.path)[-1]:
            replace_lines(self.path, "".join(f"{line.model_dump_json()}\n" for line in (self.head, *self.lines)))

    def add(self, line: Ended | Note) -> None:
        """Write a line. Raises HarnessError if the disk does not take it."""
        add_line(self.path, line)
        self.lines.append(line)

    def runs(self, cell: str | None = None) -> list[Ended]:
        """Return the runs that ended, of a cell or of all."""
        return [line for line in self.lines if isinstance(line, Ended) and cell in (None, line.cell)]

    @property
    def notes(self) -> list[Note]:
        """What is to be told."""
        return [line for line in self.lines if isinstance(line, Note)]


def _lines_of(path: Path) -> list[str]:
    lines = bounded_files.read_bounded_text(path, _MOST_BYTES).split("\n")
    if len(lines) == 1:
        raise BadScenario(f"{path}: is no ledger of a night: expected whole lines of JSON")
    return lines
