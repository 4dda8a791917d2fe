"""Etcd: the fault that has it stand still on a control plane, so that nothing can be written or read through it."""

import json
from http import HTTPStatus

from kubernetes.client import ApiClient

from chaos_harness.clusters.api.rest import MERGE_PATCH, request
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine
from chaos_harness.harness.errors import ApiRefused, ApiUnreachable, CommandFailed, FaultNotApplied
from chaos_harness.harness.faults import Fault
from chaos_harness.harness.faults.control_plane.static_pods import running_containers, static_pod_of
from chaos_harness.harness.faults.injection import Injection
from chaos_harness.harness.faults.leaves import RESTARTS
from chaos_harness.harness.faults.nodes.heartbeats import read_heartbeat, wait_back
from chaos_harness.harness.faults.targets import require_nodes
from chaos_harness.harness.faults.workloads.pause_containers import PAUSED
from chaos_harness.harness.undo.actions import undo
from chaos_harness.harness.undo.commands import run_in_container

__all__ = ["go_on", "pause_etcd"]

_SECONDS = 30.0
_ETCD = "etcd"
_READYZ = "https://127.0.0.1:6443/readyz"
_FAILED = f"[-]{_ETCD}"
_LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
_TIMEOUT = (2.0, 5.0)
_ENDED = "no such process"


def pause_etcd(node: str = "") -> Fault:
    """Return the fault that has etcd on the control plane `node` (default: the first) stand still (SIGSTOP).

    Connections to it stay open and get no answer; healing has it go on (SIGCONT). It is proved by readyz of the API
    server there, which says that etcd failed and, on a single control plane, by a write that fails or gets no answer;
    it is healed when readyz says ok and a node's lease is renewed, which is a write. Let it last a minute at most: then
    kubelets begin to restart etcd and API servers that are not live, and with etcd's container the fault has faded.
    Leaders that cannot renew their leases end, and are started again.
    """
    return _PausedEtcd(node)


@undo
def go_on(engine: Engine, *, node: str, pid: str) -> None:
    """Have a process of a node go on; one that runs, or has ended, needs nothing."""
    done = run_in_container(engine, node, "kill", "-CONT", pid, ended_by="stop")
    if done is not None and done.returncode and _ENDED not in done.stderr.lower():
        raise CommandFailed(f"process {pid} on {node} could not go on: {done.stderr.strip()}")


class _PausedEtcd:
    name = "pause etcd"
    leaves = RESTARTS
    healed_within = 420.0  # the kubelet's longest back-off, if it has ended etcd or the API server

    def __init__(self, node: str) -> None:
        self._node = node
        self._container = ""

    def inject(self, injection: Injection) -> None:
        cluster = injection.cluster
        node = self._on(cluster)
        require_nodes([node], cluster.name, cluster.control_planes)
        deadline = Deadline.after(_SECONDS, f"etcd on {node} to stand still")
        running = running_containers(cluster, node, _ETCD, deadline)
        if not running:
            raise FaultNotApplied(f"expected {node} to run {_ETCD}, it does not; see `crictl ps --all` there")
        self._container = running[0]["id"]
        inspected = cluster.exec(node, ["crictl", "inspect", self._container], deadline)
        pid = str(json.loads(inspected.stdout)["info"]["pid"])
        injection.undo(go_on, harm={}, node=node, pid=pid)
        injection.note_harm(PAUSED, static_pod_of(node, _ETCD, running[0]))
        cluster.exec(node, ["kill", "-STOP", pid], deadline)

    def observed(self, cluster: Cluster, deadline: Deadline) -> str:
        node = self._on(cluster)
        if all(container["id"] != self._container for container in running_containers(cluster, node, _ETCD, deadline)):
            raise FaultNotApplied(f"faded: container {self._container[:12]} of {_ETCD} on {node} has ended")
        said = "nothing"
        for _ in deadline.attempts(first=0.5):
            said = _readyz(cluster, node, deadline)
            if _FAILED in said:
                break
        else:
            raise FaultNotApplied(f"expected readyz on {node} to say that {_ETCD} failed, it says {said}")
        proof = f"readyz on {node} says {_FAILED}"
        if len(cluster.control_planes) > 1:
            return proof
        with cluster.client() as api:
            return f"{proof}; a write: {_fail_to_write(api, node)}"

    def healed(self, cluster: Cluster, deadline: Deadline) -> str:
        node = self._on(cluster)
        if (said := _readyz(cluster, node, deadline)) != "ok":
            raise FaultNotApplied(f"expected readyz on {node} to say ok, it says {said}")
        with cluster.client() as api:
            now = read_heartbeat(api, node)
        return f"readyz on {node} says ok; {wait_back(cluster, node, now, deadline)}"

    def _on(self, cluster: Cluster) -> str:
        return self._node or cluster.control_planes[0]


def _readyz(cluster: Cluster, node: str, deadline: Deadline) -> str:
    argv = ["curl", "--silent", "--insecure", "--noproxy", "*", "--max-time", "8", _READYZ]
    done = cluster.exec(node, argv, deadline, check=False)
    return " ".join(done.stdout.split()) or f"nothing (curl's status {done.returncode})"


def _fail_to_write(api: ApiClient, node: str) -> str:
    """Return how a write fails that changes nothing, and is not kept. Raises FaultNotApplied if it does not."""
    path, body = f"{_LEASES}/{node}", {"metadata": {"name": node}}
    try:
        request(api, "PATCH", path, query={"dryRun": "All"}, body=body, content_type=MERGE_PATCH, timeout=_TIMEOUT)
    except ApiUnreachable as error:
        return error.cause
    except ApiRefused as error:
        if error.status < HTTPStatus.INTERNAL_SERVER_ERROR:
            raise FaultNotApplied(f"expected a write to fail without {_ETCD}, it is answered: {error.brief}") from error
        return error.brief
    raise FaultNotApplied(f"expected a write to fail without {_ETCD}, a dry run of one was done")
