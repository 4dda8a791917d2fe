"""Tests of clusters.cluster: what is ours is found again by its labels, what is not is refused."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from chaos_harness.clusters.cluster import Cluster, cluster_labels
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.errors import ClusterUnavailable, CommandFailed, DeadlineExceeded, NotOurs
from chaos_harness.clusters.machine.process import CommandResult
from chaos_harness.clusters.registry.container import Registry
from chaos_harness.clusters.registry.login import Login
from chaos_harness.clusters.shape import Shape
from tests.fakes.engine import FakeEngine

_SHAPE = Shape(workers=1, install="chart")
_PORT = 21000


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    write_kubeconfig(tmp_path / "kubeconfig")
    return tmp_path


def write_kubeconfig(path: Path, *servers: str, mode: int = 0o600) -> None:
    clusters = [{"cluster": {"server": server}} for server in servers or [f"https://127.0.0.1:{_PORT}"]]
    path.write_text(yaml.safe_dump({"clusters": clusters}))
    path.chmod(mode)


def published(port: str, host_port: int) -> dict[str, Any]:
    return {"PortBindings": {port: [{"HostIp": "127.0.0.1", "HostPort": str(host_port)}]}}


def engine_with(directory: Path, *, ours: bool = True) -> FakeEngine:
    engine = FakeEngine()
    labels = {"chaos-harness.run": "r", **cluster_labels("c", _SHAPE, directory)} if ours else {}
    kind = {"io.x-k8s.kind.cluster": "c"}
    engine.add("container", "c-control-plane", {**kind, **labels}, HostConfig=published("6443/tcp", _PORT))
    engine.add("container", "c-worker", {**kind, **labels}, HostConfig={})
    if ours:
        networks = {"c": {"IPAMConfig": {"IPv4Address": "10.0.0.254"}}}
        host = published("5000/tcp", 22000)
        engine.add("container", "c-registry", labels, HostConfig=host, NetworkSettings={"Networks": networks})
        engine.add("network", "c", labels, IPAM={"Config": [{"Subnet": "fc00::/64"}, {"Subnet": "10.0.0.0/24"}]})
    return engine


def test_a_cluster_is_found_again_by_its_labels(directory: Path) -> None:
    """Shape, run, private files and registry come from labels of the containers, not from a file of state."""
    engine = engine_with(directory)
    login = Login(directory / "registry.password")
    registry = Registry(engine, "c-registry", "127.0.0.1:22000", "10.0.0.254:5000", "10.0.0.1", login)
    expected = Cluster("c", _SHAPE, engine, directory / "kubeconfig", "c", registry, "r", directory)
    assert Cluster.open(engine, "c") == expected


def test_a_cluster_without_its_network_is_told(directory: Path) -> None:
    """A cluster that is being removed is unavailable, which everybody expects of clusters."""
    engine = engine_with(directory)
    del engine.things["network/id-c"]
    with pytest.raises(ClusterUnavailable, match="its network is gone"):
        Cluster.open(engine, "c")


def test_a_container_of_another_cluster_is_refused(directory: Path) -> None:
    """Commands run in nodes and in the registry of the cluster, and nowhere else."""
    engine = engine_with(directory)
    cluster = Cluster.open(engine, "c")
    cluster.exec("c-worker", ["true"], Deadline.after(5, "x"))
    cluster.exec("c-registry", ["true"], Deadline.after(5, "x"))
    engine.asked.clear()
    for name in ("kind-control-plane", "--privileged", ""):
        with pytest.raises(
            NotOurs, match=r"cluster c has no container .*; it has c-control-plane, c-worker, c-registry"
        ):
            cluster.exec(name, ["true"], Deadline.after(5, "x"))
    assert engine.asked == []


def test_a_cluster_that_somebody_else_made_is_refused(directory: Path) -> None:
    """Node containers without our label are named and left alone."""
    with pytest.raises(NotOurs, match=r"c-control-plane, c-worker: expected the label chaos-harness\.run"):
        Cluster.open(engine_with(directory, ours=False), "c")


def test_a_cluster_that_is_not_there_is_told_with_those_that_are(directory: Path) -> None:
    """The names that could have been meant are listed."""
    with pytest.raises(ClusterUnavailable, match="no cluster d; there are: c"):
        Cluster.open(engine_with(directory), "d")


@pytest.mark.parametrize(
    ("servers", "mode"),
    [
        (["https://127.0.0.1:6443"], 0o600),
        (["https://production.example.com"], 0o600),
        ([f"https://127.0.0.1:{_PORT}", "https://production.example.com"], 0o600),
        ([f"https://127.0.0.1:{_PORT}"], 0o644),
    ],
)
def test_a_kubeconfig_that_is_not_ours_is_refused(directory: Path, servers: list[str], mode: int) -> None:
    """Another server, a second one, and a file that others can read were not written by this harness."""
    write_kubeconfig(directory / "kubeconfig", *servers, mode=mode)
    with pytest.raises(NotOurs, match="not the file that this harness wrote"):
        Cluster.open(engine_with(directory), "c")


@pytest.mark.parametrize("content", [None, ""])
def test_no_client_without_credentials(directory: Path, content: str | None) -> None:
    """A cluster whose kubeconfig is gone is unavailable, which everybody expects of clusters, and not a stranger."""
    cluster = Cluster("c", _SHAPE, FakeEngine(), directory / "kubeconfig", "c", None, "r", directory)
    cluster.kubeconfig.unlink()
    if content is not None:
        cluster.kubeconfig.write_text(content)
    with pytest.raises(ClusterUnavailable, match="no credentials of cluster c"):
        cluster.client()


@pytest.mark.parametrize("content", ["", "not: a kubeconfig", "{"])
def test_a_file_that_is_no_kubeconfig_is_refused(directory: Path, content: str) -> None:
    """What cannot be read as a kubeconfig is refused by its path."""
    (directory / "kubeconfig").write_text(content)
    with pytest.raises(NotOurs, match="expected the kubeconfig"):
        Cluster.open(engine_with(directory), "c")


def test_nodes_are_told_by_role(directory: Path) -> None:
    """Control planes come first."""
    cluster = Cluster.open(engine_with(directory), "c")
    assert (cluster.control_planes, cluster.workers) == (["c-control-plane"], ["c-worker"])
    assert cluster.nodes() == ["c-control-plane", "c-worker"]


def test_a_command_on_a_node_is_ended_there_too(directory: Path) -> None:
    """Leaving `docker exec` does not end what it started, so the node's own timeout does."""
    engine = engine_with(directory)
    Cluster.open(engine, "c").exec("c-worker", ["true"], Deadline.after(60, "x"))
    assert engine.asked[-1].startswith("exec c-worker timeout --kill-after=2 60.0 true")


@pytest.mark.parametrize(("status", "error"), [(1, CommandFailed), (124, CommandFailed)])
def test_a_command_that_fails_on_a_node_tells_what_it_said(
    directory: Path, monkeypatch: pytest.MonkeyPatch, status: int, error: type[Exception]
) -> None:
    """Status and output are in the error; 124 is a time-out only when the time is up."""
    cluster = Cluster.open(engine_with(directory), "c")
    monkeypatch.setattr(FakeEngine, "run", lambda *_, **__: CommandResult("", "no such file", status))
    with pytest.raises(error, match=rf"`ls x` on c-worker ended with status {status}:\nno such file"):
        cluster.exec("c-worker", ["ls", "x"], Deadline.after(60, "x"))
    assert cluster.exec("c-worker", ["ls"], Deadline.after(60, "x"), check=False).returncode == status


def test_a_command_that_runs_out_of_time_on_a_node_is_told(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The deadline's own error says what was waited for."""
    cluster = Cluster.open(engine_with(directory), "c")
    monkeypatch.setattr(FakeEngine, "run", lambda *_, **__: CommandResult("", "", 124))
    with pytest.raises(DeadlineExceeded, match="`sleep 9` still running on c-worker"):
        cluster.exec("c-worker", ["sleep", "9"], Deadline.after(0, "x"))
