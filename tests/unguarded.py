"""Unguarded: docker as a user types it, for what tests make without our label on an engine of their own."""

from collections.abc import Sequence
from pathlib import Path

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine
from chaos_harness.clusters.machine.process import CommandResult, run

__all__ = ["docker"]


def docker(engine: Engine, argv: Sequence[str | Path], deadline: Deadline, *, check: bool = True) -> CommandResult:
    """Run `docker ARGV` on an engine, whoever made what it changes."""
    return run([engine.cli, *argv], deadline, env=engine.environment(), check=check)
