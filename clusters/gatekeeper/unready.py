"""Unready: why a Gatekeeper does not get ready, by what its own Deployments, pods and containers say."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from kubernetes.client import ApiClient

from chaos_harness.clusters.api.objects import Object, is_ready, is_terminating
from chaos_harness.clusters.api.rest import request
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.errors import ApiRefused, ApiUnreachable
from chaos_harness.clusters.gatekeeper.installed import deployments_path, pods_path
from chaos_harness.clusters.terminal.escape import escape_controls
from chaos_harness.clusters.watching.streaming import StreamBroken, stream_lines

__all__ = ["reasons"]

_LINES = 3
_TIMEOUT = (5.0, 10.0)
_LONG, _MOST = 300, 6
_FINE = ("Completed", "ContainerCreating", "PodInitializing")


def reasons(cluster: Cluster) -> list[str]:
    """Return, in words, why pods of Gatekeeper's namespace are not ready, and the end of what they logged."""
    try:
        with cluster.client() as api:
            deployments = request(api, "GET", deployments_path(cluster))["items"]
            pods = request(api, "GET", pods_path(cluster))["items"]
            waiting = [pod for pod in pods if not is_ready(pod) and not is_terminating(pod)]
            found = [*_of_deployments(deployments), *(words for pod in waiting for words in _of_pod(api, cluster, pod))]
    except (ApiRefused, ApiUnreachable) as error:
        return [f"nothing is known of its pods: {error}"]
    return [escape_controls(words, most=_LONG) for words in dict.fromkeys(found)][:_MOST]


def _of_deployments(deployments: list[Object]) -> Iterator[str]:
    for deployment in deployments:
        for state in deployment.get("status", {}).get("conditions") or ():
            if state["type"] == "ReplicaFailure" and state["status"] == "True":
                yield f"Deployment {deployment['metadata']['name']}: {state.get('message', state.get('reason'))}"


def _of_pod(api: ApiClient, cluster: Cluster, pod: Object) -> Iterator[str]:
    name, status = pod["metadata"]["name"], pod.get("status", {})
    for state in status.get("conditions") or ():
        if state["type"] == "PodScheduled" and state["status"] != "True":
            yield f"pod {name} is on no node: {state.get('message', state.get('reason'))}"
    statuses = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    failing = [words for each in statuses if (words := _of_container(each))]
    yield from (f"pod {name}: {words}" for words in failing)
    again = any(each.get("restartCount") for each in statuses)
    if again or any(_ended(each).get("exitCode") for each in statuses):
        yield from (f"pod {name} logged: {line}" for line in _log(api, cluster, name, previous=again))


def _of_container(status: Any) -> str:
    waiting = status.get("state", {}).get("waiting") or {}
    ended = _ended(status)
    if waiting.get("reason") and waiting["reason"] not in _FINE:
        exit_code = f", its last run ended with {ended['exitCode']}" if "exitCode" in ended else ""
        return f"{waiting['reason']}: {waiting.get('message', '')}{exit_code}"
    return f"ended with {ended['exitCode']}: {ended.get('reason')}" if ended.get("exitCode") else ""


def _ended(status: Any) -> Mapping[str, Any]:
    """Return how a container ended last; nothing if it never did."""
    return status.get("lastState", {}).get("terminated") or status.get("state", {}).get("terminated") or {}


def _log(api: ApiClient, cluster: Cluster, pod: str, *, previous: bool) -> list[str]:
    """Return the last lines that a pod's container logged, or the one of before it (`previous`)."""
    query = {"previous": str(previous).lower(), "tailLines": str(_LINES)}
    path = f"{pods_path(cluster)}/{pod}/log"
    lines = []
    with suppress(StreamBroken):  # it is told by its state, with or without a log
        answer = stream_lines(api, path, query, _TIMEOUT, lambda: False, accept="*/*")
        lines += [line.decode(errors="replace") for line in answer if line]
    return [line.rstrip() for line in lines if line.strip()][-_LINES:]
