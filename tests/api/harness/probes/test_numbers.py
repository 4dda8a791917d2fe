"""Numbers: what the probes write whose number tells how late a watch is, and that nothing is left of it."""

import time
from pathlib import Path

import pytest
from kubernetes.client import ApiClient

from chaos_harness.clusters.api.rest import list_objects, request
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.shape import NAMESPACE
from chaos_harness.harness.history import Entry, HistoryWriter, read
from chaos_harness.harness.history.coverage import Coverage
from chaos_harness.harness.history.following import follow
from chaos_harness.harness.history.vocabulary import NUMBER, WATCH_NUMBER
from chaos_harness.harness.probes.numbers import _LEASES, write_numbers
from tests.live_api.binaries import Binaries
from tests.live_api.cluster import live_cluster
from tests.live_api.server import NOBODY, ApiServer
from tests.recording import wait_for_entries


@pytest.fixture(autouse=True)
def namespace(api: ApiClient) -> None:
    request(api, "POST", "/api/v1/namespaces", body={"metadata": {"name": NAMESPACE}})


def asked(cluster: Cluster, history: HistoryWriter, kind: str) -> Entry:
    _, probe = write_numbers(cluster, history, every=0.05)
    probe.start()
    entries = wait_for_entries(history, lambda entries: any(entry.kind == kind for entry in entries))
    probe.stop()
    return next(entry for entry in entries if entry.kind == kind)


def test_each_second_is_known(cluster: Cluster, api: ApiClient, history: HistoryWriter) -> None:
    """Every number is written, the watch tells of each, coverage knows the lag; in the end nothing of it is left."""
    probes = write_numbers(cluster, history, every=0.05)
    for probe in probes:
        probe.start()
    wait_for_entries(history, lambda entries: sum("object" in (entry.value or {}) for entry in entries) >= 20)
    for probe in reversed(probes):
        probe.stop()
    history.finish()
    recorded = read(history.path)
    written = [entry.value["number"] for entry in recorded.entries if (entry.process, entry.kind) == (NUMBER, "ok")]
    seen = [entry.value["object"]["number"] for entry in recorded.entries if entry.f in ("ADDED", "MODIFIED")]
    assert written == list(range(written[0], written[0] + len(written)))
    assert abs(written[0] - time.time()) < 60
    assert seen == list(range(seen[0], seen[0] + len(seen)))
    assert set(seen) <= set(written)
    coverage = Coverage(recorded)
    follow(recorded, coverage)
    assert coverage.lag.known >= 1
    assert {NUMBER, WATCH_NUMBER} <= set(coverage.streams)
    assert list_objects(api, _LEASES, "items") == []


def test_what_was_refused(server: ApiServer, binaries: Binaries, history: HistoryWriter, tmp_path: Path) -> None:
    """Who may not write Leases knows it, and the number that was not written."""
    answer = asked(live_cluster(server, binaries.kubectl, tmp_path, user=NOBODY), history, "fail")
    assert answer.value["status"] == 403
    assert answer.value["number"]


def test_what_was_not_answered(server: ApiServer, cluster: Cluster, history: HistoryWriter) -> None:
    """Nobody knows whether a number was written of which no answer tells."""
    server.kill()
    assert "refused" in asked(cluster, history, "info").value["said"]
