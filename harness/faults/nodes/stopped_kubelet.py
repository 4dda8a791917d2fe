"""Stopped kubelet: the fault that stops a node's kubelet; its containers go on running, and nobody looks after them."""

import json

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine
from chaos_harness.harness.errors import CommandFailed, FaultNotApplied
from chaos_harness.harness.faults import Fault
from chaos_harness.harness.faults.injection import Injection
from chaos_harness.harness.faults.nodes.heartbeats import Heartbeat, read_heartbeat, wait_back, wait_silent
from chaos_harness.harness.faults.targets import require_nodes
from chaos_harness.harness.undo.actions import undo
from chaos_harness.harness.undo.commands import run_in_container

__all__ = ["STOPPED_KUBELET", "start_kubelet", "stop_kubelet"]

STOPPED_KUBELET = "stopped kubelet"
"""How, in a history, a node was harmed."""

_SECONDS = 30.0


def stop_kubelet(node: str) -> Fault:
    """Return the fault that stops the kubelet of `node`; healing starts it.

    Containers go on running, and nobody looks after them: none is started, probed, or reported. It is proved by the
    node's lease, which nobody renews, while containers run; it is healed when the node is Ready and its lease renewed.
    After 40 s the node is no longer Ready, and after 5 min its Pods are evicted. The only control plane may be the
    node, too.
    """
    return _StoppedKubelet(node)


@undo
def start_kubelet(engine: Engine, *, node: str) -> None:
    """Start a node's kubelet; one that runs goes on, and one whose node is stopped starts with the node."""
    done = run_in_container(engine, node, "systemctl", "start", "kubelet", ended_by="stop")
    if done is not None and done.returncode:
        raise CommandFailed(f"`systemctl start kubelet` on {node}: {done.stderr.strip()}")


class _StoppedKubelet:
    name = "stop kubelet"
    harms_nodes = STOPPED_KUBELET

    def __init__(self, node: str) -> None:
        self._node = node
        self._last = Heartbeat()

    def inject(self, injection: Injection) -> None:
        cluster = injection.cluster
        require_nodes([self._node], cluster.name, cluster.nodes())
        injection.undo(start_kubelet, harm={}, node=self._node)
        injection.note_node_harm(self.harms_nodes, self._node)
        deadline = Deadline.after(_SECONDS, f"the kubelet of {self._node} to stop")
        cluster.exec(self._node, ["systemctl", "stop", "kubelet"], deadline)
        with cluster.client() as api:
            self._last = read_heartbeat(api, self._node)

    def observed(self, cluster: Cluster, deadline: Deadline) -> str:
        silent = wait_silent(cluster, self._node, self._last, deadline)
        words = ["crictl", "ps", "--state", "Running", "--output", "json"]
        running = len(json.loads(cluster.exec(self._node, words, deadline).stdout)["containers"])
        if not running:
            raise FaultNotApplied(f"expected containers on {self._node} to go on without its kubelet, none runs")
        return f"{running} containers run on {self._node}; {silent}"

    def healed(self, cluster: Cluster, deadline: Deadline) -> str:
        return wait_back(cluster, self._node, self._last, deadline, restarted=True)
