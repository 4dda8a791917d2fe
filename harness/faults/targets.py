"""Targets: the pods and nodes that a fault harms."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kubernetes.client import ApiClient

from chaos_harness.clusters.api import object_names as names_of
from chaos_harness.clusters.api.label_selectors import require_selector
from chaos_harness.clusters.api.rest import find_object, request
from chaos_harness.harness.errors import BadScenario

__all__ = ["Target", "find_pods", "require_chosen", "require_nodes"]

_MIRRORED = "kubernetes.io/config.mirror"
"""Annotation of a mirror pod: the hash of the static pod's file, which is its uid for the kubelet."""


@dataclass(frozen=True)
class Target:
    """A pod about to be harmed, its node, the ids of its running containers, and the uid of its owner.

    A static pod, such as that of etcd, has another uid for its kubelet, and so for the container runtime, than the
    mirror pod by which the API server shows it: that is `static`, "" for all other pods.
    """

    pod: str
    uid: str
    node: str
    containers: tuple[str, ...]
    owner: str
    static: str = ""


def require_nodes(wanted: Sequence[str], cluster: str, there: Sequence[str]) -> None:
    """Raise BadScenario unless all `wanted` nodes are among those of the cluster that may be harmed (`there`)."""
    strange = [node for node in dict.fromkeys(wanted) if node not in there]
    if strange:
        raise BadScenario(
            f"cluster {cluster} has no node {', '.join(map(repr, strange))}; there are {', '.join(there) or 'none'}"
        )


def require_chosen(fault: str, pods: Sequence[str], selector: str) -> None:
    """Raise BadScenario unless a fault's pods are chosen either by their names, or by a right label selector."""
    if bool(pods) == bool(selector):
        raise BadScenario(f"{fault}: expected either names of pods or a selector")
    if selector:
        require_selector(selector)


def find_pods(api: ApiClient, namespace: str, names: Sequence[str], selector: str = "") -> list[Target]:
    """Return the pods with `names`, or those that `selector` selects.

    Raises BadScenario (there is no such pod, a pod is on no node, or a name is not valid), ApiRefused, ApiUnreachable.
    """
    names_of.require_names(namespace=namespace)
    for name in names:
        names_of.require_names(name=name)
    path = f"/api/v1/namespaces/{namespace}/pods"
    if selector:
        pods = request(api, "GET", path, query={"labelSelector": selector})["items"]
    else:
        pods = [_pod(api, path, name) for name in names]
    if selector and not pods:
        raise BadScenario(f"no pod in {namespace} has the labels {selector!r}")
    nowhere = [pod["metadata"]["name"] for pod in pods if not pod["spec"].get("nodeName")]
    if nowhere:
        raise BadScenario(f"expected pods that are on a node, {', '.join(nowhere)} is on none")
    return [_target(pod) for pod in pods]


def _pod(api: ApiClient, path: str, name: str) -> dict[str, Any]:
    pod: dict[str, Any] | None = find_object(api, f"{path}/{name}")
    if pod is None:
        raise BadScenario(f"no pod {path.split('/')[-2]}/{name}")
    return pod


def _target(pod: dict[str, Any]) -> Target:
    metadata = pod["metadata"]
    statuses = pod["status"].get("containerStatuses") or ()
    return Target(
        pod=metadata["name"],
        uid=metadata["uid"],
        node=pod["spec"]["nodeName"],
        containers=tuple(
            status["containerID"].rpartition("/")[2] for status in statuses if "running" in status["state"]
        ),
        owner=next((owner["uid"] for owner in metadata.get("ownerReferences") or ()), ""),
        static=(metadata.get("annotations") or {}).get(_MIRRORED, ""),
    )
