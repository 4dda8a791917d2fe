"""Replicas: a probe that keeps asking each webhook pod by itself whether it serves."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from typing import Any

from kubernetes.client import ApiClient
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from clusters.cluster import Cluster
from clusters.rest import message, request
from clusters.serving import NAMESPACE, REVIEW
from harness.history import History
from harness.probes import Probe

__all__ = ["REPLICA", "ask_replicas"]

REPLICA = "replica"
"""Processes "replica <pod>" of a history ask one webhook pod, which the value names by `pod` and `uid`."""

_PORT = 8443
_TIMEOUT = (2.0, 3.0)
_MOST = 8
_SHORT = 160


def ask_replicas(cluster: Cluster, history: History, *, every: float = 1.0) -> Probe:
    """Return a probe that sends an AdmissionReview to each webhook pod by itself, every `every` seconds.

    It goes through the API server's proxy to the pod's port, past Service and endpoints, so that one
    replica's recovery can be told from that of the others. `ok`: it denied what it must; `fail`: it, or the
    API server, said something else; `info`: there was no answer.
    """
    return Probe("replicas", partial(_ask, cluster, history, every), late_after=15.0)


def _ask(cluster: Cluster, history: History, interval: float, probe: Probe) -> None:
    pods = f"/api/v1/namespaces/{NAMESPACE}/pods"
    selector = {"labelSelector": "gatekeeper.sh/operation=webhook"}
    clients = _Clients(cluster)
    with ExitStack() as last, cluster.client() as api:
        last.callback(clients.close)
        pool = last.enter_context(ThreadPoolExecutor(_MOST, "replicas"))
        for _ in probe.every(interval):
            try:
                found = request(api, "GET", pods, query=selector, timeout=_TIMEOUT)["items"]
            except (ApiException, HTTPError, ValueError) as error:
                history.append("info", "replicas", "list", {"said": repr(error)[:_SHORT]})
                continue
            list(pool.map(partial(_review, clients, history), found))


class _Clients:
    """API clients, one a thread, closed together."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._local = threading.local()
        self._lock = threading.Lock()
        self._open = ExitStack()

    def mine(self) -> ApiClient:
        if not hasattr(self._local, "client"):
            with self._lock:
                self._local.client = self._open.enter_context(self._cluster.client())
        found: ApiClient = self._local.client
        return found

    def close(self) -> None:
        self._open.close()


def _review(clients: _Clients, history: History, pod: dict[str, Any]) -> None:
    name, value = pod["metadata"]["name"], {"pod": pod["metadata"]["name"], "uid": pod["metadata"]["uid"]}
    process, f = f"{REPLICA} {name}", "review"
    path = f"/api/v1/namespaces/{NAMESPACE}/pods/https:{name}:{_PORT}/proxy/v1/admitlabel"
    history.append("invoke", process, f, value)
    try:
        answer = request(clients.mine(), "POST", path, body=REVIEW, timeout=_TIMEOUT)
        denied = answer["response"]["allowed"] is False
        history.append("ok" if denied else "fail", process, f, {**value, "said": "denied" if denied else "allowed"})
    except ApiException as error:
        history.append("fail", process, f, {**value, "status": error.status, "said": message(error)[:_SHORT]})
    except (HTTPError, ValueError, KeyError, TypeError) as error:
        history.append("info", process, f, {**value, "said": repr(error)[:_SHORT]})
