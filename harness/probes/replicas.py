"""Replicas: asks each webhook pod directly whether it is serving and enforces the policies."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from itertools import cycle, islice
from typing import Any

from kubernetes.client import ApiClient

from chaos_harness.clusters.api.rest import request
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.gatekeeper.installed import WEBHOOK_PODS, pods_path
from chaos_harness.harness.errors import ApiRefused, ApiUnreachable
from chaos_harness.harness.history import HistoryWriter
from chaos_harness.harness.history.vocabulary import LIST, REPLICA, REPLICAS, numbered
from chaos_harness.harness.policies import Question
from chaos_harness.harness.probes import Every, Probe
from chaos_harness.harness.probes.reviews import LABEL, Review, reviews

__all__ = ["ask_replicas"]

_TIMEOUT = (2.0, 3.0)
_MOST = 8
_SHORT = 160


def ask_replicas(
    cluster: Cluster, history: HistoryWriter, *, every: Every = 1.0, questions: Sequence[Question] = ()
) -> Probe:
    """Return a probe that sends AdmissionReviews to each webhook pod directly, every `every` seconds.

    Each `round`, which is numbered, sends the label review, which needs no policy, and the next of the `questions`'
    reviews. They go through the API server's proxy to the pod's port, past Service and endpoints, so that the recovery
    of one replica is distinguished from the others'. `ok`: the pod gave the right answer; `fail`: it, or the API
    server, gave another one; `info`: no answer.
    """
    return Probe(REPLICAS, partial(_ask, cluster, history, every, reviews(questions)), late_after=30.0)


def _ask(cluster: Cluster, history: HistoryWriter, interval: float, asked: Sequence[Review], probe: Probe) -> None:
    pods = pods_path(cluster)
    selector = {"labelSelector": WEBHOOK_PODS}
    clients = _Clients(cluster)
    turns = cycle(asked)
    with ExitStack() as last, cluster.client() as api:
        last.callback(clients.close)
        pool = last.enter_context(ThreadPoolExecutor(_MOST, REPLICAS))
        for number, _ in enumerate(probe.every(interval)):
            now = [LABEL, *islice(turns, 1)]
            try:
                webhook_pods = request(api, "GET", pods, query=selector, timeout=_TIMEOUT)["items"]
            except (ApiRefused, ApiUnreachable) as error:
                history.append("info", REPLICAS, LIST, {"said": error.cause[:_SHORT]})
                continue
            list(pool.map(partial(_review, clients, history, now, number, pods), webhook_pods))


class _Clients:
    """API clients, one per thread, closed together."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._local = threading.local()
        self._lock = threading.Lock()
        self._open = ExitStack()

    def mine(self) -> ApiClient:
        if not hasattr(self._local, "client"):
            with self._lock:
                self._local.client = self._open.enter_context(self._cluster.client())
        client: ApiClient = self._local.client
        return client

    def close(self) -> None:
        self._open.close()


def _review(
    clients: _Clients, history: HistoryWriter, asked: Sequence[Review], number: int, pods: str, pod: dict[str, Any]
) -> None:
    name, uid = pod["metadata"]["name"], pod["metadata"]["uid"]
    process = numbered(REPLICA, name)
    for review in asked:
        value = {"pod": name, "uid": uid, "round": number, **review.value}
        path = review.url(pods, pod)
        history.append("invoke", process, review.f, value)
        try:
            answer = request(clients.mine(), "POST", path, body=review.body, timeout=_TIMEOUT)
            said = review.said(answer["response"])
            history.append("ok" if said == review.wanted else "fail", process, review.f, {**value, "said": said})
        except ApiRefused as error:
            refusal = {**value, "status": error.status, "said": error.message[:_SHORT]}
            history.append("fail", process, review.f, refusal)
        except ApiUnreachable as error:
            history.append("info", process, review.f, {**value, "said": error.cause[:_SHORT]})
        except (ValueError, LookupError, TypeError) as error:
            history.append("info", process, review.f, {**value, "said": repr(error)[:_SHORT]})
