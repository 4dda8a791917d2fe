"""Runner: replays an incident on real clusters, as often as asked, and keeps what each run left."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from chaos_harness.clusters import images
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.shape import Shape
from chaos_harness.harness import private
from chaos_harness.harness.errors import (
    BadScenario,
    CheckBroken,
    DeadlineExceeded,
    Inconclusive,
    PolicyRejected,
    PreparationFailed,
)
from chaos_harness.harness.experiment.lifecycle import Experiment
from chaos_harness.harness.gatekeeper.restart import restart_gatekeeper
from chaos_harness.harness.history import read
from chaos_harness.harness.incident.bundle.write import Reason, Replay
from chaos_harness.harness.incident.judge import conclude, judge_open, with_implied
from chaos_harness.harness.incident.load import LoadedIncident
from chaos_harness.harness.incident.replay import logs
from chaos_harness.harness.incident.replay.driver import replay_incident
from chaos_harness.harness.incident.replay.image_digests import image_digests
from chaos_harness.harness.redaction import redact
from chaos_harness.harness.run.cluster_provider import ClusterProvider
from chaos_harness.harness.run.context import RunContext
from chaos_harness.harness.run.interrupts import hides_interrupt

__all__ = ["Runner"]

_FRESH_SECONDS = 300.0


class Runner:
    """Keeps one cluster of a shape and replays incidents on it; a cluster that does not recover is replaced.

    `environment` and `images` describe the clusters, and are known after the first run.
    """

    def __init__(self, session: RunContext, directory: Path, *, fresh: bool = False) -> None:
        """Prepare to run; each run writes into a new directory in `directory`, beside those of earlier runs.

        `fresh` means a new cluster for each run; so does a context with a pool, whose clusters are as good as new.
        """
        self._session = session
        self._directory = directory
        self._fresh = fresh or session.uses_pool
        self._supply: ClusterProvider | None = None
        self._ensure: Callable[[Shape | Sequence[Shape]], images.Images]
        self._cluster: Cluster | None = None
        self._lent = ExitStack()
        self._used = False
        self._failures = 0
        self._runs = max((int(folder.name) for folder in directory.glob("[0-9]*")), default=0)
        self.environment: dict[str, str] = {}
        self.images: dict[str, str] = {}

    @contextmanager
    def open(self) -> Iterator["Runner"]:
        """Give the runner for a block; at its end the cluster is removed, kept, or returned, as the options say.

        Raises EngineUnavailable if no engine answers: nothing is touched then.
        """
        session = self._session
        try:
            self._supply = self._connect()
            yield self
        finally:
            try:
                self._drop()
            finally:
                for line in session.closing_lines:
                    session.progress.say(line)
                session.close()

    def prepare(self, shapes: Sequence[Shape]) -> None:
        """Have the images of all clusters to come, before the first one. Raises ImageUnavailable, BadScenario."""
        self._supply = self._supply or self._connect()
        self._ensure(list(dict.fromkeys(shapes)))

    def run(self, loaded: LoadedIncident, seed: int) -> tuple[Replay, Path]:
        """Replay the incident once; return the result and the directory with its history.

        An error makes the result "broken", and its cluster is not used again; an interrupt is raised.
        """
        self._runs += 1
        directory = self._directory / str(self._runs)
        began = time.monotonic()
        replay = Replay(directory=f"runs/{self._runs}", seen="broken", seconds=0.0)
        try:
            cluster = self._ready(loaded.shape)
            replay = self._replay(replay, loaded, cluster, seed, directory)
        except Exception as error:  # an error in one run must not prevent other runs and the bundle
            if hides_interrupt(error):
                raise KeyboardInterrupt from error
            private.directory(directory)
            replay = replay.model_copy(update={"error": f"{type(error).__name__}: {error}", "reason": _reason(error)})
            self._failures += 1
            self._drop()
            self._supply = None  # the engine may be the reason: find it again
        return replay.model_copy(update={"seconds": round(time.monotonic() - began, 1)}), directory

    def _replay(self, replay: Replay, loaded: LoadedIncident, cluster: Cluster, seed: int, directory: Path) -> Replay:
        experiment = Experiment(
            cluster, directory, name=loaded.name, seed=seed, progress=self._session.progress, claims_healing=False
        )
        missing: list[str] = []
        self.environment = experiment.record.environment
        try:
            with experiment:
                replay_incident(loaded, experiment)
                judged = judge_open(loaded, experiment)
        finally:
            private.write(directory / "record.json", redact(experiment.record.json()))
            with self._session.progress.step("keep the logs"):
                missing += logs.collect(cluster, directory / "logs")
        if any(fault.healed_at is None for fault in experiment.record.faults):
            self._drop()  # the next run is to begin on one that is as new
        verdicts = tuple(with_implied(judged, read(experiment.history.path)))
        return replay.model_copy(update={"seen": conclude(verdicts), "verdicts": verdicts, "missing": tuple(missing)})

    def _ready(self, shape: Shape) -> Cluster:
        """Return a cluster of the shape on which no earlier run left anything; an upgrade leaves what it brought."""
        if self._cluster is not None and (self._fresh or shape.releases or self._cluster.shape != shape):
            self._drop()
        if self._cluster is not None and self._used and shape.gatekeeper:
            try:
                with self._session.progress.step("restart Gatekeeper, for pods without a past"):
                    restart_gatekeeper(self._cluster, Deadline.after(_FRESH_SECONDS, "fresh pods of Gatekeeper"))
            except DeadlineExceeded:
                self._drop()
        if self._cluster is None:
            self._cluster = self._create(shape)
        self._used = True
        return self._cluster

    def _create(self, shape: Shape) -> Cluster:
        self._supply = self._supply or self._connect()
        cluster = self._lent.enter_context(self._supply.cluster(shape, lambda: self._failures, None))
        self.images = image_digests(cluster)
        return cluster

    def _connect(self) -> ClusterProvider:
        session = self._session
        engine = session.connect()
        self._ensure = lambda wanted: images.ensure(engine, wanted, session.progress, session.rules)
        return ClusterProvider(session, engine, self._ensure)

    def _drop(self) -> None:
        """Give the cluster up, even if that fails."""
        self._cluster, self._used = None, False
        self._lent.close()


def _reason(error: Exception) -> Reason:
    if isinstance(error, BadScenario | PolicyRejected | PreparationFailed):
        return "refused"
    return "inconclusive" if isinstance(error, Inconclusive) and not isinstance(error, CheckBroken) else "broken"
