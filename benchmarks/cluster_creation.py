"""Cluster creation: the time to a ready cluster by hand, by us, and from the pool."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from benchmarks.manual_cluster import plain_cluster
from benchmarks.samples import Limit, Ratio, Samples, time_block
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine
from chaos_harness.clusters.errors import ClusterUnavailable
from chaos_harness.clusters.images import Images
from chaos_harness.clusters.pool import Pool
from chaos_harness.clusters.shape import Shape
from chaos_harness.clusters.terminal.progress import Progress
from chaos_harness.harness.run.context import RunContext

__all__ = ["ClusterCreation"]

_STANDING_SECONDS = 15.0
"""Longer than the kubelets' interval between two lease renewals, as clusters stay in a pool."""


@dataclass
class ClusterCreation:
    """Cold, leased and returned clusters of one shape, in alternating rounds."""

    engine: Engine
    images: Images
    shape: Shape
    session: RunContext
    plain: Samples = field(default_factory=lambda: Samples("cold, by hand"))
    cold: Samples = field(default_factory=lambda: Samples("cold, ours"))
    back: Samples = field(default_factory=lambda: Samples("compare, freeze and return to the pool"))
    lease: Samples = field(default_factory=lambda: Samples("lease from the pool"))

    @property
    def samples(self) -> list[Samples]:
        """Return the samples."""
        return [self.plain, self.cold, self.lease, self.back]

    @property
    def ratios(self) -> list[Ratio]:
        """Return the ratios, with the limits of issue 4."""
        return [
            Ratio("cold ours / plain", self.cold, self.plain, 0.4),
            Ratio("lease / plain", self.lease, self.plain, 0.06),
            Ratio("return / plain", self.back, self.plain, 0.1),
        ]

    @property
    def limits(self) -> list[Limit]:
        """Return no absolute limits: seconds do not compare across machines."""
        return []

    def by_hand(self) -> None:
        """Create a cluster as a user does, and remove it."""
        with time_block(self.plain):
            making = plain_cluster(self.engine, self.images, self.shape, self.session.owner)
            making.__enter__()
        making.__exit__(None, None, None)

    @contextmanager
    def ours(self, returns: int) -> Iterator[Cluster]:
        """Create a cluster, return and lease it `returns` times, and yield it."""
        pool = Pool(self.engine, Progress.terminal(), most=8)
        with time_block(self.cold):
            cluster = pool.make(self.shape, self.images, self.session.logs)
        try:
            for _ in range(returns):
                cluster = self._once(pool, cluster)
            yield cluster
        finally:
            pool.remove(cluster)

    def _once(self, pool: Pool, cluster: Cluster) -> Cluster:
        with time_block(self.back):
            why = pool.give_back(cluster)
            if why:
                raise ClusterUnavailable(f"{cluster.name} did not go back to the pool: {'; '.join(why)}")
        for _ in Deadline.after(_STANDING_SECONDS, "it to stand frozen").attempts(first=_STANDING_SECONDS):
            pass
        with time_block(self.lease):
            leased = pool.lease(self.shape, self.images)
            if leased is None:
                raise ClusterUnavailable(f"{cluster.name} could not be leased from the pool again")
        return leased
