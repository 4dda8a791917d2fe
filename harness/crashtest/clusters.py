"""Clusters: lends real clusters to trials, and says how these look at them, live a fault on them, and collect."""

import json
import random
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.machine.process import run
from chaos_harness.clusters.machine.signals import end_uninterrupted
from chaos_harness.clusters.pool import Pool
from chaos_harness.clusters.pool.deviations import Trait
from chaos_harness.clusters.pool.fingerprint import fingerprint
from chaos_harness.clusters.pool.whole import machine_traits
from chaos_harness.clusters.terminal.progress import Progress
from chaos_harness.harness.crashtest import stage
from chaos_harness.harness.crashtest.moments import Moment
from chaos_harness.harness.crashtest.session import Lent
from chaos_harness.harness.crashtest.trial import Place
from chaos_harness.harness.errors import HarnessError
from chaos_harness.harness.incident.replay.resolve import resolve

__all__ = ["ClusterLender"]

_READY_SECONDS = 180.0
_LOOK_SECONDS = 60.0
_COLLECT_SECONDS = 600.0
_GIVE_BACK_SECONDS = 600.0


@dataclass(frozen=True)
class ClusterLender:
    """Lends clusters that `get` makes, or takes from the pool; `pooled` ones go back to it, others are removed.

    Their owner is this process, which lives: garbage collection keeps them, and undoes what the run of the process that
    was killed has left on them. `choice` is the word by which that process and the collector find the same engine.
    """

    pool: Pool
    get: Callable[[], Cluster]
    choice: str
    work: Path
    progress: Progress
    pooled: bool

    @contextmanager
    def lend(self) -> Iterator[Lent]:
        """Give a cluster for the block; one that is not clean at its end is removed."""
        cluster = self.get()
        lent = Lent(self._place(cluster))
        what = f"give the cluster {cluster.name} back, or remove it"
        with end_uninterrupted(lambda: self._take_back(cluster, is_clean=lent.is_clean), what, _GIVE_BACK_SECONDS):
            yield lent

    def _take_back(self, cluster: Cluster, *, is_clean: bool) -> None:
        broken = None if is_clean else "something differs after a trial"
        if is_clean and self.pooled:
            try:
                stage.take_down(cluster, Deadline.after(_READY_SECONDS, "the objects of samples to be gone"))
            except HarnessError as error:
                broken = str(error)
        if self.pooled:
            self.pool.give_back(cluster, broken=broken)
        else:
            with self.progress.step(f"remove the cluster {cluster.name}"):
                self.pool.remove(cluster)

    def _place(self, cluster: Cluster) -> Place:
        def ready(values: Mapping[str, Any]) -> Mapping[str, Any]:
            deadline = Deadline.after(_READY_SECONDS, f"{cluster.name} to be at rest")
            stage.wait_at_rest(cluster, deadline)
            stage.set_up(cluster, deadline)
            stage.wait_at_rest(cluster, deadline)
            named: Mapping[str, Any] = resolve(values, cluster, random.Random(0))  # noqa: S311 - no secret
            return named

        def look() -> dict[Trait, str]:
            deadline = Deadline.after(_LOOK_SECONDS, f"the fingerprint of {cluster.name}")
            machine = machine_traits(cluster.engine, cluster.run, deadline)
            return {**fingerprint(cluster, deadline, whole=True), **machine}

        def child(fault: str, values: Mapping[str, Any], moment: Moment) -> list[str]:
            asked = {"engine": self.choice, "cluster": cluster.name, "fault": fault, "values": values, "moment": moment}
            return [sys.executable, "-m", "chaos_harness.harness.crashtest.child", json.dumps(asked)]

        def collect() -> None:
            gc = [sys.executable, "-m", "chaos_harness", "gc"]
            run(gc, Deadline.after(_COLLECT_SECONDS, "garbage to be collected"), env={"CHAOS_ENGINE": self.choice})

        return Place(cluster.name, cluster.engine, ready, look, child, collect, self.work)
