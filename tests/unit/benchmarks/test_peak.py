"""Tests of benchmarks.peak: memory is the process's own."""

import sys

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.machine.process import run

_MIB = 1024 * 1024


def peak(code: str) -> float:
    """Return what a process tells of itself that did something, started by this one, which holds a lot."""
    held = bytearray(b"x" * (200 * _MIB))
    argv = [sys.executable, "-c", f"from benchmarks.peak import peak_mib\n{code}\nprint(peak_mib())"]
    highest = float(run(argv, Deadline.after(60, "a process")).stdout)
    assert held
    return highest


def test_what_the_starting_process_holds_does_not_count() -> None:
    """A child of a large process is small."""
    assert peak("pass") < 100


def test_what_was_held_once_counts() -> None:
    """Memory that was given back was needed nevertheless."""
    assert peak(f"held = bytearray(b'x' * {150 * _MIB})\ndel held") > 150
