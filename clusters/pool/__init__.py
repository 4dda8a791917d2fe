"""Pool: ready clusters, frozen until the next run leases them.

Ownership: every cluster that a run takes from a pool was made by a run's own process, as the only cluster of a run of
its own (`Owner.of_pool`). That run's directory and its claim in the engine name the owner: the process that makes or
leases the cluster, or nobody while it stands frozen. There is no daemon, and no state elsewhere:

* if a process is killed while it makes, holds or thaws a cluster, the owner is dead, and the next garbage collection
  heals and removes the cluster, as of any dead run;
* a frozen cluster can be thawed for some hours, at most until the machine reboots, and is removed when its claim
  expires, after the same time; until then `nox -s gc` leaves it alone, `nox -s gc -- --all` removes it;
* a cluster that cannot be thawed and proved healthy, for whatever reason (the engine was restarted, files are missing,
  Kubernetes noticed the pause), is removed, and a new one is made: a miss costs time, nothing else.

Why clusters are frozen, and not restored from copies of their nodes' volumes: a copy has to boot. Starting the stopped
nodes of a cluster in place, with nothing copied, took 44 and 46 s until every replica of Gatekeeper answered, on a
machine on which a new cluster took 74 and 91 s at that time (2 busy cores): less than twice as fast, and only three
times as fast would justify a second way. Thawing a frozen one takes seconds.
"""

import hashlib
from collections.abc import Collection, Iterable
from contextlib import suppress
from functools import cache
from pathlib import Path

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.creation.create import create, delete
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine, claims
from chaos_harness.clusters.engine.inventory import remove_all
from chaos_harness.clusters.errors import ClusterUnavailable, DeadlineExceeded, HarnessError
from chaos_harness.clusters.images import Images
from chaos_harness.clusters.kind.logs import LogKeeper
from chaos_harness.clusters.machine.owner import Owner
from chaos_harness.clusters.machine.removal import try_remove_folder
from chaos_harness.clusters.pool import capacity, frozen
from chaos_harness.clusters.pool.deviations import Deviation, Fingerprint, deviations
from chaos_harness.clusters.pool.fingerprint import UNREADY, fingerprint, is_settled, wait_settled
from chaos_harness.clusters.pool.freeze import freeze, thaw
from chaos_harness.clusters.pool.reset_gatekeeper import can_reset, reset, save_deployments
from chaos_harness.clusters.shape import Shape
from chaos_harness.clusters.terminal.escape import first_line
from chaos_harness.clusters.terminal.progress import Progress

__all__ = ["Pool"]

_SETTLE_SECONDS = 90.0
_FREEZE_SECONDS = 60.0
_THAW_SECONDS = 60.0
_RESET_SECONDS = 120.0
_REMOVE_SECONDS = 120.0
_FAILURES = (HarnessError, OSError)
_TOLD = 12


class Pool:
    """The pool of this machine, as one process of a run uses it; at most `most` clusters stand frozen in it.

    One with a `name` has clusters of its own: no other pool gets them, and it gets none of another.
    """

    def __init__(self, engine: Engine, progress: Progress, *, most: int = 2, name: str = "") -> None:
        self._name = name
        self._engine = engine
        self._progress = progress
        self._most = most
        self._said: set[str] = set()
        _code()

    def get(self, shape: Shape, images: Images, logs: LogKeeper) -> Cluster:
        """Return a cluster of `shape` that this process owns: a frozen one if possible, else a new one.

        Raises what `clusters.creation.create.create` raises.
        """
        return self.lease(shape, images) or self.make(shape, images, logs)

    def lease(self, shape: Shape, images: Images) -> Cluster | None:
        """Return a frozen cluster, thawed and proved healthy, or None; those that are not healthy are removed."""
        while directory := frozen.take(self._engine, self._recipe(shape, images)):
            name = directory.name
            try:
                name = frozen.read_note(directory).cluster
                with self._progress.step(f"thaw {name} from the pool"):
                    cluster = Cluster.open(self._engine, name)
                    thaw(cluster, Deadline.after(_THAW_SECONDS, f"{name} to be as healthy as it was"))
            except _FAILURES as error:
                self._progress.say(f" ! {name} was not leased: {error}")
                self._remove(directory, name)
            else:
                return cluster
        return None

    def make(self, shape: Shape, images: Images, logs: LogKeeper) -> Cluster:
        """Create a cluster that can be given back. Raises what `clusters.creation.create.create` raises."""
        owner = Owner.of_pool()
        directory = owner.claim(self._engine.id)
        try:
            claims.hold(self._engine, owner)
            cluster = create(self._engine, images, shape, owner, directory, self._progress, logs=logs)
            recipe, made = self._recipe(shape, images), _settled_fingerprint(cluster)
            frozen.write_note(directory, frozen.FrozenCluster(cluster.name, recipe, made, self._name, shape.slug))
            if shape.gatekeeper:
                deadline = Deadline.after(_FREEZE_SECONDS, f"the Deployments of {cluster.name}")
                save_deployments(cluster, directory, deadline)
        except BaseException:
            with suppress(HarnessError):
                remove_all(self._engine, Deadline.after(_REMOVE_SECONDS, f"what is left of {owner.run}"), run=owner.run)
            self._forget(directory)
            raise
        return cluster

    def give_back(self, cluster: Cluster, *, broken: str | None = None) -> list[str]:
        """Freeze a cluster if it is unchanged since it was made, else remove it; return the reasons for a removal.

        Changes to Gatekeeper's Deployments only are reset first. `broken` is a reason that the caller already knows. In
        a full pool the cluster that stands there for longest, and is not like this one, makes room for it.
        """
        directory = cluster.directory.parent
        recipe = _recipe_in(directory)
        crowded = self._crowded(cluster.shape, recipe)
        why = [crowded] if broken is None and crowded is not None else self.restore(cluster, broken=broken)
        if not why:
            try:
                self._make_room(recipe)
                with self._progress.step(f"freeze {cluster.name} for the pool"):
                    freeze(cluster, Deadline.after(_FREEZE_SECONDS, f"{cluster.name} to freeze"))
                    frozen.put(self._engine, directory)
            except _FAILURES as error:
                why = [f"it could not be frozen: {error}"]
        if why:
            with self._progress.step(f"remove the cluster {cluster.name}") as step:
                more = f", and {len(why) - 1} more" if len(why) > 1 else ""
                step.detail = f"not returned to the pool: {first_line(why[0])}{more}"
                self.remove(cluster)
        return why

    def fill(self, shape: Shape, images: Images, logs: LogKeeper) -> None:
        """Create and freeze a cluster if there is room for it and none of its kind is frozen yet.

        Raises what `clusters.creation.create.create` raises.
        """
        recipe = self._recipe(shape, images)
        if all(entry.recipe != recipe for _, entry in frozen.entries()) and self._crowded(shape) is None:
            self.give_back(self.make(shape, images, logs))

    def empty(self, *, keep: Collection[str] = ()) -> list[str]:
        """Remove what stands frozen in this pool, but clusters of the shapes `keep` (slugs); return their names.

        What the engine does not remove belongs to a dead run afterwards. Raises CommandFailed if it accepts no claim.
        """
        removed = []
        for _, entry in list(frozen.entries()):
            if entry.pool != self._name or entry.shape in keep:
                continue
            removed += self._remove_frozen(entry.recipe)
        return removed

    def remove(self, cluster: Cluster) -> None:
        """Remove a cluster of the pool and its run's directory."""
        delete(cluster)
        self._forget(cluster.directory.parent)

    def restore(self, cluster: Cluster, *, broken: str | None = None) -> list[str]:
        """Put a cluster back as it was made, for its next use; return the reasons why that is impossible.

        Changes to Gatekeeper's Deployments only are reset. `broken` is a reason that the caller already knows.
        """
        if broken is not None:
            return [broken]
        directory = cluster.directory.parent
        try:
            differences = self._deviations(cluster, directory)
            if differences and can_reset(differences, cluster.shape.namespace):
                with self._progress.step(f"reset Gatekeeper on {cluster.name}"):
                    reset(cluster, directory, Deadline.after(_RESET_SECONDS, "Gatekeeper to serve as it did"))
                differences = self._deviations(cluster, directory)
        except _FAILURES as error:
            return [f"its fingerprint could not be compared: {error}"]
        return list(map(str, differences))

    def _deviations(self, cluster: Cluster, directory: Path) -> list[Deviation]:
        """Return what is not as it was; pods that are not ready are waited for, unless there is more than that."""
        with self._progress.step(f"compare {cluster.name} with its fingerprint") as step:
            made = frozen.read_note(directory).fingerprint
            differences = deviations(made, _fingerprint(cluster))
            if differences and not _lasting(differences):
                differences = deviations(made, _settled_fingerprint(cluster))
            differences = _lasting(differences) or differences
            step.detail = f"{len(differences)} differences" if differences else "as it was"
            return differences

    def _crowded(self, shape: Shape, recipe: str = "") -> str | None:
        """Return why no more clusters should be frozen, or None; print it the first time if the reason is memory.

        If they are as many as may be, one that is not of this recipe makes room for one that is.
        """
        standing = self._standing()
        if len(standing) >= self._most and not (recipe and set(standing) - {recipe}):
            return f"{len(standing)} clusters are in the pool already"
        short = capacity.memory_refusal(shape)
        if short is not None and short not in self._said:
            self._said.add(short)
            self._progress.say(f" ! the pool stays small: {short}")
        return short

    def _standing(self) -> list[str]:
        """Return the recipes of the clusters that stand frozen in this pool, that which stands there longest first."""
        mine = [(_since(directory), entry.recipe) for directory, entry in frozen.entries() if entry.pool == self._name]
        return [recipe for _, recipe in sorted(mine)]

    def _make_room(self, recipe: str) -> None:
        """Remove those that stand there longest, and are not of this recipe, until there is room for one more."""
        standing = self._standing()
        others = [other for other in standing if other != recipe]
        for other in others[: max(len(standing) - self._most + 1, 0)]:
            self._remove_frozen(other)

    def _remove_frozen(self, recipe: str) -> list[str]:
        """Remove one frozen cluster of a recipe; return its name, or nothing if somebody else was faster."""
        directory = frozen.take(self._engine, recipe)
        if directory is None:
            return []
        name = frozen.read_note(directory).cluster
        with self._progress.step(f"remove the cluster {name}"):
            self._remove(directory, name)
        return [name]

    def _remove(self, directory: Path, name: str) -> None:
        with suppress(HarnessError):  # what refuses now is a dead run's later, and collected
            deadline = Deadline.after(_REMOVE_SECONDS, f"the removal of {name}")
            remove_all(self._engine, deadline, run=directory.name)
        self._forget(directory)

    def _forget(self, directory: Path) -> None:
        """Stop owning the run in `directory`: whatever is left of it belongs to a dead run."""
        try_remove_folder(directory)
        claims.release(self._engine, directory.name)

    def _recipe(self, shape: Shape, images: Images) -> str:
        """Return a digest of everything that a cluster is made from, including this code."""
        digest = hashlib.sha256()
        engine = (self._engine.host, self._engine.version)
        for part in (self._name, shape.model_dump_json(), *engine, repr(_contents(images))):
            digest.update(part.encode() + b"\0")
        digest.update(_code())
        return digest.hexdigest()


def _lasting(differences: Iterable[Deviation]) -> list[Deviation]:
    """Return the differences but for pods that are, or were, not ready: those may pass."""
    return [difference for difference in differences if difference.trait.aspect != UNREADY]


def _fingerprint(cluster: Cluster) -> Fingerprint:
    return fingerprint(cluster, Deadline.after(_FREEZE_SECONDS, f"the fingerprint of {cluster.name}"))


def _settled_fingerprint(cluster: Cluster) -> Fingerprint:
    """Return the fingerprint of a cluster all of whose pods are ready; of one that never settles, as it is at last.

    A pod that was ready a moment ago need not be so when it is read.
    """
    deadline = Deadline.after(_SETTLE_SECONDS, f"all pods of {cluster.name} to be ready")
    while True:
        with suppress(DeadlineExceeded):
            wait_settled(cluster, deadline)
        found = _fingerprint(cluster)
        if deadline.expired or is_settled(found):
            return found


@cache
def _code() -> bytes:
    """Return the digest of the code that makes clusters: as it runs here, whatever a `git pull` changes meanwhile."""
    digest = hashlib.sha256()
    for source in sorted(Path(__file__).resolve().parents[1].rglob("[!.]*.py")):
        digest.update(source.read_bytes())
    return digest.digest()


def _recipe_in(directory: Path) -> str:
    """Return the recipe of the cluster of a run; "" if its note cannot be read, which is told when it is compared."""
    with suppress(ClusterUnavailable):
        return frozen.read_note(directory).recipe
    return ""


def _since(directory: Path) -> float:
    """Return when the cluster of a run was frozen; 0 if another process takes it at this moment."""
    with suppress(OSError):
        return directory.stat().st_mtime
    return 0.0


def _contents(images: Images) -> list[tuple[str, str]]:
    """Return the names of a cluster's images with their IDs: a rebuilt image may differ by its packages alone."""
    own = (images.node, images.gatekeeper, images.gatekeeper_crds, images.registry, images.balancer)
    names = (*own, *images.releases.values(), *images.own)
    return sorted((name, images.ids.get(name, "")) for name in names if name)
