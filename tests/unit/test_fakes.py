"""Fakes take and refuse what the real programs take and refuse, as it was recorded from them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.commands import NODES, Command
from tests.fakes.docker import FakeDocker
from tests.fakes.harmed import Harmed
from tests.fakes.lossy import NODE, LossyWorld
from tests.fakes.nodes import IMAGE
from tests.fakes.record import Answer, Names, answer, asked, filled, recorded

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
    world = LossyWorld.inhabited()
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
    world = Harmed()
    world.cluster(directory)
    return world, _NAMES | {"pod": "uid-a", "container": "c", "header": world.header}


def _otherwise(fake: FakeDocker, commands: Sequence[Command], names: Names, on_record: Sequence[Answer]) -> list[Any]:
    """Return what a fake answers otherwise, with what is on record."""
    differences = []
    for command, real in zip(commands, on_record, strict=True):
        stdin = None if command.stdin is None else filled(command.stdin, names)
        given = answer(command, fake.docker(asked(command, names), stdin), names)
        if given != real:
            differences.append((given, real))
    return differences


@pytest.mark.parametrize("make", [_world, _harmed])
@pytest.mark.parametrize("tried", NODES)
def test_worlds_answer_as_recorded(make: Any, tried: str, tmp_path: Path) -> None:
    """A cluster in memory takes and refuses commands as docker and the programs in real nodes do."""
    fake, names = make(tmp_path)
    assert _otherwise(fake, NODES[tried], names, _RECORDED["nodes"][tried]) == []
