"""Tests of clusters.engine.processes: real processes, told apart by command line and start time."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from clusters.deadline import Deadline
from clusters.engine import processes
from clusters.engine.layout import Layout

_IGNORES_TERM = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); signal.pause()"


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout("chaos-unit", tmp_path / "data", tmp_path / "run")


@pytest.fixture
def dockerd(layout: Layout, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Run something that looks like our dockerd and does not listen to TERM."""
    program = tmp_path / "dockerd"
    program.symlink_to(sys.executable)
    argv: list[str | Path] = [program, "-c", _IGNORES_TERM, "--config-file", layout.daemon_config]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "up\n"
        yield process
        process.kill()


def test_a_daemon_is_found_by_its_configuration(layout: Layout, dockerd: subprocess.Popen[str]) -> None:
    """The dockerd that was started with our configuration file is ours."""
    assert [each.pid for each in processes.find(layout, "dockerd")] == [dockerd.pid]


def test_a_daemon_with_another_configuration_is_not_ours(tmp_path: Path, dockerd: subprocess.Popen[str]) -> None:
    """An engine with other places does not see this one."""
    assert dockerd.poll() is None
    assert processes.find(Layout("chaos-unit", tmp_path, tmp_path / "elsewhere"), "dockerd") == []


def test_another_program_with_our_configuration_is_not_a_daemon(layout: Layout) -> None:
    """Who reads our configuration file, as an editor does, is left alone."""
    argv: list[str | Path] = [sys.executable, "-c", _IGNORES_TERM, "--config-file", layout.daemon_config]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "up\n"
        found = processes.find(layout, "dockerd")
        process.kill()
    assert found == []


def test_kill_follows_term_after_the_grace(layout: Layout, dockerd: subprocess.Popen[str]) -> None:
    """A process that ignores TERM is killed when its grace is over; a zombie counts as ended."""
    found = processes.find(layout, "dockerd")
    assert processes.end(found, Deadline.after(60, "the process to end"), grace=0.2) == []
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
    assert [each.pid for each in processes.containers(layout, tmp_path / "cgroup")] == [os.getpid()]
