"""Tests of clusters.machine.scratch: folders that go with the process that uses them, whatever ends it."""

import base64
import json
import os
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from chaos_harness.clusters.machine import scratch
from chaos_harness.clusters.machine.paths import cache_dir, runtime_dir
from chaos_harness.clusters.machine.scratch import hold_folder, remove_abandoned

_HOLDS = """
import signal, tempfile
from pathlib import Path
from chaos_harness.clusters.machine.scratch import credentials_folder, hold_folder
with hold_folder("node") as folder, hold_folder("chaos-bundle", Path(tempfile.gettempdir())) as bundle:
    (folder / "layer.tar").write_text("1 GB")
    (credentials_folder() / "key").write_text("PRIVATE KEY")
    print(folder, credentials_folder(), bundle, sep="\\n", flush=True)
    signal.pause()
"""
_ROOT = Path(__file__).parents[4]


@pytest.fixture(autouse=True)
def _homes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("XDG_CACHE_HOME", "XDG_STATE_HOME", "TMPDIR"):
        (tmp_path / name).mkdir()
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "TMPDIR"))
    monkeypatch.setattr(scratch, "_own", [])


@contextmanager
def _holder(*prefix: str) -> Iterator[tuple[subprocess.Popen[str], list[Path]]]:
    argv = [*prefix, sys.executable, "-c", _HOLDS]
    with subprocess.Popen(argv, cwd=_ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield process, [Path(process.stdout.readline().strip()) for _ in range(3)]
        process.kill()


def test_folders_of_a_killed_process_are_removed() -> None:
    """After kill -9 the next collection removes what it unpacked, and the keys that it had in files; once."""
    with _holder() as (process, folders):
        process.send_signal(signal.SIGKILL)
        process.wait(30)
        assert [folder.is_dir() for folder in folders] == [True, True, True]
        assert sorted(remove_abandoned()) == sorted(f"folder {folder}" for folder in folders)
        assert [folder.exists() for folder in folders] == [False, False, False]
        assert remove_abandoned() == []


def test_folders_of_a_live_process_stay() -> None:
    """Whoever looks: the lock is the kernel's."""
    with _holder() as (_, folders):
        assert remove_abandoned() == []
        assert [folder.is_dir() for folder in folders] == [True, True, True]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes a PID namespace")
def test_folders_of_a_process_that_cannot_be_seen_stay() -> None:
    """A process in another PID namespace holds its folders all the same."""
    with _holder("unshare", "--pid", "--fork", "--mount-proc", "--kill-child") as (_, folders):
        assert remove_abandoned() == []
        assert [folder.is_dir() for folder in folders] == [True, True, True]


def test_keys_are_for_their_owner_alone_and_go_at_the_end() -> None:
    """The folder for credentials is 0700, below the run-time state, and a process that ends takes it away."""
    script = _HOLDS.replace("signal.pause()", "")
    completed = subprocess.run([sys.executable, "-c", script], cwd=_ROOT, check=True, stdout=subprocess.PIPE, text=True)
    folders = [Path(line) for line in completed.stdout.splitlines()]
    assert [folder.exists() for folder in folders] == [False, False, False]
    here = scratch.credentials_folder()
    assert here.parent == runtime_dir("credentials")
    assert stat.S_IMODE(here.stat().st_mode) == 0o700
    assert scratch.credentials_folder() == here


def test_a_folder_that_is_just_being_made_stays() -> None:
    """Between its making and its lock a folder has a name of its own, which is left alone for a minute."""
    new = Path(tempfile.mkdtemp(prefix=".chaos-new-", dir=cache_dir("scratch")))
    assert remove_abandoned() == []
    os.utime(new, (time.time() - 100,) * 2)
    assert remove_abandoned() == [f"folder {new}"]


def test_bundles_that_earlier_versions_unpacked_are_removed() -> None:
    """One in the directory for temporary files goes when it is an hour old; a link there is never followed."""
    temporary = Path(tempfile.gettempdir())
    old, new, target = (temporary / name for name in ("chaos-bundle-old", "chaos-bundle-new", "target"))
    for folder in (old, new, target):
        folder.mkdir()
    (temporary / "chaos-bundle-link").symlink_to(target)
    for folder in (old, temporary / "chaos-bundle-link"):
        os.utime(folder, (time.time() - 4000,) * 2, follow_symlinks=False)
    assert remove_abandoned() == [f"folder {old}"]
    assert target.is_dir()


def test_a_client_leaves_no_key_behind(tmp_path: Path) -> None:
    """What kubernetes' client writes to have a key in a file lies in this process's folder, which gc removes."""
    user = {"client-certificate-data": base64.b64encode(b"certificate").decode(), "client-key-data": "S0VZ"}
    content = {
        "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "users": [{"name": "u", "user": user}],
    }
    (tmp_path / "kubeconfig").write_text(json.dumps(content))
    reads = (
        "import sys, signal; from pathlib import Path; from chaos_harness.clusters.api.readonly import open_readonly\n"
    )
    reads += "with open_readonly(Path(sys.argv[1])) as foreign:\n"
    reads += "    print(foreign._api.configuration.key_file, flush=True); signal.pause()"
    argv: list[str | Path] = [sys.executable, "-c", reads, tmp_path / "kubeconfig"]
    with subprocess.Popen(argv, cwd=_ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        key = Path(process.stdout.readline().strip())
        assert key.read_text() == "KEY"
        process.kill()
    assert key.is_relative_to(runtime_dir("credentials"))
    assert list(Path(tempfile.gettempdir()).iterdir()) == []
    assert remove_abandoned() == [f"folder {key.parent}"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_what_is_anothers_stays() -> None:
    """A folder of another user is theirs to remove."""
    with hold_folder("x") as folder:
        other = folder.with_name(".theirs")
    other.mkdir()
    os.chown(other, 65534, 65534)
    assert remove_abandoned() == []
