"""Tests of clusters.engine.runtime_shim: the real program in front of a runc that tells how it was called."""

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from chaos_harness.clusters.engine import runtime_shim

_SETS = {
    "bounding": ["CAP_CHOWN", "CAP_SYS_RESOURCE"],
    "effective": ["CAP_SYS_RESOURCE"],
    "inheritable": ["CAP_BPF", "CAP_CHOWN", "CAP_SYS_RESOURCE", "CAP_KILL"],
    "permitted": ["CAP_CHOWN"],
    "ambient": [],
}
_REDUCED = {
    "bounding": ["CAP_CHOWN"],
    "effective": [],
    "inheritable": ["CAP_CHOWN", "CAP_KILL"],
    "permitted": ["CAP_CHOWN"],
    "ambient": [],
}


@pytest.fixture
def shim(tmp_path: Path) -> Path:
    runc = tmp_path / "runc"
    runc.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    runc.chmod(0o700)
    path = tmp_path / "shim"
    runtime_shim.write(path, ("CAP_BPF", "CAP_SYS_RESOURCE"), str(runc))
    return path


def _call(shim: Path, words: Sequence[str], cwd: Path) -> list[str]:
    return subprocess.run([shim, *words], cwd=cwd, capture_output=True, text=True, check=True).stdout.splitlines()


def _spec(path: Path, content: dict[str, Any]) -> Path:
    path.write_text(json.dumps(content))
    return path


@pytest.mark.parametrize("command", ["create", "run"])
def test_capabilities_that_the_host_lacks_go_from_the_bundle(shim: Path, tmp_path: Path, command: str) -> None:
    """Every capability set in the bundle's config.json loses what the host lacks, and keeps the rest."""
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    config = _spec(bundle / "config.json", {"root": {"path": "r"}, "process": {"capabilities": _SETS}})
    _call(shim, ["--root", "/r", command, "--bundle", str(bundle), "id"], tmp_path)
    assert json.loads(config.read_text()) == {"root": {"path": "r"}, "process": {"capabilities": _REDUCED}}


def test_the_bundle_is_the_current_directory_unless_named(shim: Path, tmp_path: Path) -> None:
    """`runc run ID` reads config.json where it was started, and so does the shim."""
    config = _spec(tmp_path / "config.json", {"process": {"capabilities": _SETS}})
    _call(shim, ["run", "id"], tmp_path)
    assert json.loads(config.read_text())["process"]["capabilities"] == _REDUCED


def test_capabilities_go_from_the_process_of_an_exec(shim: Path, tmp_path: Path) -> None:
    """`docker exec --privileged` passes a process file of its own, which loses them too."""
    process = _spec(tmp_path / "process.json", {"args": ["true"], "capabilities": _SETS})
    _call(shim, ["exec", f"--process={process}", "id"], tmp_path)
    assert json.loads(process.read_text()) == {"args": ["true"], "capabilities": _REDUCED}


def test_a_process_without_capabilities_is_left_alone(shim: Path, tmp_path: Path) -> None:
    """A spec that names no capabilities needs none removed."""
    config = _spec(tmp_path / "config.json", {"process": {"args": ["true"]}})
    _call(shim, ["create", "id"], tmp_path)
    assert json.loads(config.read_text()) == {"process": {"args": ["true"]}}


@pytest.mark.parametrize("layout", [{"separators": (",", ":")}, {"indent": 1}])
def test_only_capabilities_go(shim: Path, tmp_path: Path, layout: dict[str, Any]) -> None:
    """The same word as an argument, or in a text that looks like a spec, stays; so does how the JSON is laid out."""
    args = ["capsh", "--drop", "CAP_SYS_RESOURCE", '"bounding": ["CAP_SYS_RESOURCE"]', "a,]"]
    process = tmp_path / "process.json"
    process.write_text(json.dumps({"args": args, "capabilities": _SETS, "env": ["A=CAP_BPF"]}, **layout))
    _call(shim, ["exec", "-p", str(process), "id"], tmp_path)
    assert json.loads(process.read_text()) == {"args": args, "capabilities": _REDUCED, "env": ["A=CAP_BPF"]}


def test_a_spec_that_cannot_be_read_is_an_error(shim: Path, tmp_path: Path) -> None:
    """With capabilities that the host may lack nothing is run."""
    done = subprocess.run(
        [shim, "exec", "--process", "nowhere.json", "id"], cwd=tmp_path, capture_output=True, check=False
    )
    assert (done.returncode != 0, done.stdout) == (True, b"")


def test_runc_gets_every_word_unchanged(shim: Path, tmp_path: Path) -> None:
    """What is not for the shim passes through it: options, spaces, and commands that it knows nothing of."""
    words = ["--log", "/a b", "--log-format=json", "delete", "--force", "id"]
    assert words == _call(shim, words, tmp_path)


def test_runc_decides_the_exit_status(tmp_path: Path) -> None:
    """The shim becomes runc, so that whoever waits for it gets runc's own status."""
    runtime_shim.write(tmp_path / "shim", (), shutil.which("false") or "")
    assert subprocess.run([tmp_path / "shim", "state", "id"], check=False).returncode == 1
