"""Heartbeats: a node's last lease renewal and Ready report, and the proofs that they stopped or resumed."""

from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from kubernetes.client import ApiClient

from chaos_harness.clusters.api.rest import find_object, merge_patch
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.harness.errors import ApiRefused, ApiUnreachable, BadScenario, FaultNotApplied
from chaos_harness.harness.faults.targets import require_nodes

__all__ = ["Heartbeat", "read_heartbeat", "require_victim", "wait_back", "wait_silent"]

_NODES = "/api/v1/nodes"
_LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
_TIMEOUT = (2.0, 5.0)
_UNCALLED = "failed calling webhook"
_SILENCE = 0.375
"""Share of a lease's duration after which a kubelet must have renewed it; it renews it after every quarter."""

_LOST = {"node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"}


@dataclass(frozen=True)
class Heartbeat:
    """A node's last lease renewal and last Ready report, by its own clock; `at` is when they were read (monotonic)."""

    renewed: str = ""
    reported: str = ""
    ready: str = "unknown to the API server"
    taints: tuple[str, ...] = ()
    seconds: float = 40.0
    at: float = field(default_factory=monotonic, compare=False)

    def __str__(self) -> str:
        """Return a text for messages."""
        taints = f", taints {', '.join(self.taints)}" if self.taints else ""
        return f"Ready={self.ready}, lease renewed {self.renewed or 'never'}{taints}"


def require_victim(cluster: Cluster, node: str) -> None:
    """Raise BadScenario unless `node` belongs to the cluster and the API server survives its loss."""
    require_nodes([node], cluster.name, cluster.nodes())
    if [node] == cluster.control_planes:
        raise BadScenario(f"{node} is the only control plane: no API server would be left to observe its loss")


def read_heartbeat(api: ApiClient, node: str) -> Heartbeat:
    """Return what the API server knows of a node now; an empty Heartbeat if there is no such node.

    Raises ApiRefused, ApiUnreachable.
    """
    node_object, lease = _get(api, f"{_NODES}/{node}"), _get(api, f"{_LEASES}/{node}")
    conditions = node_object.get("status", {}).get("conditions") or ()
    ready: dict[str, Any] = next((condition for condition in conditions if condition["type"] == "Ready"), {})
    spec = lease.get("spec", {})
    return Heartbeat(
        renewed=spec.get("renewTime", ""),
        reported=ready.get("lastHeartbeatTime", ""),
        ready=ready.get("status", Heartbeat.ready),
        taints=tuple(taint["key"] for taint in node_object.get("spec", {}).get("taints") or ()),
        seconds=float(spec.get("leaseDurationSeconds", Heartbeat.seconds)),
    )


def wait_silent(cluster: Cluster, node: str, since: Heartbeat, deadline: Deadline) -> str:
    """Return the proof that the API server got no heartbeat of `node` after `since`, which was read after the harm.

    The node's status is no proof: it says Ready long after the node's death. The lease is: it was due and is not
    renewed. Raises FaultNotApplied.
    """
    last = "no answer of the API server"
    with cluster.client() as api:
        for _ in deadline.attempts(first=0.5):
            try:
                now = read_heartbeat(api, node)
            except (ApiRefused, ApiUnreachable) as error:
                last = f"the API server: {error}"
                continue
            if now.renewed != since.renewed:
                raise FaultNotApplied(
                    f"expected {node} to be lost, but its kubelet renewed its lease at {now.renewed} (before: "
                    f"{since.renewed}); see `kubectl get lease --namespace kube-node-lease {node}`"
                )
            silent = now.at - since.at
            if silent >= since.seconds * _SILENCE:
                return f"its lease, due every {since.seconds / 4:.0f} s, is not renewed for {silent:.0f} s ({now})"
            last = str(now)
    raise FaultNotApplied(f"expected {node} to be silent for {since.seconds * _SILENCE:.0f} s; last seen: {last}")


def wait_back(cluster: Cluster, node: str, since: Heartbeat, deadline: Deadline, *, restarted: bool = False) -> str:
    """Return the proof that `node` is back: Ready, not tainted as lost, its lease renewed after `since`.

    A kubelet that was `restarted` must have reported Ready again, too: the old status is stale. If it has, and only a
    webhook prevents it from renewing its lease, the node counts as back: the rest is the webhook's doing. Raises
    FaultNotApplied.
    """
    last = "no answer of the API server"
    with cluster.client() as api:
        for _ in deadline.attempts(first=0.2):
            try:
                now = read_heartbeat(api, node)
                reported = now.ready == "True" and not (restarted and now.reported == since.reported)
                renewed = now.renewed not in {"", since.renewed}
                if reported and renewed and _LOST.isdisjoint(now.taints):
                    return f"{node} is Ready, its lease renewed since the healing ({now.renewed})"
                if restarted and reported and not renewed and (why := _find_refusal(api, node)):
                    return f"{node} is Ready since {now.reported}; it cannot renew its lease: {why}"
            except (ApiRefused, ApiUnreachable) as error:
                last = f"the API server: {error}"
                continue
            last = str(now)
    raise FaultNotApplied(
        f"expected {node} to be Ready with a lease renewed since {since.renewed or 'the healing'} within "
        f"{deadline.seconds:.0f} s; last seen: {last}; see `journalctl --unit kubelet` on it"
    )


def _find_refusal(api: ApiClient, node: str) -> str:
    """Return why a node's lease cannot be renewed if a webhook that did not answer is the reason, else ""."""
    try:
        body = {"spec": {"holderIdentity": node}}
        merge_patch(api, f"{_LEASES}/{node}", body, query={"dryRun": "All"})
    except ApiRefused as error:
        return error.brief if _UNCALLED in error.brief else ""
    return ""


def _get(api: ApiClient, path: str) -> dict[str, Any]:
    return find_object(api, path, timeout=_TIMEOUT) or {}
