"""Control plane: probes of leader election, of the API server's latency, and of metrics."""

import time
from functools import partial
from math import isfinite

from kubernetes.client import ApiClient

from chaos_harness.clusters.api.leader_election import LEASES
from chaos_harness.clusters.api.rest import request
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.gatekeeper.installed import METRICS_PORT, pods_path, port_of
from chaos_harness.clusters.watching.streaming import StreamBroken, WatchStopped, read_lines
from chaos_harness.harness.errors import ApiRefused, ApiUnreachable
from chaos_harness.harness.history import HistoryWriter
from chaos_harness.harness.history.vocabulary import API_SERVER, LIST, METRICS, READ, WRITE_LEASE, numbered
from chaos_harness.harness.probes import Every, Probe
from chaos_harness.harness.probes.objects import CONTROL_PLANE, watch_objects

__all__ = ["ask_api_server", "read_metrics", "watch_control_plane"]

COUNTED = (
    "apiserver_admission_webhook_fail_open_count",
    "apiserver_admission_webhook_rejection_count",
    "gatekeeper_",
)
"""Prefixes of the metrics that are read; the buckets of histograms are not."""

_READ = "/api/v1/namespaces/kube-system"
_TIMEOUT = (2.0, 5.0)
_METRICS_TIMEOUT = (2.0, 10.0)
_SHORT, _LONG = 160, 600
_LEASE = {
    "apiVersion": "coordination.k8s.io/v1",
    "kind": "Lease",
    "metadata": {"name": "chaos-harness-canary", "namespace": "kube-system"},
    "spec": {"holderIdentity": "chaos-harness"},
}


def watch_control_plane(cluster: Cluster, history: HistoryWriter, *, every: float = 1.0) -> list[Probe]:
    """Return probes of leases, of pods in kube-system, of the API server (asked every `every` s), and of metrics."""
    return [
        *watch_objects(cluster, history, CONTROL_PLANE),
        ask_api_server(cluster, history, every=every),
        read_metrics(cluster, history),
    ]


def ask_api_server(cluster: Cluster, history: HistoryWriter, *, every: Every = 1.0) -> Probe:
    """Return a probe that times a read of a namespace and a dry-run create of a Lease, every `every` seconds.

    No policy may deny the Lease: leader election and node heartbeats need Leases. `fail` has the refusal. If a load
    balancer is in front of several API servers, each question has the number of `servers` that may have answered it.
    """
    return Probe(API_SERVER, partial(_ask, cluster, history, every), late_after=15.0)


def read_metrics(cluster: Cluster, history: HistoryWriter, *, every: Every = 15.0) -> Probe:
    """Return a probe that reads the `COUNTED` metrics every `every` seconds; the API server must render all."""
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
    pods = pods_path(cluster)
    with cluster.client() as api:
        for _ in probe.every(every):
            _read(api, "/metrics", API_SERVER, history, probe)
            try:
                listed = request(api, "GET", pods, timeout=_TIMEOUT)["items"]
            except (ApiRefused, ApiUnreachable) as error:
                history.append("info", numbered(METRICS, "pods"), LIST, {"said": error.cause[:_SHORT]})
                continue
            for pod in listed:
                name = pod["metadata"]["name"]
                _read(api, f"{pods}/{name}:{port_of(pod, METRICS_PORT)}/proxy/metrics", name, history, probe)


def _read(api: ApiClient, path: str, whose: str, history: HistoryWriter, probe: Probe) -> None:
    """Record the metrics at `path`; if they cannot be read, record that and go on."""
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
