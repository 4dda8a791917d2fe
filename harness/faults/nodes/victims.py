"""Victims: the nodes of one fault, and the proofs that nothing is heard of them, and that all of them are back."""

from collections.abc import Sequence
from dataclasses import replace
from http import HTTPStatus
from typing import Annotated

from pydantic import Field

from chaos_harness.clusters.api.rest import request
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.harness.errors import ApiRefused, ApiUnreachable, BadScenario, FaultNotApplied
from chaos_harness.harness.faults.nodes.heartbeats import (
    Heartbeat,
    read_heartbeat,
    require_victim,
    wait_back,
    wait_silent,
)
from chaos_harness.harness.faults.targets import require_nodes

__all__ = ["Nodes", "Victims"]

Nodes = Annotated[str | Sequence[str], Field(examples=["$worker"])]
"""A node, or several."""

_ASKED = "/api/v1/namespaces/kube-system"
_TIMEOUT = (2.0, 5.0)


class Victims:
    """One node or several, and what was heard of each of them last.

    They are `unheard` if they leave too few control planes for an API server that could tell of them. Raises
    BadScenario for an empty list.
    """

    def __init__(self, node: Nodes) -> None:
        self.nodes = [node] if isinstance(node, str) else list(dict.fromkeys(node))
        if not self.nodes:
            raise BadScenario("expected a node, or a list of nodes, found an empty list")
        self.unheard = False
        self._last: dict[str, Heartbeat] = {}
        self._seen_again: dict[str, Heartbeat] = {}

    def __str__(self) -> str:
        """Return their names, for messages."""
        return ", ".join(self.nodes)

    def require(self, cluster: Cluster) -> None:
        """Require, before any harm, that they may be lost: several may even if nobody is left who could tell of it.

        Raises BadScenario.
        """
        if len(self.nodes) == 1:
            require_victim(cluster, self.nodes[0])
        require_nodes(self.nodes, cluster.name, cluster.nodes())
        planes = cluster.control_planes
        self.unheard = len([plane for plane in planes if plane not in self.nodes]) <= len(planes) // 2

    def hear(self, cluster: Cluster) -> None:
        """Read what was heard of them last: after the harm or, of those who will be unheard, before it."""
        with cluster.client() as api:
            self._last = {node: read_heartbeat(api, node) for node in self.nodes}

    def wait_silent(self, cluster: Cluster, deadline: Deadline) -> str:
        """Return the proof that nothing is heard of them any more. Raises FaultNotApplied."""
        if self.unheard:
            return self._wait_unanswered(cluster, deadline)
        heard = {node: self._last.get(node, Heartbeat()) for node in self.nodes}
        return "; ".join(wait_silent(cluster, node, last, deadline) for node, last in heard.items())

    def wait_back(self, cluster: Cluster, deadline: Deadline, *, restarted: bool) -> str:
        """Return the proof that all of them are back; see `heartbeats`. Raises FaultNotApplied, ApiUnreachable."""
        since = {node: self._since(cluster, node) for node in self.nodes}
        return "; ".join(wait_back(cluster, node, last, deadline, restarted=restarted) for node, last in since.items())

    def _since(self, cluster: Cluster, node: str) -> Heartbeat:
        """Return since when a node must be heard.

        One that was unheard may have renewed its lease between the last look and the harm: it must renew it after the
        first look afterwards, too.
        """
        last = self._last.get(node, Heartbeat())
        if not self.unheard:
            return last
        if node not in self._seen_again:
            with cluster.client() as api:
                self._seen_again[node] = read_heartbeat(api, node)
        return replace(last, renewed=self._seen_again[node].renewed)

    def _wait_unanswered(self, cluster: Cluster, deadline: Deadline) -> str:
        with cluster.client() as api:
            for _ in deadline.attempts(first=0.5):
                try:
                    request(api, "GET", _ASKED, timeout=_TIMEOUT)
                except ApiUnreachable as error:
                    return f"no API server answers: {error.cause}"
                except ApiRefused as error:
                    if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                        return f"no API server can answer: {error.brief}"
        raise FaultNotApplied(f"expected no API server to answer without {self}, one does: GET {_ASKED}")
