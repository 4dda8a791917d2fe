"""Nodes: the containers of kind clusters in the user's engine, and why one of them cannot be adopted."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chaos_harness.clusters.checkout import command_line
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine
from chaos_harness.clusters.engine.inventory import RUN
from chaos_harness.clusters.engine.ports import LOOPBACK
from chaos_harness.clusters.errors import BadScenario
from chaos_harness.clusters.suggest import did_you_mean

__all__ = ["PLANE", "WORKER", "KindCluster", "KindNode", "find", "require_local"]

PLANE, WORKER = "control-plane", "worker"
"""What kind calls the roles of its nodes."""

_CLUSTER, _ROLE = "io.x-k8s.kind.cluster", "io.x-k8s.kind.role"
_API_PORT = "6443/tcp"
_ANYWHERE = ("", "0.0.0.0", LOOPBACK)  # noqa: S104 - what is published there is on loopback, too
_PLANES, _MOST_WORKERS = (1, 3), 6
_SHORT = 80


@dataclass(frozen=True)
class KindNode:
    """One container of a kind cluster; `role` is kind's word, such as "worker" or "external-load-balancer"."""

    id: str
    name: str
    image: str
    role: str


@dataclass(frozen=True)
class KindCluster:
    """A kind cluster in an engine: its containers, its Docker network, and where its API server is published.

    `problems` say why faults cannot be done to it now; it is empty for one that is whole and runs.
    """

    name: str
    nodes: tuple[KindNode, ...]
    network: str
    server: str
    problems: tuple[str, ...]

    def count(self, role: str) -> int:
        """Return how many nodes have a role."""
        return sum(node.role == role for node in self.nodes)


def require_local(engine: Engine) -> None:
    """Raise BadScenario unless the engine is reached by a socket of this machine."""
    if not engine.host.startswith("unix://"):
        raise BadScenario(
            f"the engine at {engine.host} is not a socket of this machine, and only clusters of this machine are "
            f"adopted; `{command_line('record -- --kubeconfig FILE')}` reads any other, and changes nothing"
        )


def find(engine: Engine, name: str, deadline: Deadline) -> KindCluster:
    """Return the kind cluster of a name, with all that is wrong with it; nothing in it is asked.

    Raises BadScenario if there is none, with the names that there are, or if it is the harness's own; CommandFailed,
    DeadlineExceeded.
    """
    clusters = _clusters(engine, deadline)
    if name not in clusters:
        there = sorted(other for other, nodes in clusters.items() if not any(map(_run_of, nodes)))
        raise BadScenario(
            f"no kind cluster {name[:_SHORT]!r} in the engine at {engine.host}; {did_you_mean(name, there)}"
            f"there is {', '.join(there) or 'none'}. Clusters that are not kind's, or not on this machine, are never "
            f"adopted: `{command_line('record -- --kubeconfig FILE')}` reads them"
        )
    containers = clusters[name]
    if runs := sorted(set(filter(None, map(_run_of, containers)))):
        raise BadScenario(
            f"kind cluster {name} is the harness's own, of run {', '.join(runs)}: it needs no adoption, and "
            f"`{command_line('gc')}` removes it when its run is over"
        )
    networks = dict.fromkeys(network for node in containers for network in node["NetworkSettings"]["Networks"])
    nodes = tuple(
        KindNode(node["Id"], node["Name"].lstrip("/"), node["Config"]["Image"], node["Config"]["Labels"].get(_ROLE, ""))
        for node in containers
    )
    server = next(filter(None, map(_published, containers)), "")
    problems = tuple(_problems(name, containers, nodes, server))
    return KindCluster(name, nodes, next(iter(networks), ""), server, problems)


def _clusters(engine: Engine, deadline: Deadline) -> dict[str, list[Mapping[str, Any]]]:
    """Return all containers of kind clusters in the engine, by cluster, sorted by name."""
    listing = ["ps", "--all", "--quiet", "--no-trunc", "--filter", f"label={_CLUSTER}"]
    ids = engine.run(listing, deadline).stdout.split()
    found = engine.run(["inspect", "--type", "container", *ids], deadline, check=False).stdout if ids else ""
    clusters: dict[str, list[Mapping[str, Any]]] = {}
    for container in sorted(json.loads(found or "[]"), key=lambda one: str(one["Name"])):
        clusters.setdefault(container["Config"]["Labels"][_CLUSTER], []).append(container)
    return clusters


def _run_of(container: Mapping[str, Any]) -> str:
    return str(container["Config"]["Labels"].get(RUN, ""))


def _published(container: Mapping[str, Any]) -> str:
    """Return where a container publishes the API server on this machine, as an address, or ""."""
    for binding in (container["NetworkSettings"].get("Ports") or {}).get(_API_PORT) or ():
        if binding.get("HostIp") in _ANYWHERE:
            return f"https://{LOOPBACK}:{binding['HostPort']}"
    return ""


def _problems(
    name: str, containers: Sequence[Mapping[str, Any]], nodes: Sequence[KindNode], server: str
) -> Iterator[str]:
    for container in containers:
        status, node = container["State"]["Status"], container["Name"].lstrip("/")
        if status != "running":
            remedy = "unpause" if status == "paused" else "start"
            yield f"node {node} of kind cluster {name} is {status}, expected running; `docker {remedy} {node}`"
    planes, workers = (sum(node.role == role for node in nodes) for role in (PLANE, WORKER))
    if planes not in _PLANES:
        yield f"kind cluster {name} has {planes} control planes, expected 1 or 3"
    if workers > _MOST_WORKERS:
        yield f"kind cluster {name} has {workers} workers, expected at most {_MOST_WORKERS}"
    if not server and all(container["State"]["Status"] == "running" for container in containers):
        yield f"kind cluster {name} publishes no API server (port {_API_PORT}) on {LOOPBACK}"
