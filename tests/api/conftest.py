"""What tests on a real API server without nodes share: the server of the process, and a clean state for every test."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from kubernetes.client import ApiClient

from chaos_harness.clusters.cluster import Cluster
from tests.live_api.binaries import Binaries, here
from tests.live_api.cluster import live_cluster
from tests.live_api.server import ApiServer
from tests.own_machine import own_machine
from tests.recording import bench, history, undo

__all__ = ["bench", "history", "own_machine", "undo"]

_HERE = Path(__file__).parent
_MOST_LOG = 4000


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what lies here."""
    for test in items:
        if _HERE in test.path.parents:
            test.add_marker("api")


@pytest.fixture(scope="session")
def binaries() -> Binaries:
    return here()


@pytest.fixture(scope="session")
def _running(binaries: Binaries, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    with ApiServer.started(binaries, tmp_path_factory.mktemp("api")) as server:
        yield server


@pytest.fixture
def server(_running: ApiServer, request: pytest.FixtureRequest) -> Iterator[ApiServer]:
    """Give the API server of this process, in the state in which it started; its logs stay when a test fails."""
    failed = request.session.testsfailed
    yield _running
    if request.session.testsfailed > failed:
        request.node.add_report_section("teardown", "kube-apiserver", _running.logs())
    _running.reset()


@pytest.fixture
def api(server: ApiServer) -> Iterator[ApiClient]:
    with server.client() as api:
        yield api


@pytest.fixture
def cluster(server: ApiServer, binaries: Binaries, tmp_path: Path) -> Cluster:
    """Give a cluster of one control plane and one worker, of which there is nothing but the API."""
    return live_cluster(server, binaries.kubectl, tmp_path)
