"""Summary: what a night says, out of its runs: each cell once, rates, what changed since the last night, the status."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from chaos_harness.harness.nightly.ledger import DECIDED, CellFacts, Ended, Head, JudgedLine, Note
from chaos_harness.harness.nightly.past import PastCell
from chaos_harness.harness.nightly.rate import flips, rate_of, repeats_needed
from chaos_harness.harness.run.exit_status import ExitStatus, worst
from chaos_harness.harness.statistics import Interval, exact

__all__ = ["CellSummary", "Summary", "describe", "summarize"]

_STATUSES = {
    "as expected": ExitStatus.AS_EXPECTED,
    "otherwise": ExitStatus.OTHERWISE,
    "inconclusive": ExitStatus.INCONCLUSIVE,
    "refused": ExitStatus.INCONCLUSIVE,
    "broken": ExitStatus.BROKEN,
    "false alarm": ExitStatus.BROKEN,
    "not run": ExitStatus.AS_EXPECTED,
    "lost": ExitStatus.INCONCLUSIVE,
}
"""The status of a night with such a cell: one that was not run is the budget's, which the user chose."""


@dataclass(frozen=True)
class CellSummary:
    """A cell and its runs of this night.

    `outcome` is that of the ledger, of all runs the worst, or else "false alarm" (a claim came out otherwise although
    nothing was harmed: the harness is wrong), "not run" or "lost". `rate` is how often the repeats came out otherwise;
    `missing` is how many of them are missing until it is known. `flakes` is how often the first run of a night did,
    this one included, over `nights` nights. `changed` are claims that came out as they did not in the last night.
    """

    id: str
    facts: CellFacts
    outcome: str
    runs: tuple[Ended, ...] = ()
    rate: Interval | None = None
    missing: int = 0
    flakes: Interval | None = None
    nights: int = 0
    changed: tuple[tuple[JudgedLine, str], ...] = ()

    @property
    def reason(self) -> str:
        """Why its last run came to no verdict; "" if it did."""
        return self.runs[-1].reason if self.runs else ""


@dataclass(frozen=True)
class Summary:
    """A night: its head, its cells, what is to be told of it, and its exit status."""

    head: Head
    cells: tuple[CellSummary, ...]
    told: tuple[str, ...]
    status: ExitStatus
    lost: tuple[int, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)


def summarize(
    head: Head,
    runs: Sequence[Ended],
    notes: Sequence[Note],
    past: Mapping[str, PastCell],
    *,
    lost: Sequence[int] = (),
    told: Sequence[str] = (),
    whole: bool = False,
) -> Summary:
    """Return the summary of a night, or of a shard of it; with `whole`, of all its cells."""
    mine = {id_: facts for id_, facts in head.cells.items() if whole or facts.shard == head.shard}
    by_cell: dict[str, list[Ended]] = {}
    for run in runs:
        by_cell.setdefault(run.cell, []).append(run)
    cells = [
        _cell(head, id_, facts, by_cell.get(id_, []), past.get(id_, PastCell()), lost=facts.shard in lost)
        for id_, facts in mine.items()
    ]
    statuses = [_STATUSES[cell.outcome] for cell in cells]
    statuses += [ExitStatus.INCONCLUSIVE for cell in cells if cell.missing]
    statuses += [
        ExitStatus.BROKEN for note in notes if note.broken and any(cell.outcome == "not run" for cell in cells)
    ]
    nothing = bool(cells) and all(cell.outcome == "not run" for cell in cells)
    status = worst([*statuses, ExitStatus.NOTHING] if nothing or not cells else statuses)
    doubts = [words for cell in cells for words in _doubts(cell)]
    words = tuple(dict.fromkeys([*told, *(note.words for note in notes), *doubts]))
    return Summary(head, tuple(cells), words, status, tuple(lost), Counter(cell.outcome for cell in cells))


def _cell(
    head: Head, id_: str, facts: CellFacts, runs: Sequence[Ended], before: PastCell, *, lost: bool
) -> CellSummary:
    if not runs:
        return CellSummary(id_, facts, "lost" if lost else "not run", nights=len(before.nights))
    told = [run.outcome for run in runs if run.outcome in DECIDED] or [runs[-1].outcome]
    outcome: str = "otherwise" if "otherwise" in told else runs[-1].outcome if runs[-1].repeat else told[0]
    if outcome == "otherwise" and facts.without_fault:
        outcome = "false alarm"
    missing = 0
    if flips(runs, before.last):
        missing = max(0, repeats_needed(head.confidence, head.width) - sum(run.repeat for run in runs))
    first = next((run.outcome for run in runs if run.outcome in DECIDED), None)
    firsts = [*before.first_runs, *([first] if first else [])]
    flakes = exact(firsts.count("otherwise"), len(firsts), head.confidence) if firsts else None
    return CellSummary(
        id_,
        facts,
        outcome,
        tuple(runs),
        rate_of(runs, head.confidence),
        missing,
        flakes,
        len(before.nights) + 1,
        tuple(_changed(runs, before.last_run)),
    )


def _doubts(cell: CellSummary) -> Iterator[str]:
    """Yield that a cell came out on a cluster that others had used as it never did on a new one."""
    first = next((run for run in cell.runs if run.outcome in DECIDED), None)
    repeats = [run.outcome for run in cell.runs if run.repeat and run.outcome in DECIDED]
    if first and first.used and repeats and first.outcome not in repeats:
        yield (
            f"{cell.id}: came out {first.outcome} on a cluster that another cell had used, and in none of its "
            f"{len(repeats)} repeats on new ones: the cluster may be the reason"
        )


def _changed(runs: Sequence[Ended], before: Ended | None) -> list[tuple[JudgedLine, str]]:
    """Return the claims that came out as they did not in the last night, with what they came to then."""
    then = {(claim.test, claim.id): claim.outcome for claim in before.claims} if before else {}
    changed: dict[tuple[str, str], tuple[JudgedLine, str]] = {}
    for claim in (claim for run in runs for claim in run.claims):
        key = claim.test, claim.id
        if key in then and then[key] != claim.outcome:
            changed.setdefault(key, (claim, then[key]))
    return list(changed.values())


def describe(summary: Summary) -> dict[str, Any]:
    """Return it for scripts: plain data whose names stay."""
    head = summary.head
    return {
        "night": head.night,
        "harness": head.harness,
        "matrix": head.matrix,
        "begun": head.begun,
        "shards": head.shards,
        "lost_shards": list(summary.lost),
        "status": int(summary.status),
        "outcomes": dict(summary.counts),
        "told": list(summary.told),
        "left_out": [{"what": what, "why": why, "cells": number} for what, why, number in head.left_out],
        "cells": [_described(cell) for cell in summary.cells],
    }


def _described(cell: CellSummary) -> dict[str, Any]:
    return {
        "id": cell.id,
        "target": cell.facts.target,
        **cell.facts.axes,
        "shard": cell.facts.shard,
        "without_fault": cell.facts.without_fault,
        "outcome": cell.outcome,
        "reason": cell.reason,
        "runs": [run.model_dump(mode="json") for run in cell.runs],
        "repeats_missing": cell.missing,
        "rate": _interval(cell.rate),
        "flakes": _interval(cell.flakes),
        "nights": cell.nights,
        "changed": [{**claim.model_dump(), "before": before} for claim, before in cell.changed],
    }


def _interval(interval: Interval | None) -> dict[str, float] | None:
    return {"estimate": interval.estimate, "low": interval.low, "high": interval.high} if interval else None
