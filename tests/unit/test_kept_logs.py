"""Kept logs: what kind exports of a cluster that failed has no secrets once the failure is told."""

import json
import stat
from pathlib import Path

import pytest

from harness.kept_logs import cleaned


def _fail(logs: Path, folder: Path) -> None:
    with cleaned(logs):
        folder.mkdir(parents=True)
        inspected = [{"Config": {"Env": ["HTTPS_PROXY=http://jdoe:Winter2026@proxy:3128", "container=docker"]}}]
        (folder / "inspect.json").write_text(json.dumps(inspected, indent=4), encoding="utf-8")
        (folder / "kubelet.log").write_bytes(b"Nov 28 12:00:00 w kubelet[1]: password=Winter2026 \xff\n")
        (folder / "core").write_bytes(b"\0Winter\xff")
        raise ValueError("the cluster is down")


def test_what_a_failure_leaves_is_clean(tmp_path: Path) -> None:
    """Variables of nodes, logs and static pods lose their secrets; older files and what is no text stay as they are."""
    (tmp_path / "older.log").write_text("token=Winter2026", encoding="utf-8")
    folder = tmp_path / "w" / "nodes"
    with pytest.raises(ValueError, match="down"):
        _fail(tmp_path, folder)

    assert "Winter2026" not in "".join(path.read_text(encoding="utf-8") for path in folder.glob("*.*"))
    assert (folder / "core").read_bytes() == b"\0Winter\xff"
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert (tmp_path / "older.log").read_text(encoding="utf-8") == "token=Winter2026"


def test_nothing_is_made_where_nothing_failed(tmp_path: Path) -> None:
    """A block that leaves no logs leaves no directory."""
    with cleaned(tmp_path / "logs"):
        pass

    assert list(tmp_path.iterdir()) == []
