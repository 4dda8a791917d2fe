"""Reset: restores Gatekeeper's Deployments as they were when the cluster was made, with new pods.

Most scenarios change nothing else permanently: they kill or move Gatekeeper's pods, or roll out another setting.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from kubernetes.client import ApiClient

from chaos_harness.clusters.api.rest import delete, read, request
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.errors import ClusterUnavailable
from chaos_harness.clusters.gatekeeper.installed import deployments_path, pods_path
from chaos_harness.clusters.gatekeeper.readiness import wait_until_serving
from chaos_harness.clusters.pool.deviations import Deviation
from chaos_harness.clusters.watching.watch import wait_until

__all__ = ["can_reset", "reset", "save_deployments"]

_FILE = "deployments.json"
_COVERED = ("deployments", "replicasets", "pods")
_MADE_BY_THE_SERVER = ("uid", "resourceVersion", "generation", "creationTimestamp", "managedFields")
_REVISION = "deployment.kubernetes.io/revision"
_DELETE = {"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 1, "propagationPolicy": "Orphan"}
"""With the shortest grace with which a pod exists until its containers have ended; with 0 they outlive it."""


def can_reset(deviations: Iterable[Deviation], namespace: str) -> bool:
    """Return whether a reset can undo all of these deviations; `namespace` is Gatekeeper's."""
    traits = [deviation.trait for deviation in deviations]
    return all(trait.namespace == namespace and trait.kind in _COVERED for trait in traits)


def save_deployments(cluster: Cluster, directory: Path, deadline: Deadline) -> None:
    """Save Gatekeeper's Deployments as they are now; a cluster without Gatekeeper has none.

    Raises ApiRefused, ApiUnreachable, DeadlineExceeded.
    """
    with cluster.client() as api:
        deployments = read(api, deployments_path(cluster), deadline)["items"]
    (directory / _FILE).write_text(
        json.dumps([_as_applied(deployment) for deployment in deployments]), encoding="utf-8"
    )


def reset(cluster: Cluster, directory: Path, deadline: Deadline) -> None:
    """Replace Gatekeeper's Deployments by the saved ones, and wait until they serve.

    All old parts are removed first, from the nodes, too: a ReplicaSet that still exists would give the new one another
    revision, and a container that still runs could be mistaken for a new one. Raises ClusterUnavailable (nothing was
    saved), ApiRefused, ApiUnreachable, DeadlineExceeded.
    """
    try:
        remembered = json.loads((directory / _FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ClusterUnavailable(f"{directory / _FILE}: expected Gatekeeper's Deployments: {error}") from error
    deployments = deployments_path(cluster)
    sets = f"{deployments.rpartition('/')[0]}/replicasets"
    with cluster.client() as api:
        for path in (deployments, sets, pods_path(cluster)):
            _remove_all(api, path, deadline)
        for deployment in remembered:
            request(api, "POST", deployments, body=deployment)
    wait_until_serving(cluster, deadline)


def _remove_all(api: ApiClient, path: str, deadline: Deadline) -> None:
    for thing in read(api, path, deadline)["items"]:
        delete(api, f"{path}/{thing['metadata']['name']}", _DELETE)
    wait_until(api, path, lambda state: not state, deadline)


def _as_applied(deployment: dict[str, Any]) -> dict[str, Any]:
    metadata = {name: value for name, value in deployment["metadata"].items() if name not in _MADE_BY_THE_SERVER}
    annotations = {name: value for name, value in metadata.get("annotations", {}).items() if name != _REVISION}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {**metadata, "annotations": annotations},
        "spec": deployment["spec"],
    }
