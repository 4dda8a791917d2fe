"""Ledger: the file with what a comparison is of and how each of its runs ended, so that it can be resumed."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from chaos_harness.clusters.machine import bounded_files
from chaos_harness.clusters.terminal.escape import escape_controls
from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.incident.ab.order import Slot
from chaos_harness.harness.incident.bundle.write import Reason, Replay
from chaos_harness.harness.ledger_file import add_line, replace_lines

__all__ = ["FILE", "MOST_FILES", "MOST_PAIRS", "Head", "Ledger"]

FILE = "comparison.jsonl"
MOST_PAIRS = 100
MOST_FILES = 100
_MOST_BYTES = 16 * 2**20
_SHORT = 200


class _Line(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Head(_Line):
    """What is compared: the arms as typed, the incident files with the digests of what they are, pairs and seed."""

    format: Literal[1] = 1
    arms: tuple[str, str]
    files: Annotated[tuple[str, ...], Field(min_length=1, max_length=MOST_FILES)]
    digests: tuple[str, ...]
    pairs: Annotated[int, Field(ge=1, le=MOST_PAIRS)]
    seed: Annotated[int, Field(ge=0, lt=2**32)]


class _Ended(_Line):
    slot: int
    seen: str
    seconds: float
    reason: Reason | None = None


class Ledger:
    """The runs of one comparison, by the numbers of their slots; a line is written when a run's bundle is there."""

    def __init__(self, path: Path, head: Head, ended: Iterable[_Ended] = ()) -> None:
        """Take what is in the file at `path`, if that is there."""
        self.head = head
        self._path = path
        self._done = {run.slot for run in ended if run.reason != "broken"}

    @classmethod
    def begin(cls, path: Path, head: Head) -> "Ledger":
        """Return a new ledger. Raises HarnessError if it cannot be written."""
        add_line(path, head)
        return cls(path, head)

    @classmethod
    def read(cls, path: Path) -> "Ledger":
        """Return a ledger that an earlier process left, without a last line that was cut off. Raises BadScenario."""
        return cls._read(path)[0]

    @classmethod
    def resume(cls, path: Path) -> "Ledger":
        """Return a ledger to go on with: a last line that was cut off is removed from the file, too.

        Raises BadScenario if it is no ledger, HarnessError if it cannot be written.
        """
        ledger, whole, torn = cls._read(path)
        if torn:
            replace_lines(path, whole)
        return ledger

    @classmethod
    def _read(cls, path: Path) -> tuple["Ledger", str, str]:
        """Return the ledger, its whole lines, and what was cut off."""
        try:
            head, *lines, torn = bounded_files.read_bounded_text(path, _MOST_BYTES).split("\n")
            ledger = cls(path, Head.model_validate_json(head), map(_Ended.model_validate_json, lines))
        except (ValueError, BadScenario) as error:
            raise _no_ledger(path, error) from error
        return ledger, "".join(f"{line}\n" for line in (head, *lines)), torn

    def has(self, slot: Slot) -> bool:
        """Whether a run is done; one that the harness broke says nothing of Gatekeeper, and is made again."""
        return slot.number in self._done

    def note(self, slot: Slot, replay: Replay) -> None:
        """Write how a run ended."""
        add_line(self._path, _Ended(slot=slot.number, seen=replay.seen, seconds=replay.seconds, reason=replay.reason))
        if replay.reason != "broken":
            self._done.add(slot.number)


def _no_ledger(path: Path, error: Exception) -> BadScenario:
    problem: Any = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error
    said = escape_controls(f"{problem}", most=_SHORT)
    return BadScenario(f"{path}: is no ledger of a comparison: {said}; leave out --resume to begin again")
