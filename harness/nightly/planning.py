"""Planning: in which order cells are run, the most valuable first, and which fit into a budget."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from chaos_harness.harness.nightly.cells import Cell, LeftOut
from chaos_harness.harness.nightly.past import PastCell

__all__ = ["NightPlan", "PlannedCell", "Value", "order", "within"]


class Value(IntEnum):
    """Why a cell is worth its minutes, the most valuable first.

    WITHOUT_FAULT: nothing that is found in the night can be trusted without it. OTHERWISE: it came out otherwise than
    expected in the last night in which it was decided. UNDECIDED: its last run came to no verdict. NEW: no night has
    run it. LONG_AGO: the others, the one longest ago first.
    """

    WITHOUT_FAULT = 0
    OTHERWISE = 1
    UNDECIDED = 2
    NEW = 3
    LONG_AGO = 4


@dataclass(frozen=True)
class PlannedCell:
    """A cell with its place in the night, how long it takes (seconds), and its shard, from 1 on."""

    cell: Cell
    value: Value
    seconds: float
    nights: int
    shard: int = 1
    fits: bool = True


@dataclass(frozen=True)
class NightPlan:
    """The cells of a night in their order, and what is left out. `parallel`: how many this machine runs at a time."""

    cells: tuple[PlannedCell, ...]
    left_out: tuple[LeftOut, ...]
    parallel: int
    budget: float | None = None

    @property
    def seconds(self) -> float:
        """What the cells that fit take, one after another."""
        return sum(planned.seconds for planned in self.cells if planned.fits)


def order(
    cells: Sequence[Cell],
    past: Mapping[str, PastCell],
    shards: Mapping[str, int],
    *,
    stated: bool = False,
) -> list[PlannedCell]:
    """Return the cells in the order of their value.

    Of equal value, each file is there once before one is there twice, in the order of the matrix's combinations; then
    the one with more tests a minute is first.
    `shards` are those of the cells. `stated`: their seconds are those that files state, the same on each machine.
    """
    planned = [_planned(cell, past.get(cell.id, PastCell()), shards.get(cell.id, 1), stated=stated) for cell in cells]
    begun = {cell.id: run.begun if (run := past.get(cell.id, PastCell()).last_run) else 0.0 for cell in cells}

    files: Counter[str] = Counter()
    turns: dict[str, int] = {}
    for cell in cells:
        turns[cell.id] = files[cell.target]
        files[cell.target] += 1

    def worth(each: PlannedCell) -> tuple[float, ...]:
        age = begun[each.cell.id] if each.value == Value.LONG_AGO else 0.0
        return each.value, age, turns[each.cell.id], -each.cell.tests / each.seconds

    return sorted(planned, key=worth)


def within(planned: Sequence[PlannedCell], budget: float | None, parallel: int) -> Iterator[PlannedCell]:
    """Yield the cells, each with whether it fits into the budget (seconds) beside those before it."""
    left = float("inf") if budget is None else budget * parallel
    for each in planned:
        fits = each.seconds <= left
        left -= each.seconds if fits else 0
        yield PlannedCell(each.cell, each.value, each.seconds, each.nights, each.shard, fits)


def _planned(cell: Cell, past: PastCell, shard: int, *, stated: bool) -> PlannedCell:
    seconds = cell.stated_seconds if stated else past.seconds or cell.seconds
    return PlannedCell(cell, _value(cell, past), seconds, len(past.nights), shard)


def _value(cell: Cell, past: PastCell) -> Value:
    if cell.without_fault:
        return Value.WITHOUT_FAULT
    if "otherwise" in past.last:
        return Value.OTHERWISE
    if past.undecided:
        return Value.UNDECIDED
    return Value.LONG_AGO if past.nights else Value.NEW
