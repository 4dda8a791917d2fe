"""Webhook link: the fault that cuts the API server off from Gatekeeper's webhooks, like a firewall rule."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from chaos_harness.clusters.api.objects import is_ready
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
_MOST = 50
_TARGETS = {"drop": ["DROP"], "reject": ["REJECT", "--reject-with", "tcp-reset"]}


def cut_webhook(
    how: LinkFailure = "drop",
    *,
    pods: Sequence[str] = (),
    count: Annotated[int, Field(ge=1, le=50)] | None = None,
) -> Fault:
    """Return the fault that drops ("drop") or rejects ("reject") what control planes send to the webhook's port.

    The pods keep running, are Ready, and stay in their Service; only the API server does not reach them. With `pods`,
    or with a `count` (the first by their names), it is so for these alone: then it is proved by a
    connection from each control plane to each of them, and faded as soon as one of them is gone or has another address.
    Raises BadScenario.
    """
    problems = [f"how={how!r}: expected 'drop' or 'reject'"] if how not in _TARGETS else []
    if count is not None and not 1 <= count <= _MOST:
        problems.append(f"count={count}: expected 1 to {_MOST} pods")
    if pods and count is not None:
        problems.append("expected names of pods or a count, found both")
    if problems:
        raise BadScenario([f"cut_webhook: {problem}" for problem in problems])
    return _PartCut(how, pods, count) if pods or count is not None else _LinkCut(how)


class _LinkCut:
    name = CUT_WEBHOOK

    def __init__(self, how: LinkFailure) -> None:
        self._target = _TARGETS[how]
        self._comment = new_comment()
        self._matches: list[list[str]] = []

    def inject(self, injection: Injection) -> None:
        cluster, deadline = injection.cluster, Deadline.after(_SECONDS, "rules on the control planes")
        self._matches = self._find(_webhook_pods(cluster))
        for rule in self._rules(cluster):
            rule.register(injection.undos)
            rule.insert(cluster, deadline)

    def observed(self, cluster: Cluster, deadline: Deadline) -> str:
        """Ask for a namespace that Gatekeeper must deny: the call fails, and the rules have counted packets."""
        said = wait_answered(cluster, deadline, UNCALLED)
        return f"{self._prove_packets(cluster, deadline, said)}; the API server says: {said}"

    def healed(self, cluster: Cluster, deadline: Deadline) -> str:
        """Require that no rule is left, and that Gatekeeper is called again if it has any pod."""
        left = [rule.node for rule in self._rules(cluster) if rule.packets(cluster, deadline) is not None]
        if left:
            raise FaultNotApplied(f"expected no rule {self._comment}, one is there on {', '.join(left)}")
        said = wait_answered(cluster, deadline, DENIED, NOBODY)
        return f"the rules are gone from {', '.join(cluster.control_planes)}; the API server says: {said}"

    def _find(self, pods: Sequence[Mapping[str, Any]]) -> list[list[str]]:
        """Return the words by which the rules of a node match."""
        ports = sorted({port_of(pod, WEBHOOK_PORT) for pod in pods} or {WEBHOOK_PORT[1]})
        return [_to(port) for port in ports]

    def _prove_packets(self, cluster: Cluster, deadline: Deadline, said: str) -> str:
        counted = {rule.node: 0 for rule in self._rules(cluster)}
        for rule in self._rules(cluster):
            packets = rule.packets(cluster, deadline)
            if packets is None:
                raise FaultNotApplied(f"expected a rule {self._comment} on {rule.node}, there is none; said: {said}")
            counted[rule.node] += packets
        if not any(counted.values()):
            raise FaultNotApplied(f"expected rules {self._comment} that count packets, found {counted}; said: {said}")
        return ", ".join(f"{node} lost {packets} packets" for node, packets in counted.items())

    def _rules(self, cluster: Cluster) -> list[Rule]:
        return [
            Rule(node, "OUTPUT", match, self._comment, self._target)
            for node in cluster.control_planes
            for match in self._matches
        ]


@dataclass(frozen=True)
class _CutPod:
    name: str
    uid: str
    address: str
    port: int

    @classmethod
    def of(cls, pod: Mapping[str, Any]) -> "_CutPod":
        metadata, address = pod["metadata"], pod["status"].get("podIP", "")
        return cls(metadata["name"], metadata["uid"], address, port_of(pod, WEBHOOK_PORT))


class _PartCut(_LinkCut):
    """The cut of some replicas: the API server still reaches the others, so that no answer of its own proves it."""

    def __init__(self, how: LinkFailure, names: Sequence[str], count: int | None) -> None:
        super().__init__(how)
        self._names = list(dict.fromkeys(names))
        self._count = count
        self._cut: list[_CutPod] = []

    def observed(self, cluster: Cluster, deadline: Deadline) -> str:
        """Connect to each of the pods from each control plane: in vain, and the rules have counted packets."""
        there = {_CutPod.of(pod) for pod in _webhook_pods(cluster)}
        if faded := [pod.name for pod in self._cut if pod not in there]:
            raise FaultNotApplied(f"faded: {', '.join(faded)} is gone, or has another address")
        reached = [f"{pod.name} from {node}" for node, pod in self._ways(cluster) if _connects(cluster, node, pod)]
        if reached:
            raise FaultNotApplied(f"expected that nobody reaches the pods that are cut off, reached {reached[0]}")
        names = ", ".join(pod.name for pod in self._cut)
        return f"{self._prove_packets(cluster, deadline, 'nothing')}; no connection to {names}"

    def healed(self, cluster: Cluster, deadline: Deadline) -> str:
        """Require that no rule is left, and that those of the pods that are still there and Ready are reached."""
        said = super().healed(cluster, deadline)
        ready = {_CutPod.of(pod) for pod in _webhook_pods(cluster) if is_ready(pod)}
        for node, pod in self._ways(cluster):
            if pod in ready and not _connects(cluster, node, pod):
                raise FaultNotApplied(f"expected {node} to reach {pod.name} at {pod.address} again, it does not")
        return said

    def _find(self, pods: Sequence[Mapping[str, Any]]) -> list[list[str]]:
        by_name = {pod["metadata"]["name"]: _CutPod.of(pod) for pod in pods}
        names = self._names or sorted(by_name)[: self._count]
        if missing := [name for name in names if name not in by_name]:
            raise BadScenario(
                f"cut_webhook: no webhook pod {', '.join(missing)}; there are {', '.join(sorted(by_name)) or 'none'}"
            )
        if len(names) < (self._count or 1):
            raise BadScenario(f"cut_webhook: expected {self._count or 1} webhook pods or more, there are {len(names)}")
        self._cut = [by_name[name] for name in names]
        if nowhere := [pod.name for pod in self._cut if not pod.address]:
            raise FaultNotApplied(f"expected webhook pods with addresses, {', '.join(nowhere)} has none yet")
        return [["-d", pod.address, *_to(pod.port)] for pod in self._cut]

    def _ways(self, cluster: Cluster) -> Iterable[tuple[str, _CutPod]]:
        return ((node, pod) for node in cluster.control_planes for pod in self._cut)


def _webhook_pods(cluster: Cluster) -> list[dict[str, Any]]:
    with cluster.client() as api:
        pods: list[dict[str, Any]] = request(api, "GET", pods_path(cluster), query={"labelSelector": WEBHOOK_PODS})[
            "items"
        ]
    return pods


def _to(port: int) -> list[str]:
    return ["-p", "tcp", "--dport", str(port)]


def _connects(cluster: Cluster, node: str, pod: _CutPod) -> bool:
    """Whether a node gets an answer of a pod: any that is HTTP over TLS, whoever vouches for it."""
    url = f"https://{pod.address}:{pod.port}/"
    argv = ["curl", "--silent", "--insecure", "--noproxy", "*", "--max-time", "2", url]
    return cluster.exec(node, argv, Deadline.after(_SECONDS, f"an answer of {pod.name}"), check=False).returncode == 0
