"""Stores: the size of a store of runs and the cost of its questions, by the number of cells that nights brought in."""

import random
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks.samples import Limit, Ratio, Samples, time_block
from chaos_harness.reports.comparison.compare import compare
from chaos_harness.reports.comparison.samples import read_samples
from chaos_harness.reports.comparison.selection import select_both
from chaos_harness.reports.store.importer import change_store
from chaos_harness.reports.store.queries import read_store, summaries
from chaos_harness.reports.store.schema import SCHEMA

__all__ = ["Stores"]

_SIZES = (1_000, 10_000)
_CELLS_OF_A_NIGHT = 40
_CLAIMS = 3
_PHASES = 4
_STREAMS = 12
_FIGURES = ("recovered_seconds", "lost_percent")
_NOW = 1_800_000_000.0
_DAY_SECONDS = 86_400.0
_NOISE = 0.15


class Stores:
    """Stores of more and more cells, forty a night, each a run with three claims, four phases and twelve streams."""

    def __init__(self, sizes: Sequence[int] = _SIZES) -> None:
        self._sizes = sizes
        self.bytes = [Samples(f"store of {size:,} cells, by cell", "B") for size in sizes]
        self.changes = [Samples(f"change of a store of {size:,} cells") for size in sizes]
        self.lists = [Samples(f"list of its runs, {size:,} cells") for size in sizes]
        self.comparisons = [Samples(f"compare 28d..7d 7d, {size:,} cells") for size in sizes]

    @property
    def samples(self) -> list[Samples]:
        """Return the samples."""
        return [*self.bytes, *self.changes, *self.lists, *self.comparisons]

    @property
    def ratios(self) -> list[Ratio]:
        """Return the growth: a cell needs no more room among many, and what is months old costs little."""
        return [
            Ratio("size of a cell: most / fewest cells", self.bytes[-1], self.bytes[0], 1.2),
            Ratio("compare: most / fewest cells", self.comparisons[-1], self.comparisons[0], 3.0),
        ]

    @property
    def limits(self) -> list[Limit]:
        """Return the limits."""
        return [Limit(f"bytes of a cell, {self._sizes[-1]:,} cells", self.bytes[-1], 4096.0)]

    def measure(self, rounds: int) -> None:
        """Write each store once and ask it `rounds` times."""
        for number, size in enumerate(self._sizes):
            with tempfile.TemporaryDirectory(prefix="chaos-bench-") as folder:
                store = Path(folder, "store.duckdb")
                _fill(store, size)
                self.bytes[number].figures.append(store.stat().st_size / size)
                for _ in range(rounds):
                    with time_block(self.changes[number]), change_store(store, str) as database:
                        database.rows("UPDATE runs SET status = 0 WHERE run = '0'")
                    with time_block(self.lists[number]), read_store(store) as database:
                        summaries(database)
                    with time_block(self.comparisons[number]), ExitStack() as open_:
                        compare(read_samples(select_both(["28d..7d", "7d"], store, open_, _NOW)))


def _fill(store: Path, size: int) -> None:
    draw = random.Random(0)  # noqa: S311 - no secret
    runs: list[tuple[object, ...]] = []
    verdicts: list[tuple[object, ...]] = []
    figures: list[tuple[object, ...]] = []
    phases: list[tuple[object, ...]] = []
    coverage: list[tuple[object, ...]] = []
    for index in range(size):
        night, cell = divmod(index, _CELLS_OF_A_NIGHT)
        run, history = f"{index:06}-{draw.randrange(16**4):04x}", f"experiments/1/test_{cell}/history.jsonl"
        began = _NOW - night * _DAY_SECONDS - cell * 60
        head = (run, f"cell-{cell}", f"{night:08x}", "0.1.0", "linux", "ended", began, began + 120.0, 0, 1)
        runs.append((*head, _CLAIMS, f"{draw.randrange(16**64):064x}", began, SCHEMA))
        for claim in range(_CLAIMS):
            place = (run, claim, f"scenarios/test_{cell}.py::test", f"claim_{claim}(60)", f"cell {cell}", history)
            said = ("holds", "holds", None, False, "", f"{draw.randrange(16**12):012x}", None, "[]")
            verdicts.append((*place, *said, began, 100.0, index, 100.0, f"{draw.randrange(500)} of 500 requests"))
            values = (max(0.0, draw.gauss(1, _NOISE)) * (cell + 5) for _ in _FIGURES)
            figures += [(run, claim, *figure) for figure in zip(_FIGURES, values, strict=True)]
        spans = ((number * 25.0, number * 25.0 + draw.uniform(10, 25)) for number in range(_PHASES))
        phases += [(run, history, number, f"phase {number}", *span) for number, span in enumerate(spans)]
        for number in range(_STREAMS):
            seen = draw.uniform(90, 100), 100.0, draw.uniform(0, 5), 0.1
            coverage.append((run, history, f"asked policy {number}", *seen))
    with change_store(store, str) as database:
        cells = range(_CELLS_OF_A_NIGHT)
        database.insert("cells", [(f"cell {cell}", "v1.36.4", "v3.23.1", "chart", "", 1, 2, "{}") for cell in cells])
        database.insert("claims", [(f"claim_{claim}(60)", f"claim {claim}") for claim in range(_CLAIMS)])
        tables = {"runs": runs, "verdicts": verdicts, "figures": figures, "phases": phases, "coverage": coverage}
        for table, rows in tables.items():
            database.insert(table, rows)
