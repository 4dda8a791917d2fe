"""Tests of clusters.kind.archive: how an image comes into the nodes."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.errors import CommandFailed
from chaos_harness.clusters.kind.archive import import_image
from chaos_harness.clusters.machine.process import CommandResult
from tests.fakes.engine import FakeEngine

_OURS = {"chaos-harness.run": "r"}


@dataclass(frozen=True)
class Saving(FakeEngine):
    """An engine that saves an image as a line of text, and remembers what programs in containers read."""

    read: list[bytes] = field(default_factory=list)

    def run(
        self, argv: Sequence[str | Path], deadline: Deadline, *, check: bool = True, **options: Any
    ) -> CommandResult:
        done = super().run(argv, deadline, check=check)
        if argv[0] == "save":
            options["stdout"].write(f"archive of {argv[1]}".encode())
        if argv[0] == "exec":
            self.read.append(options["stdin"].read())
        return done


@pytest.fixture(autouse=True)
def state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def test_each_node_imports_the_whole_archive_for_its_own_platform() -> None:
    """An archive of a containerd store has the index of all platforms and the content of one: not all are asked for."""
    engine = Saving()
    for node in ("c-control-plane", "c-worker"):
        engine.add("container", node, _OURS)
    import_image(engine, "gatekeeper:1", ["c-control-plane", "c-worker"], Deadline.after(60, "the import"))
    save, *imports = engine.asked
    assert save == "save gatekeeper:1"
    import_ = "ctr --namespace k8s.io images import --digests -"
    assert imports == [f"exec --interactive {node} {import_}" for node in ("c-control-plane", "c-worker")]
    assert engine.read == [b"archive of gatekeeper:1"] * 2


def test_an_archive_that_was_not_imported_is_an_error_and_stays_nowhere(tmp_path: Path) -> None:
    """What containerd said is told; the archive is as large as the image."""
    engine = Saving(errors={"exec": "content digest sha256:1: not found"})
    engine.add("container", "c-worker", _OURS)
    with pytest.raises(CommandFailed, match="content digest"):
        import_image(engine, "gatekeeper:1", ["c-worker"], Deadline.after(60, "the import"))
    assert list(tmp_path.rglob("image.tar")) == []
