"""Webhook link: the fault that cuts the API server off from Gatekeeper's webhooks, like a firewall rule."""

from typing import Literal

from chaos_harness.clusters.api.rest import request
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.gatekeeper.installed import WEBHOOK_PODS, WEBHOOK_PORT, pods_path, port_of
from chaos_harness.harness.errors import BadScenario, FaultNotApplied
from chaos_harness.harness.faults import Fault
from chaos_harness.harness.faults.injection import Injection
from chaos_harness.harness.faults.webhook.call import DENIED, NOBODY, UNCALLED, wait_answered
from chaos_harness.harness.undo.iptables import Rule, new_comment

__all__ = ["cut_webhook"]

CUT_WEBHOOK = "cut webhook"
"""The fault's name in a history."""

LinkFailure = Literal["drop", "reject"]

_SECONDS = 30.0
_TARGETS = {"drop": ["DROP"], "reject": ["REJECT", "--reject-with", "tcp-reset"]}


def cut_webhook(how: LinkFailure = "drop") -> Fault:
    """Return the fault that drops ("drop") or rejects ("reject") what control planes send to the webhook's port.

    The pods keep running, are Ready, and stay in their Service; only the API server does not reach them. Raises
    BadScenario.
    """
    if how not in _TARGETS:
        raise BadScenario(f"cut_webhook(how={how!r}): expected 'drop' or 'reject'")
    return _LinkCut(how)


class _LinkCut:
    name = CUT_WEBHOOK

    def __init__(self, how: LinkFailure) -> None:
        self._how = how
        self._comment = new_comment()
        self._ports: list[int] = []

    def inject(self, injection: Injection) -> None:
        cluster, deadline = injection.cluster, Deadline.after(_SECONDS, "rules on the control planes")
        with cluster.client() as api:
            pods = request(api, "GET", pods_path(cluster), query={"labelSelector": WEBHOOK_PODS})["items"]
        self._ports = sorted({port_of(pod, WEBHOOK_PORT) for pod in pods} or {WEBHOOK_PORT[1]})
        for rule in self._rules(injection.cluster):
            rule.register(injection.undos)
            rule.insert(injection.cluster, deadline)

    def observed(self, cluster: Cluster, deadline: Deadline) -> str:
        """Ask for a namespace that Gatekeeper must deny: the call fails, and the rules have counted packets."""
        said = wait_answered(cluster, deadline, UNCALLED)
        counted = {rule.node: rule.packets(cluster, deadline) for rule in self._rules(cluster)}
        idle = [node for node, packets in counted.items() if packets is None]
        if idle or not any(counted.values()):
            raise FaultNotApplied(f"expected rules {self._comment} that count packets, found {counted}; said: {said}")
        losses = ", ".join(f"{node} lost {packets} packets" for node, packets in counted.items())
        return f"{losses}; the API server says: {said}"

    def healed(self, cluster: Cluster, deadline: Deadline) -> str:
        """Require that no rule is left, and that Gatekeeper is called again if it has any pod."""
        left = [rule.node for rule in self._rules(cluster) if rule.packets(cluster, deadline) is not None]
        if left:
            raise FaultNotApplied(f"expected no rule {self._comment}, one is there on {', '.join(left)}")
        said = wait_answered(cluster, deadline, DENIED, NOBODY)
        return f"the rules are gone from {', '.join(cluster.control_planes)}; the API server says: {said}"

    def _rules(self, cluster: Cluster) -> list[Rule]:
        return [
            Rule(node, "OUTPUT", ["-p", "tcp", "--dport", str(port)], self._comment, _TARGETS[self._how])
            for node in cluster.control_planes
            for port in self._ports
        ]
