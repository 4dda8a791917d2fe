"""Results folders: a new one for each process of a verb, made only when needed, and held by one process at a time."""

import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chaos_harness.clusters.checkout import OUT
from chaos_harness.clusters.machine.locking import try_lock
from chaos_harness.harness import private
from chaos_harness.harness.errors import BadScenario

__all__ = ["hold_folder", "make_work_folder", "new_folder"]

_MOST_LETTERS = 100
_SHORT = 16


def new_folder(kind: str, *words: str) -> Path:
    """Return a path below reports/out/`kind` that no other process has: named by time, process and `words`."""
    name = "-".join([time.strftime("%Y%m%d-%H%M%S"), str(os.getpid()), *(word[:_MOST_LETTERS] for word in words)])
    return OUT / kind / name


def make_work_folder(folder: Path) -> Path:
    """Return the directory for runs in a verb's `folder`; create it if needed. Raises BadScenario."""
    work = folder / "work"
    try:
        private.directory(work)
    except OSError as error:
        raise BadScenario(
            f"{work}: cannot be made: {error.strerror}; type the command where you may write, with room for results"
        ) from error
    return work


@contextmanager
def hold_folder(folder: Path) -> Iterator[None]:
    """Hold a folder, which need not be there yet, for the block. Raises BadScenario if another process holds it."""
    name = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:_SHORT]
    with try_lock(f"results-{name}") as free:
        if not free:
            raise BadScenario(f"{folder}: another process makes its runs; wait for it, or end it")
        yield
