"""Fixtures that several unit tests share: stand-ins that each of them wants fresh, and a session that takes seconds."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from kubernetes.client import ApiClient

from chaos_harness.clusters.cluster import Cluster
from tests.brisk import brisk_pauses, real_pauses
from tests.fakes.api_server import FakeApiServer
from tests.fakes.crash_world import CrashWorld
from tests.fakes.crashes import Run
from tests.fakes.policy_server import PolicyServer
from tests.fakes.world import World
from tests.own_machine import own_machine
from tests.recording import bench, history, undo
from tests.sessions import SCENARIOS, Session, run

__all__ = ["bench", "brisk_pauses", "history", "own_machine", "real_pauses", "undo"]


@pytest.fixture(scope="session")
def every_kind(tmp_path_factory: pytest.TempPathFactory) -> Session:
    """Run one session with a test of every kind, whose output is not a terminal."""
    return run(tmp_path_factory.mktemp("session"), SCENARIOS, "--tb=no")


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    """Give a process of the test's own, which it may end."""
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process
        process.kill()


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def cluster(world: World, tmp_path: Path) -> Iterator[Cluster]:
    """Give the cluster of whatever world the test has."""
    with world.cluster(tmp_path) as cluster:
        yield cluster


@pytest.fixture
def policy_server() -> PolicyServer:
    return PolicyServer()


@pytest.fixture
def server() -> Iterator[FakeApiServer]:
    with FakeApiServer() as server:
        yield server


@pytest.fixture
def api(server: FakeApiServer) -> Iterator[ApiClient]:
    with server.client() as api:
        yield api


@pytest.fixture
def live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Run]]:
    monkeypatch.setattr("chaos_harness.harness.faults.registry.remove_image._PULL_SECONDS", 0.0)
    monkeypatch.setattr("chaos_harness.harness.faults.nodes.drain._DRAIN_SECONDS", 0.2)
    monkeypatch.setattr("chaos_harness.harness.faults.objects.delete._GONE_SECONDS", 0.2)
    monkeypatch.setattr("os.fsync", lambda _: None)  # the disk's part is tests/unit/harness/undo/test_journal.py's
    monkeypatch.setattr("time.sleep", lambda _: None)
    opened: list[Run] = []

    def live() -> Run:
        """Begin a life of the harness on a world of its own."""
        folder = tmp_path / str(len(opened))
        folder.mkdir()
        world = CrashWorld()
        cluster = world.cluster(folder)
        opened.append(Run(world, cluster, folder))
        return opened[-1]

    yield live
    for life in opened:
        life.end()
