"""Runner: one cluster for many runs, a new one when it broke, and every run told, however it ended."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from chaos_harness.clusters import images
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.creation import create
from chaos_harness.clusters.engine import Engine
from chaos_harness.clusters.pool import Pool
from chaos_harness.clusters.terminal.progress import Progress
from chaos_harness.harness.errors import (
    BadScenario,
    CheckBroken,
    ClusterUnavailable,
    DeadlineExceeded,
    FaultNotApplied,
    Inconclusive,
    PolicyRejected,
    PreparationFailed,
    ProbeBroken,
)
from chaos_harness.harness.experiment.lifecycle import Experiment
from chaos_harness.harness.incident.bundle.recheck import recheck
from chaos_harness.harness.incident.bundle.write import Reason, write
from chaos_harness.harness.incident.load import LoadedIncident
from chaos_harness.harness.incident.replay import logs
from chaos_harness.harness.incident.replay import runner as module
from chaos_harness.harness.incident.replay.runner import Runner
from chaos_harness.harness.run.context import RunContext
from tests.fakes.incidents import incident
from tests.fakes.world import World


class Bench:
    """A runner on clusters in memory, with all that happened to them."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.did: list[str] = []
        self.fails: dict[str, Exception] = {}
        self.said = io.StringIO()
        self.progress = Progress(self.said)
        self.loaded = incident(folder)
        world = World()
        world.pod("a", "w-worker")
        self._open = world.cluster(folder)
        self.cluster = self._open.__enter__()
        monkeypatch.setenv("XDG_STATE_HOME", str(folder / "state"))
        self.connected = 0
        monkeypatch.setattr(RunContext, "connect", lambda _: self._connect())
        monkeypatch.setattr(images, "ensure", lambda *_: None)
        monkeypatch.setattr(create, "create", self._create)
        monkeypatch.setattr(create, "delete", lambda _: self.did.append("delete"))
        monkeypatch.setattr(module, "restart_gatekeeper", lambda *_: self._do("restart"))
        monkeypatch.setattr(module, "replay_incident", self._relive)
        monkeypatch.setattr(logs, "collect", lambda *_: ["logs of w-worker: none"])
        defaults = Experiment.__init__.__kwdefaults__
        assert defaults
        monkeypatch.setitem(defaults, "probes", lambda *_: [])

    def close(self) -> None:
        self._open.__exit__(None, None, None)

    @contextmanager
    def runner(self, keep: Any = "never", *, fresh: bool = False, pool: bool = False) -> Iterator[Runner]:
        session = RunContext(7, keep, None, {}, self.folder / "h", self.progress, pool=pool)
        with Runner(session, self.folder / "work", fresh=fresh).open() as runner:
            yield runner

    def _do(self, what: str) -> None:
        self.did.append(what)
        if what in self.fails:
            raise self.fails.pop(what)

    def _connect(self) -> Engine:
        self.connected += 1
        return self.cluster.engine

    def _create(self, *_: Any, **__: Any) -> Cluster:
        self._do("create")
        return self.cluster

    def _relive(self, _loaded: LoadedIncident, experiment: Experiment) -> None:
        self._do("live")
        experiment.history.append("invoke", "fault 1", "inject", {"name": "cut registry"})
        experiment.history.append("ok", "fault 1", "observed", {"name": "cut registry", "proof": ""})
        experiment.history.append("invoke", "fault 1", "heal", {"name": "cut registry"})
        experiment.history.append("ok", "registry", "read", {"until": 2e10})


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    bench = Bench(tmp_path, monkeypatch)
    yield bench
    bench.close()


def test_one_cluster_for_many_runs(bench: Bench) -> None:
    """Between two runs on one cluster all pods are made fresh; at the end the cluster is removed."""
    with bench.runner() as runner:
        runs = [runner.run(bench.loaded, 7) for _ in range(2)]

    assert bench.did == ["create", "live", "restart", "live", "delete"]
    assert [run.seen for run, _ in runs] == ["not reproduced"] * 2
    assert [run.directory for run, _ in runs] == ["runs/1", "runs/2"]
    assert runs[0][0].missing == ("logs of w-worker: none",)
    for _, directory in runs:
        assert {path.name for path in directory.iterdir()} >= {"history.jsonl", "journal.jsonl", "record.json"}
    assert runner.environment["engine"] == "Docker 20.10.24 (private)"
    assert runner.images["gatekeeper"]


def test_after_an_interruption(bench: Bench) -> None:
    """Who goes on where another was stopped keeps what its runs left."""
    for _ in range(2):
        with bench.runner() as runner:
            lived, directory = runner.run(bench.loaded, 7)

    assert (lived.seen, lived.directory, directory.name) == ("not reproduced", "runs/2", "2")
    assert (directory.parent / "1/history.jsonl").is_file()


def test_fresh(bench: Bench) -> None:
    """If that is asked for, each run has a cluster of its own; dead runs are looked for once."""
    with bench.runner(fresh=True) as runner:
        for _ in range(2):
            runner.run(bench.loaded, 7)

    assert bench.did == ["create", "live", "delete", "create", "live", "delete"]
    assert bench.connected == 1


def test_images_ahead(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The images of several shapes are had at once, each shape's once, before there is a cluster."""
    asked: list[Any] = []
    monkeypatch.setattr(images, "ensure", lambda _engine, shapes, *_: asked.append(shapes))
    first = bench.loaded.shape
    second = first.model_copy(update={"install": "chart"})

    with bench.runner() as runner:
        runner.prepare([first, second, first])

    assert asked == [[first, second]]
    assert bench.did == []


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ProbeBroken("late"), "broken"),
        (DeadlineExceeded("slow"), "broken"),
        (OSError("full"), "broken"),
        (BadScenario("no worker2"), "refused"),
        (PolicyRejected("no such parameter"), "refused"),
        (PreparationFailed("too few replicas"), "refused"),
        (Inconclusive("the trigger never came"), "inconclusive"),
        (CheckBroken("KeyError"), "broken"),
    ],
)
def test_a_run_that_breaks(bench: Bench, error: Exception, reason: Reason) -> None:
    """A run that the harness broke is reported as broken, with the error; the next run looks for the engine again."""
    bench.fails["live"] = error
    with bench.runner() as runner:
        (broken, directory), (whole, _) = (runner.run(bench.loaded, 7) for _ in range(2))

    assert bench.did == ["create", "live", "delete", "create", "live", "delete"]
    assert bench.connected == 2
    assert (broken.seen, broken.verdicts, whole.seen) == ("broken", (), "not reproduced")
    assert (broken.reason, broken.error) == (reason, f"{type(error).__name__}: {error}")
    assert whole.reason is None
    assert (directory / "history.jsonl").is_file()


class _Staying:
    """A fault that is undone and does not heal."""

    name = "break it"
    healed_within = 0.1

    def inject(self, _injection: object) -> None:
        """Do nothing that would have to be undone."""

    def observed(self, _cluster: object, _deadline: object) -> str:
        return "it is broken"

    def healed(self, _cluster: object, _deadline: object) -> str:
        raise FaultNotApplied("it is away")


def test_a_fault_that_does_not_heal_breaks_no_run(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is judged, as a claim that is not the file's, in the bundle too; the next run has a cluster of its own."""

    def live(_loaded: LoadedIncident, experiment: Experiment) -> None:
        with experiment.fault(_Staying()):
            pass

    monkeypatch.setattr(module, "replay_incident", live)
    with bench.runner() as runner:
        runs = [runner.run(bench.loaded, 7) for _ in range(2)]

    assert bench.did == ["create", "delete", "create", "delete"]
    assert [(run.error, run.seen) for run, _ in runs] == [("", "inconclusive")] * 2
    assert [(one.id, one.outcome, one.implied) for one in runs[0][0].verdicts[1:]] == [
        ("heals(0.1, break it)", "violated", True)
    ]
    write(bench.folder / "bundle", bench.loaded, seed=7, runs=runs, environment={}, images={})
    _, _, compared = recheck(bench.folder / "bundle")
    assert [(claim.changed, claim.now and claim.now.implied) for claim in compared] == [
        (False, False),
        (False, True),
    ] * 2


def test_no_cluster(bench: Bench) -> None:
    """A cluster that cannot be had is a run that broke, too."""
    bench.fails["create"] = ClusterUnavailable("no way")
    with bench.runner() as runner:
        broken, directory = runner.run(bench.loaded, 7)

    assert (broken.seen, broken.error) == ("broken", "ClusterUnavailable: no way")
    assert directory.is_dir()
    assert bench.did == ["create"]


def test_a_cluster_that_does_not_come_back(bench: Bench) -> None:
    """A cluster whose pods cannot be made fresh is replaced."""
    bench.fails["restart"] = DeadlineExceeded("slow")
    with bench.runner() as runner:
        for _ in range(2):
            runner.run(bench.loaded, 7)

    assert bench.did == ["create", "live", "restart", "delete", "create", "live", "delete"]


@pytest.mark.parametrize(("keep", "deleted"), [("always", 0), ("on-failure", 1), ("never", 2)])
def test_kept(bench: Bench, keep: str, deleted: int) -> None:
    """A cluster on which a run broke, or every one, is kept if that is asked for."""
    bench.fails["live"] = ProbeBroken("late")
    with bench.runner(keep) as runner:
        for _ in range(2):
            runner.run(bench.loaded, 7)

    assert bench.did.count("delete") == deleted
    assert ("kept cluster w: kubectl --kubeconfig" in bench.said.getvalue()) == (deleted < 2)


def test_pool(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a pool each run leases a cluster and gives it back; why one was thrown away is told."""

    def lease(_self: Pool, *_: Any) -> Cluster:
        bench.did.append("lease")
        return bench.cluster

    def give_back(_self: Pool, _cluster: Cluster, **_: Any) -> list[str]:
        bench.did.append("back")
        return ["new: namespaces left"]

    monkeypatch.setattr(Pool, "get", lease)
    monkeypatch.setattr(Pool, "give_back", give_back)
    with bench.runner(pool=True) as runner:
        for _ in range(2):
            runner.run(bench.loaded, 7)

    assert bench.did == ["lease", "live", "back"] * 2
    assert "cluster w did not go back to the pool:\n  new: namespaces left\n" in bench.said.getvalue()


@pytest.mark.parametrize("later", [None, ProbeBroken("late")])
def test_interrupted(bench: Bench, later: Exception | None) -> None:
    """An interruption comes through, also if what it stopped failed to end, and the cluster is removed."""

    def live() -> None:
        with bench.runner() as runner:
            runner.run(bench.loaded, 7)

    if later:
        later.__context__ = KeyboardInterrupt()
    bench.fails["live"] = later or KeyboardInterrupt()  # type: ignore[assignment]
    with pytest.raises(KeyboardInterrupt):
        live()
    assert bench.did == ["create", "live", "delete"]
