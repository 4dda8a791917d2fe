"""Stage: puts the objects that samples name on a cluster, waits until it is at rest, and takes them away again."""

from chaos_harness.clusters.api.rest import apply, delete, find_object, request
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.gatekeeper.readiness import wait_until_serving
from chaos_harness.clusters.pool.fingerprint import wait_settled
from chaos_harness.harness.crashtest.samples import BINDING, DEFINITION, HELD, LEASE, NAMESPACE, ROLE, held, objects

__all__ = ["set_up", "take_down", "wait_at_rest"]

_MAPS = f"/api/v1/namespaces/{NAMESPACE}/configmaps"
_RBAC = "/apis/rbac.authorization.k8s.io/v1"
_PATHS = (
    f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{DEFINITION}",
    f"{_RBAC}/clusterrolebindings/{BINDING}",
    f"{_RBAC}/clusterroles/{ROLE}",
    f"/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/{LEASE}",
    f"/api/v1/namespaces/{NAMESPACE}",
)


def set_up(cluster: Cluster, deadline: Deadline) -> None:
    """Put the objects there, and one of them on its way out. Raises ApiRefused, ApiUnreachable, DeadlineExceeded."""
    with cluster.client() as api:
        apply(api, objects(), deadline)
        if find_object(api, f"{_MAPS}/{HELD}") is None:
            request(api, "POST", _MAPS, body=held())
            delete(api, f"{_MAPS}/{HELD}")


def take_down(cluster: Cluster, deadline: Deadline) -> None:
    """Delete them, and wait until they are gone. Raises ApiRefused, ApiUnreachable, DeadlineExceeded."""
    with cluster.client() as api:
        if there := find_object(api, f"{_MAPS}/{HELD}"):
            free = {**there, "metadata": {**there["metadata"], "finalizers": []}}
            request(api, "PUT", f"{_MAPS}/{HELD}", body=free)
        for path in _PATHS:
            delete(api, path)
        for _ in deadline.attempts(first=0.2):
            if all(find_object(api, path) is None for path in _PATHS):
                return
    raise deadline.error("the objects of samples are there")


def wait_at_rest(cluster: Cluster, deadline: Deadline) -> None:
    """Wait until each pod is ready, and Gatekeeper answers, if it is there. Raises DeadlineExceeded."""
    wait_settled(cluster, deadline)
    if cluster.shape.gatekeeper:
        wait_until_serving(cluster, deadline)
