"""API server fault, in a world of our own: it proves that it bit and that it is healed, and a no-op is found out."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.machine.process import CommandResult
from chaos_harness.clusters.shape import Shape
from chaos_harness.harness.errors import BadScenario, FaultNotApplied
from chaos_harness.harness.faults.control_plane.api_server import _KILL_AND_ASK as KILL_AND_ASK
from chaos_harness.harness.faults.control_plane.api_server import CRASHED, restart_api_server
from chaos_harness.harness.history import read
from chaos_harness.harness.history.vocabulary import HARM
from tests.fakes.bench import Bench
from tests.fakes.docker import Container
from tests.fakes.grammar import Call
from tests.fakes.world import World

NODE = "w-control-plane"


class ControlPlane(World):
    """A node that runs an API server; `restarts` is whether the kubelet starts it again."""

    def __init__(self) -> None:
        super().__init__()
        self.serving: str | None = "a1"
        self.restarts = True
        self.refuses = True
        self.ready = "ok"
        self.nodes: list[str] = []

    def processes(self, container: Container) -> Mapping[str, dict[str, Any]]:
        self.nodes.append(container.name)
        labels = {"io.kubernetes.pod.name": f"kube-apiserver-{NODE}", "io.kubernetes.pod.uid": "hash"}
        process = {"uid": "hash", "pid": 99, "running": True, "name": "kube-apiserver", "attempt": 1, "labels": labels}
        return {self.serving: process} if self.serving else {}

    def curl(self, container: Container, call: Call, stdin: str | None) -> CommandResult:
        assert call.words[0].endswith("/readyz")
        return CommandResult(self.ready, "", 0)

    def script(self, container: Container, script: str, words: Sequence[str]) -> CommandResult:
        assert script == KILL_AND_ASK
        assert list(words) == ["kill", "99"]
        if not self.refuses:
            return CommandResult("livez was asked 100 times, curl's last status is 0\n", "", 2)
        self.serving = "b2" if self.restarts else None
        return CommandResult("", "", 0)


@pytest.fixture
def world() -> ControlPlane:
    return ControlPlane()


@pytest.fixture
def cluster(world: ControlPlane, tmp_path: Path) -> Iterator[Cluster]:
    with world.cluster(tmp_path) as cluster:
        yield cluster


def test_a_restart_is_proved_and_healed(bench: Bench, world: ControlPlane) -> None:
    """A killed API server is proved by a refused connection and a new container, its health by readyz."""
    fault = restart_api_server()
    bench.inject(fault)
    proof = bench.observed(fault)
    assert proof.endswith("refused a connection, and container a1 has ended")
    bench.heal(fault)
    assert bench.healed(fault) == f"readyz on {NODE} says ok; container b2 runs, attempt 1"
    assert set(world.nodes) == {NODE}
    assert bench.pending() == []


def test_node_can_be_chosen(world: ControlPlane, tmp_path: Path) -> None:
    """Of several control planes one is named; what is none of them is refused."""
    world.shape = Shape(control_planes=3, workers=1)
    with world.cluster(tmp_path) as cluster:
        bench = Bench(cluster, tmp_path)
        bench.inject(restart_api_server("w-control-plane2"))
        for name in ("w-worker", "kind-control-plane"):
            with pytest.raises(BadScenario, match=f"has no node '{name}'; there are w-control-plane, w-control-plane2"):
                bench.inject(restart_api_server(name))
        bench.close()
    assert set(world.nodes) == {"w-control-plane2"}


def test_tells_what_it_ends(bench: Bench) -> None:
    """The history says which container of which pod ends, before it does, so that nobody else is blamed."""
    bench.inject(restart_api_server())
    (harm,) = [entry for entry in read(bench.history.path).entries if entry.process == HARM]
    pod = {"pod": f"kube-apiserver-{NODE}", "uid": "hash", "node": NODE, "containers": ["a1"], "owner": ""}
    assert harm.f == CRASHED
    assert harm.value == pod


def test_a_kill_that_ends_no_connection_is_not_applied(bench: Bench, world: ControlPlane) -> None:
    """A kill after which connections are still taken is not applied."""
    world.refuses = False
    fault = restart_api_server()
    bench.inject(fault)
    with pytest.raises(FaultNotApplied, match="to refuse connections: livez was asked 100 times"):
        bench.observed(fault, 0.3)
    assert "container a1 runs" in bench.healed(fault)


def test_a_container_that_runs_on_was_not_killed(bench: Bench, world: ControlPlane) -> None:
    """A container that still runs was not killed, whatever became of a connection."""
    fault = restart_api_server()
    bench.inject(fault)
    world.serving = "a1"
    with pytest.raises(FaultNotApplied, match=r"expected container a1 of kube-apiserver .* it runs"):
        bench.observed(fault, 0.3)


def test_not_started_again(bench: Bench, world: ControlPlane) -> None:
    """That the kubelet waits before it starts it again is no matter of the harm's proof, but of its healing."""
    world.restarts = False
    fault = restart_api_server()
    bench.inject(fault)
    assert "container a1 has ended" in bench.observed(fault, 0.3)
    with pytest.raises(FaultNotApplied, match="it said nothing: no container ran"):
        bench.healed(fault, 0.3)


def test_a_node_without_an_api_server_has_none_to_kill(bench: Bench, world: ControlPlane) -> None:
    """A node without an API server has none to kill."""
    world.serving = None
    with pytest.raises(FaultNotApplied, match="it does not"):
        bench.inject(restart_api_server())


def test_an_api_server_that_is_not_ready_is_not_healed(bench: Bench, world: ControlPlane) -> None:
    """It is healed when readyz says so, and not before."""
    fault = restart_api_server()
    bench.inject(fault)
    world.ready = "[-]poststarthook/rbac failed"
    with pytest.raises(FaultNotApplied, match=r"it said .*rbac failed"):
        bench.healed(fault, 0.3)
