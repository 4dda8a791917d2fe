"""Tests of when the private engine is started, adopted, left alone and stopped; its daemons are pretended."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from chaos_harness.clusters import engine as engines
from chaos_harness.clusters.engine import (
    Engine,
    Layout,
    claims,
    cleanup,
    firewall,
    limits,
    packages,
    private_engine,
    processes,
    user_engine,
)
from chaos_harness.clusters.errors import EngineUnavailable
from chaos_harness.clusters.machine.locking import try_lock
from chaos_harness.clusters.machine.owner import Owner
from chaos_harness.clusters.terminal.progress import Progress
from tests.fakes.engine import FakeEngine
from tests.namespaces import needs_namespaces

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="a private engine needs root")

_ELSEWHERE = """
import sys
from pathlib import Path
from chaos_harness.clusters import engine
from chaos_harness.clusters.engine import Layout, cleanup, firewall, packages, private_engine, user_engine
from chaos_harness.clusters.errors import EngineUnavailable

did, layout = [], Layout("chaos-unit", Path(sys.argv[1], "data"), Path(sys.argv[1], "run"))
cleanup.clear = packages.install_missing = private_engine._start = firewall.allow = lambda *_: did.append("harm")
private_engine._BUSY_SECONDS = private_engine._START_SECONDS = private_engine._PING_SECONDS = 0.2
for act in (
    lambda: engine.connect("private", layout=layout),
    lambda: engine.find("private", layout),
    lambda: engine.stop_private(layout=layout, used=lambda _: False),
    lambda: engine.stop_private(layout=layout),
):
    try:
        print(act())
    except EngineUnavailable as error:
        print("silent" if "has not answered" in str(error) else "elsewhere" if "another PID" in str(error) else error)
print(user_engine.listens_in_other_namespace(layout.host), did)
"""
_ROOT = Path(__file__).parents[4]
_QUIET = Progress.quiet()


class Machine:
    """Daemons that are only pretended: which run, whether they answer, and what was done to them."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.running: set[str] = set()
        self.answer = True
        self.did: list[str] = []
        self.engine = FakeEngine(host=layout.host)

    def find(self, _layout: Layout, program: str) -> list[processes.Daemon]:
        return [processes.Daemon(1, "1", program)] if program in self.running else []

    def does(self, what: str) -> Callable[..., Any]:
        return lambda *_, **__: self.did.append(what)

    def launch(self, _layout: Layout) -> None:
        self.did.append("launch")
        self.running, self.answer = {"dockerd", "containerd"}, True

    def locked(self) -> bool:
        with try_lock(str(self.layout.lock)) as free:
            return not free


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Machine]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("CHAOS_ENGINE", "private")
    machine = Machine(Layout("chaos-unit", tmp_path / "data", tmp_path / "run"))
    monkeypatch.setattr(processes, "find", machine.find)
    monkeypatch.setattr(processes, "end", machine.does("end"))
    monkeypatch.setattr(private_engine, "answers", lambda _: len(machine.running) > 1 and machine.answer)
    monkeypatch.setattr(private_engine, "_start", machine.launch)
    monkeypatch.setattr(private_engine, "_pool", lambda _: "10.0.0.0/16")
    monkeypatch.setattr(private_engine, "_BUSY_SECONDS", 0.2)
    monkeypatch.setattr(private_engine, "_START_SECONDS", 0.2)
    monkeypatch.setattr(cleanup, "clear", machine.does("clear"))
    monkeypatch.setattr(packages, "install_missing", lambda _: None)
    for module, name in ((firewall, "allow"), (limits, "raise_limits"), (limits, "restore")):
        monkeypatch.setattr(module, name, lambda *_: None)
    monkeypatch.setattr(engines, "_private", lambda _: machine.engine)
    machine.layout.run.mkdir()
    yield machine
    for _, run in list(claims._renewals):
        claims.release(machine.engine, run)


def stop(machine: Machine, used: Callable[[Engine], bool] | None = None) -> bool:
    return engines.stop_private(_QUIET, machine.layout, used=used)


def test_a_run_that_begins_while_the_daemons_stall_does_not_end_them(machine: Machine) -> None:
    """They run, and live runs may have all they need there: nothing is cleared, and the next command is told."""
    machine.running, machine.answer = {"dockerd", "containerd"}, False
    with pytest.raises(EngineUnavailable, match=r"runs but has not answered for 0 s.*nox -s gc -- --all"):
        engines.connect(layout=machine.layout)
    assert machine.did == []


def test_daemons_that_died_are_replaced(machine: Machine) -> None:
    """What is gone by what the machine itself tells is no silence."""
    machine.running = {"containerd"}
    assert engines.connect(layout=machine.layout) == machine.engine
    assert machine.did == ["launch"]


def test_who_connects_has_a_claim_before_anybody_can_stop_the_engine(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is in the engine while who starts and stops engines is still locked out."""
    seen: list[tuple[str, bool]] = []
    monkeypatch.setattr(claims, "hold", lambda _, owner: seen.append((owner.run, machine.locked())))
    engines.connect(layout=machine.layout, owner=Owner.mine("r"))
    assert (seen, machine.locked()) == ([("r", True)], False)


def test_whoever_connects_without_a_run_is_one(machine: Machine) -> None:
    """A program that names no owner is seen by all others all the same, and has one claim however often it asks."""
    for _ in range(2):
        engines.connect(layout=machine.layout)
    (claim,) = machine.engine.names()
    assert claim.startswith("chaos-harness-claim-")


def test_an_engine_that_is_used_is_not_stopped(machine: Machine) -> None:
    """The question is put to the engine that answers, while nobody can connect to it."""
    machine.running = {"dockerd", "containerd"}
    asked: list[tuple[Engine, bool]] = []

    def used(engine: Engine) -> bool:
        asked.append((engine, machine.locked()))
        return len(asked) == 1

    assert (stop(machine, used), machine.did) == (False, [])
    machine.layout.daemon_config.touch()
    assert (stop(machine, used), machine.did) == (True, ["end", "clear"])
    assert asked == [(machine.engine, True)] * 2


def test_an_engine_that_does_not_answer_is_not_stopped(machine: Machine) -> None:
    """Who cannot ask whether it is used stops nothing; who wants it ended whatever it does, can."""
    machine.running, machine.answer = {"dockerd", "containerd"}, False
    with pytest.raises(EngineUnavailable, match="has not answered"):
        stop(machine, lambda _: False)
    assert machine.did == []
    assert stop(machine)
    assert machine.did == ["end", "clear"]


def test_what_a_killed_engine_left_is_cleared_without_a_question(machine: Machine) -> None:
    """There is nobody to ask."""
    machine.layout.daemon_config.touch()
    assert stop(machine, lambda _: True)
    assert machine.did == ["end", "clear"]


def test_an_engine_that_runs_and_does_not_answer_is_not_absent(machine: Machine) -> None:
    """Who looks for it is told so; who finds none that runs gets none."""
    assert engines.find(layout=machine.layout) is None
    machine.running, machine.answer = {"dockerd", "containerd"}, False
    with pytest.raises(EngineUnavailable, match="has not answered"):
        engines.find(layout=machine.layout)


def test_another_users_engine_is_none(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root's daemons are seen by everybody, and reached by root alone."""
    machine.running, machine.answer = {"dockerd", "containerd"}, False
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert engines.find(layout=machine.layout) is None


@needs_namespaces
def test_an_engine_of_another_pid_namespace_is_not_ended(tmp_path: Path) -> None:
    """Its daemons are not to be seen from there: what listens is the engine all the same, and nothing is cleared."""
    layout = Layout("chaos-unit", tmp_path / "data", tmp_path / "run")
    layout.run.mkdir()
    argv = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", sys.executable, "-c", _ELSEWHERE]
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(layout.socket))
        server.listen()
        assert not user_engine.listens_in_other_namespace(layout.host)
        environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path / "state")}
        done = subprocess.run(
            [*argv, str(tmp_path)], cwd=_ROOT, env=environment, check=True, capture_output=True, text=True, timeout=60
        )
    assert done.stdout.splitlines() == ["silent", "silent", "silent", "elsewhere", "True []"]


@pytest.fixture
def users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """Let something listen where the user's engine is expected, and answer nothing."""
    monkeypatch.setattr(user_engine, "_BUSY_SECONDS", 0.2)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "users.sock"))
        server.listen()
        monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/users.sock")
        yield f"unix://{tmp_path}/users.sock"


@pytest.mark.parametrize("word", ["auto", "system"])
def test_a_users_engine_that_does_not_answer_is_not_absent(machine: Machine, users: str, word: str) -> None:
    """No other engine is started or collected in its place."""
    assert user_engine.find().silent
    for look in (engines.connect, engines.find):
        with pytest.raises(EngineUnavailable, match=users):
            look(word, layout=machine.layout)
    assert machine.did == []


def test_a_users_engine_that_is_not_there_is_absent(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A socket that does not exist, or on which no process listens, does not count as a silent engine."""
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    assert not user_engine.find().silent
    assert engines.connect("auto", layout=machine.layout) == machine.engine
