"""Frozen clusters of this machine, each in the private directory of its own run.

The directory and the run's claim in the engine are the only state: without the directory nobody can take a cluster, and
it is removed when its claim has expired. Taking and putting change the owner of the run under one lock, so that no
cluster is taken twice and the kernel releases what a killed process held.
"""

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine, claims
from chaos_harness.clusters.errors import ClusterUnavailable
from chaos_harness.clusters.machine.locking import hold_lock
from chaos_harness.clusters.machine.owner import FROZEN_SECONDS, Owner, run_directories
from chaos_harness.clusters.pool.deviations import Fingerprint, parse_rows, rows

__all__ = ["FrozenCluster", "entries", "put", "read_note", "take", "write_note"]

_FILE = "pool.json"
_LOCK = "pool"
_SECONDS = 30.0


@dataclass(frozen=True)
class FrozenCluster:
    """A cluster: its name, its recipe (clusters with the same recipe are alike), and its fingerprint.

    `pool` is the name of its pool ("": that of the machine), `shape` the slug of its shape.
    """

    cluster: str
    recipe: str
    fingerprint: Fingerprint
    pool: str = ""
    shape: str = ""


def write_note(directory: Path, entry: FrozenCluster) -> None:
    """Write, into the run's private directory, what `put` and `take` need to know of its cluster."""
    written = {
        "cluster": entry.cluster,
        "recipe": entry.recipe,
        "fingerprint": rows(entry.fingerprint),
        "pool": entry.pool,
        "shape": entry.shape,
    }
    (directory / _FILE).write_text(json.dumps(written), encoding="utf-8")


def read_note(directory: Path) -> FrozenCluster:
    """Return the note; raise ClusterUnavailable if there is none that this version can read."""
    try:
        written = json.loads((directory / _FILE).read_text(encoding="utf-8"))
        fingerprint = parse_rows(written["fingerprint"])
        return FrozenCluster(written["cluster"], written["recipe"], fingerprint, written["pool"], written["shape"])
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ClusterUnavailable(f"{directory / _FILE}: expected what is known of a pooled cluster: {error}") from error


def put(engine: Engine, directory: Path) -> None:
    """Offer the frozen cluster of the run in `directory`; from now on any process may take it.

    Its claim in the engine has no process either, and lives as long as the cluster may stand frozen. Raises
    CommandFailed if the engine does not accept the claim.
    """
    with hold_lock(_LOCK, Deadline.after(_SECONDS, "the shelf")):
        owner = Owner.nobody(directory.name)
        claims.renew_last(engine, owner, FROZEN_SECONDS)
        owner.claim(engine.id)


def take(engine: Engine, recipe: str) -> Path | None:
    """Take a cluster of this recipe; return the directory of its run, which this process now owns, or None.

    Raises CommandFailed if the engine does not accept the claim.
    """
    with hold_lock(_LOCK, Deadline.after(_SECONDS, "the shelf")):
        for directory, entry in entries():
            if entry.recipe == recipe:
                owner = Owner.mine(directory.name)
                owner.claim(engine.id)
                claims.hold(engine, owner)
                return directory
    return None


def entries() -> Iterator[tuple[Path, FrozenCluster]]:
    """Yield the frozen clusters that have not expired, with the directory of their run."""
    for directory, owner in run_directories():
        if owner.is_pooled and owner.is_frozen:
            with suppress(ClusterUnavailable):
                yield directory, read_note(directory)
