"""Upgrades: what is journaled before a change of the version, what proves it, and what its undo goes back to."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.machine.process import CommandResult
from chaos_harness.clusters.shape import Shape
from chaos_harness.harness.errors import BadScenario, CommandFailed, DeadlineExceeded, FaultNotApplied
from chaos_harness.harness.faults.workloads import upgrades
from chaos_harness.harness.faults.workloads.upgrades import go_back, rollback_gatekeeper, upgrade_gatekeeper
from chaos_harness.harness.history import read
from chaos_harness.harness.history.vocabulary import HARM, UPGRADED
from tests.fakes.bench import Bench
from tests.fakes.engine import FakeEngine
from tests.fakes.rest_server import RestServer, cluster_on, rest_server
from tests.gatekeeper_names import CONTROLLER, DEPLOYMENTS, NAMESPACE

_PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"


class _World:
    """A Gatekeeper whose pods are replaced as soon as its version is changed."""

    def __init__(self, server: RestServer) -> None:
        self.version = "v3.18.3"
        self.did: list[str] = []
        self.error: Exception | None = None
        self.lags = False
        server.answers[DEPLOYMENTS] = lambda: {"items": [self._deployment(name) for name in ("audit", CONTROLLER)]}
        server.answers[_PODS] = lambda: {"items": [self._pod(f"{CONTROLLER}-{number}") for number in range(2)]}

    def change(self, how: str, version: str) -> None:
        self.did.append(f"{how} {version}")
        if self.error:
            raise self.error
        self.version = version

    def serving(self, *_: object) -> list[str]:
        if isinstance(self.error, DeadlineExceeded):
            raise self.error
        return [f"{CONTROLLER}-{number}" for number in range(2)]

    def _deployment(self, name: str) -> dict[str, Any]:
        containers = [{"image": f"openpolicyagent/gatekeeper:{self.version}"}]
        return {"metadata": {"name": name}, "spec": {"template": {"spec": {"containers": containers}}}}

    def _pod(self, name: str) -> dict[str, Any]:
        image = f"openpolicyagent/gatekeeper:{'v3.18.3' if self.lags else self.version}"
        metadata = {"name": name, "uid": f"uid-{name}", "namespace": NAMESPACE}
        status = {"phase": "Pending", "conditions": [{"type": "Ready", "status": "False"}]}
        return {
            "metadata": metadata,
            "spec": {"nodeName": "c-worker", "containers": [{"image": image}]},
            "status": status,
        }


@pytest.fixture
def server() -> Iterator[RestServer]:
    with rest_server() as server:
        yield server


@pytest.fixture
def world(server: RestServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> _World:
    made = _World(server)
    monkeypatch.setattr(upgrades, "manifest", lambda version: _manifest(tmp_path, version))
    monkeypatch.setattr(upgrades, "upgrade", lambda _, version, method, __: made.change(method, version))
    monkeypatch.setattr(upgrades, "roll_back_chart", lambda _, version, __: made.change("helm rollback", version))
    monkeypatch.setattr(upgrades, "wait_until_serving", made.serving)
    monkeypatch.setattr(upgrades, "undo_by_kubectl", _kubectl(made))
    return made


def _manifest(folder: Path, version: str) -> Path:
    path = folder / f"{version}.yaml"
    path.write_text(version, encoding="utf-8")
    return path


def _kubectl(world: _World) -> Any:
    def run(*argv: Any, **options: Any) -> CommandResult | None:
        world.did.append(f"kubectl {argv[3]} {options.get('stdin') or ''}".strip())
        return CommandResult("", "", 0) if world.error is None else None

    return run


def _bench(server: RestServer, folder: Path, install: str = "manifest") -> Bench:
    shape = Shape.parse({"gatekeeper": "v3.18.3", "install": install})
    return Bench(cluster_on(server, FakeEngine(), folder, shape), folder)


@pytest.fixture
def bench(server: RestServer, world: _World, tmp_path: Path) -> Iterator[Bench]:
    bench = _bench(server, tmp_path)
    yield bench
    bench.close()


def test_an_upgrade_is_proved_by_the_pods_that_serve(bench: Bench, world: _World) -> None:
    """All that serve are of the version, and no Deployment asks for another one; each pod of before was harmed."""
    fault = upgrade_gatekeeper("v3.20.1")
    bench.inject(fault)
    assert world.did == ["manifest v3.20.1"]
    assert bench.observed(fault).endswith("serve admission by v3.20.1; all Deployments are rolled out")
    harmed = [
        entry.value["pod"] for entry in read(bench.history.path).entries if (entry.process, entry.f) == (HARM, UPGRADED)
    ]
    assert harmed == [f"{CONTROLLER}-0", f"{CONTROLLER}-1"]


def test_pods_of_the_version_of_before_prove_nothing(bench: Bench, world: _World) -> None:
    """Serving alone is no proof: an old replica serves, too."""
    fault = upgrade_gatekeeper("v3.20.1")
    bench.inject(fault)
    world.lags = True
    with pytest.raises(FaultNotApplied, match=r"expected v3\.20\.1 to serve, found .*gatekeeper:v3\.18\.3"):
        bench.observed(fault)


def test_several_changes_go_back_to_the_first_version_once(bench: Bench, world: _World) -> None:
    """The last one that is healed goes back to what there was before the first; the others are kept."""
    faults = [upgrade_gatekeeper("v3.20.1"), upgrade_gatekeeper("v3.23.1"), rollback_gatekeeper("v3.20.1")]
    for fault in faults:
        bench.inject(fault)
    assert [undo.arguments["version"] for undo in bench.pending()] == ["v3.18.3"] * 3
    world.did.clear()
    for fault in reversed(faults):
        bench.heal(fault)
    assert world.did == ["kubectl apply v3.18.3"]
    assert bench.pending() == []


def test_the_undo_is_written_before_the_change(bench: Bench, world: _World) -> None:
    """A change that fails half-way leaves its undo in the journal."""
    world.error = CommandFailed("hook failed")
    with pytest.raises(FaultNotApplied):
        bench.inject(upgrade_gatekeeper("v3.20.1"))
    assert [undo.arguments["version"] for undo in bench.pending()] == ["v3.18.3"]


def test_a_release_that_does_not_get_ready_says_why(
    bench: Bench, world: _World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reason is that of its own pods, also if a hook of the chart is what fails."""
    monkeypatch.setattr(upgrades, "reasons", lambda _: ["crds: ErrImagePull not found"])
    fault = upgrade_gatekeeper("v3.20.1")
    bench.inject(fault)
    world.error = DeadlineExceeded("expected Gatekeeper to serve")
    with pytest.raises(FaultNotApplied, match=r"expected v3\.20\.1 to serve(.|\n)*crds: ErrImagePull not found"):
        bench.observed(fault)
    world.error = CommandFailed("pre-upgrade hooks failed")
    with pytest.raises(FaultNotApplied, match=r"pre-upgrade hooks failed\ncrds: ErrImagePull not found"):
        bench.inject(upgrade_gatekeeper("v3.23.1"))


@pytest.mark.parametrize(
    ("to", "by", "problem"),
    [("v3.18.3", None, "it is v3.18.3 already"), ("v3.20.1", "chart", "installed by its manifest, not by its chart")],
)
def test_what_cannot_be_changed_is_refused(bench: Bench, world: _World, to: str, by: Any, problem: str) -> None:
    """Nothing is journaled, and nothing done."""
    with pytest.raises(BadScenario, match=problem):
        bench.inject(upgrade_gatekeeper(to, by))
    assert (world.did, bench.pending()) == ([], [])


def test_a_cluster_without_gatekeeper_has_nothing_to_upgrade(bench: Bench, server: RestServer) -> None:
    """There is no Deployment of its image."""
    server.answers[DEPLOYMENTS] = {"items": []}
    with pytest.raises(BadScenario, match="the cluster has no Gatekeeper"):
        bench.inject(upgrade_gatekeeper("v3.20.1"))


def test_by_the_chart_helm_goes_back(server: RestServer, world: _World, tmp_path: Path) -> None:
    """A rollback is helm's, and so is the undo."""
    bench = _bench(server, tmp_path, "chart")
    faults = [upgrade_gatekeeper("v3.20.1"), rollback_gatekeeper("v3.18.3")]
    for fault in faults:
        bench.inject(fault)
    for fault in reversed(faults):
        bench.heal(fault)
    bench.close()
    assert world.did == ["chart v3.20.1", "helm rollback v3.18.3", "kubectl get", "helm rollback v3.18.3"]


def test_the_undo_of_a_cluster_that_is_gone_does_nothing(cluster: Cluster, world: _World) -> None:
    """No control plane is left to ask: helm, which would wait for one, is not called."""
    world.error = CommandFailed("x")
    go_back(cluster.engine, control_plane="p", version="v3.18.3", install="chart", kubeconfig="/gone")
    assert world.did == ["kubectl get"]


@pytest.fixture
def cluster(server: RestServer, tmp_path: Path) -> Cluster:
    return cluster_on(server, FakeEngine(), tmp_path)


def test_it_may_take_longer_than_other_faults_to_show(bench: Bench) -> None:
    """A rollout of all replicas takes minutes on a busy machine."""
    assert upgrade_gatekeeper("v3.20.1").proved_within == Deadline.after(300, "x").seconds  # type: ignore[attr-defined]
    assert bench.pending() == []


def test_claims_are_about_the_version_that_it_brings() -> None:
    """An incident goes back to the first version only after its claims are judged."""
    assert upgrade_gatekeeper("v3.20.1").stays  # type: ignore[attr-defined]
    assert rollback_gatekeeper("v3.18.3").stays  # type: ignore[attr-defined]
