"""Tests of clusters.engine.private_engine: how daemons are started, with programs of the test's in their place."""

import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import cleanup, firewall, host_changes, limits, packages, private_engine, processes
from chaos_harness.clusters.engine.host_quirks import HostQuirks
from chaos_harness.clusters.engine.layout import Layout
from chaos_harness.clusters.errors import EngineUnavailable, HarnessError

_TELLS = '#!/bin/sh\nenv > "$2"\nexec sleep 600\n'


@pytest.fixture
def layout(tmp_path: Path) -> Iterator[Layout]:
    layout = Layout("chaos-unit", tmp_path / "data", tmp_path / "run")
    for folder in (layout.data, layout.run):
        folder.mkdir(mode=0o755)
    yield layout
    processes.end(processes.find(layout, "dockerd"), Deadline.after(30, "the fake to end"), 1)


@pytest.fixture
def dockerd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    program = tmp_path / "dockerd"
    program.write_text(_TELLS)
    program.chmod(0o755)
    monkeypatch.setattr(packages, "program", lambda _: str(program))
    return program


def _launch(layout: Layout) -> None:
    private_engine._launch(layout, "dockerd", "--config-file", layout.run / "told", Deadline.after(60, "the fake"))


def test_a_daemon_gets_nothing_of_the_environment_but_what_it_needs(
    layout: Layout, dockerd: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A secret of a CI job does not live on in a daemon; the way to registries does."""
    monkeypatch.setenv("CI_JOB_TOKEN", "hunter2")
    monkeypatch.setenv("NOX_CURRENT_SESSION", "chaos")
    monkeypatch.setenv("https_proxy", "http://proxy:3128")
    monkeypatch.setenv("SSL_CERT_FILE", "/etc/ssl/ours.pem")
    _launch(layout)
    file = layout.run / "told"
    assert any(file.exists() and "PATH=" in file.read_text() for _ in Deadline.after(30, "the fake").attempts())
    environment = dict(line.split("=", 1) for line in file.read_text().splitlines())
    assert environment["PATH"] == packages.SEARCH_PATH
    assert environment["https_proxy"] == "http://proxy:3128"
    assert environment["SSL_CERT_FILE"] == "/etc/ssl/ours.pem"
    kept = {name for name in os.environ if private_engine._KEPT_ENVIRONMENT.fullmatch(name)}
    assert set(environment) - {"PATH", "PWD", "OLDPWD", "SHLVL", "_"} == kept


def test_a_daemon_is_found_as_soon_as_it_is_started(layout: Layout, dockerd: Path) -> None:
    """It belongs to nobody, and its log is for root alone."""
    _launch(layout)
    (daemon,) = processes.find(layout, "dockerd")
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    assert str(daemon.pid) not in children
    assert stat.S_IMODE(layout.log("dockerd").stat().st_mode) == 0o600


def test_a_daemon_that_ends_at_once_is_told_with_its_log(layout: Layout, dockerd: Path) -> None:
    """Nobody waits for one that is no more."""
    dockerd.write_text("#!/bin/sh\necho no such disk\nexit 1\n")
    _launch(layout)
    with pytest.raises(EngineUnavailable, match="no such disk"):
        private_engine._wait(layout, "dockerd", Deadline.after(60, "the fake to answer"))


def test_another_cache_adopts_the_engines_own_range(layout: Layout, tmp_path: Path) -> None:
    """The firewall is opened for what the engine runs with, whatever another $XDG_CACHE_HOME chose before."""
    (layout.data / "address-pool").write_text(firewall.POOLS[0])
    layout.daemon_config.write_text(json.dumps({"default-address-pools": [{"base": firewall.POOLS[0], "size": 24}]}))
    other = Layout("chaos-unit", tmp_path / "other", layout.run)
    other.data.mkdir()
    (other.data / "address-pool").write_text(firewall.POOLS[1])
    assert private_engine._pool(other) == firewall.POOLS[1]
    argv = processes.recording_command(layout, "dockerd", [sys.executable, "-c", "print('up', flush=True); input()"])
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        assert private_engine._pool(other) == firewall.POOLS[0]
        process.kill()


def test_the_engines_directories_are_roots_alone(
    layout: Layout, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Also one that was there before, made by another hand; and what was changed is put back if it does not start."""
    put_back: list[Layout] = []
    monkeypatch.setattr(host_changes, "put_back", put_back.append)
    monkeypatch.setattr(cleanup, "clear", lambda _: None)
    monkeypatch.setattr(limits, "record_settings", lambda _: None)
    monkeypatch.setattr(private_engine, "_daemon_config", lambda *_: {})
    monkeypatch.setattr(private_engine, "_launch", lambda *_: layout.run.joinpath("none").unlink())
    with pytest.raises(FileNotFoundError):
        private_engine._start(layout)
    assert [stat.S_IMODE(directory.stat().st_mode) for directory in (layout.data, layout.cli_config)] == [0o700, 0o700]
    assert put_back == [layout]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_an_engines_data_that_another_user_made_is_refused(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its place is known: who may write there could have put images and containers of theirs into it."""
    monkeypatch.setattr(cleanup, "clear", lambda _: None)
    os.chown(layout.data, 65534, 65534)
    with pytest.raises(HarnessError, match=rf"{layout.data}: .* found one of user 65534, .*`rm -rf "):
        private_engine._start(layout)


def test_images_stay_in_dockers_own_store(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new Docker 29 would give an image another ID than every engine before it."""
    monkeypatch.setattr(firewall, "free_pool", lambda: "10.213.0.0/16")
    configuration = private_engine._daemon_config(layout, HostQuirks())
    assert configuration["features"] == {"containerd-snapshotter": False}


@pytest.mark.parametrize(
    ("mirror", "registries"),
    [("", None), ("mirror.example/hub", None), ("http://registry.chaos:5000/hub", ["registry.chaos:5000"])],
)
def test_only_a_mirror_that_is_named_so_is_spoken_to_without_encryption(
    layout: Layout, monkeypatch: pytest.MonkeyPatch, mirror: str, registries: list[str] | None
) -> None:
    """Images are compared with the digest of the lock all the same."""
    monkeypatch.setattr(firewall, "free_pool", lambda: "10.213.0.0/16")
    monkeypatch.setenv("CHAOS_MIRROR", mirror)
    assert private_engine._daemon_config(layout, HostQuirks()).get("insecure-registries") == registries
