"""Tests of what a private engine changes on the machine: as it was afterwards, also of one that was killed."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import (
    Layout,
    connect,
    firewall,
    host_changes,
    limits,
    private_engine,
    processes,
    stop_private,
)
from chaos_harness.clusters.machine import traces
from chaos_harness.clusters.machine.process import run
from chaos_harness.clusters.terminal.progress import Progress

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.only_engine(reason="compares the machine before and after"),
    pytest.mark.skipif(os.geteuid() != 0, reason="a private engine needs root"),
]

_ROOT = Path(__file__).parents[2]
_CONNECT = """
import sys
from pathlib import Path
from chaos_harness.clusters.engine import Layout, connect
connect("private", layout=Layout(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])))
"""


def _soon(what: str) -> Deadline:
    return Deadline.after(120, what)


def _machine() -> dict[str, object]:
    """Return what an engine changes outside of its own directories."""
    values = [Path("/proc/sys", name) for name in (*limits.SET, *limits.WANTED)]
    rules = run(["iptables-save"], _soon("iptables")).stdout.splitlines()
    return {
        "values": {str(path): path.read_text() for path in values if path.exists()},
        "rules": [line for line in rules if "CHAOS-TEST" in line],
        "policy": run(["iptables", "-S", "FORWARD"], _soon("iptables")).stdout.splitlines()[0],
    }


@pytest.fixture
def before(layout: Layout) -> dict[str, object]:
    stop_private(layout=layout)
    return _machine()


def test_a_stopped_engine_leaves_the_machine_as_it_was(layout: Layout, before: dict[str, object]) -> None:
    """Values of the kernel, rules and the policy of FORWARD are those of before its start."""
    connect("private", layout=layout)
    assert _machine()["rules"] != []
    assert stop_private(layout=layout)
    assert _machine() == before
    assert [trace for trace in traces.pending() if trace.holder == str(layout.run)] == []


def test_what_a_killed_engine_has_changed_is_healed(layout: Layout, before: dict[str, object]) -> None:
    """Nothing of a live engine is touched; of a dead one everything is put back, without starting it again."""
    connect("private", layout=layout)
    running = _machine()
    host_changes.heal()
    assert _machine() == running
    for program in ("dockerd", "containerd"):
        for daemon in processes.find(layout, program):
            os.kill(daemon.pid, signal.SIGKILL)
    assert any(not processes.running(layout) for _ in _soon("the killed to be gone").attempts())
    assert f"{traces.CHAIN} {layout.chain}" in host_changes.heal()
    assert _machine() == before


def test_daemons_know_no_secret_of_who_started_them(layout: Layout) -> None:
    """What a CI job has in its environment does not live on in dockerd and containerd."""
    stop_private(layout=layout)
    argv = [sys.executable, "-c", _CONNECT, layout.name, str(layout.data), str(layout.run)]
    subprocess.run(argv, cwd=_ROOT, env={**os.environ, "CI_JOB_TOKEN": "hunter2"}, check=True)
    daemons = [daemon for program in ("dockerd", "containerd") for daemon in processes.find(layout, program)]
    assert len(daemons) == 2
    assert [daemon for daemon in daemons if b"hunter2" in Path(f"/proc/{daemon.pid}/environ").read_bytes()] == []
    assert {oct(directory.stat().st_mode & 0o777) for directory in (layout.data, layout.run)} == {"0o700"}


def test_another_cache_adopts_the_engine_as_it_is(layout: Layout, tmp_path: Path) -> None:
    """The firewall is open for the range that the engine runs with, and for no other."""
    connect("private", layout=layout)
    rules = _machine()["rules"]
    other = replace(layout, data=tmp_path)
    (tmp_path / "address-pool").write_text(firewall.POOLS[-1])
    private_engine.start(other, Progress.quiet())
    assert _machine()["rules"] == rules
