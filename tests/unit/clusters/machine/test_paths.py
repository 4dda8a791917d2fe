"""Tests of clusters.machine.paths: whose the directories are, and who may write there."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaos_harness.clusters.errors import HarnessError
from chaos_harness.clusters.machine.paths import cache_dir, remove_write_access, require_trusted, runtime_dir


@pytest.fixture(autouse=True)
def _homes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home" / "cache"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home" / "state"))


@pytest.fixture
def _no_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def _artefact(name: str = "tools-abc") -> Path:
    folder = cache_dir("artefacts") / name
    folder.mkdir(mode=0o755)
    (folder / "kind").write_text("#!/bin/sh\n")
    (folder / "kind").chmod(0o755)
    return folder


@pytest.mark.usefixtures("_no_umask")
def test_nobody_else_may_write_whatever_the_umask(tmp_path: Path) -> None:
    """With umask 000, too, a cache is its owner's alone to change, and run-time state is for nobody else at all."""
    assert _mode(cache_dir("a", "b")) == 0o755
    assert _mode(runtime_dir("a", "b")) == 0o700
    assert _mode(runtime_dir()) == 0o700
    assert _mode(cache_dir()) == 0o755
    assert _mode(tmp_path / "home") == 0o700


def test_run_time_state_of_before_is_closed() -> None:
    """A directory that an earlier version has left open to readers is closed at its next use."""
    runtime_dir("runs").parent.chmod(0o755)
    assert _mode(runtime_dir("runs").parent) == 0o700


def test_what_this_user_has_made_is_trusted() -> None:
    """An artefact that only its owner can change may be run."""
    assert require_trusted(_artefact()) == cache_dir("artefacts") / "tools-abc"


@pytest.mark.parametrize("which", ["cache", "folder", "file"])
def test_what_others_may_change_is_refused(which: str) -> None:
    """Also where only a file in it, or a directory above it, is open; the command that mends it is told."""
    folder = _artefact()
    path = {"cache": cache_dir("artefacts"), "folder": folder, "file": folder / "kind"}[which]
    path.chmod(0o777)
    named = folder if which == "file" else path
    with pytest.raises(HarnessError, match=rf"{path}: .* mode 0777; .*`chmod -R go-w {named}` fixes it"):
        require_trusted(folder)
    remove_write_access(path)
    assert require_trusted(folder) == folder


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
@pytest.mark.parametrize("which", ["cache", "folder", "file"])
def test_what_another_user_has_made_is_refused(which: str) -> None:
    """The name of an artefact is public: whoever may write there could have put a program of theirs there."""
    folder = _artefact()
    path = {"cache": cache_dir("artefacts"), "folder": folder, "file": folder / "kind"}[which]
    os.chown(path, 65534, 65534)
    with pytest.raises(HarnessError, match=rf"{path}: .* found one of user 65534, .*`rm -rf .*`, and it is made again"):
        require_trusted(folder)


def test_a_link_is_judged_by_itself(tmp_path: Path) -> None:
    """A link's own mode says nothing, and hardening does not reach through it."""
    outside = tmp_path / "outside"
    outside.write_text("")
    outside.chmod(0o666)
    folder = _artefact()
    (folder / "kubectl").symlink_to(outside)
    remove_write_access(folder)
    assert require_trusted(folder) == folder
    assert _mode(outside) == 0o666
