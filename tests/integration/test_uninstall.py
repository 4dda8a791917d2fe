"""Uninstall on an engine of the test's own: what is used stays, a kill breaks nothing, in the end nothing is left."""

import dataclasses
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Layout, limits, processes, stop_private
from chaos_harness.clusters.engine.cleanup import mount_points
from chaos_harness.clusters.machine import traces
from chaos_harness.clusters.machine.orphans import read_all
from chaos_harness.clusters.machine.owner import Owner
from chaos_harness.clusters.machine.process import run
from tests.fakes.tiny import TINY, tiny_engine
from tests.unguarded import docker

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.only_engine(reason="starts and stops an engine, and compares what is on the machine"),
    pytest.mark.skipif(os.geteuid() != 0, reason="a private engine needs root"),
]

_ROOT = Path(__file__).parents[2]
_TYPED = """
import os, signal, sys
from pathlib import Path
from chaos_harness.clusters.engine import Layout
from chaos_harness.clusters.machine import traces
from chaos_harness.clusters.machine.owner import Owner
from chaos_harness.clusters.terminal.progress import Progress
from chaos_harness.clusters.uninstall import Uninstallation
from chaos_harness.harness.run.exit_status import run_command
from chaos_harness.harness.uninstall import uninstall
root, name, event = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
traces.HOME = root / "lib"
layout = Layout(name, root / "cache" / "chaos-harness" / "engine", root / "run")
if event == "a run begins":
    notice = Uninstallation.notice
    Uninstallation.notice = lambda self: Owner.mine("late").claim(self._engines[0].id) and notice(self)
elif event:
    setattr(Uninstallation, event, lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL))
sys.exit(run_command(lambda: uninstall(Progress.terminal(), layout=layout)))
"""

_BEGINS = "a run begins"


@pytest.fixture
def root(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give a machine's folders, with short names: a socket's path has 107 characters at most."""
    root = Path(tempfile.mkdtemp(prefix="chaos-", dir="/tmp"))
    for name in ("cache", "state"):
        (root / name).mkdir()
        monkeypatch.setenv(f"XDG_{name.upper()}_HOME", str(root / name))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{root}/nobody.sock")
    monkeypatch.setattr(traces, "HOME", root / "lib")
    yield root
    shutil.rmtree(root)


def _seen(root: Path, layout: Layout) -> dict[str, object]:
    """Return all that the harness could leave on the machine."""
    rules = run(["iptables-save"], Deadline.after(60, "iptables")).stdout
    commands = [command for _, command in read_all("cmdline")]
    return {
        "files": sorted(str(path.relative_to(root)) for path in root.rglob("*")),
        "processes": [command for command in commands if os.fsencode(root) in command],
        "mounts": mount_points([root]),
        "rules": [line for line in rules.splitlines() if layout.chain in line],
        "cgroups": processes.cgroup_parents(layout),
        "settings": limits.pending_changes(),
        "links": sorted(path.name for path in Path("/sys/class/net").glob("br-*") if path.name in _bridges(layout)),
    }


def _bridges(layout: Layout) -> str:
    database = layout.docker_root / "network" / "files" / "local-kv.db"
    return database.read_bytes().decode(errors="replace") if database.exists() else ""


def _uninstall(root: Path, layout: Layout, event: str = "") -> subprocess.CompletedProcess[str]:
    """Uninstall in a process of its own; a run begins while it asks, or it is killed before a step of that name."""
    argv: list[str | Path] = [sys.executable, "-c", _TYPED, root, layout.name, event]
    return subprocess.run(argv, cwd=_ROOT, capture_output=True, text=True, check=False, timeout=120)


def test_nothing_is_left(root: Path, context: Path) -> None:
    """A live run is not disturbed; then each kill leaves something that the next call removes, and nothing at last."""
    layout = Layout(f"chaos-gone-{os.getpid()}", root / "cache" / "chaos-harness" / "engine", root / "run")
    before = _seen(root, layout)
    deadline = Deadline.after(120, "docker")
    try:
        engine = tiny_engine(layout, context)
        for owner in (Owner.mine("alive"), dataclasses.replace(Owner.mine("dead"), start="1")):
            labels = [word for name, text in owner.labels().items() for word in ("--label", f"{name}={text}")]
            docker(engine, ["run", "--detach", "--name", owner.run, *labels, TINY, "serve"], deadline)

        refused = _uninstall(root, layout)
        assert (refused.returncode, refused.stdout) == (2, "")
        assert "run alive" in refused.stderr
        assert "`nox -s gc -- --all`" in refused.stderr
        assert len(docker(engine, ["ps", "--quiet"], deadline).stdout.split()) == 2

        docker(engine, ["rm", "--force", "alive"], deadline)
        volumes = docker(engine, ["volume", "ls", "--quiet"], deadline).stdout.split()
        docker(engine, ["volume", "rm", *volumes], deadline)
        refused = _uninstall(root, layout, _BEGINS)
        assert (refused.returncode, refused.stdout) == (2, "")
        assert "in use: run late" in refused.stderr
        assert len(docker(engine, ["ps", "--quiet"], deadline).stdout.split()) == 1

        for step in ("_remove_caches", "_remove_packages", "_remove_records"):
            assert _uninstall(root, layout, step).returncode == -signal.SIGKILL
            assert _seen(root, layout) != before
        done = _uninstall(root, layout)
        assert (done.returncode, _seen(root, layout)) == (0, before), done.stderr
        assert f"removed {root / 'state' / 'chaos-harness'}" in done.stdout
    finally:
        stop_private(layout=layout)
