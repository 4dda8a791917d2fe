"""Webhook link: the fault that cuts the API server off from Gatekeeper's webhooks, as a firewall rule does."""

from typing import Literal

from kubernetes.client import ApiClient
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from clusters.cluster import Cluster
from clusters.deadline import Deadline
from clusters.rest import request
from clusters.serving import FORBIDDEN_NAMESPACE, WEBHOOK
from harness.errors import BadScenario, FaultNotApplied
from harness.faults import Fault
from harness.history import History
from harness.undo.iptables import Rule, new_comment
from harness.undo.journal import Journal
from harness.undo.promises import Undos

__all__ = ["CUT_WEBHOOK", "cut_webhook"]

CUT_WEBHOOK = "cut webhook"
"""The fault's name in a history."""

How = Literal["drop", "reject"]

_SECONDS = 30.0
_TIMEOUT = (5.0, 20.0)
_PORT = "8443"
_TARGETS = {"drop": ["DROP"], "reject": ["REJECT", "--reject-with", "tcp-reset"]}
_UNCALLED = "failed calling webhook"
_FORBIDDEN = 403


def cut_webhook(how: How = "drop") -> Fault:
    """Return the fault that loses ("drop") or refuses ("reject") what control planes send to Gatekeeper's port 8443.

    The pods go on running, are Ready, and stay in their Service; only the API server does not reach them. Raises
    BadScenario.
    """
    if how not in _TARGETS:
        raise BadScenario(f"cut_webhook(how={how!r}): expected 'drop' or 'reject'")
    return _Cut(how)


class _Cut:
    name = CUT_WEBHOOK

    def __init__(self, how: How) -> None:
        self._how = how
        self._undos = Undos()
        self._comment = new_comment()

    def inject(self, cluster: Cluster, journal: Journal, history: History) -> None:  # noqa: ARG002
        deadline = Deadline.after(_SECONDS, "rules on the control planes")
        for rule in self._rules(cluster):
            rule.register(self._undos, journal)
            rule.insert(cluster, deadline)

    def observed(self, cluster: Cluster, deadline: Deadline) -> str:
        """Ask for a namespace that Gatekeeper must deny: it cannot be called, and the rules have counted packets."""
        said = self._asked(cluster, deadline, _UNCALLED)
        counted = {rule.node: rule.packets(cluster, deadline) for rule in self._rules(cluster)}
        idle = [node for node, packets in counted.items() if packets is None]
        if idle or not any(counted.values()):
            raise FaultNotApplied(f"expected rules {self._comment} that count packets, found {counted}; said: {said}")
        told = ", ".join(f"{node} lost {packets} packets" for node, packets in counted.items())
        return f"{told}; the API server says: {said}"

    def heal(self, cluster: Cluster, journal: Journal, history: History) -> None:  # noqa: ARG002
        self._undos.run(cluster.engine, journal)

    def healed(self, cluster: Cluster, deadline: Deadline) -> str:
        left = [rule.node for rule in self._rules(cluster) if rule.packets(cluster, deadline) is not None]
        if left:
            raise FaultNotApplied(f"expected no rule {self._comment}, one is there on {', '.join(left)}")
        return f"the rules are gone from {', '.join(cluster.control_planes)}"

    def _asked(self, cluster: Cluster, deadline: Deadline, wanted: str) -> str:
        """Return what the API server says, asked for a forbidden namespace, as soon as `wanted` is part of it."""
        said = "nothing"
        with cluster.client() as api:
            for _ in deadline.attempts(first=0.2):
                said = _ask(api)
                if wanted in said:
                    return said
        raise FaultNotApplied(
            f"expected the API server to say {wanted!r} of {WEBHOOK} within {deadline.seconds:.0f} s, it says: {said}"
        )

    def _rules(self, cluster: Cluster) -> list[Rule]:
        match, target = ["-p", "tcp", "--dport", _PORT], _TARGETS[self._how]
        return [Rule(node, "OUTPUT", match, self._comment, target) for node in cluster.control_planes]


def _ask(api: ApiClient) -> str:
    path, query = "/api/v1/namespaces", {"dryRun": "All"}
    try:
        request(api, "POST", path, query=query, body=FORBIDDEN_NAMESPACE, timeout=_TIMEOUT)
    except ApiException as error:
        return "denied" if error.status == _FORBIDDEN else " ".join(str(error.body).split())[:300]
    except HTTPError as error:
        return repr(error)[:300]
    return "admitted"
