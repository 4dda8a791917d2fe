"""Admission: probes that keep asking whether Gatekeeper serves, through the API server and each replica by itself."""

import json
import threading
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

from kubernetes.client import ApiClient
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from clusters.cluster import Cluster
from clusters.rest import request
from clusters.serving import FORBIDDEN_NAMESPACE, NAMESPACE, REVIEW, WEBHOOK
from harness.errors import ProbeBroken
from harness.history import History
from harness.probes import Probe

__all__ = ["CANARY", "REPLICA", "admission_canary", "ask_replicas"]

CANARY = "canary"
"""Processes "canary <n>" of a history ask the API server; `ok` means that Gatekeeper denied what it must."""

REPLICA = "replica"
"""Processes "replica <pod>" of a history ask one webhook pod, which the value names by `pod` and `uid`."""

_TIMEOUT = (2.0, 5.0)
_AT_ONCE = 32
_REPLICA_PORT = 8443
_REPLICA_TIMEOUT = (2.0, 3.0)
_MOST_REPLICAS = 8
_FORBIDDEN = 403
_SHORT = 160


def admission_canary(cluster: Cluster, history: History, *, rate: float = 5.0) -> Probe:
    """Return a probe that asks the API server `rate` times a second to create a forbidden namespace (dry run).

    The loop is open: a slow answer does not delay the next question. An entry is `ok` if the webhook
    check-ignore-label denied it, `fail` if something else was said (its value tells: admitted, or the
    webhook could not be called), `info` if there was no answer.
    """
    return Probe(CANARY, partial(_canary, cluster, history, 1 / rate))


def ask_replicas(cluster: Cluster, history: History, *, every: float = 1.0) -> Probe:
    """Return a probe that sends an AdmissionReview to each webhook pod by itself, every `every` seconds.

    It goes through the API server's proxy to the pod's port, past Service and endpoints, so that one
    replica's recovery can be told from that of the others. Outcomes are as for the canary.
    """
    return Probe("replicas", partial(_replicas, cluster, history, every), late_after=15.0)


class _Clients:
    """API clients, one a thread, closed together; each has a number for its thread's entries."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._local = threading.local()
        self._lock = threading.Lock()
        self._made = 0
        self._open = ExitStack()

    def mine(self) -> tuple[ApiClient, int]:
        if not hasattr(self._local, "client"):
            with self._lock:
                client = self._open.enter_context(self._cluster.client())
                self._local.client, self._made = (client, self._made), self._made + 1
        found: tuple[ApiClient, int] = self._local.client
        return found

    def close(self) -> None:
        self._open.close()


@contextmanager
def _asking(cluster: Cluster, threads: int) -> Iterator[tuple[ThreadPoolExecutor, _Clients]]:
    clients = _Clients(cluster)
    pool = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="admission")
    try:
        yield pool, clients
    finally:
        pool.shutdown(cancel_futures=True)
        clients.close()


def _canary(cluster: Cluster, history: History, interval: float, probe: Probe) -> None:
    waiting: deque[Future[None]] = deque()
    with _asking(cluster, _AT_ONCE) as (pool, clients):
        for due in probe.every(interval):
            waiting.append(pool.submit(_create, clients, history, due))
            while waiting and waiting[0].done():
                waiting.popleft().result()
            if len(waiting) > _AT_ONCE:
                raise ProbeBroken(f"{len(waiting)} questions without an answer: it cannot keep its rate")


def _create(clients: _Clients, history: History, due: float) -> None:
    api, number = clients.mine()
    process, f = f"{CANARY} {number}", "create forbidden namespace"
    history.append("invoke", process, f, {"late": round(time.monotonic() - due, 3)})
    try:
        request(api, "POST", "/api/v1/namespaces", query={"dryRun": "All"}, body=FORBIDDEN_NAMESPACE, timeout=_TIMEOUT)
    except ApiException as error:
        denied = error.status == _FORBIDDEN and WEBHOOK in str(error.body)
        history.append("ok" if denied else "fail", process, f, {"status": error.status, "said": _message(error)})
    except (HTTPError, ValueError) as error:
        history.append("info", process, f, {"said": repr(error)[:_SHORT]})
    else:
        history.append("fail", process, f, {"status": 201, "said": "admitted"})


def _replicas(cluster: Cluster, history: History, interval: float, probe: Probe) -> None:
    pods = f"/api/v1/namespaces/{NAMESPACE}/pods"
    with _asking(cluster, _MOST_REPLICAS) as (pool, clients), cluster.client() as api:
        for _ in probe.every(interval):
            try:
                found = request(
                    api,
                    "GET",
                    pods,
                    query={"labelSelector": "gatekeeper.sh/operation=webhook"},
                    timeout=_REPLICA_TIMEOUT,
                )["items"]
            except (ApiException, HTTPError, ValueError) as error:
                history.append("info", "replicas", "list", {"said": repr(error)[:_SHORT]})
                continue
            list(pool.map(partial(_review, clients, history), found))


def _review(clients: _Clients, history: History, pod: dict[str, Any]) -> None:
    name, value = pod["metadata"]["name"], {"pod": pod["metadata"]["name"], "uid": pod["metadata"]["uid"]}
    process, f = f"{REPLICA} {name}", "review"
    api, _ = clients.mine()
    path = f"/api/v1/namespaces/{NAMESPACE}/pods/https:{name}:{_REPLICA_PORT}/proxy/v1/admitlabel"
    history.append("invoke", process, f, value)
    try:
        denied = request(api, "POST", path, body=REVIEW, timeout=_REPLICA_TIMEOUT)["response"]["allowed"] is False
        history.append("ok" if denied else "fail", process, f, {**value, "said": "denied" if denied else "allowed"})
    except ApiException as error:
        history.append("fail", process, f, {**value, "status": error.status, "said": _message(error)})
    except (HTTPError, ValueError, KeyError, TypeError) as error:
        history.append("info", process, f, {**value, "said": repr(error)[:_SHORT]})


def _message(error: ApiException) -> str:
    try:
        return str(json.loads(error.body or "")["message"])[:_SHORT]
    except (ValueError, KeyError, TypeError):
        return str(error.body)[:_SHORT]
