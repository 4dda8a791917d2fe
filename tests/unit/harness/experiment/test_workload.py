"""Workload: what is deployed for an experiment to lose, in a world of our own."""

import pytest

from chaos_harness.harness.errors import BadScenario, DeadlineExceeded, PreparationFailed
from chaos_harness.harness.experiment import workload
from chaos_harness.harness.experiment.workload import Controller, deploy
from chaos_harness.harness.policies import POD_LEVEL, WantedParts
from chaos_harness.harness.undo import journal
from tests.fakes.bench import Bench
from tests.fakes.node_world import NodeWorld

PAUSE = "registry.k8s.io/pause:3.10"
ALL = (Controller("Deployment", "a", 2), Controller("StatefulSet", "b"), Controller("DaemonSet", "c"))


@pytest.fixture
def world() -> NodeWorld:
    world = NodeWorld()
    for node in ("w-worker", "w-worker2"):
        world.containers[node].images = {PAUSE, f"only-on/{node}/pause:1"}
    return world


@pytest.mark.parametrize("on", ["w-worker", "w-worker2"])
def test_all_on_one_node(bench: Bench, world: NodeWorld, on: str) -> None:
    """All pods are on the chosen node, DaemonSets' on every worker, and every node takes pods again afterwards."""
    with deploy("chaos-x", *ALL, on=on).make(bench.cluster, bench.journal) as proof:
        where, _, image = proof.rpartition(" run ")
        assert [place.rpartition(" on ")[2] for place in where.split(", ")].count(on) == 4
        assert image == PAUSE
        assert world.cordoned == set()
        assert [undo.action for undo in bench.pending()] == ["objects.delete"]
    assert world.applied == {}
    assert bench.pending() == []


def test_what_is_deployed(bench: Bench, world: NodeWorld) -> None:
    """Pods leave a lost node after 5 s, run an image that is there, and need nobody's permission."""
    with deploy("chaos-x", *ALL, on="w-worker").make(bench.cluster, bench.journal):
        made = {manifest["kind"]: manifest for manifest in world.applied.values()}
    assert set(made) == {"Namespace", "Deployment", "StatefulSet", "DaemonSet"}
    assert made["Deployment"]["spec"]["replicas"] == 2
    assert "replicas" not in made["DaemonSet"]["spec"]
    pod = made["Deployment"]["spec"]["template"]["spec"]
    assert {toleration["tolerationSeconds"] for toleration in pod["tolerations"]} == {5}
    assert pod["containers"][0]["image"] == PAUSE


@pytest.mark.parametrize(("carrying", "anew"), [(POD_LEVEL, 3), (None, 0)])
def test_what_was_missed_is_admitted_anew(
    bench: Bench, world: NodeWorld, carrying: WantedParts | None, anew: int
) -> None:
    """Pods that are to carry the mutation, and were let through without it, are born again from a mutated template."""
    world.missed = 2
    with deploy("chaos-x", *ALL, on="w-worker", carrying=carrying).make(bench.cluster, bench.journal) as proof:
        assert [POD_LEVEL.are_in(pod) for pod in world.workload()] == [bool(carrying)] * 3 + [True] * 2
    assert proof.partition("; ")[2] == f"{anew} were admitted again because they lacked the mutation" * bool(carrying)


def test_what_is_missed_again_and_again(bench: Bench, world: NodeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pods that never carry the mutation are no workload to lose."""
    monkeypatch.setattr(workload, "_SECONDS", 1.0)
    world.missed = 1000
    with pytest.raises(DeadlineExceeded, match="to be Ready and carry the mutation on w-worker"):
        deploy("chaos-x", *ALL, on="w-worker", carrying=POD_LEVEL).make(bench.cluster, bench.journal).__enter__()


def test_a_crash_leaves_nothing(bench: Bench, world: NodeWorld) -> None:
    """What the journal has takes the namespace away and opens the nodes, whenever the harness is killed."""
    world.ready = "False"
    block = deploy("chaos-x", *ALL, on="w-worker").make(bench.cluster, bench.journal)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workload, "_SECONDS", 0.5)
        patch.setattr("chaos_harness.harness.undo.promises.Undos.run", lambda *_: None)
        with pytest.raises(DeadlineExceeded):
            block.__enter__()
    assert world.cordoned == {"w-worker2"}
    journal.replay(bench.journal.path, bench.cluster.engine)
    assert world.cordoned == set()
    assert world.applied == {}


def test_no_common_image(bench: Bench, world: NodeWorld) -> None:
    """Nodes that share no sandbox image could not start the pods."""
    world.containers["w-worker"].images.discard(PAUSE)
    block = deploy("chaos-x", *ALL, on="w-worker").make(bench.cluster, bench.journal)
    with pytest.raises(PreparationFailed, match="expected an image"):
        block.__enter__()


def test_foreign_namespace() -> None:
    """A namespace to which policies do not apply, or that is somebody's, is refused."""
    with pytest.raises(BadScenario, match="begins with 'chaos-'"):
        deploy("default", *ALL, on="w-worker")
