"""Faults on nodes, in a world of our own: each proves that it bit and that it is healed, by what is true."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pytest
from kubernetes.client import ApiClient

from chaos_harness.clusters.api.rest import request
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.engine import retry
from chaos_harness.clusters.machine.process import CommandResult
from chaos_harness.clusters.shape import Shape
from chaos_harness.harness.errors import ApiUnreachable, BadScenario, CommandFailed, FaultNotApplied
from chaos_harness.harness.faults import Fault
from chaos_harness.harness.faults.nodes import victims
from chaos_harness.harness.faults.nodes.drain import drain_node, remove_node
from chaos_harness.harness.faults.nodes.isolate import cut_off_node
from chaos_harness.harness.faults.nodes.power import kill_node, pause_node, reboot_node, resume, start, stop_node
from chaos_harness.harness.history import read
from tests.fakes.bench import Bench
from tests.fakes.node_world import NODE, NodeWorld


@pytest.fixture
def world() -> NodeWorld:
    return NodeWorld.inhabited()


LASTING: dict[str, tuple[Callable[[str], Fault], str, str]] = {
    "kill": (kill_node, "killed node", "w-worker is exited (exit code 137); its lease, due every 0 s, is not"),
    "stop": (stop_node, "stopped node", "w-worker is exited"),
    "pause": (pause_node, "paused node", "w-worker is paused"),
    "cut": (cut_off_node, "cut off node", "dropped"),
    "drain": (drain_node, "drained node", "1 pods were evicted from w-worker and are gone"),
    "remove": (remove_node, "removed node", "the API server knows no node w-worker"),
}


@pytest.mark.parametrize("name", LASTING)
def test_proves_and_heals(bench: Bench, name: str) -> None:
    """A lost node is proved to be lost, again at the end, and to be back; nothing is left in the journal."""
    make, how, proof = LASTING[name]
    fault = make(NODE)
    bench.inject(fault)
    assert proof in bench.observed(fault)
    assert proof in bench.observed(fault)
    with pytest.raises(FaultNotApplied):
        bench.healed(fault, 0.1)
    assert bench.pending()
    bench.heal(fault)
    assert NODE in bench.healed(fault)
    assert bench.pending() == []
    harm = [entry for entry in read(bench.history.path).entries if entry.process == "harm"]
    assert [(entry.f, entry.value) for entry in harm] == [(how, {"node": NODE})]


def test_a_lease_renewed_since(bench: Bench, world: NodeWorld) -> None:
    """A node whose container is down but whose lease is renewed all the same is not lost."""
    fault = kill_node(NODE)
    bench.inject(fault)
    world.lease = lambda name: {"spec": {"renewTime": name + str(len(world.asked)), "leaseDurationSeconds": 0.4}}  # type: ignore[method-assign]
    with pytest.raises(FaultNotApplied, match="renewed its lease"):
        bench.observed(fault)


@pytest.mark.parametrize("name", ["kill", "pause", "cut"])
def test_a_node_that_says_ready_from_before_is_not_back(bench: Bench, world: NodeWorld, name: str) -> None:
    """A node that says Ready from before, and whose kubelet is not heard since, is not back."""
    fault = LASTING[name][0](NODE)
    bench.inject(fault)
    bench.observed(fault)
    world.deaf = {NODE}
    bench.heal(fault)
    with pytest.raises(FaultNotApplied, match="lease renewed since"):
        bench.healed(fault, 0.3)


def test_a_webhook_keeps_leases_from_being_renewed(bench: Bench, world: NodeWorld) -> None:
    """A restarted node that has reported Ready is back, though webhooks that nobody answers for deny its lease."""
    fault = kill_node(NODE)
    bench.inject(fault)
    world.deaf, world.closed = {NODE}, True
    bench.heal(fault)
    assert bench.healed(fault).endswith("it cannot renew its lease: failed calling webhook: no endpoints")
    world._reported.clear()
    with pytest.raises(FaultNotApplied, match="lease renewed since"):
        bench.healed(fault, 0.3)


def test_ready_from_before_the_restart(bench: Bench, world: NodeWorld) -> None:
    """A kubelet that was restarted and renews its lease is not back before it has reported Ready anew."""
    fault = kill_node(NODE)
    bench.inject(fault)
    bench.heal(fault)
    world._reported.clear()
    with pytest.raises(FaultNotApplied, match="lease renewed since"):
        bench.healed(fault, 0.3)


@pytest.mark.parametrize("change", [{"ready": "Unknown"}, {"taints": ["node.kubernetes.io/unreachable"]}])
def test_not_yet_ready(bench: Bench, world: NodeWorld, change: dict[str, object]) -> None:
    """A node that is heard again but is not Ready, or still tainted as lost, is not back."""
    fault = pause_node(NODE)
    bench.inject(fault)
    bench.heal(fault)
    world.__dict__ |= change
    with pytest.raises(FaultNotApplied, match=r"Unknown|unreachable"):
        bench.healed(fault, 0.3)


def test_packets_must_be_dropped(bench: Bench, world: NodeWorld) -> None:
    """Rules that no packet has met prove no cut."""
    world.packets = 0
    fault = cut_off_node(NODE)
    bench.inject(fault)
    with pytest.raises(FaultNotApplied, match="dropped none"):
        bench.observed(fault, 0.5)


def test_a_node_that_is_reached_is_not_cut_off(bench: Bench, world: NodeWorld) -> None:
    """A kubelet that answers a control plane is reached, whatever its lease says."""
    world.leaky = True
    fault = cut_off_node(NODE)
    bench.inject(fault)
    with pytest.raises(FaultNotApplied, match="w-control-plane reaches its port 10250"):
        bench.observed(fault, 0.5)


def test_a_busy_node_is_frozen_at_last(bench: Bench, world: NodeWorld) -> None:
    """A node that cannot be frozen at once is tried again."""
    world.stubborn = 2
    bench.inject(pause_node(NODE))
    assert world.state(NODE) == "paused"


def test_a_node_that_cannot_be_killed(bench: Bench, world: NodeWorld) -> None:
    """What the engine says when it refuses for another reason than being busy is told."""
    docker = world.docker
    refused = CommandResult("", "Error response from daemon: permission denied", 1)
    world.docker = lambda words, stdin=None: refused if words[0] == "kill" else docker(words, stdin)  # type: ignore[method-assign]
    with pytest.raises(CommandFailed, match="permission denied"):
        bench.inject(kill_node(NODE))


def test_a_node_with_frozen_pods_dies_at_last(
    bench: Bench, world: NodeWorld, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What runc has just frozen in a node keeps it from dying: it is thawed, and the node ends."""

    def thaw(directories: Iterable[Path]) -> None:
        assert list(directories) == [tmp_path / world.containers[NODE].id]
        world.held.clear()
        world.containers[NODE].status = "exited"

    world.held = {NODE}
    monkeypatch.setattr(retry, "cgroups_of", lambda container: [tmp_path / container])
    monkeypatch.setattr(retry, "thaw", thaw)
    bench.inject(kill_node(NODE))
    assert world.state(NODE) == "exited"


@pytest.mark.parametrize(("fault", "status"), [(kill_node, "exited"), (pause_node, "exited"), (pause_node, "paused")])
def test_what_docker_would_refuse_is_refused_before(
    bench: Bench, world: NodeWorld, fault: Callable[[str], Fault], status: str
) -> None:
    """A node that does not run can be neither killed nor paused: that is told before an undo is promised."""
    world.containers[NODE].status = status
    with pytest.raises(FaultNotApplied, match=f"expected w-worker to be running, it is {status}"):
        bench.inject(fault(NODE))
    assert bench.pending() == []


def test_a_reboot_is_proved_by_a_new_start(bench: Bench, world: NodeWorld) -> None:
    """A reboot is proved by a new start of the container and a kubelet that is heard since."""
    fault = reboot_node(NODE)
    bench.inject(fault)
    assert bench.pending()
    assert "ran since 0, now since" in bench.observed(fault)
    bench.heal(fault)
    assert "is Ready" in bench.healed(fault)
    assert bench.pending() == []


def test_keeps_its_address(bench: Bench, world: NodeWorld) -> None:
    """A node is started with the address it had, which the engine would give to another one."""
    fault = kill_node(NODE)
    bench.inject(fault)
    bench.heal(fault)
    assert "network connect --ip 10.0.0.3 w w-worker" in world.asked
    world.containers[NODE].address = "10.0.0.77"
    with pytest.raises(FaultNotApplied, match=r"10\.0\.0\.3 again"):
        bench.healed(fault)


def test_address_is_fixed_once(bench: Bench, world: NodeWorld) -> None:
    """A node whose address is fixed already is just started."""
    world.containers[NODE].fixed = "10.0.0.3"
    fault = stop_node(NODE)
    bench.inject(fault)
    bench.heal(fault)
    assert not [question for question in world.asked if question.startswith("network")]


@pytest.mark.parametrize(("action", "verb"), [(start, "start"), (resume, "unpause")])
def test_an_engine_that_refuses(cluster: Cluster, world: NodeWorld, action: Callable[..., None], verb: str) -> None:
    """An undo that the engine refuses is an error, so that it stays in the journal."""
    world.containers[NODE].status = "exited"
    docker = world.docker
    refused = CommandResult("", "Error response from daemon: no space left on device", 1)
    world.docker = lambda words, stdin=None: refused if words[0] == verb else docker(words, stdin)  # type: ignore[method-assign]
    place = {"network": "w", "address": "10.0.0.3"} if verb == "start" else {}
    with pytest.raises(CommandFailed, match="no space left"):
        action(cluster.engine, node=NODE, **place)


@pytest.mark.parametrize("make", [row[0] for row in LASTING.values()] + [reboot_node])
@pytest.mark.parametrize(("node", "message"), [("nobody", "has no node"), ("w-control-plane", "only control plane")])
def test_nodes_that_must_not_be_lost_are_refused(
    bench: Bench, make: Callable[[str], Fault], node: str, message: str
) -> None:
    """A node that is not there, and the only one that could tell that it is lost, are refused before any harm."""
    with pytest.raises(BadScenario, match=message):
        bench.inject(make(node))
    assert bench.pending() == []


ALL = ["w-control-plane", "w-worker", "w-worker2"]


def _silence(bench: Bench, monkeypatch: pytest.MonkeyPatch, world: NodeWorld) -> None:
    """Let the API server answer only while its node runs."""

    def ask(api: ApiClient, method: str, path: str, **options: object) -> object:
        if world.state("w-control-plane") != "running":
            raise ApiUnreachable(f"{method} {path}", ConnectionRefusedError("refused"))
        return request(api, method, path, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(victims, "request", ask)


@pytest.mark.parametrize("make", [kill_node, stop_node, pause_node])
def test_all_at_once(
    bench: Bench, world: NodeWorld, monkeypatch: pytest.MonkeyPatch, make: Callable[[Sequence[str]], Fault]
) -> None:
    """All nodes go down by one command; it is proved by an API server that does not answer, and they start in order."""
    _silence(bench, monkeypatch, world)
    fault = make(ALL)
    bench.inject(fault)
    down = [words for words in world.asked if words.endswith(" ".join(ALL))]
    assert len(down) == 1
    proof = bench.observed(fault)
    assert all(f"{node} is " in proof for node in ALL)
    assert proof.endswith("no API server answers: ConnectionRefusedError('refused')")
    assert len(bench.pending()) == len(ALL)
    world.asked.clear()
    bench.heal(fault)
    up = [words.split()[1] for words in world.asked if words.split()[0] in ("start", "unpause")]
    assert up == ALL[::-1]
    healed = bench.healed(fault)
    assert all(f"{node} is Ready, its lease renewed" in healed for node in ALL)
    harm = [entry for entry in read(bench.history.path).entries if entry.process == "harm"]
    assert [entry.value for entry in harm] == [{"node": node} for node in ALL]


def test_an_api_server_that_answers(bench: Bench, world: NodeWorld) -> None:
    """If it still answers when all nodes should be down, they are not."""
    fault = kill_node(ALL)
    bench.inject(fault)
    with pytest.raises(FaultNotApplied, match="expected no API server to answer without w-control-plane, w-worker, w-"):
        bench.observed(fault, 0.5)


def test_all_must_be_back(bench: Bench, world: NodeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """One whose kubelet is not heard again is not back, though it renewed its lease just before all went down."""
    _silence(bench, monkeypatch, world)
    fault = stop_node(ALL)
    bench.inject(fault)
    bench.heal(fault)
    world.deaf = {"w-worker2"}
    world._heard["w-worker2"] = 10_000
    with pytest.raises(FaultNotApplied, match="expected w-worker2 to be Ready with a lease renewed since"):
        bench.healed(fault, 0.5)


def test_some_workers_at_once(bench: Bench, world: NodeWorld) -> None:
    """While a control plane is left, each lost node is proved to be lost by its own lease."""
    fault = kill_node(["w-worker", "w-worker2", "w-worker"])
    bench.inject(fault)
    assert bench.observed(fault).count("its lease, due every 0 s, is not renewed") == 2
    bench.heal(fault)
    assert bench.healed(fault).count("is Ready") == 2


def test_one_of_several_that_does_not_run(bench: Bench, world: NodeWorld) -> None:
    """It is told before anything is done to the others."""
    world.containers["w-worker2"].status = "exited"
    with pytest.raises(FaultNotApplied, match="expected w-worker2 to be running, it is exited"):
        bench.inject(kill_node(["w-worker", "w-worker2"]))
    assert bench.pending() == []
    assert world.state("w-worker") == "running"


def test_all_rebooted(bench: Bench, world: NodeWorld) -> None:
    """They are rebooted one after the other, and each of them must have started anew and be back."""
    fault = reboot_node(ALL)
    bench.inject(fault)
    assert [words.split()[-1] for words in world.asked if words.startswith("restart")] == ALL
    assert bench.observed(fault).count("ran since 0, now since") == len(ALL)
    bench.heal(fault)
    assert bench.healed(fault).count("is Ready") == len(ALL)


@pytest.mark.parametrize("make", [kill_node, stop_node, pause_node, reboot_node])
def test_no_nodes_at_all(make: Callable[[Sequence[str]], Fault]) -> None:
    """An empty list is refused."""
    with pytest.raises(BadScenario, match="expected a node, or a list of nodes, found an empty list"):
        make([])


def test_two_of_three_control_planes(world: NodeWorld, tmp_path: Path) -> None:
    """Too few are left for one that could tell: then no API server can be asked; of one, the others tell."""
    world.shape = Shape(control_planes=3, workers=1)
    planes = ["w-control-plane", "w-control-plane2", "w-control-plane3"]
    with world.cluster(tmp_path) as cluster:
        for count, unheard in ((1, False), (2, True), (3, True)):
            lost = victims.Victims(planes[:count])
            lost.require(cluster)
            assert lost.unheard is unheard
