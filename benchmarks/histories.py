"""Histories: the cost of a check by the number of operations in its history."""

import json
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from itertools import count
from pathlib import Path

from benchmarks.peak import peak_mib
from benchmarks.samples import Limit, Ratio, Samples
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.machine.process import run
from chaos_harness.harness.checks.fail_open import fail_open_window
from chaos_harness.harness.history import Entry, EntryKind, HistoryWriter, read
from chaos_harness.harness.history.vocabulary import (
    AUDIT,
    CANARY,
    END,
    FAULT,
    HISTORY,
    INJECT,
    OBSERVED,
    READ,
    REQUESTS,
    numbered,
)

__all__ = ["Histories", "main"]

_SIZES = (100, 1_000, 10_000, 100_000, 1_000_000)
_SECONDS = 600.0
_RATE = 20.0
_FAULT = "nothing"
_POLICY = "deny by rego"
_READ_TOGETHER = 60
"""Number of requests in one reading of the audit log: three seconds' worth."""


class Histories:
    """One check on longer and longer histories, each in a process of its own."""

    def __init__(self, sizes: Sequence[int] = _SIZES) -> None:
        self._sizes = sizes
        self.verdicts: set[str] = set()
        self.times = [Samples(f"check of {size:,} operations", "s of processor") for size in sizes]
        self.memory = [Samples(f"memory of that check, {size:,}", "MiB") for size in sizes]

    @property
    def samples(self) -> list[Samples]:
        """Return the samples."""
        return [*self.times, *self.memory]

    @property
    def ratios(self) -> list[Ratio]:
        """Return the growth: a hundred times the operations should not need a hundred times the memory."""
        return [Ratio("memory of a check: most / fewest operations", self.memory[-1], self.memory[0], 2.0)]

    @property
    def limits(self) -> list[Limit]:
        """Return the limits for an engineer who rechecks the run of a night."""
        return [Limit("check of 1,000,000 operations", self.times[-1], 6.0)]

    def measure(self, rounds: int) -> None:
        """Write each history once and check it `rounds` times."""
        with tempfile.TemporaryDirectory(prefix="chaos-bench-") as folder:
            for size, times, memory in zip(self._sizes, self.times, self.memory, strict=True):
                path = Path(folder) / f"{size}.jsonl"
                _write(path, size)
                for _ in range(rounds):
                    argv: list[str | Path] = [sys.executable, "-m", __name__, path]
                    printed = json.loads(run(argv, Deadline.after(_SECONDS, "a check")).stdout)
                    self.verdicts.add(printed["verdict"])
                    times.figures.append(printed["seconds"])
                    memory.figures.append(printed["mib"])
                path.unlink()


def main(path: Path) -> None:
    """Check one history, by the check that looks longest at each answer, and print the cost."""
    began = time.process_time()
    verdict = fail_open_window(1, fault=_FAULT)(read(path))
    seconds = time.process_time() - began
    mib = peak_mib()
    sys.stdout.write(json.dumps({"seconds": seconds, "mib": mib, "verdict": verdict.outcome}))


def _write(path: Path, operations: int) -> None:
    """Write the history of a long experiment: canaries that all succeed after a fault, with the audit log."""
    history, fault = HistoryWriter(path, "bench"), numbered(FAULT, 1)
    history.append("invoke", fault, INJECT, {"name": _FAULT})
    history.append("ok", fault, OBSERVED, {"name": _FAULT, "proof": "written by hand"})
    history.close()
    lines = count(2)
    with path.open("a", encoding="utf-8") as file:

        def write(kind: EntryKind, process: str, f: str, value: object, moment: float) -> None:
            entry = Entry(next(lines), kind, process, f, value, moment, 1.8e9 + moment)
            file.write(json.dumps(asdict(entry), separators=(",", ":")) + "\n")

        audit_ids: list[str] = []
        for index in range(operations):
            seq, moment = index // 2, 0.1 + index / _RATE / 2
            value = {"seq": seq, "policy": _POLICY, "dry_run": True, "round": seq}
            audit_id = f"{seq:08}-4b1c-4a86-9d4f-1c2d3e4f5a6b"
            if index % 2:
                value |= {"outcome": "denied by webhook", "said": "403 denied"}
                audit_ids.append(audit_id)
            else:
                value |= {"wanted": "denied by webhook", "late": 0.001, "audit_id": audit_id}
            write("ok" if index % 2 else "invoke", numbered(CANARY, seq % 8), "create violating pod", value, moment)
            if len(audit_ids) == _READ_TOGETHER:
                same = {"code": 403, "called": {}, "denied_by": "validation.gatekeeper.sh", "audit_ids": audit_ids}
                write("info", numbered(AUDIT, "node"), REQUESTS, same, moment)
                read_ = {"since": 1.8e9 + moment - _READ_TOGETHER / _RATE, "until": 1.8e9 + moment}
                write("ok", numbered(AUDIT, "node"), READ, read_, moment)
                audit_ids.clear()
        write("mark", HISTORY, END, None, moment + 0.01)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
