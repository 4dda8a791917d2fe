"""Histories: what a check costs, by the number of operations in the history that it reads."""

import json
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from clusters.deadline import Deadline
from clusters.process import run
from harness.bench.peak import peak_mib
from harness.bench.samples import Limit, Ratio, Samples
from harness.checks.fail_open import fail_open_window
from harness.history import Entry, History, Kind, read
from harness.history.vocabulary import CANARY, END, FAULT, HISTORY, INJECT, OBSERVED, numbered

__all__ = ["Histories", "main"]

_SIZES = (100, 1_000, 10_000, 100_000, 1_000_000)
_SECONDS = 600.0
_RATE = 20.0
_FAULT = "nothing"


class Histories:
    """One check over longer and longer histories, each in a process of its own."""

    def __init__(self, sizes: Sequence[int] = _SIZES) -> None:
        self._sizes = sizes
        self.verdicts: set[str] = set()
        self.times = [Samples(f"check of {size:,} operations", "s of processor") for size in sizes]
        self.memory = [Samples(f"memory of that check, {size:,}", "MiB") for size in sizes]

    @property
    def samples(self) -> list[Samples]:
        """What is measured."""
        return [*self.times, *self.memory]

    @property
    def ratios(self) -> list[Ratio]:
        """How it grows: a hundred times the operations should not take a hundred times the memory."""
        return [Ratio("memory of a check: most / fewest operations", self.memory[-1], self.memory[0], 2.0)]

    @property
    def limits(self) -> list[Limit]:
        """What an engineer who rechecks a night's run can wait for."""
        return [Limit("check of 1,000,000 operations", self.times[-1], 6.0)]

    def measure(self, rounds: int) -> None:
        """Write each history once and check it `rounds` times."""
        with tempfile.TemporaryDirectory(prefix="chaos-bench-") as folder:
            for size, times, memory in zip(self._sizes, self.times, self.memory, strict=True):
                path = Path(folder) / f"{size}.jsonl"
                _write(path, size)
                for _ in range(rounds):
                    argv: list[str | Path] = [sys.executable, "-m", __name__, path]
                    told = json.loads(run(argv, Deadline.after(_SECONDS, "a check")).stdout)
                    self.verdicts.add(told["verdict"])
                    times.figures.append(told["seconds"])
                    memory.figures.append(told["mib"])
                path.unlink()


def main(path: Path) -> None:
    """Check one history, by the check that looks longest at each answer, and print what it cost."""
    began = time.process_time()
    verdict = fail_open_window(1, fault=_FAULT)(read(path))
    seconds = time.process_time() - began
    mib = peak_mib()
    sys.stdout.write(json.dumps({"seconds": seconds, "mib": mib, "verdict": verdict.outcome}))


def _write(path: Path, operations: int) -> None:
    """Write a history of canaries that all went well after a fault, as a long experiment would."""
    history, fault = History(path, "bench"), numbered(FAULT, 1)
    history.append("invoke", fault, INJECT, {"name": _FAULT})
    history.append("ok", fault, OBSERVED, {"name": _FAULT, "proof": "written by hand"})
    history.close()
    with path.open("a", encoding="utf-8") as file:
        for index in range(operations):
            seq = index // 2
            value = {"seq": seq, "policy": "deny by rego", "dry_run": True, "round": seq}
            value |= {"outcome": "denied by webhook", "said": "403 denied"} if index % 2 else {"late": 0.001}
            kind: Kind = "ok" if index % 2 else "invoke"
            moment, process = 1 + index / _RATE / 2, numbered(CANARY, seq % 8)
            told = Entry(index + 2, kind, process, "create violating pod", value, moment, 1.8e9 + moment)
            file.write(_line(told))
        file.write(_line(Entry(operations + 2, "mark", HISTORY, END, None, moment, 1.8e9 + moment)))


def _line(entry: Entry) -> str:
    return json.dumps(asdict(entry), separators=(",", ":")) + "\n"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
