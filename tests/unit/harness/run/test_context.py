"""Session: its claim stands before it does anything else, and goes with it unless a cluster is kept."""

from pathlib import Path
from typing import Any

import pytest

from chaos_harness.clusters import engine as engines
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import claims
from chaos_harness.clusters.engine.claims import KEPT_SECONDS, LIFE_SECONDS, read_register
from chaos_harness.clusters.errors import HarnessError
from chaos_harness.clusters.machine.owner import engines_of
from chaos_harness.clusters.machine.paths import runtime_dir
from chaos_harness.clusters.shape import Shape
from chaos_harness.clusters.terminal.progress import Progress
from chaos_harness.harness.run import context
from chaos_harness.harness.run.context import RunContext
from tests.fakes.engine import FakeEngine


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeEngine:
    engine = FakeEngine()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))

    def connect(*_: Any, owner: Any) -> FakeEngine:
        claims.hold(engine, owner)
        return engine

    monkeypatch.setattr(engines, "connect", connect)
    return engine


def begun(tmp_path: Path) -> RunContext:
    return RunContext(1, "never", None, {}, tmp_path, Progress.quiet())


def lives(engine: FakeEngine) -> list[tuple[str, float]]:
    registered = read_register(engine, Deadline.after(60, "the claims"))
    return [(claim.owner.run, claim.life) for claim in registered.claims]


def test_a_session_claims_its_engine_before_anything_else(engine: FakeEngine, tmp_path: Path) -> None:
    """The first thing that the engine is asked for is the claim; the run's directory names the engine."""
    session = begun(tmp_path)
    assert session.connect() is engine
    assert engine.asked[0].startswith("volume create ")
    assert lives(engine) == [(session.owner.run, LIFE_SECONDS)]
    assert engines_of(runtime_dir("runs") / session.owner.run) == {"engine-a"}
    session.close()
    assert (lives(engine), list(runtime_dir("runs").iterdir())) == ([], [])


def test_a_kept_cluster_has_a_claim_of_its_own_life(engine: FakeEngine, tmp_path: Path) -> None:
    """It is told how long the cluster stays."""
    session = begun(tmp_path)
    session.connect()
    session.keep_cluster(Cluster("c", Shape(), engine, tmp_path, "c", None, session.owner.run, tmp_path))
    session.close()
    assert lives(engine) == [(session.owner.run, KEPT_SECONDS)]
    assert "it stays for 30 days at most" in session.closing_lines
    assert runtime_dir("runs").joinpath(session.owner.run).is_dir()


def test_garbage_that_stays_keeps_no_run_from_beginning(
    engine: FakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is another run's, and is told at the end."""

    def refuse(*_: Any, **__: Any) -> None:
        raise HarnessError("garbage is left:\nx")

    monkeypatch.setattr(context, "collect_garbage", refuse)
    session = begun(tmp_path)
    assert session.connect() is engine
    assert session.closing_lines == ["garbage is left:", "x"]
    session.close()


@pytest.mark.parametrize("name", ["test_a[" + "x" * 300 + "]", "日" * 300, "test_\udc80\0/.."])
def test_a_name_that_no_directory_can_have(engine: FakeEngine, tmp_path: Path, name: str) -> None:
    """The directory of an experiment has the beginning of its name, and two with the same beginning are two."""
    session = begun(tmp_path)
    one = session.directory(name)
    one.mkdir(parents=True)
    two = session.directory(name)
    two.mkdir(parents=True)
    assert one.parent == two.parent == tmp_path / session.owner.run
