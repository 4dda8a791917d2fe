"""Endings: whatever ends a run, and whoever does not listen, its fault is healed and its cluster removed first."""

import os
import signal
from pathlib import Path

import pytest

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.harness.history import read
from tests.fakes.session_folder import SessionFolder

_WORLD = """
import os, signal, shutil
from contextlib import ExitStack
from pathlib import Path

import pytest

from chaos_harness.clusters.creation import create
from chaos_harness.clusters.deadline import Deadline
from conftest import did
from chaos_harness.harness.experiment import lifecycle
from chaos_harness.harness.errors import HarnessError
from chaos_harness.harness.faults.registry.cut import cut_registry
from tests.fakes.world import World

WORLD, STACK = World(), ExitStack()
WORLD.pod("a", "w-worker")

def pretend_create(engine, images, shape, owner, directory, progress, *, keep=False, logs=None):
    folder = directory / "w"
    folder.mkdir()
    return STACK.enter_context(WORLD.cluster(folder))

def pretend_delete(cluster):
    did(f"delete, healed: {WORLD.running}")
    STACK.close()
    shutil.rmtree(cluster.directory)

create.create, create.delete = pretend_create, pretend_delete

class Slow(lifecycle.Injection):
    def heal(self):
        did(f"healing, broken: {not WORLD.running}")
        for number in HEALING:
            os.kill(os.getpid(), number)
        for _ in Deadline.after(0.2, "a heal that takes its time").attempts():
            pass
        super().heal()
        did("healed")

@pytest.fixture(autouse=True)
def no_probes(monkeypatch):
    monkeypatch.setattr(lifecycle, "Injection", Slow)
    monkeypatch.setattr(lifecycle.Experiment.__init__, "__kwdefaults__",
        lifecycle.Experiment.__init__.__kwdefaults__ | {"probes": lambda *_: []})

def fill(experiment, free=False):
    path = experiment.directory / "filler"
    with path.open("wb", buffering=0) as filler:
        for _ in range(1000):
            try:
                filler.write(bytes(1000))
            except OSError:
                break
    try:
        while True:
            experiment.history.append("mark", "test", "line", "x" * 500)
    finally:
        if free:
            path.unlink()

def test_cut(experiment):
    with experiment.fault(cut_registry()):
        did("in place")
        HARM

def test_next():
    did("next test")
"""
_ALL = ["in place", "healing, broken: True", "healed", "delete, healed: True"]
_SHARED = 'mkdir -p small && mount -t tmpfs -o size=200k none small && exec "$@"'

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="a disk of one's own takes root")


@pytest.fixture
def bench(tmp_path: Path) -> SessionFolder:
    return SessionFolder(tmp_path)


def write(bench: SessionFolder, harm: str, healing: tuple[signal.Signals, ...] = ()) -> None:
    numbers = [int(number) for number in healing]
    bench.write(cut=_WORLD.replace("HARM", harm).replace("HEALING", f"{numbers}"))


def did(bench: SessionFolder) -> list[str]:
    return [line for line in bench.did() if not line.startswith("chaos-record")]


def test_a_reader_that_goes_away_loses_what_is_told_and_nothing_else(bench: SessionFolder) -> None:
    """In `2>&1 | head -1` the fault is healed, the cluster deleted, and the next test run."""
    write(bench, "experiment.hold(0.5)")
    process = bench.start(script='{ "$@"; echo $? > status; } 2>&1 | head -1')
    output, _ = process.communicate(timeout=300)
    assert did(bench) == [*_ALL[:3], "next test", _ALL[3]], output
    assert len(output.splitlines()) == 1
    assert (bench.folder / "status").read_text(encoding="utf-8") == "0\n"


@needs_root
def test_a_full_disk_keeps_nothing_from_being_healed(bench: SessionFolder) -> None:
    """When the history cannot be written any more the fault is healed, the cluster deleted, and it is our error."""
    write(bench, "fill(experiment)")
    process = bench.start("--histories", "small", script=f"exec unshare --mount sh -c '{_SHARED}' sh \"$@\"")
    output, _ = process.communicate(timeout=300)
    assert did(bench) == [*_ALL[:3], "next test", _ALL[3]], output
    assert process.returncode == pytest.ExitCode.TESTS_FAILED
    assert "HarnessError" in output
    assert "the history ends here and is not judged" in output


def test_a_log_on_a_full_disk_keeps_nothing_from_being_healed(bench: SessionFolder) -> None:
    """What is told to a full disk is lost, and all else is done."""
    write(bench, "pass")
    bench.start("-s", script='"$@" >/dev/full 2>&1; echo $? > status').communicate(timeout=300)
    assert did(bench)[:3] == _ALL[:3]
    assert did(bench)[-1] == _ALL[3]
    assert (bench.folder / "status").read_text(encoding="utf-8") == "0\n"


_INT, _TERM, _HUP = signal.SIGINT, signal.SIGTERM, signal.SIGHUP


@pytest.mark.parametrize("first", [_INT, _TERM, _HUP])
@pytest.mark.parametrize("then", [(), (_INT,) * 2, (_TERM, _HUP)], ids=["alone", "then SIGINT twice", "then others"])
def test_no_signal_breaks_off_healing(
    bench: SessionFolder, first: signal.Signals, then: tuple[signal.Signals, ...]
) -> None:
    """The first signal ends the run, later ones are told what goes on, how long, and what breaks it off."""
    write(bench, f"os.kill(os.getpid(), {int(first)})\n        experiment.hold(30)", then)
    status, output = bench.run()
    assert did(bench) == _ALL, output
    assert status == pytest.ExitCode.INTERRUPTED
    assert output.count("interrupted: still running, for ") == len(then)
    if then:
        assert "heal cut registry, then remove the cluster w" in output
        assert "; nox -s gc" in output


@pytest.mark.parametrize("group", [False, True], ids=["the controller", "all, as by Ctrl-C"])
def test_workers_of_xdist_heal_before_they_are_ended(bench: SessionFolder, group: bool) -> None:
    """The controller waits for what its workers put right, however long its libraries would."""
    write(bench, "experiment.hold(60)")
    with (bench.folder / "conftest.py").open("a", encoding="utf-8") as conftest:
        conftest.write("from xdist.workermanage import NodeManager\nNodeManager.EXIT_TIMEOUT = 0.1\n")
    process = bench.start("-p", "xdist", "-n", "1", script='exec setsid "$@"')
    for _ in Deadline.after(60, "the fault").attempts(0.05):
        if did(bench):
            break
    (os.killpg if group else os.kill)(process.pid, _INT if group else _TERM)
    output, _ = process.communicate(timeout=300)
    assert did(bench) == _ALL, output
    assert process.returncode == pytest.ExitCode.INTERRUPTED


def test_a_signal_while_all_is_well_healed_comes_afterwards(bench: SessionFolder) -> None:
    """A fault that is being healed because its time is over is healed to the end, and then the run stops."""
    write(bench, "pass", (_INT,))
    status, output = bench.run()
    assert did(bench) == _ALL, output
    assert status == pytest.ExitCode.INTERRUPTED
    assert output.count("interrupted: still running, for ") == 1


def test_a_report_that_fails_keeps_nothing_from_being_removed(bench: SessionFolder) -> None:
    """Another plugin's full disk ends the session by an internal error, with the cluster deleted all the same."""
    write(bench, "pass")
    with (bench.folder / "conftest.py").open("a", encoding="utf-8") as conftest:
        conftest.write(
            "@pytest.hookimpl(tryfirst=True)\n"
            "def pytest_runtest_logfinish(nodeid): raise OSError(28, 'no space for a report')\n"
            "@pytest.hookimpl(tryfirst=True)\n"
            "def pytest_sessionfinish(): raise OSError(28, 'no space for a report')\n"
        )
    _, output = bench.run()
    assert did(bench) == _ALL, output
    assert "no space for a report" in output


@needs_root
def test_a_history_that_lost_a_line_ends_there(bench: SessionFolder) -> None:
    """Nothing is written after the line that was lost, though there be space again, nor that this is all."""
    write(bench, "fill(experiment, free=True)")
    script = f"exec unshare --mount sh -c '{_SHARED.replace('exec ', '')}; cp -r small kept' sh \"$@\""
    bench.start("--histories", "small", script=script).communicate(timeout=300)
    (path,) = (bench.folder / "kept").rglob("history.jsonl")
    entries = list(read(path, so_far=True).entries)
    assert entries[-1].f == "line"
