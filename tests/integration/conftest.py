"""What tests on real engines and clusters share: live progress, clusters, and an engine of one's own to break."""

import functools
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.creation.create import create, delete
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine, Layout, claims, connect, stop_private
from chaos_harness.clusters.garbage import Owner
from chaos_harness.clusters.gatekeeper.readiness import wait_until_serving
from chaos_harness.clusters.images import ensure
from chaos_harness.clusters.shape import Shape
from chaos_harness.clusters.terminal.progress import Progress
from chaos_harness.harness.experiment.lifecycle import Experiment
from tests.fakes.tiny import tiny_context

_PROGRESS = pytest.StashKey[Progress]()
_AGAIN_SECONDS = 120.0


def pytest_configure(config: pytest.Config) -> None:
    """Keep the way to the terminal: what takes minutes is told while it lasts, and pytest captures the original."""
    stream = os.fdopen(os.dup(2), "w", buffering=1)
    config.add_cleanup(stream.close)
    config.stash[_PROGRESS] = Progress(stream)


@pytest.fixture(scope="session")
def progress(pytestconfig: pytest.Config) -> Progress:
    return pytestconfig.stash[_PROGRESS]


@pytest.fixture(scope="session")
def engine(progress: Progress) -> Engine:
    return connect(progress=progress)


@pytest.fixture(scope="module")
def build(engine: Engine, progress: Progress) -> Iterator[Callable[..., Cluster]]:
    """Return who makes clusters of a shape that go after the last test of the file."""
    with _builder(engine, progress) as bring_up:
        yield bring_up


@pytest.fixture(scope="session")
def shared_clusters(engine: Engine, progress: Progress) -> Iterator[Callable[..., Cluster]]:
    with _builder(engine, progress) as bring_up:
        yield functools.cache(bring_up)


@pytest.fixture(scope="module")
def shared_cluster(request: pytest.FixtureRequest, shared_clusters: Callable[..., Cluster]) -> Iterator[Cluster]:
    """Give the cluster of all files that take it, one after the other: the first has it new, each leaves it healed.

    Files that run beside others name one `xdist_group`. It goes after the last one's tests.
    """
    cluster = shared_clusters(Shape())
    wait_until_serving(cluster, Deadline.after(_AGAIN_SECONDS, "the cluster of several files to be as it was"))
    yield cluster
    users = (item for item in request.session.items if request.fixturename in getattr(item, "fixturenames", ()))
    if [item.path for item in users][-1] == request.path:
        delete(cluster)


@contextmanager
def _builder(engine: Engine, progress: Progress) -> Iterator[Callable[..., Cluster]]:
    owner = Owner.mine()
    claims.hold(engine, owner)
    made: list[Cluster] = []

    def bring_up(shape: Shape, **settings: Any) -> Cluster:
        images = settings.pop("images", None) or ensure(engine, shape, progress)
        made.append(create(engine, images, shape, owner, owner.claim(engine.id), progress, **settings))
        return made[-1]

    yield bring_up
    for cluster in made:
        delete(cluster)
    claims.release(engine, owner.run)


@pytest.fixture
def make(cluster: Cluster, tmp_path: Path, progress: Progress) -> Callable[[], Experiment]:
    """Return who makes an experiment on the file's cluster."""
    return lambda: Experiment(cluster, tmp_path / "try", name="try", seed=1, progress=progress)


@pytest.fixture(scope="module")
def layout() -> Iterator[Layout]:
    """Give the engine places with short names: the path of a socket has 107 characters at most."""
    root = Path(tempfile.mkdtemp(prefix="chaos-", dir="/tmp"))
    layout = Layout(f"chaos-test-{os.getpid()}", root / "data", root / "run")
    yield layout
    stop_private(layout=layout)
    shutil.rmtree(root)


@pytest.fixture(scope="session")
def context(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_context(tmp_path_factory.mktemp("context"))
