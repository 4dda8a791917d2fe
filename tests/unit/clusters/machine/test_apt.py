"""Distribution: what apt is asked, and what is said where it cannot be asked."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaos_harness.clusters.engine import packages
from chaos_harness.clusters.errors import HarnessError
from chaos_harness.clusters.machine import apt as distribution
from chaos_harness.clusters.machine import traces
from chaos_harness.clusters.machine.locking import try_lock
from chaos_harness.clusters.terminal.progress import Progress
from tests.thorough import sampled


@pytest.fixture(autouse=True)
def _machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traces, "HOME", tmp_path / "lib")
    monkeypatch.setattr(distribution, "_POLICY", tmp_path / "sbin" / "policy-rc.d")
    monkeypatch.setattr(distribution, "_DPKG_LOCK", tmp_path / "lock-frontend")
    (tmp_path / "sbin").mkdir()


@pytest.fixture
def apt(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Make a machine whose only program is an apt-get that writes down what it is asked, and succeeds."""
    root = Path(tempfile.mkdtemp())
    (root / "apt-get").write_text(f'#!/bin/sh\necho "$@" >> {root}/asked\n')
    (root / "apt-get").chmod(0o755)
    monkeypatch.setenv("PATH", str(root))
    monkeypatch.setattr(distribution, "_POLICY", root / "policy-rc.d")
    yield root
    shutil.rmtree(root)


def _install() -> None:
    distribution.install(["a", "b"], Progress.quiet(), lack="no a here", elsewhere="ask your vendor")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gets as far as apt")
def test_packages_are_installed_alone_and_nothing_goes(apt: Path) -> None:
    """The lists are fetched, then the packages come, without what they only recommend, and waiting for dpkg's lock."""
    _install()
    update, simulated, install = (apt / "asked").read_text().splitlines()
    assert simulated == "--simulate install --no-install-recommends --no-remove a b"
    assert update == "-o DPkg::Lock::Timeout=300 update"
    assert install == "-o DPkg::Lock::Timeout=300 install --yes --no-install-recommends --no-remove a b"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gets as far as apt")
def test_what_will_come_is_recorded_before_it_comes(apt: Path) -> None:
    """With what it needs, and without what is only upgraded; so a killed installation can be taken back, too."""
    says = "Inst needed (1.0 Debian:12 [all])\nInst old [1.0] (2.0 Debian:12 [all])\nInst a (1.0 Debian:12 [all])"
    record = traces.HOME / "packages.jsonl"
    script = f'case "$*" in --simulate*) echo "{says}" ;; *--yes*) [ -s {record} ] && echo known >> {apt}/asked ;; esac'
    (apt / "apt-get").write_text(f"#!/bin/sh\n{script}\n")
    _install()
    assert (apt / "asked").read_text() == "known\n"
    assert json.loads(record.read_text())["packages"] == ["needed", "a"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gets as far as apt")
def test_what_apt_says_is_told(apt: Path) -> None:
    """An installation that fails is told with the command and apt's own words."""
    (apt / "apt-get").write_text("#!/bin/sh\necho E: no route >&2; exit 100\n")
    with pytest.raises(HarnessError, match=r"(?s)no a here; `apt-get update && .* a b` failed: .*E: no route"):
        _install()


def test_without_apt_another_way_is_told(apt: Path) -> None:
    """On another distribution the reader is told what to do."""
    (apt / "apt-get").unlink()
    with pytest.raises(HarnessError, match=r"no a here, and packages are .*; ask your vendor"):
        _install()


def test_who_is_not_root_is_told_the_command(apt: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is asked of apt, and the command is one to type."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(HarnessError, match=r"type `sudo sh -c 'apt-get update && apt-get install .* a b'`"):
        _install()
    assert not (apt / "asked").exists()


_OWN = "#!/bin/sh\nexit 0\n"


@pytest.fixture(params=[_OWN, None], ids=["own", "none"])
def policy(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """Return the place of the policy of a machine that has one of its own, or has none."""
    path = tmp_path / "sbin" / "policy-rc.d"
    if request.param:
        path.write_text(request.param)
    return path


def _there(policy: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in policy.parent.iterdir()}


def test_a_policy_that_was_there_comes_back(policy: Path) -> None:
    """A machine's own policy-rc.d, or none, is the same after the installation, also when that fails."""
    before, seen = _there(policy), []
    with contextlib.suppress(KeyError), distribution.block_daemon_starts(policy):
        seen.append(policy.read_text())
        assert [trace.what for trace in traces.pending()] == ["policy-rc.d"]
        raise KeyError
    assert "exit 101" in seen[0]
    assert _there(policy) == before
    assert traces.pending() == []


_INSTALLS = """
import sys
from pathlib import Path
from chaos_harness.clusters.machine import apt, traces
from chaos_harness.clusters.engine import packages
traces.HOME = Path(sys.argv[1])
with apt.block_daemon_starts(Path(sys.argv[2])):
    print("apt works", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("remedy", sampled(["gc", "next installation"], 1))
def test_kill_during_apt_is_healed(policy: Path, tmp_path: Path, remedy: str) -> None:
    """What kill -9 left is put right by the next collection, or installation: services start again."""
    before = _there(policy)
    argv: list[str | Path] = [sys.executable, "-c", _INSTALLS, tmp_path / "lib", policy]
    root = Path(__file__).parents[4]
    with subprocess.Popen(argv, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "apt works\n"
        process.kill()
    assert "exit 101" in policy.read_text()
    if remedy == "gc":
        assert distribution.heal() == [f"policy {policy}, which kept services from starting"]
    else:
        with distribution.block_daemon_starts(policy):
            pass
    assert _there(policy) == before
    assert distribution.heal() == []
    assert traces.pending() == []


@pytest.mark.parametrize("step", ["rename", "write_text", "chmod", "replace"])
def test_kill_between_any_two_steps_is_healed(policy: Path, step: str) -> None:
    """The machine's own policy is never in no place, and never under ours."""
    before = _there(policy)
    killed = os.fork()
    if not killed:
        setattr(Path, step, lambda *_: os._exit(9))
        distribution.block_daemon_starts(policy).__enter__()
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(killed, 0)[1]) == (0 if step == "rename" and not before else 9)
    distribution.heal()
    assert _there(policy) == before


def test_healing_waits_for_an_apt_that_has_lost_its_harness(policy: Path, tmp_path: Path) -> None:
    """As long as dpkg's lock is held, or another harness installs, no service may start."""
    guard = distribution.block_daemon_starts(policy)
    guard.__enter__()
    takes = "import fcntl, sys; file = open(sys.argv[1], 'w'); fcntl.lockf(file, fcntl.LOCK_EX)"
    holds = f"{takes}; print(flush=True); input()"
    argv: list[str | Path] = [sys.executable, "-c", holds, tmp_path / "lock-frontend"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as apt:
        assert apt.stdout
        apt.stdout.readline()
        assert distribution.heal() == []
        apt.kill()
    with try_lock(str(tmp_path / "lib" / "apt.lock")):
        assert distribution.heal() == []
    assert distribution.heal() != []


def test_where_nothing_was_changed_nothing_is_written(policy: Path, tmp_path: Path) -> None:
    """Healing a machine that was never touched leaves no file on it, and needs no disk that can be written to."""
    before = _there(policy)
    assert distribution.heal() == packages.heal() == []
    assert _there(policy) == before
    assert not (tmp_path / "lib").exists()


def test_the_lock_is_the_machines(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Two installers with different state directories take turns: they share one policy."""
    with try_lock(str(distribution._apt_lock())):
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "other"))
        with try_lock(str(distribution._apt_lock())) as free:
            assert not free


def test_two_installers_at_once_leave_the_machines_own_policy(policy: Path) -> None:
    """Whoever ends last, and although an earlier version may know another lock: only ours is taken away."""
    before = _there(policy)
    first, second = distribution.block_daemon_starts(policy), distribution.block_daemon_starts(policy)
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    second.__exit__(None, None, None)
    assert _there(policy) == before


def test_an_administrators_file_is_never_deleted(policy: Path) -> None:
    """One that came while apt worked stays; what was put aside stays beside it, and the next installation asks."""
    before = _there(policy)
    with distribution.block_daemon_starts(policy):
        policy.write_text("the administrator's new one")
    assert policy.read_text() == "the administrator's new one"
    if before:
        assert _there(policy)["policy-rc.d.chaos-harness-saved"] == _OWN
        with pytest.raises(HarnessError, match="keep the one that you want: `mv "):
            distribution.block_daemon_starts(policy).__enter__()
        assert policy.read_text() == "the administrator's new one"
