"""Tests of claims on a real engine: runs of other PID namespaces and users on one engine, and gc in all of them."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine, Layout, claims, find, stop_private
from chaos_harness.clusters.engine.inventory import inventory, label_arguments
from chaos_harness.clusters.garbage import collect_garbage, list_claimed_runs
from chaos_harness.clusters.machine.owner import Owner
from tests.fakes.other_user import NOBODY, ROOT, around
from tests.fakes.tiny import TINY, tiny_engine
from tests.unguarded import docker

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.beside,
    pytest.mark.skipif(os.geteuid() != 0, reason="a private engine needs root"),
]

_LIFE_SECONDS = 24
_RUN = f"""
import json, os, sys
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import claims, connect
from chaos_harness.clusters.engine.inventory import label_arguments
from chaos_harness.clusters.machine.owner import Owner
from chaos_harness.clusters.garbage import collect_garbage

claims.LIFE_SECONDS, claims._TICK_SECONDS = {_LIFE_SECONDS}, 0.5
owner = Owner.mine(sys.argv[1])
engine = connect("system", owner=owner)
owner.claim(engine.id)
print("claimed by", os.geteuid(), flush=True)
deadline = Deadline.after(300, "the other run")
for word in map(str.strip, sys.stdin):
    if word == "make":
        labels = label_arguments(owner.labels())
        engine.run(["network", "create", *labels, f"{{owner.run}}-network"], deadline)
        engine.run(["run", "--detach", "--name", f"{{owner.run}}-node", *labels, "{TINY}"], deadline)
        print("made", flush=True)
    if word == "gc":
        print(json.dumps(collect_garbage(engine)), flush=True)
"""


def _soon(what: str) -> Deadline:
    return Deadline.after(120, what)


@pytest.fixture
def engine(layout: Layout, context: Path) -> Iterator[Engine]:
    """Give an engine that other users of this machine reach, too, and leave nothing of ours in it."""
    shared = tiny_engine(layout, context)
    for path, mode in ((layout.run.parent, 0o755), (layout.run, 0o755), (layout.socket, 0o666)):
        path.chmod(mode)
    yield shared
    for run in claims.held_runs():
        claims.release(shared, run)
    collect_garbage(shared, everything=True)


@pytest.fixture(autouse=True)
def state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


class Elsewhere:
    """A harness in a PID namespace of its own, as another user with another home."""

    def __init__(self, layout: Layout, run: str) -> None:
        home = layout.run.parent / f"home-{run}"
        home.mkdir()
        os.chown(home, NOBODY, NOBODY)
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "DOCKER_", "CHAOS_"))},
            "HOME": str(home),
            "XDG_STATE_HOME": str(home / "state"),
            "XDG_CACHE_HOME": str(home / "cache"),
            "DOCKER_HOST": layout.host,
            "CHAOS_ENGINE": "system",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        self._around = around(self._environment)
        self._process = subprocess.Popen(
            [*self._around, sys.executable, "-c", _RUN, run],
            cwd=ROOT,
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._line() == f"claimed by {NOBODY}"

    def says(self, word: str) -> str:
        """Ask the run to do something; return what it answers."""
        assert self._process.stdin
        self._process.stdin.write(f"{word}\n")
        self._process.stdin.flush()
        return self._line()

    def verb(self, *arguments: str) -> str:
        """Run a verb of the command line beside the run, in yet another namespace; return what it prints."""
        argv = [*self._around, sys.executable, "-m", "chaos_harness.harness", *arguments]
        done = subprocess.run(
            argv, cwd=ROOT, env=self._environment, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def kill(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.communicate()

    def _line(self) -> str:
        assert self._process.stdout
        return self._process.stdout.readline().strip()


@pytest.fixture
def other(engine: Engine, layout: Layout, tmp_path: Path) -> Iterator[Elsewhere]:
    elsewhere = Elsewhere(layout, f"other-{os.urandom(2).hex()}")
    yield elsewhere
    elsewhere.kill()


def _node(engine: Engine, name: str, labels: dict[str, str], image: str = TINY) -> None:
    engine.run(["run", "--detach", "--name", name, *label_arguments(labels), image], _soon("a container"))


def _others(engine: Engine) -> list[str]:
    return [run for run in list_claimed_runs(engine, _soon("the claims")) if run.startswith("other-")]


def _names(engine: Engine) -> set[str]:
    return {thing.name for thing in inventory(engine, _soon("what is there"))}


def test_two_runs_that_cannot_see_each_other_leave_each_other_alone(engine: Engine, other: Elsewhere) -> None:
    """As long as both live, however long: gc on either side removes nothing of the other's."""
    owner = Owner.mine("mine")
    claims.hold(engine, owner)
    owner.claim(engine.id)
    _node(engine, "mine-node", owner.labels())
    assert other.says("make") == "made"
    before = _names(engine)
    assert len(before) == 3
    for _ in Deadline.after(2 * _LIFE_SECONDS, "claims to expire if nobody renews them").attempts(first=4, most=4):
        assert (collect_garbage(engine), json.loads(other.says("gc"))) == ([], [])
        assert "removed" not in other.verb("gc")
        assert _names(engine) == before


def test_a_run_that_cannot_be_seen_is_collected_when_its_claim_has_expired(engine: Engine, other: Elsewhere) -> None:
    """Killed, it leaves what lives until then, and no longer; of its claims nothing is left either."""
    assert other.says("make") == "made"
    before = _names(engine)
    other.kill()
    assert (collect_garbage(engine), _names(engine)) == ([], before)
    removed: list[str] = []
    for _ in Deadline.after(4 * _LIFE_SECONDS, "the claim to expire").attempts():
        removed += collect_garbage(engine)
        if removed:
            break
    assert (len(removed), _names(engine)) == (2, set())
    assert _others(engine) == []


def test_a_run_that_has_just_begun_is_seen(engine: Engine, layout: Layout, other: Elsewhere) -> None:
    """It has made nothing yet, its files are another user's, its process is elsewhere: it keeps the engine."""
    assert len(_others(engine)) == 1
    assert not stop_private(layout=layout, used=lambda candidate: bool(_others(candidate)))
    assert find("private", layout) == engine


def test_a_dead_process_of_this_namespace_is_collected_at_once(engine: Engine) -> None:
    """Its claim may stand for hours."""
    with subprocess.Popen(["sleep", "600"]) as process:
        owner = replace(Owner.mine("dead"), pid=process.pid)
        owner = replace(owner, start=Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[19])
        claims.hold(engine, owner)
        claims._renewals.pop((engine.host, "dead")).end()
        _node(engine, "dead-node", owner.labels())
        assert collect_garbage(engine) == []
        process.kill()
    assert collect_garbage(engine) == ["container dead-node"]
    assert "dead" not in list_claimed_runs(engine, _soon("its claims"))


def test_one_claim_of_a_run_stands_at_any_time(engine: Engine) -> None:
    """The new one is there before the old one goes, and its age is told by the engine's clock."""
    owner = Owner.mine("mine")
    for _ in range(3):
        claims.hold(engine, owner)
        (claim,) = claims.read_register(engine, _soon("its claims")).of("mine")
        assert (claim.owner, claim.life) == (owner, claims.LIFE_SECONDS)
        assert 0 <= claim.age < 60


def test_a_frozen_clusters_claim_is_seen_from_elsewhere(engine: Engine, other: Elsewhere) -> None:
    """Nobody's process holds it, and its directory is on no other machine: it lives as long as its claim."""
    owner = Owner.of_pool()
    labels = {**owner.labels(), "chaos-harness.directory": "/nowhere/run/cluster"}
    _node(engine, "frozen-node", labels)
    claims.renew_last(engine, Owner.nobody(owner.run), 3600)
    assert json.loads(other.says("gc")) == []
    claims.renew_last(engine, Owner.nobody(owner.run), 1)
    removed: list[str] = []
    for _ in Deadline.after(30, "the claim to expire").attempts():
        removed += json.loads(other.says("gc"))
        if removed:
            break
    assert removed == ["container frozen-node"]


def test_an_image_committed_from_a_node_stays_and_so_do_its_containers(engine: Engine) -> None:
    """They carry the labels of a run that is dead, and are their user's."""

    def users(*words: str) -> str:
        return docker(engine, words, _soon("the user's docker")).stdout

    _node(engine, "dead-node", replace(Owner.mine("dead"), start="1").labels())
    users("commit", "dead-node", "evidence")
    try:
        users("run", "--detach", "--name", "looking", "evidence")
        assert collect_garbage(engine) == ["container dead-node"]
        assert json.loads(users("inspect", "--type", "container", "looking"))[0]["State"]["Running"]
    finally:
        users("rm", "--force", "looking")
        users("rmi", "--force", "evidence")


def test_a_directory_names_its_engine(engine: Engine) -> None:
    """By what the engine calls itself, whatever socket leads there."""
    directory = replace(Owner.mine("dead"), start="1").claim(engine.id)
    assert engine.id
    assert collect_garbage(replace(engine, id="another")) == []
    assert collect_garbage(engine) == [f"directory {directory}"]
