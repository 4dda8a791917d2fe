"""Tests of clusters.engine.packages: what is asked of a package manager that is a real program, and when it is not."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import packages
from chaos_harness.clusters.errors import EngineUnavailable
from chaos_harness.clusters.machine import apt as distribution
from chaos_harness.clusters.machine import traces
from chaos_harness.clusters.terminal.progress import Progress

_APT = """\
#!/bin/sh
echo "$@; policy: $({policy} docker start >/dev/null 2>&1; echo $?)" >> {log}
case "$*" in *"install --yes"*) {install} ;; esac
"""
_NOBODY = 65534


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Make a machine without any of the programs; what it has is in the directory, which anybody may read."""
    root = Path(tempfile.mkdtemp())
    directory = root / "bin"
    directory.mkdir()
    root.chmod(0o755)
    monkeypatch.setenv("PATH", str(directory))
    monkeypatch.setattr(packages, "SEARCH_PATH", str(directory))
    monkeypatch.setattr(traces, "HOME", root / "lib")
    monkeypatch.setattr(distribution, "_POLICY", root / "policy-rc.d")
    monkeypatch.setattr(distribution, "_DPKG_LOCK", root / "lock-frontend")
    monkeypatch.setattr(packages, "_WANTS", root / "systemd")
    yield directory
    shutil.rmtree(root)


@contextlib.contextmanager
def _nobody() -> Iterator[None]:
    """Give up root's effective identity during the block."""
    was = os.geteuid()
    if was == 0:
        os.seteuid(_NOBODY)
    try:
        yield
    finally:
        os.seteuid(was)


def _apt(bare: Path, brings: list[str]) -> Path:
    """Put an apt-get there whose `install` brings the programs `brings`; return the log of its calls."""
    log = bare.parent / "apt.log"
    install = (
        "; ".join(f"echo '#!/bin/sh' > {bare}/{program}; /bin/chmod +x {bare}/{program}" for program in brings) or ":"
    )
    apt = bare / "apt-get"
    apt.write_text(_APT.format(policy=bare.parent / "policy-rc.d", log=log, install=install))
    apt.chmod(0o755)
    return log


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gets as far as apt")
def test_missing_programs_are_installed_without_starting_daemons(bare: Path) -> None:
    """apt-get is asked for the packages of what is missing, takes nothing away, and its scripts start nothing."""
    log = _apt(bare, [*packages._PROGRAMS])
    packages.install_missing(Progress.quiet())
    update, _, install = log.read_text().splitlines()
    assert "update" in update
    assert (
        "--no-install-recommends --no-remove docker.io containerd runc iptables iproute2 mount; policy: 101" in install
    )
    assert not (bare.parent / "policy-rc.d").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gets as far as apt")
def test_a_unit_that_the_installation_enabled_does_not_start_at_boot(bare: Path) -> None:
    """Debian's scripts enable what they install: that is taken back, and what was enabled before stays."""
    wants = bare.parent / "systemd" / "multi-user.target.wants"
    wants.mkdir(parents=True)
    (wants / "containerd.service").symlink_to("/lib/systemd/system/containerd.service")
    _apt(bare, [*packages._PROGRAMS])
    with (bare / "apt-get").open("a") as script:
        for unit in ("docker.service", "containerd.service"):
            script.write(
                f'case "$*" in *"install --yes"*) /bin/ln -sf /lib/systemd/system/{unit} {wants}/{unit} ;; esac\n'
            )
    packages.install_missing(Progress.quiet())
    assert [link.name for link in wants.iterdir()] == ["containerd.service"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gets as far as apt")
def test_what_a_killed_installation_enabled_is_taken_back(bare: Path) -> None:
    """Docker does not start at the next boot because a run was killed during apt; gc takes it back, once."""
    wants = bare.parent / "systemd" / "multi-user.target.wants"
    wants.mkdir(parents=True)
    (wants / "containerd.service").symlink_to("/lib/systemd/system/containerd.service")
    _apt(bare, [*packages._PROGRAMS])
    with (bare / "apt-get").open("a") as script:
        script.write(
            f'case "$*" in *"install --yes"*) /bin/ln -s /nowhere {wants}/docker.service; kill -9 $PPID ;; esac\n'
        )
    killed = os.fork()
    if not killed:
        packages.install_missing(Progress.quiet())
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(killed, 0)[1]) == -9
    assert (wants / "docker.service").is_symlink()
    deadline = Deadline.after(60, "what is left of the killed run to end")
    assert next(healed for _ in deadline.attempts() if (healed := packages.heal())) == ["units that start at boot"]
    assert [link.name for link in wants.iterdir()] == ["containerd.service"]
    assert packages.heal() == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gets as far as apt")
def test_what_apt_does_not_bring_is_named(bare: Path) -> None:
    """An installation that succeeds and yet brings no dockerd is an error that says so."""
    _apt(bare, ["docker"])
    with pytest.raises(EngineUnavailable, match="there is still no dockerd, containerd"):
        packages.install_missing(Progress.quiet())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gets as far as apt")
def test_an_apt_that_fails_tells_what_it_said(bare: Path) -> None:
    """The message carries the command to type and the end of apt's own words."""
    apt = bare / "apt-get"
    apt.write_text("#!/bin/sh\necho E: no route >&2; exit 100\n")
    apt.chmod(0o755)
    with pytest.raises(EngineUnavailable, match=r"(?s)apt-get update && apt-get install .*E: no route"):
        packages.install_missing(Progress.quiet())


def test_who_has_everything_needs_no_apt(bare: Path) -> None:
    """Nothing is asked of a machine that has every program."""
    for name in packages._PROGRAMS:
        (bare / name).write_text("#!/bin/sh\n")
        (bare / name).chmod(0o755)
    packages.install_missing(Progress.quiet())


def test_a_machine_without_apt_is_told_where_docker_comes_from(bare: Path) -> None:
    """Neither Debian nor Ubuntu: one error that names what is missing and Docker's own instructions."""
    with pytest.raises(EngineUnavailable, match=r"no dockerd, .*docs\.docker\.com/engine/install"):
        packages.install_missing(Progress.quiet())


def test_who_is_not_root_gets_the_command_to_type(bare: Path) -> None:
    """Only root installs: anybody else is told the command, and apt is not called."""
    log = _apt(bare, [])
    with _nobody(), pytest.raises(EngineUnavailable, match="sudo sh -c 'apt-get update && apt-get install"):
        packages.install_missing(Progress.quiet())
    assert not log.exists()


def test_the_image_for_jobs_has_what_an_engine_needs() -> None:
    """Nothing is installed in a pod: all packages are in its image, and an init, for daemons outlive a command."""
    dockerfile = (Path(__file__).parents[4] / ".docker/Dockerfile").read_text(encoding="utf-8")
    command, job = dockerfile.partition("AS command")[2].split("AS job")
    assert packages.engine_packages() - set(job.split()) <= set(command.split())
    assert 'ENTRYPOINT ["tini"' in job
