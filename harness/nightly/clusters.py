"""Clusters of a night: those that its cells use one after another, in a pool of its own that is empty afterwards."""

from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from chaos_harness.clusters import engine as engines
from chaos_harness.clusters.checkout import OPTION
from chaos_harness.clusters.engine import Engine
from chaos_harness.clusters.machine.locking import try_lock
from chaos_harness.clusters.machine.owner import run_directories
from chaos_harness.clusters.pool import Pool, frozen
from chaos_harness.clusters.terminal.progress import Progress
from chaos_harness.harness.errors import EngineUnavailable, HarnessError
from chaos_harness.harness.history.recorded import read

__all__ = ["LOCK", "NightClusters", "cluster_of", "remove_left", "went_back"]

LOCK = "nightly"
"""The lock of the one night of a machine."""

_POOL = "nightly"


@dataclass(frozen=True)
class NightClusters:
    """The pool of the night that has the LOCK; `engine` is the user's choice of one."""

    engine: str | None
    say: Callable[[str], None]

    @property
    def options(self) -> list[str]:
        """What a run is given to use it."""
        return [f"{OPTION}pool", f"{OPTION}pool-name", _POOL]

    def keep_only(self, shapes: Collection[str] = ()) -> None:
        """Remove what stands frozen in the pool, but clusters of these shapes (slugs).

        Raises HarnessError if the engine does not answer; without anything to be removed it is not asked.
        """
        if all(entry.pool != _POOL or entry.shape in shapes for _, entry in frozen.entries()):
            return
        engine = engines.find(self.engine)
        if engine is None:
            raise EngineUnavailable("no container engine answers")
        for name in Pool(engine, Progress.quiet(), name=_POOL).empty(keep=shapes):
            self.say(f"the cluster {name} is removed: no further cell of its shape is to come")


def went_back(cluster: str) -> bool:
    """Whether a cluster, by the run that made it, is in the pool again, or with its next cell already."""
    return any(directory.name == cluster and owner.alive() for directory, owner in run_directories())


def cluster_of(folder: Path) -> str:
    """Return the run that made the cluster of a cell, by the histories in its folder; "" if that is not one cluster."""
    runs = set()
    for path in sorted(folder.glob("experiments/*/*/history.jsonl")):
        with suppress(HarnessError):
            runs.add(read(path, so_far=True).header.run)
    return runs.pop() if len(runs) == 1 else ""


def remove_left(engine: Engine, progress: Progress) -> list[str]:
    """Remove what a night that was killed left frozen; return the names of these clusters. A night that runs keeps its.

    Raises CommandFailed if the engine accepts no claim.
    """
    with try_lock(LOCK) as free:
        return Pool(engine, progress, name=_POOL).empty() if free else []
