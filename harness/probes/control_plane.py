"""Control plane: probes of who leads, how long the API server takes to answer, and what it and Gatekeeper count."""

import time
from functools import partial
from math import isfinite

from kubernetes.client import ApiClient

from chaos_harness.clusters.api.leader_election import LEASES
from chaos_harness.clusters.api.rest import request
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.gatekeeper.readiness import NAMESPACE
from chaos_harness.clusters.watching.streaming import StreamBroken, WatchStopped, read_lines
from chaos_harness.harness.errors import ApiRefused, ApiUnreachable
from chaos_harness.harness.history import HistoryWriter
from chaos_harness.harness.history.vocabulary import API_SERVER, LIST, METRICS, READ, WRITE_LEASE, numbered
from chaos_harness.harness.probes import Probe
from chaos_harness.harness.probes.objects import CONTROL_PLANE, watch_objects

__all__ = ["API_SERVER", "COUNTED", "ask_api_server", "read_metrics", "watch_control_plane"]

COUNTED = (
    "apiserver_admission_webhook_fail_open_count",
    "apiserver_admission_webhook_rejection_count",
    "gatekeeper_",
)
"""What is read of all that is counted, by the beginnings of their names; not the buckets of histograms."""

_READ = "/api/v1/namespaces/kube-system"
_TIMEOUT = (2.0, 5.0)
_METRICS_TIMEOUT = (2.0, 10.0)
_METRICS_PORT = 8888
_SHORT, _LONG = 160, 600
_LEASE = {
    "apiVersion": "coordination.k8s.io/v1",
    "kind": "Lease",
    "metadata": {"name": "chaos-harness-canary", "namespace": "kube-system"},
    "spec": {"holderIdentity": "chaos-harness"},
}


def watch_control_plane(cluster: Cluster, history: HistoryWriter, *, every: float = 1.0) -> list[Probe]:
    """Return probes of leases and of the pods of kube-system, of the API server, asked so often, and of metrics."""
    return [
        *watch_objects(cluster, history, CONTROL_PLANE),
        ask_api_server(cluster, history, every=every),
        read_metrics(cluster, history),
    ]


def ask_api_server(cluster: Cluster, history: HistoryWriter, *, every: float = 1.0) -> Probe:
    """Return a probe that, every `every` seconds, reads a namespace and creates a Lease as dry run, and times both.

    No policy may deny the Lease: who leads, and which node lives, is told by such. `fail` says who did not take it.
    Where a balancer stands before several API servers, each question says how many `servers` may have answered it.
    """
    return Probe(API_SERVER, partial(_ask, cluster, history, every), late_after=15.0)


def read_metrics(cluster: Cluster, history: HistoryWriter, *, every: float = 15.0) -> Probe:
    """Return a probe that reads what is `COUNTED` every `every` seconds; the API server must render all of it."""
    return Probe(METRICS, partial(_count, cluster, history, every), late_after=60.0, settles="never")


def _ask(cluster: Cluster, history: HistoryWriter, every: float, probe: Probe) -> None:
    servers = len(cluster.control_planes)
    of = {"servers": servers} if servers > 1 else None
    with cluster.client() as api:
        for _ in probe.every(every):
            _time(api, history, READ, "GET", _READ, of)
            _time(api, history, WRITE_LEASE, "POST", LEASES, of)


def _time(api: ApiClient, history: HistoryWriter, f: str, method: str, path: str, of: dict[str, int] | None) -> None:
    history.append("invoke", API_SERVER, f, of)
    query, body = ({"dryRun": "All"}, _LEASE) if method == "POST" else (None, None)
    began = time.monotonic()
    try:
        request(api, method, path, query=query, body=body, timeout=_TIMEOUT)
    except ApiRefused as error:
        said = {"status": error.status, "said": str(error.body)[:_LONG], "seconds": _since(began)}
        history.append("fail", API_SERVER, f, said)
    except ApiUnreachable as error:
        history.append("info", API_SERVER, f, {"said": error.cause[:_SHORT]})
    else:
        history.append("ok", API_SERVER, f, {"seconds": _since(began)})


def _since(began: float) -> float:
    return round(time.monotonic() - began, 4)


def _count(cluster: Cluster, history: HistoryWriter, every: float, probe: Probe) -> None:
    pods = f"/api/v1/namespaces/{NAMESPACE}/pods"
    with cluster.client() as api:
        for _ in probe.every(every):
            _read(api, "/metrics", API_SERVER, history, probe)
            try:
                names = [pod["metadata"]["name"] for pod in request(api, "GET", pods, timeout=_TIMEOUT)["items"]]
            except (ApiRefused, ApiUnreachable) as error:
                history.append("info", numbered(METRICS, "pods"), LIST, {"said": error.cause[:_SHORT]})
                continue
            for name in names:
                _read(api, f"{pods}/{name}:{_METRICS_PORT}/proxy/metrics", name, history, probe)


def _read(api: ApiClient, path: str, whose: str, history: HistoryWriter, probe: Probe) -> None:
    """Write down what is counted at `path`; what cannot be read is told, and no reason to stop."""
    process, counts = numbered(METRICS, whose), {}
    history.append("invoke", process, READ)
    try:
        for line in read_lines(api, path, {}, _METRICS_TIMEOUT, probe.stopping.is_set):
            text = line.decode(errors="replace")
            name, _, number = text.rpartition(" ")
            if name.startswith(COUNTED) and "_bucket{" not in name and isfinite(float(number)):
                counts[name] = float(number)
    except StreamBroken as gap:
        history.append("info", process, READ, {"said": f"{gap.why} {gap.detail}"[:_SHORT]})
    except WatchStopped:
        return
    else:
        history.append("ok", process, READ, counts)
