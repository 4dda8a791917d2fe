"""Isolate: the fault that cuts a node off from all others; its pods go on running and reach only each other."""

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.harness.errors import FaultNotApplied
from chaos_harness.harness.faults import Fault
from chaos_harness.harness.faults.injection import Injection
from chaos_harness.harness.faults.nodes.heartbeats import (
    Heartbeat,
    read_heartbeat,
    require_victim,
    wait_back,
    wait_silent,
)
from chaos_harness.harness.undo.iptables import Rule, new_comment

__all__ = ["CUT_OFF_NODE", "cut_off_node"]

CUT_OFF_NODE = "cut off node"
"""How, in a history, a node was harmed."""

_SECONDS = 30.0
_WAYS = {"in": ("PREROUTING", "-i"), "out": ("POSTROUTING", "-o")}
"""Chains of the table mangle that see both the node's own packets and those of its pods."""

_INTERFACE = "eth0"
_KUBELET = 10250
_KNOCK_SECONDS = 2
_REACHED = {0, 7}
"""curl's status for an answer, and for a refusal, which is one, too."""


def cut_off_node(node: str) -> Fault:
    """Return the fault that drops every packet that enters or leaves `node`, in its network namespace.

    The node keeps its address, unlike after a disconnection from the engine's network; open connections fall silent.
    """
    return _CutOff(node)


class _CutOff:
    name = "cut off node"
    harms_nodes = CUT_OFF_NODE

    def __init__(self, node: str) -> None:
        self._node = node
        self._last = Heartbeat()
        comment = new_comment()
        self._rules = {
            way: Rule(node, chain, [option, _INTERFACE], comment, table="mangle")
            for way, (chain, option) in _WAYS.items()
        }

    def inject(self, injection: Injection) -> None:
        cluster = injection.cluster
        require_victim(cluster, self._node)
        for rule in self._rules.values():
            rule.register(injection.undos)
        deadline = Deadline.after(_SECONDS, f"rules on {self._node}")
        injection.note_node_harm(self.harms_nodes, self._node)
        for rule in self._rules.values():
            rule.insert(cluster, deadline)
        with cluster.client() as api:
            self._last = read_heartbeat(api, self._node)

    def observed(self, cluster: Cluster, deadline: Deadline) -> str:
        silent = wait_silent(cluster, self._node, self._last, deadline)
        self._knock(cluster, deadline)
        dropped = {way: rule.packets(cluster, deadline) for way, rule in self._rules.items()}
        idle = [way for way, packets in dropped.items() if not packets]
        if idle:
            raise FaultNotApplied(f"expected {self._node} to drop packets, it dropped none on the way {idle[0]}")
        counts = " and ".join(f"{packets} on the way {way}" for way, packets in dropped.items())
        return f"{self._node} dropped {counts}; {silent}"

    def healed(self, cluster: Cluster, deadline: Deadline) -> str:
        left = {way: rule for way, rule in self._rules.items() if rule.packets(cluster, deadline) is not None}
        for way, rule in left.items():
            raise FaultNotApplied(f"expected no rule {rule.comment} on {self._node}, one is there on the way {way}")
        return f"the rules are gone; {wait_back(cluster, self._node, self._last, deadline)}"

    def _knock(self, cluster: Cluster, deadline: Deadline) -> None:
        """Send packets to the node, which otherwise may get none, and expect no answer."""
        plane, url = cluster.control_planes[0], f"https://{self._node}:{_KUBELET}/healthz"
        curl = ["curl", "--silent", "--insecure", "--noproxy", "*", "--max-time", f"{_KNOCK_SECONDS}", url]
        if cluster.exec(plane, curl, deadline, check=False).returncode in _REACHED:
            raise FaultNotApplied(f"expected {self._node} to be cut off, but {plane} reaches its port {_KUBELET}")
