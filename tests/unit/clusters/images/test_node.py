"""Tests of clusters.images.node: the container that a node image is committed from is ours, and known as that."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine.inventory import inventory
from chaos_harness.clusters.garbage import Owner
from chaos_harness.clusters.images import node
from chaos_harness.clusters.machine.process import CommandResult
from tests.fakes.engine import FakeEngine


@dataclass(frozen=True)
class _Engine(FakeEngine):
    """Runs containers, which are there then."""

    def answer(self, words: list[str], stdin: str | None) -> CommandResult:
        if words[0] == "run":
            labels = dict(words[at + 1].split("=", 1) for at, word in enumerate(words) if word == "--label")
            self.add("container", words[words.index("--name") + 1], labels)
        return super().answer(words, stdin)


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> _Engine:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    engine = _Engine()
    engine.add("container", "chaos-harness-node-v1-build", {})
    return engine


def _soon() -> Deadline:
    return Deadline.after(60, "the test")


def _import(engine: _Engine, owner: Owner, tmp_path: Path) -> None:
    (tmp_path / "archive").touch()
    node._import(engine, "base", f"chaos-harness-node-v1-build-{owner.run}", owner, tmp_path / "archive", _soon())


def test_the_build_container_is_removed_by_its_label(engine: _Engine, tmp_path: Path) -> None:
    """It goes with the build, also one that fails; a container of somebody else's with such a name stays."""
    owner = Owner.mine()

    def interrupted() -> None:
        with node._remove_after(engine, owner):
            _import(engine, owner, tmp_path)
            assert len(engine.names()) == 2
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert engine.names() == ["chaos-harness-node-v1-build"]


def test_a_build_container_that_a_kill_has_left_is_seen(engine: _Engine, tmp_path: Path) -> None:
    """The next collection finds it by the label of its run, whose process is no more."""
    owner = Owner.mine()
    _import(engine, owner, tmp_path)
    (container,) = inventory(engine, _soon())
    assert Owner.from_labels(container.labels) == owner


def test_what_is_committed_is_of_no_run(engine: _Engine) -> None:
    """An image takes over the labels of its container: they are emptied, and one without a run is nobody's garbage."""
    owner = Owner.mine()
    changes = [word for word in node._changes(owner) if word != "--change"]
    assert changes == [
        'ENTRYPOINT ["/usr/local/bin/entrypoint", "/sbin/init"]',
        *(f'LABEL {name}=""' for name in owner.labels()),
    ]
    for kind in ("image", "container"):
        engine.add(kind, "from-a-commit", dict.fromkeys(owner.labels(), ""))
    assert inventory(engine, _soon()) == []
