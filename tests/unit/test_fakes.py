"""Fakes take and refuse what the real programs take and refuse, as it was recorded from them."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from chaos_harness.clusters.api.rest import request
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.errors import ApiRefused
from chaos_harness.clusters.machine.process import CommandResult
from tests.fakes.commands import INVENTORY, NODES, Command
from tests.fakes.crash_world import CrashWorld
from tests.fakes.docker import FakeDocker
from tests.fakes.engine import FakeEngine
from tests.fakes.node_world import NODE, NodeWorld
from tests.fakes.nodes import IMAGE
from tests.fakes.record import Answer, Names, answer, asked, filled, names_of_run, recorded

Docker = Callable[[list[str], str | None], CommandResult]

_RECORDED = recorded()
_NODE = '{"apiVersion": "v1", "kind": "Node", "metadata": {"name": "w-worker"}, "spec": {}}'
_NAMES = {
    "plane": "w-control-plane",
    "worker": NODE,
    "registry": "w-registry",
    "network": "w",
    "address": "10.0.0.254:5000",
    "host": "10.0.0.254",
    "webhook": "10.0.0.9:8443",
    "image": IMAGE,
    "node": _NODE,
}


def _world(directory: Path) -> tuple[FakeDocker, Names]:
    world = NodeWorld.inhabited()
    world.pod_containers["a1"] = {
        "node": "w-control-plane",
        "uid": "",
        "pid": 1,
        "running": True,
        "name": "kube-apiserver",
    }
    with world.cluster(directory):
        return world, _NAMES | {"pod": "uid-a", "container": "c1", "header": world.header}


def _harmed(directory: Path) -> tuple[FakeDocker, Names]:
    world = CrashWorld()
    world.cluster(directory)
    return world, _NAMES | {"pod": "uid-a", "container": "c", "header": world.header}


def _otherwise(
    docker: Docker, commands: Sequence[Command], names: Names, on_record: Sequence[Answer]
) -> list[tuple[Answer, Answer]]:
    """Return what a fake answers otherwise, with what is on record."""
    differences = []
    for command, real in zip(commands, on_record, strict=True):
        stdin = None if command.stdin is None else filled(command.stdin, names)
        given = answer(command, docker(asked(command, names), stdin), names)
        if given != real:
            differences.append((given, real))
    return differences


@pytest.mark.parametrize("make", [_world, _harmed])
@pytest.mark.parametrize("tried", NODES)
def test_worlds_answer_as_recorded(
    make: Callable[[Path], tuple[FakeDocker, Names]], tried: str, tmp_path: Path
) -> None:
    """A cluster in memory takes and refuses commands as docker and the programs in real nodes do."""
    fake, names = make(tmp_path)
    assert _otherwise(fake.docker, NODES[tried], names, _RECORDED["nodes"][tried]) == []


@pytest.mark.parametrize("tried", INVENTORY)
def test_the_fake_engine_answers_as_recorded(tried: str) -> None:
    """An engine in memory takes and refuses commands on what it has as docker does."""
    engine = FakeEngine()

    def docker(words: list[str], _stdin: str | None) -> CommandResult:
        done = engine.docker(words)
        return CommandResult(done.stdout.replace("id-chaos-none", "0" * 64), done.stderr, done.returncode)

    assert _otherwise(docker, INVENTORY[tried], names_of_run("r"), _RECORDED["inventory"][tried]) == []


@pytest.mark.parametrize("verb", ["POST", "PATCH", "DELETE"])
def test_a_world_knows_what_it_has(cluster: Cluster, verb: str) -> None:
    """Its API takes no change of what is not there."""
    with cluster.client() as api, pytest.raises(ApiRefused) as refused:
        request(api, verb, "/api/v1/namespaces/gatekeeper-system/pods/nobody", body={})
    assert refused.value.status == 404
