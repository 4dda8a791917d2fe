"""Numbers: what the probes write whose number tells how late a watch is, and that they burden nobody."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.gatekeeper.readiness import NAMESPACE
from chaos_harness.clusters.kind import audit_log
from chaos_harness.clusters.pool.fingerprint import _PASSING
from chaos_harness.harness.history import Entry, HistoryWriter, read
from chaos_harness.harness.history.coverage import Coverage
from chaos_harness.harness.history.following import follow
from chaos_harness.harness.history.vocabulary import NUMBER, WATCH_NUMBER
from chaos_harness.harness.probes.numbers import _LEASES, NUMBERED, write_numbers
from chaos_harness.harness.probes.objects import CONTROL_PLANE
from tests.fakes.rest_server import RestServer, cluster_on, rest_server
from tests.fakes.world import World

LEASE: dict[str, Any] = {
    "kind": "Lease",
    "metadata": {"name": "chaos-harness-number", "namespace": NAMESPACE, "uid": "u", "resourceVersion": "7"},
    "spec": {"holderIdentity": "chaos-harness", "leaseTransitions": 41},
}


def _until(history: HistoryWriter, wanted: Callable[[list[Entry]], bool]) -> list[Entry]:
    entries: list[Entry] = []
    for _ in Deadline.after(30, "entries").attempts(0.01, 0.05):
        entries = list(read(history.path).entries)
        if wanted(entries):
            return entries
    pytest.fail("no such entries in 30 s")


def test_each_second_is_known(cluster: Cluster, history: HistoryWriter) -> None:
    """Every number is asked for and answered, the watch tells of them, and coverage knows the lag."""
    probes = write_numbers(cluster, history, every=0.05)
    for probe in probes:
        probe.start()
    _until(history, lambda entries: sum((entry.process, entry.kind) == (NUMBER, "ok") for entry in entries) >= 20)
    _until(history, lambda entries: sum("object" in (entry.value or {}) for entry in entries) >= 2)
    for probe in probes:
        probe.stop()
    history.finish()
    recorded = read(history.path)
    numbers = [entry.value["number"] for entry in recorded.entries if (entry.process, entry.kind) == (NUMBER, "ok")]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert abs(numbers[0] - time.time()) < 60
    coverage = Coverage(recorded)
    follow(recorded, coverage)
    assert coverage.lag.known >= 1
    assert {NUMBER, WATCH_NUMBER} <= set(coverage.streams)


def test_one_request_a_number(cluster: Cluster, history: HistoryWriter, world: World) -> None:
    """What the API server is asked is one small write, and nothing besides."""
    _, probe = write_numbers(cluster, history, every=0.05)
    probe.start()
    _until(history, lambda entries: len(entries) >= 20)
    probe.stop()
    asked = [entry for entry in read(history.path).entries if entry.kind == "invoke"]
    assert world.patched == len(asked)


@pytest.fixture
def server(tmp_path: Any) -> Any:
    with rest_server() as server:
        yield server


def _asked(server: RestServer, history: HistoryWriter, tmp_path: Any, engine: Any, kind: str) -> Entry:
    _, probe = write_numbers(cluster_on(server, engine, tmp_path), history, every=0.05)
    probe.start()
    entries = _until(history, lambda entries: any(entry.kind == kind for entry in entries))
    probe.stop()
    return next(entry for entry in entries if entry.kind == kind)


def test_what_was_refused(server: RestServer, history: HistoryWriter, tmp_path: Any, cluster: Cluster) -> None:
    """A policy that denies Leases denies this one; then nothing is known of the watch."""
    server.answers[f"PATCH {_LEASES}/chaos-harness-number"] = 403
    answer = _asked(server, history, tmp_path, cluster.engine, "fail")
    assert answer.value["status"] == 403
    assert answer.value["number"]


def test_what_was_not_answered(server: RestServer, history: HistoryWriter, tmp_path: Any, cluster: Cluster) -> None:
    """Nobody knows whether a number was written of which no answer tells."""
    server.host = "http://127.0.0.1:9"
    answer = _asked(server, history, tmp_path, cluster.engine, "info")
    assert "refused" in answer.value["said"]


def test_it_is_deleted(server: RestServer, history: HistoryWriter, tmp_path: Any, cluster: Cluster) -> None:
    """Nothing of it is left when the experiment is over."""
    _asked(server, history, tmp_path, cluster.engine, "ok")
    assert server.changes[-1][:2] == ("DELETE", f"{_LEASES}/chaos-harness-number")


def test_the_watch_tells_of_the_number_only() -> None:
    """Other Leases beside it are not told, and of it nothing that nobody reads."""
    metadata = {"name": "chaos-harness-number", "uid": "u", "resourceVersion": "7"}
    assert NUMBERED.written(LEASE) == {"kind": "Lease", "metadata": metadata, "number": 41}
    assert NUMBERED.written({**LEASE, "metadata": {**LEASE["metadata"], "name": "other"}}) is None
    assert NUMBERED.written({**LEASE, "spec": {}}) == {"kind": "Lease", "metadata": metadata, "number": 0}


def test_it_is_in_no_judgement() -> None:
    """Not in that of who leads and which node lives, of what was asked (audit), nor of what a cluster is like."""
    leases, _ = CONTROL_PLANE
    assert leases.written(LEASE) is None
    assert NAMESPACE in audit_log._NOT_WATCHED
    assert "leases" in _PASSING
