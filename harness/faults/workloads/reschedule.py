"""Reschedule: the fault that deletes a pod so that its replacement must start on another node."""

from collections.abc import Mapping, Sequence
from typing import Any

from chaos_harness.clusters.api.rest import request
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine
from chaos_harness.clusters.errors import DeadlineExceeded
from chaos_harness.clusters.watching.watch import wait_until
from chaos_harness.harness.errors import FaultNotApplied
from chaos_harness.harness.faults import Fault
from chaos_harness.harness.faults.injection import Injection
from chaos_harness.harness.faults.leaves import NEW_PODS
from chaos_harness.harness.faults.targets import Target, find_pods
from chaos_harness.harness.undo.actions import undo
from chaos_harness.harness.undo.commands import KUBECTL, control_plane_arguments, undo_by_kubectl
from chaos_harness.harness.undo.promises import RegisteredUndo, Undos

__all__ = ["Cordon", "reschedule_pod", "uncordon"]

RESCHEDULED = "rescheduled"
"""`Entry.f` of harm entries for rescheduled pods."""

_SECONDS = 30.0


def reschedule_pod(pod: str, *, namespace: str = "") -> Fault:
    """Return the fault that cordons the node of `pod` and deletes the pod; healing uncordons the node.

    The pod is in `namespace`, by default Gatekeeper's.
    """
    return _Reschedule(pod, namespace)


@undo
def uncordon(engine: Engine, *, control_plane: str, node: str, others: Sequence[str] = ()) -> None:
    """Uncordon a node; a node that the cluster does not know needs nothing."""
    undo_by_kubectl(engine, control_plane, others, "uncordon", node)


class Cordon:
    """A cordon on a node; when it is undone the node is schedulable again, unless another fault keeps it cordoned."""

    def __init__(self, node: str) -> None:
        self._node = node
        self._undo: RegisteredUndo | None = None
        self._was_closed = False

    def close(self, cluster: Cluster, undos: Undos, deadline: Deadline) -> None:
        """Cordon the node, after its undo is journaled; a node that was cordoned by no fault of ours stays cordoned."""
        if _is_closed(cluster, self._node) and not undos.standing(uncordon, node=self._node):
            self._was_closed = True
            return
        place = control_plane_arguments(cluster, last=self._node)
        self._undo = undos.register(uncordon, harm={}, node=self._node, **place)
        cluster.exec(place["control_plane"], [*KUBECTL, "cordon", self._node], deadline)

    def prove_open(self, cluster: Cluster, deadline: Deadline) -> str:
        """Return the proof that the node is schedulable again, or why it need not be; raise FaultNotApplied."""
        deadline.check(f"{self._node} was not looked at")
        if self._was_closed:
            return f"{self._node} takes no pods: it was cordoned before"
        if self._undo and self._undo.kept:
            return f"{self._node} takes no pods: another fault keeps it cordoned"
        if _is_closed(cluster, self._node):
            raise FaultNotApplied(
                f"expected {self._node} to take pods again, it is cordoned; `kubectl uncordon {self._node}`"
            )
        return f"{self._node} takes pods again"


def _is_closed(cluster: Cluster, node: str) -> bool:
    with cluster.client() as api:
        return bool(request(api, "GET", f"/api/v1/nodes/{node}")["spec"].get("unschedulable"))


class _Reschedule:
    name = "reschedule pod"
    harms_pods = RESCHEDULED
    leaves = NEW_PODS

    def __init__(self, pod: str, namespace: str) -> None:
        self._pod = pod
        self._namespace = namespace
        self._target: Target | None = None
        self._before: set[str] = set()
        self._closed: Cordon | None = None

    def inject(self, injection: Injection) -> None:
        cluster, deadline = injection.cluster, Deadline.after(_SECONDS, f"{self._pod} to be deleted")
        pods = self._pods(cluster)
        with cluster.client() as api:
            target = self._target = find_pods(api, self._namespace or cluster.shape.namespace, [self._pod])[0]
            self._before = {pod["metadata"]["uid"] for pod in request(api, "GET", pods)["items"]}
            self._closed = Cordon(target.node)
            self._closed.close(cluster, injection.undos, deadline)
            injection.note_harm(self.harms_pods, target)
            preconditions = {"preconditions": {"uid": target.uid}}
            request(api, "DELETE", f"{pods}/{target.pod}", body=preconditions)

    def observed(self, cluster: Cluster, deadline: Deadline) -> str:
        try:
            with cluster.client() as api:
                return wait_until(api, self._pods(cluster), self._find_replacement, deadline)
        except DeadlineExceeded as error:
            raise FaultNotApplied(f"expected {self._pod} to be replaced on another node: {error}") from error

    def healed(self, cluster: Cluster, deadline: Deadline) -> str:
        return self._closed.prove_open(cluster, deadline) if self._closed else "nothing was done"

    def _pods(self, cluster: Cluster) -> str:
        return f"/api/v1/namespaces/{self._namespace or cluster.shape.namespace}/pods"

    def _find_replacement(self, state: Mapping[str, Mapping[str, Any]]) -> str | None:
        target = self._target
        if target is None:
            return None
        pods = {pod["metadata"]["uid"]: pod for pod in state.values()}
        old = pods.get(target.uid)
        if old and "deletionTimestamp" not in old["metadata"]:
            return None
        for uid, pod in pods.items():
            owners = {owner["uid"] for owner in pod["metadata"].get("ownerReferences") or ()}
            node = pod["spec"].get("nodeName")
            if uid not in self._before and target.owner in owners and node and node != target.node:
                return f"{target.pod} on {target.node} is deleted, {pod['metadata']['name']} replaces it on {node}"
        return None
