"""Drain: the faults that evict a node's pods, or delete its Node object while it still runs."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from kubernetes.client import ApiClient

from chaos_harness.clusters.api.rest import request
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine
from chaos_harness.harness.errors import ApiRefused, ApiUnreachable, CommandFailed, FaultNotApplied
from chaos_harness.harness.faults import Fault
from chaos_harness.harness.faults.injection import Injection
from chaos_harness.harness.faults.leaves import NEW_PODS, made_again
from chaos_harness.harness.faults.nodes.heartbeats import Heartbeat, read_heartbeat, require_victim, wait_back
from chaos_harness.harness.faults.workloads.reschedule import Cordon
from chaos_harness.harness.undo.actions import undo
from chaos_harness.harness.undo.commands import control_plane_arguments, run_in_container, undo_by_kubectl

__all__ = ["DRAINED_NODE", "REMOVED_NODE", "drain_node", "register", "remove_node"]

DRAINED_NODE, REMOVED_NODE = "drained node", "removed node"
"""How, in a history, a node was harmed."""

_SECONDS = 30.0
_DRAIN_SECONDS = 150.0
_NODES = "/api/v1/nodes"
_TOO_MANY, _NOT_FOUND, _CONFLICT = 429, 404, 409
_MIRROR = "kubernetes.io/config.mirror"
_BY_CONTROLLERS = "node.kubernetes.io/"
"""How the taints begin that Kubernetes itself sets and takes off."""


def drain_node(node: str) -> Fault:
    """Return the fault that cordons `node` and evicts its pods as disruption budgets allow; healing uncordons it.

    Pods of DaemonSets stay, as with `kubectl drain --ignore-daemonsets`.
    """
    return _Drain(node)


def remove_node(node: str) -> Fault:
    """Return the fault that deletes the Node object of `node`, whose kubelet still runs; healing registers it again.

    The node gets its labels, annotations and taints back, a cordon, and its old range of pod addresses, so that running
    containers keep their addresses.
    """
    return _NodeRemoval(node)


@undo
def register(
    engine: Engine, *, control_plane: str, node: str, manifest: Mapping[str, Any], others: Sequence[str] = ()
) -> None:
    """Create the Node object unless it exists, and restart the kubelet, which registers its node only at its start.

    The kubelet of a stopped node registers it when the node starts.
    """
    create = ("create", "--filename", "-")
    if undo_by_kubectl(engine, control_plane, others, *create, seconds=_SECONDS, stdin=json.dumps(manifest)) is None:
        return
    restarted = run_in_container(engine, node, "systemctl", "restart", "kubelet", ended_by="stop")
    if restarted is not None and restarted.returncode:
        raise CommandFailed(f"`systemctl restart kubelet` on {node}: {restarted.stderr.strip()}")


class _Drain:
    name = "drain node"
    harms_nodes = DRAINED_NODE
    leaves = NEW_PODS

    def __init__(self, node: str) -> None:
        self._node = node
        self._evicted: dict[str, str] = {}
        self._refused = 0
        self._closed = Cordon(node)

    def inject(self, injection: Injection) -> None:
        require_victim(injection.cluster, self._node)
        injection.note_node_harm(self.harms_nodes, self._node)
        self._closed.close(injection.cluster, injection.undos, Deadline.after(_SECONDS, f"{self._node} to be cordoned"))
        drained = Deadline.after(_DRAIN_SECONDS, f"{self._node} to be drained")
        with injection.cluster.client() as api:
            for _ in drained.attempts(first=0.5):
                with suppress(ApiUnreachable):
                    if not self._evict(api):
                        return

    def observed(self, cluster: Cluster, deadline: Deadline) -> str:
        left: list[str] = []
        with cluster.client() as api:
            node = request(api, "GET", f"{_NODES}/{self._node}")
            if not node["spec"].get("unschedulable"):
                raise FaultNotApplied(f"expected {self._node} to be cordoned, it is not")
            for _ in deadline.attempts(first=0.5):
                try:
                    left = self._evict(api)
                except ApiUnreachable as error:
                    left = [f"an unknown number of pods ({error})"]
                if not left and self._evicted:
                    return (
                        f"{len(self._evicted)} pods were evicted from {self._node} and are gone, budgets refused "
                        f"{self._refused} times: {', '.join(sorted(self._evicted.values()))}"
                    )
        raise FaultNotApplied(
            f"expected {self._node} to be drained within {deadline.seconds:.0f} s, "
            f"{', '.join(left) or 'nothing'} is left and {len(self._evicted)} pods were evicted"
        )

    def healed(self, cluster: Cluster, deadline: Deadline) -> str:
        return self._closed.prove_open(cluster, deadline)

    def _evict(self, api: ApiClient) -> list[str]:
        """Evict each pod that was not evicted yet; return the names of the pods that are still there."""
        pods = request(api, "GET", "/api/v1/pods", query={"fieldSelector": f"spec.nodeName={self._node}"})["items"]
        left = [pod for pod in pods if not _stays(pod)]
        for pod in left:
            metadata = pod["metadata"]
            if metadata["uid"] in self._evicted:
                continue
            try:
                path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}/eviction"
                request(api, "POST", path, body=_eviction(metadata))
            except ApiRefused as error:
                if error.status == _TOO_MANY:
                    self._refused += 1
                    continue
                if error.status not in (_NOT_FOUND, _CONFLICT):
                    raise
            self._evicted[metadata["uid"]] = metadata["name"]
        return [pod["metadata"]["name"] for pod in left]


class _NodeRemoval:
    name = "remove node"
    harms_nodes = REMOVED_NODE

    def __init__(self, node: str) -> None:
        self._node = node
        self._last = Heartbeat()
        self._uid = ""
        self.leaves = (made_again(node), *NEW_PODS)

    def inject(self, injection: Injection) -> None:
        require_victim(injection.cluster, self._node)
        with injection.cluster.client() as api:
            node = request(api, "GET", f"{_NODES}/{self._node}")
            self._uid = node["metadata"]["uid"]
            injection.undo(
                register,
                node=self._node,
                manifest=_manifest(node),
                **control_plane_arguments(injection.cluster, last=self._node),
            )
            injection.note_node_harm(self.harms_nodes, self._node)
            self._last = read_heartbeat(api, self._node)
            request(api, "DELETE", f"{_NODES}/{self._node}")

    def observed(self, cluster: Cluster, deadline: Deadline) -> str:
        deadline.check(f"{self._node} was not looked at")
        with cluster.client() as api:
            try:
                node = request(api, "GET", f"{_NODES}/{self._node}")
            except ApiRefused as error:
                if error.status == _NOT_FOUND:
                    kubelet = cluster.exec(self._node, ["systemctl", "is-active", "kubelet"], deadline, check=False)
                    return f"the API server knows no node {self._node}, whose kubelet is {kubelet.stdout.strip()}"
                raise
        same = "the same" if node["metadata"]["uid"] == self._uid else "a new"
        raise FaultNotApplied(f"expected no node {self._node}, {same} one exists; did its kubelet register again?")

    def healed(self, cluster: Cluster, deadline: Deadline) -> str:
        return wait_back(cluster, self._node, self._last, deadline, restarted=True)


def _stays(pod: Mapping[str, Any]) -> bool:
    """Whether a drain leaves a pod where it is."""
    metadata = pod["metadata"]
    owned = any(owner.get("kind") == "DaemonSet" for owner in metadata.get("ownerReferences") or ())
    return owned or _MIRROR in (metadata.get("annotations") or {})


def _eviction(metadata: Mapping[str, Any]) -> dict[str, Any]:
    named = {"name": metadata["name"], "namespace": metadata["namespace"]}
    options = {"preconditions": {"uid": metadata["uid"]}}
    return {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": named, "deleteOptions": options}


def _manifest(node: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parts of a Node object that a new one needs to take its place."""
    metadata, spec = node["metadata"], node["spec"]
    kept = {name: spec[name] for name in ("podCIDR", "podCIDRs", "providerID", "unschedulable") if name in spec}
    taints = [taint for taint in spec.get("taints") or () if not taint["key"].startswith(_BY_CONTROLLERS)]
    named = {"name": metadata["name"], "labels": metadata.get("labels", {})}
    annotations = {"annotations": metadata["annotations"]} if "annotations" in metadata else {}
    tainted = {"taints": taints} if taints else {}
    return {"apiVersion": "v1", "kind": "Node", "metadata": named | annotations, "spec": kept | tainted}
