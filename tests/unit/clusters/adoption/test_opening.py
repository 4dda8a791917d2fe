"""Opening: an adopted cluster is used only while its containers are the recorded ones."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from chaos_harness.clusters.adoption import opening, record
from chaos_harness.clusters.adoption.nodes import find
from chaos_harness.clusters.adoption.opening import examine, open_adopted, what_changed, while_unused
from chaos_harness.clusters.adoption.record import Adoption
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.errors import BadScenario, NotOurs
from tests.fakes.engine import FakeEngine
from tests.fakes.rest_server import RestServer, cluster_on, rest_server
from tests.fakes.users import adopted, kind_cluster

_NODES = ("dev-control-plane", "dev-worker")
_DEPLOYMENTS = "/apis/apps/v1/namespaces/gatekeeper-system/deployments"


@pytest.fixture
def engine() -> FakeEngine:
    engine = FakeEngine()
    kind_cluster(engine)
    return engine


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[RestServer]:
    """Serve the API of the adopted cluster, with two Ready nodes and Gatekeeper from its chart."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with rest_server() as server:
        server.answers = {
            "/api/v1/nodes": {"items": [_node(name) for name in _NODES]},
            "/version": {"gitVersion": "v1.36.4"},
            _DEPLOYMENTS: _controller("openpolicyagent/gatekeeper:v3.23.1", **{"helm.sh/chart": "gatekeeper-3.23.1"}),
        }
        cluster_on(server, FakeEngine(), record.folder_of("dev"))  # writes its kubeconfig
        yield server


def _node(name: str, ready: str = "True") -> dict[str, Any]:
    return {"metadata": {"name": name}, "status": {"conditions": [{"type": "Ready", "status": ready}]}}


def _controller(image: str, **labels: str) -> dict[str, Any]:
    metadata = {"name": "gatekeeper-controller-manager", "labels": labels}
    return {"items": [{"metadata": metadata, "spec": {"template": {"spec": {"containers": [{"image": image}]}}}}]}


def _soon() -> Deadline:
    return Deadline.after(5, "the cluster")


def _open(engine: FakeEngine, adoption: Adoption | None = None) -> Any:
    return open_adopted(engine, adoption or adopted(), "r")


def test_an_adopted_cluster_is_opened(engine: FakeEngine, api: RestServer) -> None:
    """Commands run in its containers, and nothing of them is removed or copied into."""
    cluster = _open(engine)
    assert (cluster.nodes(), cluster.registry, cluster.adopted, cluster.run) == (list(_NODES), None, True, "r")
    cluster.exec("dev-worker", ["true"], _soon())
    for words in (["rm", "--force", "dev-worker"], ["commit", "dev-worker", "x"], ["cp", "/a", "dev-worker:/a"]):
        with pytest.raises(NotOurs, match="dev-worker: expected the label"):
            cluster.engine.run(words, _soon())


def test_without_adoption_nothing_is_done(engine: FakeEngine) -> None:
    """The same engine, as others have it, refuses to touch the user's containers."""
    with pytest.raises(NotOurs, match="dev-worker: expected the label"):
        engine.run(["pause", "dev-worker"], _soon())


def test_a_container_that_was_made_again_is_another_one(engine: FakeEngine, api: RestServer) -> None:
    """Its id decides, not its name: neither is the cluster opened, nor anything done to it by who opened it before."""
    before = _open(engine)
    engine.things["container/new"] = {**engine.things.pop("container/id-dev-worker"), "Id": "new"}
    engine.things["container/dev-worker"] = engine.things["container/new"]
    changed = what_changed(engine, adopted(), _soon())
    assert (list(changed.gone), list(changed.other)) == ([], ["dev-worker"])
    assert changed.alive == frozenset(["id-dev-control-plane"])
    with pytest.raises(BadScenario, match="not the ones that were adopted: dev-worker made again, with another id"):
        _open(engine)
    with pytest.raises(NotOurs):
        before.exec("dev-worker", ["true"], _soon())


def test_a_deleted_cluster_is_told(engine: FakeEngine, api: RestServer) -> None:
    """All of its containers are named, and what to type next."""
    engine.things.clear()
    with pytest.raises(BadScenario, match=r"dev-control-plane, dev-worker deleted; `nox -s release -- dev`"):
        _open(engine)


def test_another_engine_is_refused(engine: FakeEngine, api: RestServer) -> None:
    """The ids of a record mean nothing elsewhere."""
    with pytest.raises(BadScenario, match="is on another engine than the one at"):
        _open(engine, adopted(engine="engine-b"))


def test_a_cluster_of_another_shape_now_is_refused(engine: FakeEngine, api: RestServer) -> None:
    """Gatekeeper was upgraded meanwhile: the fingerprint from before is of another cluster."""
    api.answers[_DEPLOYMENTS] = _controller("openpolicyagent/gatekeeper:v3.20.1", **{"helm.sh/chart": "x"})
    with pytest.raises(BadScenario, match=r"it was .*-g3\.23\.1-chart.*, and is .*-g3\.20\.1-chart.* now"):
        _open(engine)


@pytest.mark.parametrize(
    ("deployment", "version", "install"),
    [
        (_controller("openpolicyagent/gatekeeper:v3.20.1"), "v3.20.1", "manifest"),
        (_controller("mirror:5000/gatekeeper:v3.20.1@sha256:ab", **{"helm.sh/chart": "x"}), "v3.20.1", "chart"),
        (_controller("g@sha256:ab", **{"helm.sh/chart": "gatekeeper-3.20.1"}), "v3.20.1", "chart"),
        (None, None, "chart"),
    ],
)
def test_the_shape_is_read(
    engine: FakeEngine, api: RestServer, deployment: Any, version: str | None, install: str
) -> None:
    """Versions come from the API server and from Gatekeeper's image, or its chart; nothing is assumed."""
    api.answers[_DEPLOYMENTS] = deployment
    shape = examine(_cluster(engine), _soon())
    assert (shape.gatekeeper, shape.install, shape.kubernetes) == (version, install, "v1.36.4")
    assert (shape.nodes, shape.registry) == (2, False)


def _cluster(engine: FakeEngine) -> Any:
    return opening._cluster(engine, "dev", "kind", adopted().shape, "r")


def test_a_version_that_nobody_tells_is_a_problem(engine: FakeEngine, api: RestServer) -> None:
    """An image named by its digest alone could be any version, and expectations depend on it."""
    api.answers[_DEPLOYMENTS] = _controller("gatekeeper@sha256:ab")
    with pytest.raises(BadScenario, match=r"the version of Gatekeeper .* is not known.*found gatekeeper@sha256:ab"):
        examine(_cluster(engine), _soon())


def test_a_node_that_is_not_ready_is_a_problem(engine: FakeEngine, api: RestServer) -> None:
    """A half-dead cluster is no steady state; a node that the API server does not know counts, too."""
    api.answers["/api/v1/nodes"] = {"items": [_node("dev-control-plane", "Unknown")]}
    with pytest.raises(BadScenario, match="dev-control-plane, dev-worker not Ready"):
        examine(_cluster(engine), _soon())


def test_the_kubeconfig_leads_to_the_published_address(tmp_path: Path) -> None:
    """It is the administrator's, from the control plane, in a file that nobody else may read."""
    engine = FakeEngine()
    kind_cluster(engine)
    server = find(engine, "dev", _soon()).server
    opening._write(tmp_path / "kubeconfig", yaml.safe_dump({"clusters": [{"cluster": {"server": "x"}}]}), server)
    written = tmp_path / "kubeconfig"
    assert yaml.safe_load(written.read_text())["clusters"][0]["cluster"]["server"] == "https://127.0.0.1:6001"
    assert written.stat().st_mode & 0o777 == 0o600


def test_one_process_uses_it_at_a_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Who comes second is told so at once, and can come when the first has ended."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with while_unused("dev") as first, while_unused("dev") as second, while_unused("other") as other:
        assert (first, second, other) == (True, False, True)
    with while_unused("dev") as again:
        assert again
