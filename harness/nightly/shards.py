"""Shards: which cells each of several machines runs, and one ledger of all their ledgers, in which nothing is twice."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.nightly.cells import Cell
from chaos_harness.harness.nightly.ledger import DECIDED, Ended, Ledger, Note

__all__ = ["merge", "split"]


def split(cells: Iterable[Cell], shards: int) -> dict[str, int]:
    """Return the shard of each cell, from 1 on: the longest cell first, each to the shard with the fewest seconds.

    It depends on nothing but the cells' ids and the seconds that their files state, so that each machine comes to the
    same. The cell without a fault counts as any other.
    """
    loads = [0.0] * shards
    chosen: dict[str, int] = {}
    for cell in sorted(cells, key=lambda cell: (-cell.stated_seconds, cell.id)):
        least = loads.index(min(loads))
        chosen[cell.id] = least + 1
        loads[least] += cell.stated_seconds
    return chosen


@dataclass(frozen=True)
class MergedNight:
    """The ledgers of one night as one: its runs, each once, its notes, and what is to be told of the shards."""

    runs: tuple[Ended, ...]
    notes: tuple[Note, ...]
    lost: tuple[int, ...]
    told: tuple[str, ...]


def merge(ledgers: Sequence[Ledger]) -> MergedNight:
    """Return the night of these ledgers.

    A shard that is not there is lost. Of one that answered twice each cell is taken from the answer that began first
    and decided it: a second answer never makes a red cell green. Raises BadScenario if they are not of one night: of
    another matrix, of other cells, or of another number of shards.
    """
    first = ledgers[0].head
    problems = [
        f"{ledger.path}: is of another night than {ledgers[0].path}: {words}"
        for ledger in ledgers[1:]
        for words in _differences(ledgers[0], ledger)
    ]
    if problems:
        raise BadScenario(problems)
    told: list[str] = []
    by_night = {ledger.head.night: ledger for ledger in ledgers}
    copies = Counter(ledger.head.night for ledger in ledgers)
    for night, count in copies.items():
        if count > 1:
            shard = by_night[night].head.shard
            told.append(f"shard {shard} of {first.shards}: the same ledger was given {count} times; it counts once")
    runs: list[Ended] = []
    for shard in range(1, first.shards + 1):
        answers = sorted(
            (ledger for ledger in by_night.values() if ledger.head.shard == shard),
            key=lambda ledger: (ledger.head.begun, ledger.head.night),
        )
        if len(answers) > 1:
            told.append(
                f"shard {shard} of {first.shards} answered {len(answers)} times; each cell is taken from the first "
                "answer that decided it"
            )
        mine = [cell for cell, facts in first.cells.items() if facts.shard == shard]
        runs += [run for cell in mine for run in _runs_of(cell, answers)]
    answered = {ledger.head.shard for ledger in by_night.values()}
    lost = tuple(shard for shard in range(1, first.shards + 1) if shard not in answered)
    told += [f"shard {shard} of {first.shards} is lost: its ledger was not given" for shard in lost]
    told += [words for ledger in by_night.values() for words in _written_twice(ledger)]
    notes = tuple(note for ledger in by_night.values() for note in ledger.notes)
    return MergedNight(tuple(runs), notes, lost, tuple(told))


def _runs_of(cell: str, answers: Sequence[Ledger]) -> list[Ended]:
    """Return the runs of a cell from the first answer that decided it, or else from the first that has any."""
    tried = [runs for answer in answers if (runs := _once(answer.runs(cell)))]
    decided = (runs for runs in tried if any(run.outcome in DECIDED for run in runs))
    return next(decided, tried[0] if tried else [])


def _once(runs: Sequence[Ended]) -> list[Ended]:
    """Return runs without those that another process made meanwhile: of two with one number the one that began first.

    A process that goes on with a ledger counts on from what is in it; two that write to it at once use a number twice.
    """
    first: dict[int, Ended] = {}
    for run in sorted(runs, key=lambda run: run.begun):
        first.setdefault(run.attempt, run)
    return [run for run in runs if run is first[run.attempt]]


def _written_twice(ledger: Ledger) -> list[str]:
    """Return, of a ledger to which two processes wrote at once, what is to be told of it."""
    number = len(ledger.runs()) - sum(len(_once(ledger.runs(cell))) for cell in {run.cell for run in ledger.runs()})
    if not number:
        return []
    head = ledger.head
    shard = f"shard {head.shard} of {head.shards}"
    return [f"{shard}: two processes wrote its ledger at once; {number} runs that began later do not count"]


def _differences(one: Ledger, other: Ledger) -> list[str]:
    a, b = one.head, other.head
    words = {
        "the matrix or its cells": a.digest == b.digest,
        f"{a.shards} shards, and {b.shards}": a.shards == b.shards,
    }
    return [text for text, same in words.items() if not same]
