"""Ledger: the file with the trials of a crash test, a line each, so that one that was stopped can be resumed."""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from chaos_harness.clusters.machine.bounded_files import read_bounded_text
from chaos_harness.clusters.terminal.escape import escape_controls
from chaos_harness.harness.crashtest.moments import Moment
from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.ledger_file import add_line, replace_lines

__all__ = ["FILE", "VARIANTS", "Ledger", "Trial", "TrialKey", "TrialOutcome", "Variant"]

FILE = "crashtest.jsonl"
_MOST_BYTES = 64 * 2**20
_SHORT = 200

TrialOutcome = Literal["zero", "differs", "not reached", "not proved", "broken"]
"""How a trial ended. "zero": no difference but what the fault declares; "differs": others; "not reached": the life of
the fault went by without the moment; "not proved": the fault had no effect, or was not healed while nobody killed the
harness; "broken": the trial could not be made, which says nothing of the fault."""


Variant = Literal["harness", "guardian", "no undo"]
"""What is done. "harness": the harness alone is killed; "guardian": its guardian, too, which ends the commands of a
killed harness; "no undo": undos are turned into no-ops."""

VARIANTS: tuple[Variant, ...] = get_args(Variant)


class TrialKey(BaseModel):
    """What is tried: a sample, a moment, a variant, and for which time, from 1 on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sample: str
    moment: Moment
    variant: Variant = "harness"
    time: int = 1


class Trial(BaseModel):
    """How one trial ended.

    `differences` are told as text; `left` are those that the fault declares, each with what of it is not given back;
    `declared` is all that it declares. Seconds: `proved` from the injection to the proof of the effect, `healed` from
    the undo by the harness that lives to the proof that it is healed, `collected` from the kill until nothing differs.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: TrialKey
    outcome: TrialOutcome
    differences: tuple[str, ...] = ()
    left: tuple[tuple[str, str], ...] = ()
    declared: tuple[str, ...] = ()
    proved: float | None = None
    healed: float | None = None
    collected: float | None = None
    said: str = ""
    cluster: str = ""
    harness: str = ""

    @property
    def as_wanted(self) -> bool:
        """Whether it came out as it should: without a difference, or with one where undos were no-ops."""
        return self.outcome == ("differs" if self.key.variant == "no undo" else "zero")


class Ledger:
    """The trials of one crash test, in the order in which they ended."""

    def __init__(self, path: Path, trials: Iterable[Trial] = ()) -> None:
        """Take what is in the file at `path`, if that is there."""
        self.path = path
        self.trials = list(trials)

    @classmethod
    def read(cls, path: Path) -> "Ledger":
        """Return the ledger in a file, without a last line that a kill cut off. Raises BadScenario if it is none."""
        return cls._read(path)[0]

    @classmethod
    def resume(cls, path: Path) -> "Ledger":
        """Return a ledger to go on with: a last line that a kill cut off is removed from the file, too.

        Raises BadScenario if it is none, HarnessError if the disk does not take it without that line.
        """
        ledger, torn = cls._read(path)
        if torn:
            ledger.write()
        return ledger

    @classmethod
    def _read(cls, path: Path) -> tuple["Ledger", str]:
        """Return the ledger, and what was cut off."""
        *lines, torn = read_bounded_text(path, _MOST_BYTES).split("\n")
        try:
            return cls(path, map(Trial.model_validate_json, lines)), torn
        except ValidationError as error:
            said = escape_controls(str(error.errors()[0]["msg"]), most=_SHORT)
            raise BadScenario(f"{path}: is no ledger of a crash test: {said}") from error

    def write(self) -> None:
        """Write all trials to the file, in place of what is there. Raises HarnessError if the disk does not take it."""
        replace_lines(self.path, "".join(f"{trial.model_dump_json()}\n" for trial in self.trials))

    def add(self, trial: Trial) -> None:
        """Write a trial. Raises HarnessError if the disk does not take it."""
        add_line(self.path, trial)
        self.trials.append(trial)

    @property
    def done(self) -> frozenset[TrialKey]:
        """What need not be tried again: all but what was broken."""
        return frozenset(trial.key for trial in self.trials if trial.outcome != "broken")
