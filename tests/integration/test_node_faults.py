"""Faults on nodes of a real cluster: each bites and is healed, and a killed harness leaves what a replay heals."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from ipaddress import ip_network
from itertools import islice, pairwise
from pathlib import Path

import pytest

from chaos_harness.clusters.api.rest import request
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.shape import Shape
from chaos_harness.clusters.watching.watch import State, wait_until
from chaos_harness.harness.checks.node_loss import never_replaced, replaced_within
from chaos_harness.harness.errors import FaultNotApplied
from chaos_harness.harness.experiment.workload import Controller, deploy
from chaos_harness.harness.faults import Fault
from chaos_harness.harness.faults.nodes.drain import _Drain, _NodeRemoval, drain_node, remove_node
from chaos_harness.harness.faults.nodes.heartbeats import Heartbeat, read_heartbeat, wait_back
from chaos_harness.harness.faults.nodes.isolate import _CutOff, cut_off_node
from chaos_harness.harness.faults.nodes.power import (
    KILLED_NODE,
    _Down,
    _Reboot,
    kill_node,
    pause_node,
    reboot_node,
    stop_node,
)
from chaos_harness.harness.faults.nodes.stopped_kubelet import _StoppedKubelet, stop_kubelet
from chaos_harness.harness.history import read
from chaos_harness.harness.history.node_loss import PHASES
from chaos_harness.harness.history.node_scene import Scene, Scope
from chaos_harness.harness.probes.objects import USUAL, WORKLOAD, WORKLOAD_EVENTS, watch_objects
from chaos_harness.harness.probes.running import Probes
from chaos_harness.harness.undo import journal
from tests.fakes.bench import Bench

pytestmark = [pytest.mark.cluster, pytest.mark.beside]

ROOT = Path(__file__).parents[2]
_NO_SERVICE, _CANNOT_CONNECT = "10.96.255.250", 7
_APART = 3.0
"""By how many seconds two watches may tell of two things in the wrong order: each is opened again at times."""
_HEARTBEATS = 3


@pytest.fixture(scope="module")
def cluster(build: Callable[..., Cluster]) -> Cluster:
    return build(Shape(gatekeeper=None, registry=False))


@pytest.fixture
def bench(cluster: Cluster, tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(cluster, tmp_path)
    yield bench
    bench.close()


FAULTS: dict[str, tuple[Callable[[str], Fault], type[Fault], str]] = {
    "kill": (kill_node, _Down, "is exited (exit code 137); its lease, due every 10 s, is not renewed for"),
    "stop": (stop_node, _Down, "is exited"),
    "pause": (pause_node, _Down, "is paused; its lease"),
    "reboot": (reboot_node, _Reboot, "ran since"),
    "cut off": (cut_off_node, _CutOff, "dropped"),
    "drain": (drain_node, _Drain, "pods were evicted"),
    "remove": (remove_node, _NodeRemoval, "the API server knows no node"),
    "stop kubelet": (stop_kubelet, _StoppedKubelet, "containers run on"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_bites_and_heals(cluster: Cluster, bench: Bench, name: str) -> None:
    """Each fault proves that the node is lost, and that it is back at its old address, by what is heard of it since."""
    make, _, proof = FAULTS[name]
    victim, addresses = cluster.workers[-1], _addresses(cluster)
    somebody = deploy("chaos-lost", Controller("Deployment", "a"), on=victim)
    with somebody.make(cluster, bench.journal) if name == "drain" else nullcontext():
        fault = make(victim)
        stranger = _no_pod_of(cluster, victim)
        bench.inject(fault)
        try:
            assert proof in bench.observed(fault, 45)
            if name == "remove":
                assert _ways_out(cluster, stranger) == []
        finally:
            bench.heal(fault)
        assert victim in bench.healed(fault, 120)
    assert bench.pending() == []
    assert _addresses(cluster) == addresses
    assert _ways_out(cluster, stranger) == []


@pytest.mark.parametrize("name", FAULTS)
def test_no_op(cluster: Cluster, bench: Bench, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A fault that was turned into a no-op is FaultNotApplied, not green."""
    make, kind, _ = FAULTS[name]
    monkeypatch.setattr(kind, "inject", lambda *_: None)
    with pytest.raises(FaultNotApplied):
        bench.observed(make(cluster.workers[-1]), 3)


def test_silence_is_not_believed_too_soon(cluster: Cluster, bench: Bench) -> None:
    """A node that lives renews its lease before the time that proves its death, so nobody takes it for dead."""
    fault = cut_off_node(cluster.workers[-1])
    said = []
    for _ in range(_HEARTBEATS):  # on a busy machine one may come later than that time
        with cluster.client() as api:
            fault._last = read_heartbeat(api, cluster.workers[-1])  # type: ignore[attr-defined]
        try:
            bench.observed(fault, 30)
        except FaultNotApplied as error:
            said.append(str(error))
            break
    assert "renewed its lease" in "".join(said)


CHILD = """
import sys
from pathlib import Path
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.engine import connect
from chaos_harness.harness.faults.nodes.drain import drain_node, remove_node
from chaos_harness.harness.faults.nodes.isolate import cut_off_node
from chaos_harness.harness.faults.nodes.power import kill_node, pause_node, stop_node
from chaos_harness.harness.faults.injection import Injection
from chaos_harness.harness.history import HistoryWriter
from chaos_harness.harness.undo.journal import Journal

name, folder, *todo = sys.argv[1:]
cluster = Cluster.open(connect(), name)
journal, history = Journal(Path(folder) / "child.jsonl"), HistoryWriter(Path(folder) / "child-history.jsonl")
for each in todo:
    kind, _, number = each.partition(" ")
    globals()[f"{kind}_node"](cluster.workers[int(number)]).inject(Injection(cluster, journal, history))
print("broken", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("todo", [("drain 0", "pause 0", "stop 1"), ("remove 0", "cut_off 0", "kill 1")], ids=str)
def test_killed_in_the_middle(cluster: Cluster, tmp_path: Path, todo: tuple[str, ...]) -> None:
    """What a harness that is killed (SIGKILL) leaves of nodes, a replay of its journal brings back."""
    with cluster.client() as api:
        before = {node: read_heartbeat(api, node) for node in cluster.workers}
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, cluster.name, str(tmp_path), *todo],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout
        assert child.stdout.readline() == "broken\n"
        child.send_signal(signal.SIGKILL)
    path = tmp_path / "child.jsonl"
    assert len(journal.pending(path)) >= len(todo)
    journal.replay(path, cluster.engine)
    assert journal.pending(path) == []
    for node, last in before.items():
        wait_back(cluster, node, Heartbeat(renewed=last.renewed), Deadline.after(120, f"{node} to be back"))
    with cluster.client() as api:
        nodes = request(api, "GET", "/api/v1/nodes")["items"]
    assert not [node for node in nodes if node["spec"].get("unschedulable")]
    for worker in cluster.workers:
        rules = cluster.exec(worker, ["iptables", "-t", "mangle", "-S"], Deadline.after(30, "the rules")).stdout
        assert "chaos-harness" not in rules


def test_a_workload_outlives_its_node(cluster: Cluster, bench: Bench) -> None:
    """Pods of a lost node are replaced on the other one, in phases that the history tells; a DaemonSet's pod stays."""
    victim, other = cluster.workers
    probes = Probes(bench.history)
    probes.start(*watch_objects(cluster, bench.history, (*USUAL, *WORKLOAD, *WORKLOAD_EVENTS)))
    controllers = (Controller("Deployment", "a", 2), Controller("DaemonSet", "d"))
    with deploy("chaos-workload", *controllers, on=victim).make(cluster, bench.journal) as proof:
        assert [part.split()[2].rstrip(",") for part in proof.split(", ")].count(victim) == 3
        fault = kill_node(victim)
        bench.history.append("invoke", "fault 1", "inject", {"name": fault.name})
        bench.inject(fault)
        bench.history.append("ok", "fault 1", "observed", {"name": fault.name, "proof": bench.observed(fault, 45)})
        try:
            deadline = Deadline.after(120, "replacements")
            with cluster.client() as api:
                wait_until(
                    api, "/api/v1/namespaces/chaos-workload/pods", lambda state: _ready_on(state, other) == 3, deadline
                )
        finally:
            bench.heal(fault)
        bench.healed(fault, 120)
        probes.give_signs()
        recorded = read(bench.history.path, so_far=True)
        verdict = replaced_within(120, KILLED_NODE)(recorded)
        assert verdict.outcome == "holds", verdict
        assert replaced_within(20, KILLED_NODE)(recorded).outcome == "violated"
        for lost_pod in Scene(recorded, Scope(KILLED_NODE)).lost:
            moments = [lost_pod.phases()[phase] for phase in PHASES if phase != "pull"]
            assert lost_pod.phases()["pull"] > moments[0], "of which an event tells, and events may come late"
            assert moments[0] > 30, "the API server knew sooner than its grace period says"
            assert all(later >= earlier - _APART for earlier, later in pairwise(moments)), lost_pod
        outlives = never_replaced(KILLED_NODE, kinds=("DaemonSet",))(recorded)
        assert outlives.outcome == "inconclusive", outlives
        assert "1 of 1 pods lacked the mutation before" in outlives.summary, "no policy is in force here"
    probes.stop()
    with cluster.client() as api:
        gone = Deadline.after(60, "the namespace to go")
        wait_until(api, "/api/v1/namespaces", lambda state: "chaos-workload" not in state, gone)


def _ready_on(state: State, node: str) -> int:
    return sum(
        1
        for pod in state.values()
        for condition in pod.get("status", {}).get("conditions") or ()
        if condition["type"] == "Ready" and condition["status"] == "True" and pod["spec"].get("nodeName") == node
    )


def _no_pod_of(cluster: Cluster, node: str) -> str:
    """Return an address that no pod has, of those that are the node's to give."""
    with cluster.client() as api:
        spec = request(api, "GET", f"/api/v1/nodes/{node}")["spec"]
    return str(next(islice(ip_network(spec["podCIDR"]).hosts(), 249, None)))


def _ways_out(cluster: Cluster, pod: str) -> list[str]:
    """Return what each node knows of a way, out of the cluster's nodes, to a pod and a Service that are not there."""
    nodes, deadline = set(_addresses(cluster).values()), Deadline.after(60, "ways out")
    ways = []
    for node in cluster.nodes():
        done = cluster.exec(node, ["ip", "route", "get", pod], deadline, check=False)
        _, via, after = done.stdout.partition(" via ")
        if done.returncode == 0 and not (via and after.split()[0] in nodes):
            ways.append(f"{node}: {done.stdout}")
        curl = ["curl", "--silent", "--show-error", "--max-time", "3", f"http://{_NO_SERVICE}"]
        done = cluster.exec(node, curl, deadline, check=False)
        if done.returncode != _CANNOT_CONNECT:
            ways.append(f"{node}: {done.stdout}{done.stderr}")
    return ways


def _addresses(cluster: Cluster) -> dict[str, str]:
    inspected = cluster.engine.run(["inspect", *cluster.nodes()], Deadline.after(30, "the addresses")).stdout
    networks_by_name = {
        container["Name"]: container["NetworkSettings"]["Networks"] for container in json.loads(inspected)
    }
    return {name: networks[cluster.network]["IPAddress"] for name, networks in networks_by_name.items()}
