"""Numbers: that the probes burden nobody, and are in no judgement; what they write is in tests/api."""

from typing import Any

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.kind import audit_log
from chaos_harness.clusters.pool.fingerprint import _PASSING
from chaos_harness.clusters.shape import NAMESPACE
from chaos_harness.harness.history import HistoryWriter, read
from chaos_harness.harness.probes.numbers import NUMBERED, write_numbers
from chaos_harness.harness.probes.objects import CONTROL_PLANE
from tests.fakes.world import World
from tests.recording import wait_for_entries

LEASE: dict[str, Any] = {
    "kind": "Lease",
    "metadata": {"name": "chaos-harness-number", "namespace": NAMESPACE, "uid": "u", "resourceVersion": "7"},
    "spec": {"holderIdentity": "chaos-harness", "leaseTransitions": 41},
}


def test_one_request_a_number(cluster: Cluster, history: HistoryWriter, world: World) -> None:
    """What the API server is asked is one small write, and nothing besides."""
    _, probe = write_numbers(cluster, history, every=0.05)
    probe.start()
    wait_for_entries(history, lambda entries: len(entries) >= 20)
    probe.stop()
    asked = [entry for entry in read(history.path).entries if entry.kind == "invoke"]
    assert world.patched == len(asked)


def test_the_watch_tells_of_the_number_only() -> None:
    """No other Lease is recorded, and of this one only the fields that are read."""
    metadata = {"name": "chaos-harness-number", "uid": "u", "resourceVersion": "7"}
    assert NUMBERED.written(LEASE) == {"kind": "Lease", "metadata": metadata, "number": 41}
    assert NUMBERED.written({**LEASE, "metadata": {**LEASE["metadata"], "name": "other"}}) is None
    assert NUMBERED.written({**LEASE, "spec": {}}) == {"kind": "Lease", "metadata": metadata, "number": 0}


def test_it_is_in_no_judgement() -> None:
    """Not in the watch on leases, in the audit log, or in the fingerprint of a cluster."""
    leases, _ = CONTROL_PLANE
    assert leases.written(LEASE) is None
    assert f"- {NAMESPACE}\n" in audit_log.audit_files(NAMESPACE)[audit_log.AUDIT_POLICY]
    assert "- kube-public\n" in audit_log.audit_files(NAMESPACE)[audit_log.AUDIT_POLICY]
    assert "leases" in _PASSING
