"""Removal: no folder is removed through a mount, by any way of the project."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from chaos_harness.clusters.errors import HarnessError
from chaos_harness.clusters.machine.mounts import mount_points
from chaos_harness.clusters.machine.removal import remove_folder, try_remove_folder

_ROOT = Path(__file__).parents[4]
_ALLOWED = {"clusters/machine/removal.py"}
_PROGRAM = """
import sys
from pathlib import Path
from chaos_harness.clusters.machine.removal import try_remove_folder
print(try_remove_folder(Path(sys.argv[1])))
"""

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="a mount takes root")


def test_whatever_is_there_goes(tmp_path: Path) -> None:
    """Files, links and folders go; what links lead to stays, and what is not there is no error."""
    folder, other = tmp_path / "folder", tmp_path / "other"
    (folder / "below").mkdir(parents=True)
    other.mkdir()
    (folder / "below" / "file").write_text("x")
    (folder / "link").symlink_to(other)
    remove_folder(folder)
    assert (folder.exists(), other.exists()) == (False, True)
    assert try_remove_folder(folder) is None


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    """A folder that turns out to be a link is refused, with what it leads to untouched."""
    folder, link = tmp_path / "folder", tmp_path / "link"
    folder.mkdir()
    link.symlink_to(folder)
    with pytest.raises(HarnessError, match="not all of it could be removed"):
        remove_folder(link)
    assert folder.is_dir()


@needs_root
@pytest.mark.parametrize("where", [".", "a b/root/dev/shm", "file"])
@pytest.mark.parametrize("how", ["--bind", "--rbind"])
def test_nothing_is_removed_through_a_mount(tmp_path: Path, where: str, how: str) -> None:
    """A folder that something of the machine is mounted in, at whatever depth, stays whole; what to do is told."""
    folder, host = tmp_path / "folder", tmp_path / "host"
    point = folder / where
    if where == "file":
        folder.mkdir()
        point.write_text("mounted over")
        host.write_text("the machine's")
    else:
        point.mkdir(parents=True)
        host.mkdir()
        (host / "file").write_text("the machine's")
    (folder / "part").write_text("ours")
    script = f'mount {how} "{host}" "{point}" && "$@" && ls "{folder}"'
    program = [sys.executable, "-c", _PROGRAM, str(folder)]
    words = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh", *program]
    done = subprocess.run(words, cwd=_ROOT, capture_output=True, text=True, check=True)
    assert f"umount {point.resolve()}" in done.stdout
    assert host.read_text() if where == "file" else (host / "file").read_text()
    assert (folder / "part").exists()


def test_a_mount_point_is_told_as_it_is_written(tmp_path: Path) -> None:
    """The kernel escapes blanks; only what lies below counts, the deepest first."""
    info = tmp_path / "mountinfo"
    lines = ["/a", "/a/b\\040c", "/a/b\\040c/d", "/ab"]
    info.write_text("".join(f"1 2 0:3 / {point} rw - tmpfs none rw\n" for point in lines))
    assert mount_points([Path("/a")], info) == ["/a/b c/d", "/a/b c"]


def test_what_cannot_be_removed_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A part that stays does not keep the rest, and the error names it."""
    folder = tmp_path / "folder"
    folder.mkdir()

    def refuse(_path: Path, *, ignore_errors: bool = False) -> None:
        if not ignore_errors:
            raise PermissionError(13, "Permission denied", "kept")

    monkeypatch.setattr("shutil.rmtree", refuse)
    with pytest.raises(HarnessError, match=rf"{folder}: not all of it could be removed: .*kept.*; see `ls -la"):
        remove_folder(folder)


def test_all_of_the_project_removes_folders_by_it() -> None:
    """Nobody calls rmtree by himself."""
    callers = [
        f"{path.relative_to(_ROOT)}"
        for folder in ("clusters", "harness", "reports", "scenarios")
        for path in (_ROOT / folder).rglob("*.py")
        if path.relative_to(_ROOT).as_posix() not in _ALLOWED
        if "rmtree" in (source := path.read_text(encoding="utf-8"))
        for node in ast.walk(ast.parse(source))
        if "rmtree" in (getattr(node, "attr", ""), getattr(node, "id", ""), getattr(node, "name", ""))
    ]
    assert callers == [], "use chaos_harness.clusters.machine.removal.remove_folder, which goes through no mount"
