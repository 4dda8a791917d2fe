"""Freezing: a cluster stands still and wakes again, and neither Kubernetes nor Gatekeeper takes it for a loss of nodes.

`docker pause` alone would look like one. After it, the clocks have run on and everybody's news is old:
kube-controller-manager finds leases that nobody renewed and marks nodes NotReady, and who was in the middle
of renewing its own lease gives up and restarts. So who judges others is stopped first (SIGSTOP, each just
after it has renewed its lease) and is continued last: when every kubelet has renewed its lease *and* has
posted its node's status since the thaw. A lease alone is not enough, since kube-controller-manager judges
from its cache, which is old when it wakes; but then a node's object is newer than the cache's, what it
would write meets a conflict, and it reads the node again before it judges.

A kubelet that has slept long posts once that it is not Ready, since its own news of containers is old. Who judges
hears of that before it hears of the next post, and may keep new pods from the node for a moment (the effect
NoSchedule). That harms no pod and goes by itself; the effect NoExecute is what evicts, and is never there.
"""

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from kubernetes.client import ApiClient

from chaos_harness.clusters.api.leader_election import LEADERS, LEASES
from chaos_harness.clusters.api.rest import request
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine.retry import retry_while_busy
from chaos_harness.clusters.errors import BadScenario, ClusterUnavailable
from chaos_harness.clusters.gatekeeper.readiness import wait_until_serving
from chaos_harness.clusters.watching.watch import State, wait_until

__all__ = ["freeze", "thaw"]

_KUBELETS = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
_FILE = "frozen.json"
_BETWEEN_SECONDS = 0.2
_TAINTS = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")


@dataclass(frozen=True)
class _FrozenState:
    """What was so when a cluster was frozen, and must be so when it is awake again."""

    holders: Mapping[str, str]
    """Who holds the judges' leases: a restarted process has another name."""
    at: float
    """Unix seconds."""


def freeze(cluster: Cluster, deadline: Deadline) -> None:
    """Let every process of the cluster stand still.

    Raises BadScenario (several control planes: their judges would take each other's leases),
    CommandFailed, DeadlineExceeded.
    """
    if cluster.shape.control_planes > 1:
        raise BadScenario(f"cluster {cluster.name}: with several control planes it cannot be frozen unnoticed")
    with ThreadPoolExecutor(len(LEADERS)) as pool:
        holders = list(pool.map(lambda judge: _stop_between_renewals(cluster, judge, deadline), LEADERS))
    frozen = _FrozenState(dict(zip(LEADERS, holders, strict=True)), datetime.now(UTC).timestamp())
    (cluster.directory / _FILE).write_text(json.dumps(asdict(frozen)), encoding="utf-8")
    retry_while_busy(
        cluster.engine, ["pause"], [*cluster.workers, *cluster.control_planes, *_registry(cluster)], deadline
    )


def thaw(cluster: Cluster, deadline: Deadline) -> None:
    """Wake a frozen cluster, and prove that it is as healthy as it was.

    Every kubelet has renewed its lease and posted that its node is Ready since the thaw, the judges hold
    their leases as the same processes, no node carries a taint of a lost one, and every replica of
    Gatekeeper answers. Raises ClusterUnavailable (it was noticed), CommandFailed, DeadlineExceeded.
    """
    path = cluster.directory / _FILE
    try:
        frozen = _FrozenState(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise ClusterUnavailable(f"cluster {cluster.name}: nothing tells how it was frozen: {error}") from error
    since = datetime.now(UTC)
    cluster.engine.run(["unpause", *_registry(cluster), *cluster.control_planes, *cluster.workers], deadline)
    wanted = set(cluster.nodes())
    with cluster.client() as api:
        renewed = deadline.within(deadline.remaining, "every kubelet to renew its lease and post its status")
        wait_until(api, _KUBELETS, lambda state: _renewed_leases(state, since) >= wanted, renewed)
        wait_until(api, "/api/v1/nodes", lambda state: _nodes_posted_ready(state, since) >= wanted, renewed)
        for judge in LEADERS:
            _signal(cluster, judge, "CONT", deadline)
        path.unlink()
        wait_until(api, LEASES, lambda state: _renewed_leases(state, since) >= set(LEADERS), deadline)
        free = deadline.within(deadline.remaining, "every node to be free for new pods")
        wait_until(
            api, "/api/v1/nodes", lambda state: not any(_tainted(node, "NoSchedule") for node in state.values()), free
        )
        noticed = _damages(api, frozen)
    if noticed:
        raise ClusterUnavailable(f"cluster {cluster.name}: that it was frozen was noticed: {'; '.join(noticed)}")
    if cluster.shape.gatekeeper:
        wait_until_serving(cluster, deadline)


def _registry(cluster: Cluster) -> list[str]:
    return [cluster.registry.container] if cluster.registry else []


def _stop_between_renewals(cluster: Cluster, judge: str, deadline: Deadline) -> str:
    """Stop a judge just after it has renewed its lease, and return its name as the lease's holder.

    It renews again after two seconds: in between it waits for no answer that would come too late.
    """
    only = {"fieldSelector": f"metadata.name={judge}"}
    with cluster.client() as api:
        first = request(api, "GET", f"{LEASES}/{judge}")["spec"]["renewTime"]

        def renewed(state: State) -> str | None:
            spec = _by_name(state)[judge]["spec"]
            return str(spec["holderIdentity"]) if spec["renewTime"] != first else None

        holder = wait_until(api, LEASES, renewed, deadline, only)
    for attempt in deadline.attempts(first=_BETWEEN_SECONDS):
        if attempt:  # its answer has reached it by now
            break
    _signal(cluster, judge, "STOP", deadline)
    return holder


def _signal(cluster: Cluster, judge: str, signal: str, deadline: Deadline) -> None:
    for node in cluster.control_planes:
        cluster.exec(node, ["pkill", f"-{signal}", "--full", f"^{judge} "], deadline)


def _by_name(state: State) -> State:
    return {thing["metadata"]["name"]: thing for thing in state.values()}


def _renewed_leases(state: State, since: datetime) -> set[str]:
    return {
        name for name, lease in _by_name(state).items() if datetime.fromisoformat(lease["spec"]["renewTime"]) > since
    }


def _nodes_posted_ready(state: State, since: datetime) -> set[str]:
    """Return the nodes whose kubelet has said Ready since then; a heartbeat has whole seconds."""
    earliest = since.replace(microsecond=0)
    return {
        name
        for name, node in state.items()
        for condition in node["status"]["conditions"]
        if (condition["type"], condition["status"]) == ("Ready", "True")
        and datetime.fromisoformat(condition["lastHeartbeatTime"]) >= earliest
    }


def _damages(api: ApiClient, frozen: _FrozenState) -> list[str]:
    leases = {judge: request(api, "GET", f"{LEASES}/{judge}") for judge in LEADERS}
    noticed = [
        f"{judge} is another process"
        for judge, lease in leases.items()
        if lease["spec"]["holderIdentity"] != frozen.holders[judge]
    ]
    nodes: list[dict[str, Any]] = request(api, "GET", "/api/v1/nodes")["items"]
    for node in nodes:
        taints = _tainted(node, "NoExecute")
        noticed += [f"{node['metadata']['name']} carries {', '.join(taints)}"] if taints else []
    return noticed


def _tainted(node: Mapping[str, Any], effect: str) -> list[str]:
    """Return by which taints of a lost node this one has that effect on pods."""
    taints = node["spec"].get("taints") or ()
    return sorted(taint["key"] for taint in taints if taint["key"] in _TAINTS and taint["effect"] == effect)
