"""Tests of an engine that ends with clusters on it: one clear error, and nothing is left when it is back."""

import os
import signal
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from chaos_harness.clusters.creation.create import create
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine, Layout, connect, processes
from chaos_harness.clusters.engine.inventory import RUN, EngineObject, inventory
from chaos_harness.clusters.errors import EngineUnavailable
from chaos_harness.clusters.garbage import Owner, collect_garbage
from chaos_harness.clusters.images import Images, ensure
from chaos_harness.clusters.kind.logs import LogKeeper
from chaos_harness.clusters.pool import Pool
from chaos_harness.clusters.shape import Shape
from chaos_harness.clusters.terminal.progress import Progress
from tests.fakes.tiny import TINY, tiny_engine

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.only_engine(reason="ends engines"),
    pytest.mark.skipif(os.geteuid() != 0, reason="a private engine needs root"),
]

_BARE = Shape(workers=0, gatekeeper=None, registry=False)
_IMAGES = Images(node=TINY, gatekeeper=None, gatekeeper_crds=None, registry=None)


def _soon(what: str) -> Deadline:
    return Deadline.after(120, what)


def _kill_when_a_node_runs(engine: Engine, layout: Layout) -> None:
    for _ in _soon("a node container").attempts():
        things = inventory(engine, _soon("the containers"))
        if any(thing.attributes["State"]["Running"] for thing in things if thing.kind == "container"):
            break
    for program in ("dockerd", "containerd"):
        for daemon in processes.find(layout, program):
            os.kill(daemon.pid, signal.SIGKILL)


def test_an_engine_that_dies_in_the_middle_is_told_and_comes_back_clean(
    layout: Layout, context: Path, tmp_path: Path
) -> None:
    """When the daemons are killed while kind waits for a node, the error names gc, and gc finds all of it."""
    engine = tiny_engine(layout, context)
    owner = replace(Owner.mine(), start="1")  # one that is dead, as far as gc can see
    killer = threading.Thread(target=_kill_when_a_node_runs, args=(engine, layout))
    killer.start()
    with pytest.raises(EngineUnavailable, match=f"{RUN}; `nox -s gc` removes it when an engine answers again"):
        create(engine, _IMAGES, _BARE, owner, tmp_path, Progress.quiet())
    killer.join()
    again = connect("private", layout=layout)
    assert {thing.kind for thing in _left(again, owner.run)} == {"container", "network", "volume"}
    collect_garbage(again)
    assert _left(again, owner.run) == []


def test_an_engine_that_was_restarted_has_no_frozen_clusters(
    engine: Engine, layout: Layout, progress: Progress, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Whatever the engine made of the frozen nodes, nobody gets them, and all of them go."""
    images = ensure(engine, _BARE, progress)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    deadline = Deadline.after(300, "the node image in another engine")
    with (tmp_path / "node.tar").open("wb") as archive:
        engine.run(["save", images.node], deadline, stdout=archive)
    own = connect("private", layout=layout)
    own.run(["load", "--input", tmp_path / "node.tar"], deadline)
    pool = Pool(own, progress)
    frozen = pool.make(_BARE, images, LogKeeper(tmp_path))
    assert pool.give_back(frozen) == []
    for program in ("dockerd", "containerd"):
        for daemon in processes.find(layout, program):
            os.kill(daemon.pid, signal.SIGTERM)
    for _ in Deadline.after(60, "the engine to end").attempts():
        if not processes.find(layout, "dockerd"):
            break
    again = connect("private", layout=layout)
    assert Pool(again, progress).lease(_BARE, images) is None
    assert _left(again, frozen.run) == []


def _left(engine: Engine, run: str) -> list[EngineObject]:
    return [thing for thing in inventory(engine, _soon("what is left")) if thing.labels[RUN] == run]
