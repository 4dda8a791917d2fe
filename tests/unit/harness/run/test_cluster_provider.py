"""Cluster provider: when a run's clusters come from the pool, and what keeps one from going back."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.errors import ClusterUnavailable
from chaos_harness.clusters.garbage import JOURNAL
from chaos_harness.clusters.kind.logs import LogKeeper
from chaos_harness.clusters.pool import capacity
from chaos_harness.clusters.shape import Shape
from chaos_harness.clusters.terminal.progress import Progress
from chaos_harness.harness.run import cluster_provider
from chaos_harness.harness.run.cluster_provider import ClusterProvider
from chaos_harness.harness.run.context import RunContext
from chaos_harness.harness.undo.journal import Journal, Undo
from tests.fakes.engine import FakeEngine

_NEXT = Shape(install="chart")


class FakePool:
    """Notes what it is asked for; `why` is the reason that it gives for taking nothing back."""

    did: list[str]
    names: set[str]
    why: list[str]
    error: Exception | None

    def __init__(self, engine: Any, progress: Any, *, name: str) -> None:
        self._engine = engine
        self.names.add(name)

    def get(self, shape: Shape, _images: Any, logs: LogKeeper) -> Cluster:
        self.did.append(f"get {shape.install}")
        logs.folder.mkdir(parents=True, exist_ok=True)
        return Cluster("c", shape, self._engine, logs.folder / "kubeconfig", "c", None, "r", logs.folder)

    def make(self, shape: Shape, images: Any, logs: LogKeeper) -> Cluster:
        made = self.get(shape, images, logs)
        self.did[-1] = f"make {shape.install}"
        return made

    def restore(self, _cluster: Cluster, *, broken: str | None) -> list[str]:
        self.did.append(f"restore {broken or ''}".strip())
        return self.why

    def remove(self, cluster: Cluster) -> None:
        self.did.append(f"remove {cluster.shape.install}")

    def fill(self, shape: Shape, *_: Any) -> None:
        self.did.append(f"fill {shape.install}")
        if self.error:
            raise self.error

    def give_back(self, _cluster: Cluster, *, broken: str | None) -> list[str]:
        self.did.append(f"back {broken or ''}".strip())
        return self.why


def create(engine: Any, _images: Any, shape: Shape, _owner: Any, directory: Path, *_: Any, **__: Any) -> Cluster:
    """Pretend to create a cluster that is never used again."""
    FakePool.did.append(f"create {shape.install}")
    return Cluster("c", shape, engine, directory / "kubeconfig", "c", None, "r", directory)


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> RunContext:
    FakePool.did, FakePool.names, FakePool.why, FakePool.error = [], set(), [], None
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(cluster_provider, "Pool", FakePool)
    monkeypatch.setattr(capacity, "processor_refusal", lambda: "busy")
    monkeypatch.setattr("chaos_harness.clusters.creation.create.create", create)
    monkeypatch.setattr("chaos_harness.clusters.creation.create.delete", lambda cluster: FakePool.did.append("delete"))
    return RunContext(1, "never", None, {}, tmp_path, Progress.quiet(), pool=True)


def use(
    session: RunContext, during: Callable[[Cluster], object] = lambda _: None, upcoming: Shape | None = None
) -> ClusterProvider:
    supply = ClusterProvider(session, FakeEngine(), lambda _: None)  # type: ignore[arg-type, return-value]  # no images needed
    with supply.cluster(Shape(), lambda: 0, upcoming) as cluster:
        during(cluster)
    return supply


def test_a_session_with_a_pool_leases_and_returns(session: RunContext) -> None:
    """Nothing is made or removed by the session itself, and nothing is told."""
    use(session)
    assert (FakePool.did, session.remarks) == (["get manifest", "back"], [])


def test_a_session_has_the_pool_that_it_names(session: RunContext, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also for the cluster that is made ahead."""
    monkeypatch.setattr(capacity, "processor_refusal", lambda: None)
    session.pool_name = "nightly"
    use(session, upcoming=_NEXT).close()
    assert ("fill chart" in FakePool.did, FakePool.names) == (True, {"nightly"})


def test_a_session_that_keeps_clusters_uses_no_pool(session: RunContext) -> None:
    """What stands in the pool goes back or goes away; a kept one is its user's."""
    session.keep = "on-failure"
    assert not session.uses_pool


def test_what_differed_is_told(session: RunContext) -> None:
    """The end of the run says why a cluster was thrown away."""
    FakePool.why = ["changed: nodes c-worker", "new: configmaps x"]
    use(session)
    assert session.remarks == [
        "cluster c did not go back to the pool:",
        "  changed: nodes c-worker",
        "  new: configmaps x",
    ]


def test_what_was_not_undone_keeps_a_cluster_out_of_the_pool(session: RunContext) -> None:
    """The journal knows; nobody else gets such a cluster."""

    def harm(cluster: Cluster) -> None:
        written = Journal(cluster.directory / JOURNAL)
        written.record(Undo("containers.resume", {"node": "n"}))
        written.close()

    use(session, harm)
    assert FakePool.did[-1] == "back not undone: containers.resume(node='n')"


def test_a_journal_that_cannot_be_read_keeps_a_cluster_out_of_the_pool(session: RunContext) -> None:
    """What is not known to be healed is not healed, and the cluster is given back all the same."""
    use(session, lambda cluster: (cluster.directory / JOURNAL).mkdir())
    assert "Is a directory" in FakePool.did[-1]


def test_an_interrupt_does_not_keep_a_cluster_from_the_pool(
    session: RunContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C while a cluster is given back is raised afterwards."""
    FakePool.why = ["changed"]

    def late(_self: FakePool, _cluster: Cluster, *, broken: str) -> list[str]:
        os.kill(os.getpid(), signal.SIGINT)
        FakePool.did.append(f"back {broken or ''}".strip())
        return []

    monkeypatch.setattr(FakePool, "give_back", late)
    with pytest.raises(KeyboardInterrupt):
        use(session)
    assert FakePool.did[-1] == "back"


def test_a_journal_with_everything_undone_goes(session: RunContext) -> None:
    """The next scenario's evidence begins with its own."""

    def harm(cluster: Cluster) -> None:
        written = Journal(cluster.directory / JOURNAL)
        written.done(written.record(Undo("containers.resume", {"node": "n"})))
        written.close()
        session.histories = cluster.directory

    use(session, harm)
    assert FakePool.did[-1] == "back"
    assert not (session.histories / JOURNAL).exists()


def test_the_next_shape_is_made_ahead_on_an_idle_machine_only(
    session: RunContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scenario that measures does not share its cores."""
    use(session, upcoming=_NEXT).close()
    assert "fill chart" not in FakePool.did
    monkeypatch.setattr(capacity, "processor_refusal", lambda: None)
    use(session, upcoming=_NEXT).close()
    assert "fill chart" in FakePool.did


def test_a_cluster_that_could_not_be_made_ahead_is_told_and_no_more(
    session: RunContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next file makes its own."""
    monkeypatch.setattr(capacity, "processor_refusal", lambda: None)
    FakePool.error = ClusterUnavailable("no space")
    use(session, upcoming=_NEXT).close()
    assert session.remarks == ["no cluster could be made ahead: no space"]


def test_the_upcoming_shape_is_that_of_the_next_file(session: RunContext) -> None:
    """In the order in which files were collected; the last one has none."""
    session.shapes = {Path("a"): Shape(), Path("b"): _NEXT}
    assert [session.next_shape(Path(name)) for name in ("a", "b", "c")] == [_NEXT, None, None]


_SAME, _OTHER = Shape(), _NEXT


def use_all(session: RunContext, *shapes: Shape, is_stopping: bool = False) -> list[str]:
    """Use a cluster for each of these files, one after the other; return what was done in a run without the pool."""
    session.pool = False
    supply = ClusterProvider(session, FakeEngine(), lambda _: None)  # type: ignore[arg-type, return-value]  # no images needed
    for shape, upcoming in zip(shapes, [*shapes[1:], None], strict=True):
        with supply.cluster(shape, lambda: 0, upcoming, lambda: is_stopping):
            FakePool.did.append("use")
    supply.close()
    return FakePool.did


def test_files_of_one_shape_share_a_cluster_that_is_put_back(session: RunContext) -> None:
    """Nothing stands afterwards: the pool is not given anything."""
    did = use_all(session, _SAME, _SAME, _SAME)
    assert did == ["make manifest", "use", "restore", "use", "restore", "use", "remove manifest"]


def test_a_cluster_that_cannot_be_put_back_is_replaced(session: RunContext) -> None:
    """The next file gets a new one, and the run says why; its closing lines do not."""
    FakePool.why = ["changed: node w"]
    did = use_all(session, _SAME, _SAME)
    assert did == ["make manifest", "use", "restore", "remove manifest", "create manifest", "use", "delete"]
    assert session.remarks == []


def test_a_run_that_stops_puts_nothing_back(session: RunContext) -> None:
    """After an interrupt what stands is removed, and a reset would only delay that."""
    assert use_all(session, _SAME, _SAME, is_stopping=True)[:3] == ["make manifest", "use", "remove manifest"]


def test_a_shape_that_comes_once_is_created_as_ever(session: RunContext) -> None:
    """It needs no fingerprint, since nobody uses it again."""
    did = use_all(session, _OTHER, _SAME, _SAME)
    assert did[:4] == ["create chart", "use", "delete", "make manifest"]
