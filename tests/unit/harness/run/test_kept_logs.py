"""Kept logs: what kind exports of a cluster that failed has no secrets in any place that stays, at any moment."""

import json
import stat
from pathlib import Path

import pytest

from chaos_harness.clusters.creation.create import create
from chaos_harness.clusters.errors import ClusterUnavailable
from chaos_harness.clusters.garbage import Owner
from chaos_harness.clusters.images import Images
from chaos_harness.clusters.shape import Shape
from chaos_harness.clusters.terminal.progress import Progress
from chaos_harness.harness.run.kept_logs import keep_logs
from tests.fakes.engine import FakeEngine


def _export(folder: Path) -> None:
    (folder / "nodes").mkdir(parents=True)
    inspected = [{"Config": {"Env": ["HTTPS_PROXY=http://jdoe:Winter2026@proxy:3128", "container=docker"]}}]
    (folder / "nodes" / "inspect.json").write_text(json.dumps(inspected, indent=4), encoding="utf-8")
    (folder / "kubelet.log").write_bytes(b"Nov 28 12:00:00 w kubelet[1]: password=Winter2026 \xff\n")
    (folder / "core").write_bytes(b"\0Winter\xff")
    (folder / "link.log").symlink_to("/etc/passwd")


def _content(folder: Path) -> str:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return "".join(path.read_text(encoding="utf-8", errors="replace") for path in files)


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_what_is_kept_is_clean(tmp_path: Path) -> None:
    """Variables of nodes, logs and static pods lose their secrets; what is no text stays, no link is followed."""
    _export(tmp_path / "raw")
    folder, missing = keep_logs(tmp_path / "logs").keep(tmp_path / "raw", "w")

    assert (folder, missing) == (tmp_path / "logs" / "w", [])
    assert sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()) == [
        "core",
        "kubelet.log",
        "nodes/inspect.json",
    ]
    assert "Winter2026" not in _content(folder)
    assert "w kubelet[1]" in _content(folder)
    assert (folder / "core").read_bytes() == b"\0Winter\xff"
    assert {_mode(path) for path in folder.rglob("*") if path.is_file()} == {0o600}
    assert {_mode(path) for path in (folder, folder / "nodes")} == {0o700}


def test_what_cannot_be_written_keeps_nothing_else_from_being_kept(tmp_path: Path) -> None:
    """A file that the disk does not take is told, and the others are there."""
    _export(tmp_path / "raw")
    (tmp_path / "logs" / "w" / "kubelet.log").mkdir(parents=True)
    folder, (missing,) = keep_logs(tmp_path / "logs").keep(tmp_path / "raw", "w")

    assert missing.startswith("kubelet.log: ")
    assert (folder / "nodes" / "inspect.json").is_file()


def test_raw_logs_are_in_a_private_folder_that_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While kind exports them, and until they are clean, they lie where only we look, and are swept after a kill."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr("chaos_harness.clusters.kind.cli.tool", lambda _: Path("/bin/false"))
    logs = tmp_path / "results" / "logs"
    raw: list[Path] = []

    def collect(_site: object, target: Path) -> list[str]:
        _export(target)
        raw.append(target)
        assert _mode(target) == 0o700
        assert target.parent == tmp_path / "cache" / "chaos-harness" / "scratch"
        assert not logs.exists()
        return []

    monkeypatch.setattr("chaos_harness.clusters.creation.builder.ClusterBuilder.collect_logs", collect)
    owner = Owner.mine("r")
    shape = Shape(gatekeeper=None, registry=False)
    with pytest.raises(ClusterUnavailable, match=f"logs: {logs}"):
        create(
            FakeEngine(),
            Images("n", None, None, None),
            shape,
            owner,
            owner.claim(),
            Progress.quiet(),
            logs=keep_logs(logs),
        )
    assert not raw[0].exists()
    assert "w kubelet[1]" in _content(logs)
    assert "Winter2026" not in _content(tmp_path / "results") + _content(tmp_path / "cache")
