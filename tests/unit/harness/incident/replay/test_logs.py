"""Logs: what nodes have of Gatekeeper, control plane and kubelet comes along without secrets, or is said to lack."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from chaos_harness.clusters.machine.process import CommandResult
from chaos_harness.clusters.shape import Shape
from chaos_harness.harness.errors import CommandFailed
from chaos_harness.harness.incident.machine import host
from chaos_harness.harness.incident.replay.image_digests import image_digests
from chaos_harness.harness.incident.replay.logs import collect

_POD = "/var/log/pods/gatekeeper-system_audit-1_uid/manager/0.log"


class _Nodes:
    """A cluster of two nodes, of which the second does not answer any more."""

    name = "w"
    workers = ("w-worker", "w-worker2")
    shape = Shape()

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.engine = self

    def nodes(self) -> Sequence[str]:
        return self.workers

    def run(self, argv: Sequence[str], _deadline: object) -> CommandResult:
        assert argv[-1] == "w-worker"
        return CommandResult("sha256:1\n", "", 0)

    def exec(self, node: str, argv: Sequence[str], _deadline: object, **_: Any) -> CommandResult:
        self.asked.append(argv[-1])
        if node == "w-worker2":
            raise CommandFailed("no such container: w-worker2")
        if argv[0] == "crictl":
            images = '{"images": [{"id": "sha256:2", "repoTags": ["docker.io/openpolicyagent/gatekeeper:v3.23.1"]}]}'
            return CommandResult(images, "", 0)
        if argv[-1].startswith("ls "):
            return CommandResult(f"{_POD}\n", "", 0)
        return CommandResult("Authorization: Bearer planted-0123456789abcdef\n", "", 0)


def test_collected(tmp_path: Path) -> None:
    """Each log is a file below its node's name, its secrets taken out; a node that does not answer is told."""
    nodes = _Nodes()
    missing = collect(nodes, tmp_path)  # type: ignore[arg-type]

    files = {
        path.relative_to(tmp_path).as_posix(): path.read_text(encoding="utf-8") for path in tmp_path.rglob("*.log")
    }
    assert set(files) == {"worker/gatekeeper-system.audit-1.manager.0.log", "worker/kubelet.log"}
    assert "planted" not in "".join(files.values())
    assert missing == ["logs of w-worker2: no such container: w-worker2"]
    assert f"tail -c 262144 {shlex.quote(_POD)}" in nodes.asked
    assert "kube-apiserver" in nodes.asked[0]


def test_digests() -> None:
    """The images of nodes and of Gatekeeper are told by their ids."""
    assert image_digests(_Nodes()) == {  # type: ignore[arg-type]
        "node": "sha256:1",
        "gatekeeper": "sha256:2 (docker.io/openpolicyagent/gatekeeper:v3.23.1)",
    }


def test_unknown_digests() -> None:
    """What cannot be had is said to be unknown."""
    nodes = _Nodes()
    nodes.workers = ("w-worker2", "w-worker2")
    nodes.run = lambda *_: CommandResult("sha256:1", "", 0)  # type: ignore[method-assign]

    assert image_digests(nodes) == {"node": "sha256:1", "gatekeeper": "unknown"}  # type: ignore[arg-type]


def test_host() -> None:
    """The machine is told by what it can do, not by its name."""
    facts = host()

    assert int(facts["processors"]) >= 1
    assert int(facts["memory MiB"]) >= 256
    assert "node" not in facts
