"""Freezing: pauses a cluster and thaws it so that neither Kubernetes nor Gatekeeper sees lost nodes.

`docker pause` alone would look like a loss. Afterwards the clocks have moved on and all reports are old:
kube-controller-manager sees leases without renewal and marks nodes NotReady, and a leader that was just renewing
its own lease gives up and restarts. So the judges (kube-controller-manager and kube-scheduler) are stopped first
(SIGSTOP, each just after it renewed its lease) and continued last: when every kubelet has renewed its lease *and*
posted its node's status since the thaw. A lease alone is not enough: kube-controller-manager judges from its cache,
which is old when it continues. But then a node's object is newer than in the cache, so its write fails with a conflict,
and it reads the node again before it judges.

A kubelet that slept for long posts once that it is not Ready, since its own data about containers is old. The judges
see that post before the next one, and may keep new pods off the node for a moment (taint with the effect NoSchedule).
That harms no pod and ends by itself; the effect NoExecute, which evicts pods, never occurs.

Of several control planes, one has the judge that leads, and the others wait for its lease to run out, which it has when
they wake. So the leading one goes on first, and they only when it has renewed the lease: what they see then is a lease
that has just changed. The engine pauses all containers at once, and wakes them so: members of etcd that stop and go on
within less than a second of each other count no heartbeat as lost.
"""

import json
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from kubernetes.client import ApiClient

from chaos_harness.clusters.api.leader_election import LEADERS, LEASES
from chaos_harness.clusters.api.rest import read
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine.retry import retry_while_busy
from chaos_harness.clusters.errors import ClusterUnavailable
from chaos_harness.clusters.gatekeeper.readiness import wait_until_serving
from chaos_harness.clusters.watching.watch import State, wait_until

__all__ = ["freeze", "thaw"]

_KUBELETS = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
_FILE = "frozen.json"
_BETWEEN_SECONDS = 0.2
_MOST_BETWEEN_SECONDS = 1.5
_STOPS = 4
_TAINTS = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")


@dataclass(frozen=True)
class _FrozenState:
    """What was true when a cluster was frozen, and must be true after the thaw."""

    holders: Mapping[str, str]
    """The holders of the judges' leases: a restarted process has another name."""
    at: float
    """Unix seconds."""


def freeze(cluster: Cluster, deadline: Deadline) -> None:
    """Pause every process of the cluster. Raises CommandFailed, DeadlineExceeded."""
    with ThreadPoolExecutor(len(LEADERS)) as pool:
        holders = list(pool.map(lambda judge: _stop_between_renewals(cluster, judge, deadline), LEADERS))
    frozen = _FrozenState(dict(zip(LEADERS, holders, strict=True)), datetime.now(UTC).timestamp())
    (cluster.directory / _FILE).write_text(json.dumps(asdict(frozen)), encoding="utf-8")
    retry_while_busy(
        cluster.engine, ["pause"], [*cluster.workers, *cluster.control_planes, *_others(cluster)], deadline
    )


def thaw(cluster: Cluster, deadline: Deadline) -> None:
    """Thaw a frozen cluster, and prove that it is as healthy as before.

    Every kubelet has renewed its lease and posted that its node is Ready since the thaw, the judges hold their leases
    with the same processes, no node has a taint of a lost node, and every replica of Gatekeeper answers. Raises
    ClusterUnavailable (Kubernetes noticed the pause), CommandFailed, DeadlineExceeded.
    """
    path = cluster.directory / _FILE
    try:
        frozen = _FrozenState(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise ClusterUnavailable(f"cluster {cluster.name}: its state before the pause is unknown: {error}") from error
    since = datetime.now(UTC)
    cluster.engine.run(["unpause", *_others(cluster), *cluster.control_planes, *cluster.workers], deadline)
    wanted = set(cluster.nodes())
    with cluster.client() as api:
        renewed = deadline.within(deadline.remaining, "every kubelet to renew its lease and post its status")
        wait_until(api, _KUBELETS, lambda state: _renewed_leases(state, since) >= wanted, renewed)
        wait_until(api, "/api/v1/nodes", lambda state: _nodes_posted_ready(state, since) >= wanted, renewed)
        for judge in LEADERS:
            _signal(cluster, judge, "CONT", deadline, _leading(cluster, frozen.holders[judge]))
        path.unlink()
        wait_until(api, LEASES, lambda state: _renewed_leases(state, since) >= set(LEADERS), deadline)
        for judge in LEADERS:
            _signal(cluster, judge, "CONT", deadline, _waiting(cluster, frozen.holders[judge]))
        free = deadline.within(deadline.remaining, "every node to be schedulable")
        wait_until(
            api, "/api/v1/nodes", lambda state: not any(_tainted(node, "NoSchedule") for node in state.values()), free
        )
        noticed = _damages(api, frozen, deadline)
    if noticed:
        raise ClusterUnavailable(f"cluster {cluster.name}: Kubernetes noticed the pause: {'; '.join(noticed)}")
    wait_until_serving(cluster, deadline)


def _others(cluster: Cluster) -> list[str]:
    """Return the containers that are no nodes: the registry, and what stands before several API servers."""
    balancer = [f"{cluster.name}-external-load-balancer"] if cluster.shape.control_planes > 1 else []
    return [*balancer, *([cluster.registry.container] if cluster.registry else [])]


def _leading(cluster: Cluster, holder: str) -> list[str]:
    """Return the control plane on which the holder of a lease runs: its name begins with the node's."""
    return [node for node in cluster.control_planes if holder.startswith(f"{node}_")] or cluster.control_planes


def _waiting(cluster: Cluster, holder: str) -> list[str]:
    leading = _leading(cluster, holder)
    return [node for node in cluster.control_planes if node not in leading]


def _stop_between_renewals(cluster: Cluster, judge: str, deadline: Deadline) -> str:
    """Stop a judge just after it renewed its lease, and return its name as the lease's holder.

    It renews every two seconds: in between no answer is pending that would come too late. If stopping it takes until
    the next renewal, on a busy machine, that is tried again; the last time is taken as it is, and costs a miss if it
    was just renewing.
    """
    for tries_left in reversed(range(_STOPS)):
        holder = _renewing(cluster, judge, deadline)
        renewed = time.monotonic()
        deadline.pause(_BETWEEN_SECONDS)  # its answer has reached it by then
        nodes = [*_leading(cluster, holder), *_waiting(cluster, holder)]
        _signal(cluster, judge, "STOP", deadline, nodes)
        if tries_left and time.monotonic() - renewed > _MOST_BETWEEN_SECONDS:
            _signal(cluster, judge, "CONT", deadline, nodes)
        else:
            break
    return holder


def _renewing(cluster: Cluster, judge: str, deadline: Deadline) -> str:
    """Wait until a judge renews its lease; return its name as the lease's holder."""
    only = {"fieldSelector": f"metadata.name={judge}"}
    with cluster.client() as api:
        first = read(api, f"{LEASES}/{judge}", deadline)["spec"]["renewTime"]

        def renewed(state: State) -> str | None:
            spec = _by_name(state)[judge]["spec"]
            return str(spec["holderIdentity"]) if spec["renewTime"] != first else None

        return wait_until(api, LEASES, renewed, deadline, only)


def _signal(cluster: Cluster, judge: str, signal: str, deadline: Deadline, nodes: Iterable[str]) -> None:
    for node in nodes:
        cluster.exec(node, ["pkill", f"-{signal}", "--full", f"^{judge} "], deadline)


def _by_name(state: State) -> State:
    return {thing["metadata"]["name"]: thing for thing in state.values()}


def _renewed_leases(state: State, since: datetime) -> set[str]:
    return {
        name for name, lease in _by_name(state).items() if datetime.fromisoformat(lease["spec"]["renewTime"]) > since
    }


def _nodes_posted_ready(state: State, since: datetime) -> set[str]:
    """Return the nodes whose kubelet has posted Ready since then; a heartbeat has whole seconds."""
    earliest = since.replace(microsecond=0)
    return {
        name
        for name, node in state.items()
        for condition in node["status"]["conditions"]
        if (condition["type"], condition["status"]) == ("Ready", "True")
        and datetime.fromisoformat(condition["lastHeartbeatTime"]) >= earliest
    }


def _damages(api: ApiClient, frozen: _FrozenState, deadline: Deadline) -> list[str]:
    leases = {judge: read(api, f"{LEASES}/{judge}", deadline) for judge in LEADERS}
    noticed = [
        f"{judge} is another process"
        for judge, lease in leases.items()
        if lease["spec"]["holderIdentity"] != frozen.holders[judge]
    ]
    nodes: list[dict[str, Any]] = read(api, "/api/v1/nodes", deadline)["items"]
    for node in nodes:
        taints = _tainted(node, "NoExecute")
        noticed += [f"{node['metadata']['name']} carries {', '.join(taints)}"] if taints else []
    return noticed


def _tainted(node: Mapping[str, Any], effect: str) -> list[str]:
    """Return the taints of a lost node that this node has, with that effect on pods."""
    taints = node["spec"].get("taints") or ()
    return sorted(taint["key"] for taint in taints if taint["key"] in _TAINTS and taint["effect"] == effect)
