"""Findings: the results so far, and what could not be measured; printed after each part, in case of an interrupt."""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.samples import Benchmark, table, to_json
from chaos_harness.clusters.terminal.progress import Progress

__all__ = ["Findings"]

_FILE = "bench.json"


class Findings:
    """The results of `things`, for people and, in a file below `output`, for machines."""

    def __init__(self, output: Path, progress: Progress, things: Sequence[Benchmark]) -> None:
        output.mkdir(parents=True, exist_ok=True)
        self._path = output / _FILE
        self._progress = progress
        self._things = things
        self._load: list[tuple[str, float]] = []
        self.problems: list[str] = []

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Measure one part in the block; an error is recorded and does not stop the other parts."""
        try:
            with self._progress.step(f"measure: {name}"):
                yield
        except Exception as error:  # noqa: BLE001 - whatever it is, the other parts are worth their time
            self.problems.append(f"{name} could not be measured: {type(error).__name__}: {error}")
        self._load.append((name, round(os.getloadavg()[0], 1)))
        self.report()

    def report(self) -> str:
        """Write the results for machines, and return them for people."""
        samples = [measured for thing in self._things for measured in thing.samples]
        ratios = [ratio for thing in self._things for ratio in thing.ratios]
        limits = [limit for thing in self._things for limit in thing.limits]
        when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        about = {"when": when, "cores": os.cpu_count(), "load": self._load, "problems": self.problems}
        self._path.write_text(to_json(samples, ratios, limits, about), encoding="utf-8")
        load = ", ".join(f"{name} {load}" for name, load in self._load)
        lines = [table(samples, ratios, limits), "", *self.problems, f"load of the machine after each part: {load}"]
        return "\n".join([*lines, f"for machines: {self._path}", ""])
