"""Tests of clusters.kind.logs: what is kept of a cluster that failed, and what it points to."""

from pathlib import Path

import pytest

from chaos_harness.clusters.kind.cli import KindCli
from chaos_harness.clusters.kind.logs import collect_logs, likely_cause
from tests.fakes.engine import FakeEngine

_LABELS = {"chaos-harness.run": "r", "chaos-harness.cluster": "c"}


@pytest.fixture
def kind(tmp_path: Path) -> KindCli:
    return KindCli(FakeEngine(), "c", tmp_path)


def test_the_log_of_each_container_and_of_kind_is_kept(kind: KindCli, tmp_path: Path) -> None:
    """Containers of the cluster have a file each, kind's last words another."""
    engine = FakeEngine()
    engine.add("container", "c-registry", _LABELS)
    engine.add("container", "d-registry", {**_LABELS, "chaos-harness.cluster": "d"})
    (tmp_path / "kind.log").write_text("no")
    assert collect_logs(engine, kind, "c", tmp_path / "logs") == []
    assert sorted(path.name for path in (tmp_path / "logs").iterdir()) == ["c-registry.log", "kind.log"]


def test_nodes_that_cannot_tell_their_logs_do_not_hide_the_failure(
    kind: KindCli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What could not be had is returned, and the rest is kept."""
    monkeypatch.setattr("chaos_harness.clusters.kind.cli.tool", lambda _: Path("/bin/false"))
    engine = FakeEngine()
    engine.add("container", "c-worker", {**_LABELS, "io.x-k8s.kind.cluster": "c"})
    (missing,) = collect_logs(engine, kind, "c", tmp_path / "logs")
    assert "kind export logs" in missing
    assert (tmp_path / "logs" / "c-worker.log").exists()


def test_a_broken_engine_does_not_hide_the_failure(kind: KindCli, tmp_path: Path) -> None:
    """An engine that tells nothing costs the logs, not the error."""
    (missing,) = collect_logs(FakeEngine(errors={"ps": "gone"}), kind, "c", tmp_path / "logs")
    assert "gone" in missing


def test_a_known_cause_is_told_with_its_cure(tmp_path: Path) -> None:
    """Kubelet's words about inotify, deep in a node's logs, become a command to type."""
    log = tmp_path / "nodes" / "c-worker" / "kubelet.log"
    log.parent.mkdir(parents=True)
    log.write_bytes(b"\xff fine\n")
    assert likely_cause(tmp_path) is None
    log.write_text('"Failed to start cAdvisor" err="inotify_init: too many open files"')
    cause = likely_cause(tmp_path)
    assert cause is not None
    assert cause.startswith(f"{log} says")
    assert "sysctl fs.inotify.max_user_instances" in cause


def test_a_kernel_without_reject_is_told(tmp_path: Path) -> None:
    """Kind only says that it timed out: kubelet never started, since a rule before it failed."""
    said = "iptables v1.8.11 (nf_tables): Warning: Extension REJECT revision 0 not supported, missing kernel module?"
    (tmp_path / "journal.log").write_text(f"c-worker iptables[211]: {said}\n")
    assert "kernel-modules-extra" in (likely_cause(tmp_path) or "")
