"""Suites: how long some scenarios take with and without the pool, one or two clusters at a time, and their verdicts."""

import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.samples import Limit, Ratio, Samples
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.errors import CommandFailed
from chaos_harness.clusters.machine.process import run

__all__ = ["CHOSEN", "Suites", "find_differences", "read_run_verdicts"]

CHOSEN = "healthy or leaves_an_enforcement_point"
"""Short scenarios of two files, so that the cost of a cluster is visible: in long scenarios it matters less."""

_SECONDS = 3600.0
_STATUSES = (0, 1)
"""1: a claim came out otherwise than expected; the verdicts show that, too."""

Verdicts = dict[str, str]


class Suites:
    """The same scenarios: serial on new clusters, serial from a warm pool, and two files in parallel.

    Verdicts that differ from those of the first run are in the notes.
    """

    def __init__(self, directory: Path, chosen: str = CHOSEN) -> None:
        self._directory = directory
        self._chosen = chosen
        self.serial = Samples("suite, each file on a new cluster (-n 1)")
        self.pooled = Samples("suite, clusters from the pool")
        self.parallel = Samples("suite, two files at once (-n 2)")
        self._first: Verdicts = {}

    @property
    def samples(self) -> list[Samples]:
        """Return the samples."""
        return [self.serial, self.pooled, self.parallel]

    @property
    def ratios(self) -> list[Ratio]:
        """Return the gain by the pool and by parallel work."""
        return [
            Ratio("suite: with pool / without", self.pooled, self.serial, 1.0),
            Ratio("suite: -n 2 / -n 1", self.parallel, self.serial, 1.0),
        ]

    @property
    def limits(self) -> list[Limit]:
        """Return no limits: verdicts must be the same, and the notes show that."""
        return []

    def measure(self, rounds: int) -> None:
        """Run all ways `rounds` times, in turns; the pool is one of its own, filled by a first run.

        Without its directory, which is removed at the end, its frozen clusters are garbage.
        """
        with tempfile.TemporaryDirectory(prefix="chaos-bench-") as state:
            self._run(Samples("fill the pool"), "fill", state, "--pool")
            for number in range(1, rounds + 1):
                self._run(self.serial, f"serial-{number}", state)
                self._run(self.pooled, f"pooled-{number}", state, "--pool")
                self._run(self.parallel, f"parallel-{number}", state, "-n", "2", "--dist", "loadfile")

    def _run(self, samples: Samples, name: str, state: str, *options: str) -> None:
        run_directory = (self._directory / name).absolute()
        where: list[str | Path] = [
            "--alluredir",
            run_directory / "results",
            "--histories",
            run_directory / "experiments",
        ]
        argv: list[str | Path] = [sys.executable, "-m", "pytest", "scenarios", "-p", "no:cacheprovider", "--seed", "7"]
        run_directory.mkdir(parents=True)
        began = time.perf_counter()
        done = run(
            [*argv, "-k", self._chosen, *where, *options],
            Deadline.after(_SECONDS, f"the suite {name}"),
            env={"XDG_STATE_HOME": state},
            check=False,
        )
        took = time.perf_counter() - began
        (run_directory / "output.txt").write_text(done.stdout + done.stderr, encoding="utf-8")
        if done.returncode not in _STATUSES:
            raise CommandFailed(f"suite {name} ended with status {done.returncode}; see {run_directory}/output.txt")
        samples.figures.append(took)
        outcomes = read_run_verdicts(run_directory / "verdicts.jsonl")
        self._first = self._first or outcomes
        differ = find_differences(self._first, outcomes)
        samples.note = "; ".join(filter(None, [samples.note, *(f"{name}: {difference}" for difference in differ)]))


def read_run_verdicts(path: Path) -> Verdicts:
    """Return the verdict of each claim of each test."""
    lines = (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())
    return {f"{verdict['test']}: {verdict['claim']}": verdict["outcome"] for verdict in lines}


def find_differences(first: Verdicts, other: Verdicts) -> Sequence[str]:
    """Return the differences between two runs as text."""
    return [
        f"{claim}: {first.get(claim, 'not judged')}, then {other.get(claim, 'not judged')}"
        for claim in dict.fromkeys([*first, *other])
        if first.get(claim) != other.get(claim)
    ]
