"""Planning: in which order cells are run, the most valuable first, on which clusters, and which fit into a budget."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from itertools import groupby
from typing import Literal

from chaos_harness.clusters.shape import Shape
from chaos_harness.harness.nightly.cells import Cell, LeftOut
from chaos_harness.harness.nightly.past import PastCell
from chaos_harness.harness.pytest_plugin.estimates import CLUSTER_SECONDS

__all__ = ["NightPlan", "PlannedCell", "Value", "order", "within"]

_USED_SECONDS = 15.0
"""Seconds for a cluster that another cell had before: it is thawed, compared, put back and frozen."""

_NEW_EVERY = 7
"""In one of so many nights in which it is run a cell has a new cluster that it shares with nobody."""

_Cluster = Literal["own", "new", "used"]


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
    """A cell with its place in the night, how long it takes (seconds), and its shard, from 1 on.

    `cluster` is the one that it has: a new one of its "own", a "new" one of the night's pool, or one that was "used"
    before; `new_seconds` and `used_seconds` are what it takes on these. `leaves_clean`: it is known that others can use
    the cluster after it.
    """

    cell: Cell
    value: Value
    seconds: float
    nights: int
    shard: int = 1
    fits: bool = True
    cluster: _Cluster = "own"
    new_seconds: float = 0.0
    used_seconds: float = 0.0
    leaves_clean: bool = False


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
    """Return the cells in the order of their value, each on a cluster of its own.

    Of equal value, each file is there once before one is there twice, in the order of the matrix's combinations; then
    cells of one shape stand side by side, and the one with more tests a minute is first. Cells that were last decided
    in one night are equally long ago.
    `shards` are those of the cells. `stated`: their seconds are those that files state, the same on each machine.
    """
    planned = [_planned(cell, past.get(cell.id, PastCell()), shards.get(cell.id, 1), stated=stated) for cell in cells]
    files: Counter[str] = Counter()
    turns: dict[str, int] = {}
    for cell in cells:
        turns[cell.id] = files[cell.target]
        files[cell.target] += 1

    def worth(each: PlannedCell) -> tuple[float, ...]:
        age = past[each.cell.id].decided if each.value == Value.LONG_AGO else 0.0
        return each.value, age, turns[each.cell.id]

    planned.sort(key=lambda each: (*worth(each), -each.cell.tests / each.seconds))
    return list(_side_by_side(groupby(planned, worth)))


def within(
    planned: Sequence[PlannedCell], budget: float | None, parallel: int, *, shared: bool
) -> Iterator[PlannedCell]:
    """Yield the cells, each with its cluster, and whether it fits into the budget (seconds) beside those before it.

    `shared`: cells of one shape use clusters one after another. As many clusters of a shape are made as cells run at a
    time, and a new one after a cell of which it is not known that others can use its cluster.
    """
    left = float("inf") if budget is None else budget * parallel
    standing: Counter[Shape] = Counter()
    for each in planned:
        shape, cluster = each.cell.shape, _cluster(each, standing, parallel, shared=shared)
        seconds = each.used_seconds if cluster == "used" else each.new_seconds
        fits = seconds <= left
        if fits:
            left -= seconds
            standing[shape] += _added(cluster, leaves_clean=each.leaves_clean)
        yield replace(each, cluster=cluster, seconds=seconds, fits=fits)


def _cluster(each: PlannedCell, standing: Mapping[Shape, int], parallel: int, *, shared: bool) -> _Cluster:
    if not shared or _has_its_own(each):
        return "own"
    return "used" if standing[each.cell.shape] >= parallel else "new"


def _has_its_own(each: PlannedCell) -> bool:
    """Whether this is the night in which a cell is not to depend on any other: nights differ from cell to cell."""
    number = int.from_bytes(hashlib.sha256(each.cell.id.encode()).digest()[:4])
    return (number + each.nights) % _NEW_EVERY == 0


def _added(cluster: _Cluster, *, leaves_clean: bool) -> int:
    """Return by how many more clusters of its shape others can use after a cell."""
    if cluster == "own":
        return 0
    return int(leaves_clean) - (cluster == "used")


def _side_by_side(equals: Iterable[tuple[object, Iterable[PlannedCell]]]) -> Iterator[PlannedCell]:
    """Yield cells in their order, but of equal worth those of one shape together, first the shape that was before."""
    last: Shape | None = None
    for _, group in equals:
        shapes: dict[Shape, list[PlannedCell]] = {}
        for each in group:
            shapes.setdefault(each.cell.shape, []).append(each)
        in_order = sorted(shapes, key=lambda shape: shape != last)
        for shape in in_order:
            yield from shapes[shape]
        last = in_order[-1]


def _planned(cell: Cell, past: PastCell, shard: int, *, stated: bool) -> PlannedCell:
    new, used = (cell.stated_seconds, cell.stated_seconds) if stated else _seconds(cell, past)
    return PlannedCell(
        cell,
        _value(cell, past),
        new,
        len(past.nights),
        shard,
        new_seconds=new,
        used_seconds=used,
        leaves_clean=past.leaves_clean,
    )


def _seconds(cell: Cell, past: PastCell) -> tuple[float, float]:
    """Return what a cell takes on a new cluster, and on a used one; what no night has seen follows from the other."""
    saved = CLUSTER_SECONDS - _USED_SECONDS
    new, used = past.seconds(used=False), past.seconds(used=True)
    if new is None:
        new = cell.seconds if used is None else used + saved
    return new, max(new - saved, _USED_SECONDS) if used is None else used


def _value(cell: Cell, past: PastCell) -> Value:
    if cell.without_fault:
        return Value.WITHOUT_FAULT
    if "otherwise" in past.last:
        return Value.OTHERWISE
    if past.undecided:
        return Value.UNDECIDED
    return Value.LONG_AGO if past.nights else Value.NEW
