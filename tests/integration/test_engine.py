"""Tests of clusters.engine on real daemons: an engine of the test's own, beside any other on this machine."""

import contextlib
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import (
    Engine,
    Layout,
    cleanup,
    connect,
    find,
    firewall,
    private_engine,
    processes,
    stop_private,
)
from chaos_harness.clusters.errors import CommandFailed, EngineUnavailable
from chaos_harness.clusters.machine.locking import hold_lock
from chaos_harness.clusters.machine.process import run
from chaos_harness.clusters.terminal.progress import Progress
from tests.fakes.tiny import TINY, tiny_engine
from tests.unguarded import docker

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.only_engine(reason="starts, kills and stops an engine, and looks for its traces on the machine"),
    pytest.mark.skipif(os.geteuid() != 0, reason="a private engine needs root"),
]

_DAEMONS = ("dockerd", "containerd", "containerd-shim-runc-v2")
_CONNECT = """
import sys
from pathlib import Path
from chaos_harness.clusters.engine import Layout, connect
print(connect("private", layout=Layout(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))).host)
"""
_ROOT = Path(__file__).parents[2]


def _soon(what: str) -> Deadline:
    return Deadline.after(120, what)


@pytest.fixture
def engine(layout: Layout, context: Path) -> Iterator[Engine]:
    yield tiny_engine(layout, context)
    if running := find("private", layout):
        _clean(running)


def _clean(engine: Engine) -> None:
    containers = docker(engine, ["ps", "--all", "--quiet"], _soon("containers")).stdout.split()
    if containers:
        docker(engine, ["rm", "--force", *containers], _soon("their removal"))
    docker(engine, ["network", "prune", "--force"], _soon("the removal of networks"))


def _serve(engine: Engine, name: str, network: str, *options: str) -> str:
    """Start a server in the network, which is made if it is not there, and return its address."""
    if docker(engine, ["network", "inspect", network], _soon("a network"), check=False).returncode:
        docker(engine, ["network", "create", network], _soon("a network"))
    docker(
        engine, ["run", "--detach", "--name", name, "--network", network, *options, TINY, "serve"], _soon("a server")
    )
    template = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
    return docker(engine, ["inspect", "--format", template, name], _soon("its address")).stdout.strip()


def _daemons(layout: Layout) -> list[processes.Daemon]:
    return [daemon for program in _DAEMONS for daemon in processes.find(layout, program)]


def _kill(layout: Layout, programs: tuple[str, ...]) -> None:
    """Kill daemons and see them gone: one that waits for its disk outlives SIGKILL, and is found until then."""
    killed = [daemon for program in programs for daemon in processes.find(layout, program)]
    for daemon in killed:
        os.kill(daemon.pid, signal.SIGKILL)
    assert {daemon.program for daemon in killed} == set(programs)
    assert any(not any(daemon.alive() for daemon in killed) for _ in _soon("the killed to be gone").attempts())


def _traces(layout: Layout) -> dict[str, object]:
    """Return all that a machine could have of an engine that runs."""
    rules = run(["iptables-save"], _soon("iptables")).stdout
    return {
        "processes": _daemons(layout) + processes.containers(layout),
        "mounts": cleanup.mount_points([layout.run, layout.data]),
        "cgroups": processes.cgroup_parents(layout),
        "sockets": cleanup.shim_sockets(layout, [layout.data]),
        "rules": [line for line in rules.splitlines() if layout.chain in line],
        "bridges": sorted(cleanup._bridges([layout.data])),
        "files": sorted(path.name for path in layout.run.iterdir() if path != layout.lock),
    }


def test_a_privileged_container_has_every_capability_of_the_host(engine: Engine) -> None:
    """`--privileged` works although the host may lack capabilities, and gives all those it has not removed."""
    done = docker(engine, ["run", "--rm", "--privileged", TINY, "capabilities"], _soon("a privileged container"))
    bits = int(done.stdout, 16)
    assert bits >> 21 & 1, "CAP_SYS_ADMIN"
    assert bool(bits >> 24 & 1) is ("CAP_SYS_RESOURCE" not in engine.quirks.missing_capabilities)


def test_the_shim_is_what_makes_privileged_containers_work(engine: Engine) -> None:
    """On a host that lacks a capability plain runc refuses; on any other there is no shim to prove."""
    if not engine.quirks.missing_capabilities:
        pytest.skip("this host lacks no capability")
    with pytest.raises(CommandFailed, match="unable to apply caps"):
        docker(engine, ["run", "--rm", "--privileged", "--runtime", "runc", TINY, "capabilities"], _soon("runc"))


def test_a_privileged_exec_works(engine: Engine) -> None:
    """The shim also takes care of what is started in a running container."""
    _serve(engine, "server", "one")
    done = docker(engine, ["exec", "--privileged", "server", "/tiny", "capabilities"], _soon("an exec"))
    assert int(done.stdout, 16) >> 21 & 1


def test_a_published_port_answers_on_loopback(engine: Engine) -> None:
    """The API server is published so by kind; it works without a rule in iptables."""
    _serve(engine, "server", "one", "--publish", "127.0.0.1::80")
    port = docker(engine, ["port", "server", "80/tcp"], _soon("the port")).stdout.strip()
    assert run(["curl", "--silent", "--max-time", "10", f"http://{port}/"], _soon("an answer")).stdout == "served"


def test_containers_of_a_network_find_each_other_by_name(engine: Engine) -> None:
    """Docker's own name server answers on networks of the user's."""
    _serve(engine, "server", "one")
    docker(engine, ["run", "--rm", "--network", "one", TINY, "dial", "server:80"], _soon("a connection"))


def test_networks_do_not_reach_each_other(engine: Engine, layout: Layout) -> None:
    """A server answers in its own network and on loopback, not in another, as it does without the chain.

    The chain counts what it drops, and nothing as forged.
    """
    address = _serve(engine, "server", "one", "--publish", "127.0.0.1::80")
    for name, network in (("neighbour", "one"), ("other", "two")):
        _serve(engine, name, network)
    port = docker(engine, ["port", "server", "80/tcp"], _soon("the port")).stdout.strip()

    def reached(name: str) -> bool:
        dial = ["exec", name, "/tiny", "dial", f"{address}:80"]
        return docker(engine, dial, _soon("a connection"), check=False).returncode == 0

    firewall.remove(layout.chain)
    assert (reached("neighbour"), reached("other")) == (True, True)
    private_engine.start(layout, Progress.quiet())
    assert (reached("neighbour"), reached("other")) == (True, False)
    assert run(["curl", "--silent", "--max-time", "10", f"http://{port}/"], _soon("an answer")).stdout == "served"
    counters = run(["iptables", "-w", "30", "-nvxL", layout.chain], _soon("counters")).stdout.splitlines()[2:5]
    forged, _, crossing = (line.split() for line in counters)
    assert (forged[2], crossing[2]) == ("DROP", "DROP")
    assert int(forged[0]) == 0 < int(crossing[0])


def test_only_root_can_reach_the_socket(engine: Engine, layout: Layout) -> None:
    """Who can talk to an engine is root; so the socket is 0600 in a directory that is 0700."""
    assert engine.host == f"unix://{layout.socket}"
    assert stat.S_IMODE(layout.socket.stat().st_mode) == 0o600
    assert stat.S_IMODE(layout.run.stat().st_mode) == 0o700


def test_a_client_speaks_to_the_engine_whatever_the_user_has_set(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DOCKER_TLS_VERIFY, a context and an API version of the user's do not reach the private engine's clients."""
    for name, value in (("DOCKER_TLS_VERIFY", "1"), ("DOCKER_CERT_PATH", "/nowhere"), ("DOCKER_CONTEXT", "mine")):
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DOCKER_API_VERSION", "9.99")
    with closing(engine.client(timeout=10)) as client:
        assert client.ping()
    assert docker(engine, ["version"], _soon("the client")).returncode == 0


def test_connecting_again_adopts_the_same_daemon(engine: Engine, layout: Layout) -> None:
    """A running engine is used, not started again, and `find` sees the same one."""
    before = _daemons(layout)
    assert connect("private", layout=layout) == engine == find("private", layout)
    assert _daemons(layout) == before


def test_the_engine_outlives_who_started_it(engine: Engine, layout: Layout) -> None:
    """The daemons belong to no run: a process that starts them and ends leaves them running."""
    assert stop_private(layout=layout)
    command: list[str | Path] = [sys.executable, "-c", _CONNECT, layout.name, layout.data, layout.run]
    assert run(command, _soon("another run"), cwd=_ROOT).stdout.strip() == engine.host
    assert find("private", layout) == engine


def test_two_runs_at_once_start_one_engine(engine: Engine, layout: Layout) -> None:
    """Whoever comes second waits for the first, and adopts what it started."""
    assert stop_private(layout=layout)
    command: list[str | Path] = [sys.executable, "-c", _CONNECT, layout.name, layout.data, layout.run]
    with contextlib.ExitStack() as stack:
        runs = [
            stack.enter_context(subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE, text=True))
            for _ in range(3)
        ]
        assert [process.communicate(timeout=120)[0].strip() for process in runs] == [engine.host] * 3
    assert [len(processes.find(layout, program)) for program in ("dockerd", "containerd")] == [1, 1]


def test_nothing_starts_while_another_run_holds_the_lock(engine: Engine, layout: Layout) -> None:
    """Who starts or stops an engine is alone with it: everybody else waits."""
    assert stop_private(layout=layout)
    command: list[str | Path] = [sys.executable, "-c", _CONNECT, layout.name, layout.data, layout.run]
    with contextlib.ExitStack() as stack:
        with hold_lock(str(layout.lock), _soon("the lock")):
            waiting = stack.enter_context(subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE, text=True))
            with pytest.raises(subprocess.TimeoutExpired):
                waiting.wait(timeout=4)
            daemons = _daemons(layout)
        assert waiting.communicate(timeout=120)[0].strip() == engine.host
    assert daemons == []


@pytest.mark.parametrize("programs", [_DAEMONS, ("dockerd",), ("containerd",), ("dockerd", "containerd")], ids="-".join)
def test_a_killed_engine_comes_back_clean(engine: Engine, layout: Layout, programs: tuple[str, ...]) -> None:
    """After kill -9 of daemons (and shims) the next run has an engine that can do everything again."""
    _serve(engine, "server", "one", "--privileged", "--publish", "127.0.0.1::80")
    _serve(engine, "frozen", "one")
    docker(engine, ["pause", "frozen"], _soon("a frozen container"))
    orphans = processes.containers(layout)
    _kill(layout, programs)
    again = connect("private", layout=layout)
    assert [container for container in orphans if container.alive()] == []
    states = docker(again, ["ps", "--all", "--format", "{{.State}}"], _soon("containers")).stdout.split()
    assert states == ["exited", "exited"]
    _clean(again)
    _serve(again, "server", "one", "--privileged")
    docker(again, ["run", "--rm", "--network", "one", TINY, "dial", "server:80"], _soon("a connection"))


def test_a_daemon_that_stalls_is_not_ended(engine: Engine, layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that runs but does not answer may carry live runs: nobody replaces it, until it is ended on purpose."""
    (stalled,) = processes.find(layout, "dockerd")
    os.kill(stalled.pid, signal.SIGSTOP)
    with monkeypatch.context() as hasty:
        for name, seconds in {"_BUSY_SECONDS": 2, "_START_SECONDS": 2, "_PING_SECONDS": 1}.items():
            hasty.setattr(private_engine, name, seconds)
        with pytest.raises(EngineUnavailable, match="runs but has not answered"):
            connect("private", layout=layout)
        with pytest.raises(EngineUnavailable, match="runs but has not answered"):
            stop_private(layout=layout, used=lambda _: False)
    os.kill(stalled.pid, signal.SIGCONT)
    assert connect("private", layout=layout) == engine
    assert stalled.alive()
    os.kill(stalled.pid, signal.SIGSTOP)
    assert stop_private(layout=layout)
    assert not stalled.alive()


@pytest.mark.parametrize("killed", [False, True], ids=["running", "killed"])
def test_stopping_leaves_nothing_but_images(engine: Engine, layout: Layout, killed: bool) -> None:
    """No process, mount, cgroup, rule, bridge or socket is left, also of an engine that was killed before."""
    _serve(engine, "server", "one", "--publish", "127.0.0.1::80")
    _serve(engine, "frozen", "one")
    docker(engine, ["pause", "frozen"], _soon("a frozen container"))
    assert all(_traces(layout).values())
    if killed:
        _kill(layout, _DAEMONS)
    assert stop_private(layout=layout)
    assert _traces(layout) == {
        "processes": [],
        "mounts": [],
        "cgroups": [],
        "sockets": [],
        "rules": [],
        "bridges": [],
        "files": [],
    }
    assert connect("private", layout=layout).run(["image", "inspect", TINY], _soon("the image")).returncode == 0


def test_stopping_an_engine_that_does_not_run_does_nothing(engine: Engine, layout: Layout) -> None:
    """`nox -s gc` may ask as often as it likes."""
    assert engine.private
    assert [stop_private(layout=layout), stop_private(layout=layout)] == [True, False]


def test_a_stale_pidfile_does_not_keep_the_engine_from_starting(engine: Engine, layout: Layout) -> None:
    """A pidfile that names a living process of somebody else's is what a restart of the machine leaves."""
    assert stop_private(layout=layout)
    layout.pidfile.write_text(str(os.getpid()))
    assert connect("private", layout=layout).host == engine.host


def test_a_daemon_that_dies_at_its_start_tells_why(layout: Layout, tmp_path: Path) -> None:
    """The error carries the end of its log and where the rest lies; nothing of the engine is left."""
    broken = Layout(f"{layout.name}-x", tmp_path, layout.run.with_name("broken"))
    broken.docker_root.write_text("a file where dockerd wants a directory")
    with pytest.raises(
        EngineUnavailable, match=r"(?s)dockerd of the private engine ended.*dockerd\.log.*points to a file"
    ):
        connect("private", layout=broken)
    assert not any(_traces(broken).values())
