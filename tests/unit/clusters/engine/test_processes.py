"""Tests of clusters.engine.processes: real processes, told apart by what nobody else can have made."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import processes
from chaos_harness.clusters.engine.layout import Layout

_IGNORES_TERM = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); signal.pause()"
_ROOT = Path(__file__).parents[4]


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    (tmp_path / "run").mkdir()
    return Layout("chaos-unit", tmp_path / "data", tmp_path / "run")


@contextmanager
def _up(argv: list[str | Path], cwd: Path = _ROOT) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(argv, cwd=cwd, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == "up\n"
            yield process
        finally:
            process.kill()


@pytest.fixture
def dockerd(layout: Layout) -> Iterator[subprocess.Popen[str]]:
    """Run something that was started as our dockerd is, and does not listen to TERM."""
    with _up(processes.recording_command(layout, "dockerd", [sys.executable, "-c", _IGNORES_TERM])) as process:
        yield process


def test_a_daemon_is_found_by_what_it_wrote_down(layout: Layout, dockerd: subprocess.Popen[str]) -> None:
    """It says which process it is before it becomes dockerd, so it is found from its first moment on."""
    assert [daemon.pid for daemon in processes.find(layout, "dockerd")] == [dockerd.pid]
    assert processes.running(layout)
    assert processes.find(layout, "containerd") == []


def test_what_a_command_line_says_proves_nothing(layout: Layout, tmp_path: Path) -> None:
    """Anybody's process, that calls itself dockerd with our configuration, is not ours to end."""
    program = tmp_path / "dockerd"
    program.symlink_to(sys.executable)
    with _up([program, "-c", _IGNORES_TERM, "--config-file", layout.daemon_config]):
        assert processes.find(layout, "dockerd") == []


@pytest.mark.parametrize("changed", ["start", "boot", "torn"])
def test_a_record_of_another_process_finds_none(layout: Layout, dockerd: subprocess.Popen[str], changed: str) -> None:
    """The same pid with another start time, or in another boot of the machine, is another process."""
    record = layout.record("dockerd")
    stat, boot = record.read_text().splitlines()
    fields = stat.split()
    earlier = " ".join([*fields[:21], "1", *fields[22:]])
    record.write_text({"start": f"{earlier}\n{boot}\n", "boot": f"{stat}\nanother\n", "torn": stat[:20]}[changed])
    assert processes.find(layout, "dockerd") == []
    assert dockerd.poll() is None


def test_who_listens_on_the_socket_is_the_daemon(layout: Layout) -> None:
    """An engine that an earlier version has started wrote nothing down, and is found by its socket."""
    with closing(socket.socket(socket.AF_UNIX)) as listening:
        listening.bind(str(layout.socket))
        listening.listen()
        assert [daemon.pid for daemon in processes.find(layout, "dockerd")] == [os.getpid()]
    assert processes.find(layout, "dockerd") == []


_LISTENS = """
import signal, socket, sys
with socket.socket(socket.AF_UNIX) as listening:
    listening.bind(sys.argv[1]); listening.listen(); print("up", flush=True); signal.pause()
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes a PID namespace")
def test_a_daemon_that_cannot_be_seen_is_not_gone(layout: Layout) -> None:
    """One in a PID namespace beside this one has no number here, and runs."""
    outside = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
    looks = "import sys; from pathlib import Path; from chaos_harness.clusters.engine import Layout, processes\n"
    looks += f"layout = Layout('x', Path(), Path({str(layout.run)!r}))\n"
    looks += "print(processes.find(layout, 'dockerd'), processes.running(layout))"
    with _up([sys.executable, "-c", _LISTENS, layout.socket]):
        argv = [*outside, sys.executable, "-c", looks]
        completed = subprocess.run(argv, cwd=_ROOT, check=True, stdout=subprocess.PIPE, text=True)
    assert completed.stdout == "[] True\n"
    assert not processes.running(layout)


@pytest.fixture
def shim(tmp_path: Path) -> Path:
    """Return a program that is called as a shim is, and waits."""
    program = tmp_path / "containerd-shim-runc-v2"
    shutil.copy(shutil.which("perl") or pytest.skip("needs perl, a program that is one file"), program)
    return program


_PERL = '$| = 1; print "up\n"; sleep 600'


@pytest.mark.parametrize("kept", [True, False], ids=["there", "deleted"])
def test_a_shim_is_found_by_where_it_works(layout: Layout, shim: Path, kept: bool) -> None:
    """Its directory is one of a container of ours, also when that has been removed meanwhile."""
    place = layout.containerd_state / "io.containerd.runtime.v2.task" / "moby" / "0123"
    place.mkdir(parents=True)
    with _up([shim, "-e", _PERL], place) as process:
        if not kept:
            place.rmdir()
        assert [container_shim.pid for container_shim in processes.find(layout, "containerd-shim-runc-v2")] == [
            process.pid
        ]


def test_a_shim_elsewhere_is_not_ours(layout: Layout, shim: Path, tmp_path: Path) -> None:
    """Whatever address it names, a shim that works below another engine's directory is that engine's."""
    with _up([shim, "-e", _PERL, "--", "-address", layout.containerd_socket], tmp_path):
        assert processes.find(layout, "containerd-shim-runc-v2") == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes a mount namespace")
def test_a_shim_in_a_container_is_not_ours(layout: Layout, shim: Path, tmp_path: Path) -> None:
    """A nested engine's shim has another root, and the same path there is another directory."""
    place = layout.containerd_state / "task"
    place.mkdir(parents=True)
    inside = tmp_path / "root"
    inside.mkdir()
    folders = "mkdir old; for name in bin dev lib lib64 usr tmp; do mkdir $name && mount --rbind /$name $name; done"
    enter = f"mount -t tmpfs none {inside} && cd {inside} && {folders}; pivot_root . old"
    script = f'{enter} && cd {place} && exec {shim} -e "$PERL"'
    argv = ["env", f"PERL={_PERL}", "unshare", "--mount", "sh", "-c", script]
    with _up(list(argv)):
        assert processes.find(layout, "containerd-shim-runc-v2") == []


def test_kill_follows_term_after_the_grace(layout: Layout, dockerd: subprocess.Popen[str]) -> None:
    """A process that ignores TERM is killed when its grace is over; a zombie counts as ended."""
    daemons = processes.find(layout, "dockerd")
    assert processes.end(daemons, Deadline.after(60, "the process to end"), grace=0.2) == []
    assert dockerd.wait(5) == -signal.SIGKILL


def test_a_pid_that_was_used_again_is_not_signalled(dockerd: subprocess.Popen[str]) -> None:
    """The same pid with another start time is another process, and lives on."""
    earlier = processes.Daemon(dockerd.pid, "1", "dockerd")
    assert processes.end([earlier], Deadline.after(60, "nothing"), grace=0.2) == []
    assert dockerd.poll() is None


def test_processes_of_containers_are_found_in_cgroups_below_the_parent(layout: Layout, tmp_path: Path) -> None:
    """Every pid in the parent cgroup or below it, of any controller, belongs to a container of ours."""
    inner = tmp_path / "cgroup/pids/chaos-unit/0123/kubelet"
    inner.mkdir(parents=True)
    for directory, text in ((inner, f"{os.getpid()}\n0\n"), (inner.parents[1], "")):
        (directory / "cgroup.procs").write_text(text)
    assert [process.pid for process in processes.containers(layout, tmp_path / "cgroup")] == [os.getpid()]
