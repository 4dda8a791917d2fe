"""Static pods: the containers of a control plane's parts, by their names, and the pods that they belong to."""

import json
from typing import Any

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.harness.faults.targets import Target

__all__ = ["running_containers", "static_pod_of"]


def running_containers(cluster: Cluster, node: str, name: str, deadline: Deadline) -> list[dict[str, Any]]:
    """Return the running containers of this name on a node."""
    argv = ["crictl", "ps", "--state", "Running", "--name", f"^{name}$", "--output", "json"]
    containers: list[dict[str, Any]] = json.loads(cluster.exec(node, argv, deadline).stdout)["containers"]
    return containers


def static_pod_of(node: str, name: str, container: dict[str, Any]) -> Target:
    """Return the static pod of a container; its uid is the kubelet's, not that of the mirror pod which shows it."""
    labels = container.get("labels") or {}
    pod, uid = (labels.get(f"io.kubernetes.pod.{which}", "") for which in ("name", "uid"))
    return Target(pod or f"{name}-{node}", uid, node, (container["id"],), owner="")
