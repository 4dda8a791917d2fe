"""Own cgroup: controllers are handed down in a container's own root, and nothing is done anywhere else."""

from pathlib import Path

import pytest

from chaos_harness.clusters.errors import HarnessError
from chaos_harness.clusters.machine.own_cgroup import hand_down_controllers


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a group with two processes, as cgroup v2 shows the root of a container's namespace."""
    files = {"type": "domain\n", "controllers": "cpu memory pids\n", "procs": "1\n42\n", "subtree_control": ""}
    for name, text in files.items():
        (tmp_path / f"cgroup.{name}").write_text(text, encoding="ascii")
    return tmp_path


def test_controllers_are_handed_down(root: Path) -> None:
    """The processes are moved into a group of their own before, since a group that has any hands nothing down."""
    assert hand_down_controllers(root)
    assert (root / "init/cgroup.procs").read_text(encoding="ascii") == "42", "each is written by itself"
    assert (root / "cgroup.subtree_control").read_text(encoding="ascii") == "+cpu +memory +pids"


def test_the_machines_own_root_is_left_alone(root: Path) -> None:
    """It alone has no type; nor has cgroup v1."""
    (root / "cgroup.type").unlink()
    assert not hand_down_controllers(root)
    assert not (root / "init").exists()


def test_a_container_without_privileges_is_told(root: Path) -> None:
    """There the file system of groups is read-only, which no test can make; a file in the way says the same."""
    (root / "init").touch()
    with pytest.raises(HarnessError, match=r"needs it to be privileged"):
        hand_down_controllers(root)
