"""Cluster provider: a run's clusters, created for it, or leased from the pool and returned."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.creation import create
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine
from chaos_harness.clusters.errors import HarnessError
from chaos_harness.clusters.garbage import JOURNAL
from chaos_harness.clusters.images import Images
from chaos_harness.clusters.machine.background import BackgroundTask
from chaos_harness.clusters.machine.signals import announce_cleanup, defer_interrupts, end_uninterrupted
from chaos_harness.clusters.pool import Pool, capacity
from chaos_harness.clusters.shape import Shape
from chaos_harness.clusters.terminal.escape import first_line
from chaos_harness.clusters.terminal.progress import Progress
from chaos_harness.harness.run.adopted import borrow, describe_pending
from chaos_harness.harness.run.context import RunContext

__all__ = ["ClusterProvider"]

_AHEAD_SECONDS = 600.0
_DELETE_SECONDS = 300.0
_GIVE_BACK_SECONDS = 600.0

Ready = Callable[[Shape], Images]
"""Returns the images of a shape, after it made sure that they are in the engine."""


class ClusterProvider:
    """Provides the clusters of one run, one at a time."""

    def __init__(self, session: RunContext, engine: Engine, ready: Ready) -> None:
        self._session = session
        self._engine = engine
        self._ready = ready
        self._pool = Pool(engine, session.progress, name=session.pool_name)
        self._ahead: BackgroundTask | None = None
        self._held: Cluster | None = None

    @contextmanager
    def cluster(
        self,
        shape: Shape,
        failures: Callable[[], int],
        upcoming: Shape | None,
        is_stopping: Callable[[], bool] = lambda: False,
    ) -> Iterator[Cluster]:
        """Give a cluster of `shape` for the block.

        `failures` returns how many tests have failed so far; a new failure decides whether the cluster is kept. If the
        run uses the pool and the machine is idle enough, a cluster of `upcoming` is prepared meanwhile. A run without
        the pool, and that keeps no clusters, uses this one again if `upcoming` is of the same shape, unless
        `is_stopping`. A run on an adopted cluster gets that one, whatever the shape.
        """
        if self._session.on:
            provided = borrow(self._engine, self._session.on, self._session.owner.run, self._session.remarks)
        elif self._session.uses_pool:
            provided = self._lease_from_pool(shape, upcoming)
        elif self._session.keep == "never" and (self._held or upcoming == shape):
            provided = self._use_again(shape, upcoming, is_stopping)
        else:
            provided = self._create_new(shape, failures)
        with provided as cluster:
            yield cluster

    def close(self) -> None:
        """Remove the cluster that was held for its next use; wait for one made ahead, so that it gets into the pool."""
        self._remove_held()
        if self._ahead:
            what = "finish the cluster that is made ahead"
            with announce_cleanup(what, _AHEAD_SECONDS), self._session.progress.step(what):
                self._finish()

    @contextmanager
    def _create_new(self, shape: Shape, failures: Callable[[], int]) -> Iterator[Cluster]:
        session = self._session
        before = failures()
        directory = session.owner.claim()
        keep = session.keep != "never"
        images = self._ready(shape)
        cluster = create.create(
            self._engine, images, shape, session.owner, directory, session.progress, keep=keep, logs=session.logs
        )
        what = f"remove the cluster {cluster.name}"

        def end() -> None:
            if session.keep == "always" or (keep and failures() > before):
                session.keep_cluster(cluster)
            else:
                with session.progress.step(what):
                    create.delete(cluster)

        with end_uninterrupted(end, what, _DELETE_SECONDS):
            yield cluster

    @contextmanager
    def _use_again(self, shape: Shape, upcoming: Shape | None, is_stopping: Callable[[], bool]) -> Iterator[Cluster]:
        """Give the cluster of the file before, put back as it was made, or a new one; hold it if it is used again."""
        if self._held and self._held.shape != shape:
            self._remove_held()
        cluster, self._held = self._held or self._pool.make(shape, self._ready(shape), self._session.logs), None

        def end() -> None:
            self._held = cluster
            if upcoming != shape or is_stopping() or self._changes(cluster):
                self._remove_held()

        with end_uninterrupted(end, f"put the cluster {cluster.name} back, or remove it", _GIVE_BACK_SECONDS):
            yield cluster

    def _changes(self, cluster: Cluster) -> list[str]:
        """Put a cluster back as it was made; return why it cannot be used again, and say so."""
        why = self._pool.restore(cluster, broken=describe_pending(cluster.directory / JOURNAL))
        if why:
            more = f", and {len(why) - 1} more" if len(why) > 1 else ""
            self._session.progress.say(f" ! {cluster.name} is not used again: {first_line(why[0])}{more}")
        return why

    def _remove_held(self) -> None:
        cluster, self._held = self._held, None
        if cluster:
            what = f"remove the cluster {cluster.name}"
            with defer_interrupts(what, _DELETE_SECONDS), self._session.progress.step(what):
                self._pool.remove(cluster)

    @contextmanager
    def _lease_from_pool(self, shape: Shape, upcoming: Shape | None) -> Iterator[Cluster]:
        self._finish()
        cluster = self._pool.get(shape, self._ready(shape), self._session.logs)
        if upcoming and capacity.processor_refusal() is None:
            quiet, images = Pool(self._engine, Progress.quiet(), name=self._session.pool_name), self._ready(upcoming)
            self._ahead = BackgroundTask(
                lambda: quiet.fill(upcoming, images, self._session.logs), "the cluster made ahead"
            )

        def end() -> None:
            why = self._pool.give_back(cluster, broken=describe_pending(cluster.directory / JOURNAL))
            if why:
                said = f"cluster {cluster.name} did not go back to the pool:"
                self._session.remarks += [said, *(f"  {reason}" for reason in why)]

        with end_uninterrupted(end, f"give the cluster {cluster.name} back to the pool", _GIVE_BACK_SECONDS):
            yield cluster

    def _finish(self) -> None:
        """Wait for the cluster that is prepared ahead; a failure is only reported, and the next one created."""
        ahead, self._ahead = self._ahead, None
        try:
            if ahead:
                ahead.finish(Deadline.after(_AHEAD_SECONDS, "the cluster that is made ahead"))
        except HarnessError as error:
            self._session.remarks.append(f"no cluster could be made ahead: {error}")
