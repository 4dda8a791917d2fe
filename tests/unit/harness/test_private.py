"""Private: what is written for its owner only."""

import os
import stat
from pathlib import Path

import pytest

from chaos_harness.harness import private


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_nobody_else_may_read(tmp_path: Path) -> None:
    """Files are 0600 and new directories 0700, whatever the umask; an older file gives way, as a whole."""
    before = os.umask(0)
    try:
        (tmp_path / "a").write_text("older", encoding="utf-8")
        private.write(tmp_path / "a", "x\ud800é")
        private.write(private.directory(tmp_path / "b" / "c") / "d", b"y")
    finally:
        os.umask(before)

    assert (tmp_path / "a").read_text(encoding="utf-8") == "x\\ud800é"
    assert [_mode(tmp_path / name) for name in ("a", "b", "b/c", "b/c/d")] == [0o600, 0o700, 0o700, 0o600]


def test_what_a_killed_process_left_does_not_matter(tmp_path: Path) -> None:
    """The beginning of the same file, of a process of the same number, is replaced, also if it is a link."""
    private._unfinished(tmp_path / "a").symlink_to(tmp_path / "elsewhere")
    private.write(tmp_path / "a", "new")

    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_name_may_be_as_long_as_names_are(tmp_path: Path) -> None:
    """A file of 255 letters is written, and lines are added to it."""
    path = private.write(tmp_path / ("a" * 255), "one\n")
    private.add(path, "two\n")

    assert path.read_text(encoding="utf-8") == "one\ntwo\n"


def test_nothing_is_left_if_it_fails(tmp_path: Path) -> None:
    """What cannot be put in its place leaves no part of it."""
    (tmp_path / "a").mkdir()
    with pytest.raises(OSError, match="a"):
        private.write(tmp_path / "a", "new")

    assert [path.name for path in tmp_path.iterdir()] == ["a"]
