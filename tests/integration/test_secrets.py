"""Secrets: on a real cluster none of what is planted reaches a history, evidence or a log."""

import stat
from pathlib import Path

import pytest

from chaos_harness.clusters.api.rest import delete, request
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.harness.experiment import attachments
from chaos_harness.harness.experiment.recording import Recording
from chaos_harness.harness.history import read
from chaos_harness.harness.incident.replay import logs
from chaos_harness.harness.probes.objects import CONTROL_PLANE, USUAL, watch_objects

pytestmark = [pytest.mark.cluster, pytest.mark.beside, pytest.mark.xdist_group("one cluster")]

_PLANTED = "Winter2026planted"
_PODS = "/api/v1/namespaces/gatekeeper-system/pods"
_RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "runAsUser": 65535,
    "seccompProfile": {"type": "RuntimeDefault"},
}


def test_what_is_planted_is_found_nowhere(shared_cluster: Cluster, tmp_path: Path) -> None:
    """A pod's variables, arguments and log, and an address with a password, are on this disk without them."""
    cluster = shared_cluster
    address = f"http://jdoe:{_PLANTED}@proxy.example:3128"
    container = {
        "name": "a",
        "image": "registry.k8s.io/pause:3.10",
        "args": ["--password", _PLANTED],
        "env": [{"name": "HTTPS_PROXY", "value": address}, {"name": "PLAIN", "value": _PLANTED}],
        "securityContext": _RESTRICTED,
    }
    metadata = {"name": "planted", "annotations": {"proxy": address}}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": [container]}}
    with cluster.client() as api:
        request(api, "POST", _PODS, body=pod)
    history = Recording(tmp_path / "history.jsonl", cluster.run)
    probes = watch_objects(cluster, history, [*USUAL, *CONTROL_PLANE])
    for probe in probes:
        probe.start()
    for probe in probes:
        probe.wait_for_beat(Deadline.after(60, "a sign of life"))
        probe.settle(Deadline.after(60, "all that there is"))
    for probe in probes:
        probe.stop()
    history.finish()
    attachments.write(read(history.path), tmp_path)
    logs.collect(cluster, tmp_path / "logs")
    with cluster.client() as api:
        delete(api, f"{_PODS}/planted")
    files = [path for path in tmp_path.rglob("*") if path.is_file()]

    assert '"planted"' in history.path.read_text(encoding="utf-8")
    assert len(files) > 5
    assert [path.name for path in files if _PLANTED in path.read_text(encoding="utf-8", errors="replace")] == []
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
