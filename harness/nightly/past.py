"""Past: what earlier nights on this machine say of each cell, by their ledgers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.nightly.ledger import DECIDED, FILE, Ended, Ledger, Outcome

__all__ = ["PastCell", "read_past"]

_MOST_NIGHTS = 60


@dataclass
class PastCell:
    """A cell in earlier nights, the oldest first: the runs of each night in which it was run.

    `decided` is when the last night began in which it was decided, in unix seconds; 0.0: none.
    """

    nights: list[list[Ended]] = field(default_factory=list)
    decided: float = 0.0

    @property
    def first_runs(self) -> list[Outcome]:
        """The first decided run of each night: nothing that came out before chose them, so they have a rate."""
        firsts = (next((run.outcome for run in night if run.outcome in DECIDED), None) for night in self.nights)
        return [first for first in firsts if first]

    @property
    def last(self) -> set[Outcome]:
        """What the runs of the last night in which it was decided came to."""
        decided = [{run.outcome for run in night if run.outcome in DECIDED} for night in self.nights]
        return next(filter(None, reversed(decided)), set())

    @property
    def last_run(self) -> Ended | None:
        """The last run that was decided."""
        runs = [run for night in self.nights for run in night if run.outcome in DECIDED]
        return runs[-1] if runs else None

    @property
    def undecided(self) -> bool:
        """Whether its last run did not come to a verdict."""
        return bool(self.nights) and self.nights[-1][-1].outcome not in DECIDED

    def seconds(self, *, used: bool) -> float | None:
        """Return what a run of it takes on a used cluster, or on a new one, which it includes.

        It is the median of those that were decided; None if there is none.
        """
        runs = (run for night in self.nights for run in night if run.outcome in DECIDED)
        took = [run.seconds for run in runs if run.used == used]
        return median(took) if took else None

    @property
    def leaves_clean(self) -> bool:
        """Whether its cluster went back to the pool the last time that it was to."""
        known = [run.clean for night in self.nights for run in night if run.clean is not None]
        return bool(known) and known[-1]


def read_past(nights: Path, version: str, but: Path | None = None) -> tuple[Mapping[str, PastCell], Sequence[str]]:
    """Return the cells of the last 60 nights in the folder `nights`, but one, and the ledgers that cannot be read."""
    ledgers: list[Ledger] = []
    unread: list[str] = []
    for path in sorted(nights.glob(f"*/{FILE}"))[-_MOST_NIGHTS:]:
        if but is None or path.parent.resolve() != but.resolve():
            try:
                ledgers.append(Ledger.read(path, version))
            except BadScenario as error:
                unread += error.problems
    cells: dict[str, PastCell] = {}
    for ledger in sorted(ledgers, key=lambda ledger: ledger.head.begun):
        by_cell: dict[str, list[Ended]] = {}
        for run in ledger.runs():
            by_cell.setdefault(run.cell, []).append(run)
        for cell, runs in by_cell.items():
            past = cells.setdefault(cell, PastCell())
            past.nights.append(runs)
            if any(run.outcome in DECIDED for run in runs):
                past.decided = ledger.head.begun
    return cells, unread
