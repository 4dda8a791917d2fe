"""Placement: moves Gatekeeper's pods to chosen nodes by cordoning the others for a moment."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Annotated, Any

from pydantic import Field

from chaos_harness.clusters.api.rest import delete, request
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.gatekeeper.installed import OPERATION, pods_path
from chaos_harness.clusters.gatekeeper.readiness import wait_until_serving
from chaos_harness.clusters.watching.watch import State, wait_until
from chaos_harness.harness.errors import PreparationFailed
from chaos_harness.harness.faults.workloads.reschedule import Cordon
from chaos_harness.harness.history.objects import is_ready, is_terminating, labels, name_of, node_of, uid_of
from chaos_harness.harness.preparation import Preparation
from chaos_harness.harness.undo.journal import Journal
from chaos_harness.harness.undo.promises import Undos

__all__ = ["cordon_nodes", "place_gatekeeper"]

WEBHOOK, AUDIT = "webhook", "audit"
"""Values of the label that says what a pod of Gatekeeper does."""

_SECONDS = 240.0
_MOST = 10

Places = dict[str, tuple[str, str, str]]


def place_gatekeeper(on: str, *, webhooks: Annotated[int, Field(ge=0, le=_MOST)], audit: bool) -> Preparation:
    """Return the preparation that worker `on` runs so many webhook pods, and the audit pod or not; the rest elsewhere.

    The Deployments do not change: a pod that is replaced later goes where Gatekeeper as released allows.
    """
    wanted = {WEBHOOK: webhooks, AUDIT: int(audit)}
    return Preparation(
        f"place {webhooks} webhook pods and {'the' if audit else 'no'} audit pod on {on}",
        partial(_place_pods, node=on, wanted=wanted),
    )


@contextmanager
def cordon_nodes(cluster: Cluster, journal: Journal, nodes: Sequence[str], deadline: Deadline) -> Iterator[None]:
    """Let no pod be scheduled to `nodes` for the duration of a block."""
    undos = Undos(cluster.engine, journal)
    try:
        for node in nodes:
            Cordon(node).close(cluster, undos, deadline)
        yield
    finally:
        undos.run()


@contextmanager
def _place_pods(cluster: Cluster, journal: Journal, node: str, wanted: Mapping[str, int]) -> Iterator[str]:
    others = [worker for worker in cluster.workers if worker != node]
    if node not in cluster.workers or not others:
        raise PreparationFailed(
            f"expected one of several workers, found {node!r} of {', '.join(cluster.workers) or 'none'}; "
            "see `workers` of the shape"
        )
    deadline = Deadline.after(_SECONDS, f"Gatekeeper's pods to be placed on {node} and on other nodes")
    path = pods_path(cluster)
    with cluster.client() as api:
        for shut, choose in (([node], _find_surplus), (others, _find_missing)):
            places = _locate_pods(request(api, "GET", path)["items"])
            doomed = [uid for operation, count in wanted.items() for uid in choose(places, operation, node, count)]
            if not doomed:
                continue
            with cordon_nodes(cluster, journal, shut, deadline):
                for uid in doomed:
                    options = {"gracePeriodSeconds": 1, "preconditions": {"uid": uid}}
                    delete(api, f"{path}/{places[uid][1]}", options)
                total = {
                    operation: sum(1 for kind, _, _ in places.values() if kind == operation) for operation in wanted
                }
                wait_until(api, path, partial(_have_moved, set(doomed), total), deadline)
                wait_until_serving(cluster, deadline)
        state = _locate_pods(request(api, "GET", path)["items"])
    seen = {
        operation: sum(1 for kind, _, where in state.values() if kind == operation and where == node)
        for operation in wanted
    }
    if seen != dict(wanted):
        there = Counter(operation for operation, _, _ in state.values())
        raise PreparationFailed(
            f"expected {dict(wanted)} of Gatekeeper's pods on {node}, last seen {seen}; Gatekeeper has "
            f"{ {operation: there[operation] for operation in wanted} }, see "
            f"`kubectl get pods -n {cluster.shape.namespace} -o wide`"
        )
    yield "; ".join(f"{name} ({kind}) on {where}" for kind, name, where in sorted(state.values()))


def _locate_pods(pods: Sequence[Mapping[str, Any]]) -> Places:
    """Return operation, name and node, by uid, of each pod that is not terminating."""
    return {
        uid_of(pod): (labels(pod).get(OPERATION, ""), name_of(pod), node_of(pod))
        for pod in pods
        if not is_terminating(pod)
    }


def _find_surplus(places: Places, operation: str, node: str, wanted: int) -> list[str]:
    """Return the pods on the node beyond the number `wanted`."""
    return [uid for uid, (kind, _, where) in places.items() if kind == operation and where == node][wanted:]


def _find_missing(places: Places, operation: str, node: str, wanted: int) -> list[str]:
    """Return as many pods on other nodes as the node lacks."""
    nodes = {uid: where for uid, (kind, _, where) in places.items() if kind == operation}
    elsewhere = [uid for uid, where in nodes.items() if where != node]
    return elsewhere[: max(0, wanted - (len(nodes) - len(elsewhere)))]


def _have_moved(doomed: set[str], total: Mapping[str, int], state: State) -> bool:
    """Whether the deleted pods are gone and as many as before are Ready."""
    ready = [labels(pod).get(OPERATION) for pod in state.values() if is_ready(pod)]
    gone = doomed.isdisjoint(map(uid_of, state.values()))
    return gone and all(ready.count(operation) == count for operation, count in total.items())
