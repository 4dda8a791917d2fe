"""Control plane: what the probes of latency and of metrics write."""

import json
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import cast

import pytest
from kubernetes.client import ApiClient, Configuration

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.shape import Shape
from chaos_harness.harness.history import Entry, HistoryWriter, read
from chaos_harness.harness.probes import Probe
from chaos_harness.harness.probes.control_plane import ask_api_server, read_metrics, watch_control_plane

METRICS = """# HELP apiserver_admission_webhook_fail_open_count [ALPHA]
# TYPE apiserver_admission_webhook_fail_open_count counter
apiserver_admission_webhook_fail_open_count{name="mutation.gatekeeper.sh",type="admit"} 12
apiserver_request_total{code="200"} 7
"""
GATEKEEPER = """gatekeeper_constraints{status="active"} 3
gatekeeper_audit_duration_seconds_bucket{le="1"} 3
gatekeeper_audit_last_run_time NaN
go_goroutines 300
"""


class Server(ThreadingHTTPServer):
    """Stands for the API server, as far as the probes ask it."""

    denies = False
    control_planes: Sequence[str] = ("w",)
    shape = Shape()

    def client(self) -> ApiClient:
        configuration = Configuration()
        configuration.host = f"http://127.0.0.1:{self.server_port}"
        return ApiClient(configuration)


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the base class
        """Say nothing."""

    def do_GET(self) -> None:
        if self.path == "/metrics":
            self.answer(200, METRICS)
        elif self.path.endswith("/a:8888/proxy/metrics"):
            self.answer(200, GATEKEEPER)
        elif self.path.endswith("/proxy/metrics"):
            self.answer(503, "no endpoints")
        elif self.path.endswith("/pods"):
            self.answer(200, json.dumps({"items": [{"metadata": {"name": name}} for name in ("a", "b")]}))
        else:
            self.answer(200, "{}")

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        assert self.path.endswith("/leases?dryRun=All")
        if self.server.denies:
            self.answer(403, json.dumps({"message": "failed to configure binding"}))
        else:
            self.answer(201, "{}")

    def answer(self, status: int, text: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def cluster(server: Server) -> Cluster:
    return cast("Cluster", server)


def first_entry(history: HistoryWriter, probe: Probe, process: str, kind: str) -> Entry:
    """Let the probe ask until the history has what is looked for; return the first."""
    if probe._thread.ident is None:
        probe.start()
    for _ in Deadline.after(5, f"{kind} of {process}").attempts(0.01, 0.05):
        for entry in read(history.path).entries:
            if (entry.process, entry.kind) == (process, kind):
                return entry
    pytest.fail(f"no {kind} of {process}")


def test_latency(cluster: Cluster, server: Server, history: HistoryWriter) -> None:
    """Reads and Leases are timed; a Lease that is denied says by whom."""
    probe = ask_api_server(cluster, history, every=0.02)
    assert 0 < first_entry(history, probe, "api server", "ok").value["seconds"] < 5
    server.denies = True
    denied = first_entry(history, probe, "api server", "fail")
    probe.stop()
    assert (denied.f, denied.value["status"]) == ("write lease", 403)
    assert "failed to configure binding" in denied.value["said"]


def test_who_may_have_answered(cluster: Cluster, server: Server, history: HistoryWriter) -> None:
    """Of several API servers behind a balancer nobody knows which one answers, and each question says so."""
    server.control_planes = ("a", "b", "c")
    probe = ask_api_server(cluster, history, every=0.02)
    assert first_entry(history, probe, "api server", "invoke").value == {"servers": 3}
    probe.stop()


def test_no_answer(cluster: Cluster, server: Server, history: HistoryWriter) -> None:
    """An API server that does not answer neither takes nor denies a Lease."""
    probe = ask_api_server(cluster, history, every=0.02)
    server.shutdown()
    server.server_close()
    first_entry(history, probe, "api server", "info")
    probe.stop()
    assert {entry.kind for entry in read(history.path).entries} == {"invoke", "info"}


def test_metrics(cluster: Cluster, history: HistoryWriter) -> None:
    """Of what the API server and Gatekeeper's pods count stands what is asked for, as numbers."""
    probe = read_metrics(cluster, history, every=0.05)
    of_server = first_entry(history, probe, "metrics api server", "ok").value
    of_pod = first_entry(history, probe, "metrics a", "ok").value
    missing = first_entry(history, probe, "metrics b", "info").value
    probe.stop()
    assert of_server == {'apiserver_admission_webhook_fail_open_count{name="mutation.gatekeeper.sh",type="admit"}': 12}
    assert of_pod == {'gatekeeper_constraints{status="active"}': 3}
    assert missing["said"].startswith("503 no endpoints")


def test_all_of_it(cluster: Cluster, history: HistoryWriter) -> None:
    """The control plane is watched by its leases and pods, asked, and its counters read."""
    names = [probe.name for probe in watch_control_plane(cluster, history)]
    assert names == ["watch leases", "watch system pods", "api server", "metrics"]
