"""Readiness: waits until every webhook replica of Gatekeeper answers and the API server calls them."""

import json
from collections.abc import Callable
from typing import Any

from chaos_harness.clusters.api.objects import ObjectsByName
from chaos_harness.clusters.api.rest import request
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.errors import ApiRefused, ApiUnreachable, DeadlineExceeded, HarnessError
from chaos_harness.clusters.gatekeeper.installed import deployments_path, service_called, webhook_deployment_of
from chaos_harness.clusters.watching.watch import wait_until

__all__ = ["FORBIDDEN_NAMESPACE", "REVIEW", "WEBHOOK", "wait_until_serving"]

_SERVICE = "kubernetes.io/service-name"
WEBHOOK = "check-ignore-label.gatekeeper.sh"
_PATH = "/v1/admitlabel"
_ANSWER_SECONDS = 5.0
_FORBIDDEN = 403

FORBIDDEN_NAMESPACE: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Namespace",
    "metadata": {"name": "chaos-harness-canary", "labels": {"admission.gatekeeper.sh/ignore": "canary"}},
}
"""A namespace that Gatekeeper denies under every policy: only exempt namespaces may carry this label."""

REVIEW: dict[str, Any] = {
    "apiVersion": "admission.k8s.io/v1",
    "kind": "AdmissionReview",
    "request": {
        "uid": "chaos-harness-canary",
        "kind": {"group": "", "version": "v1", "kind": "Namespace"},
        "resource": {"group": "", "version": "v1", "resource": "namespaces"},
        "name": FORBIDDEN_NAMESPACE["metadata"]["name"],
        "operation": "CREATE",
        "dryRun": True,
        "userInfo": {"username": "chaos-harness"},
        "object": FORBIDDEN_NAMESPACE,
    },
}
"""The AdmissionReview that asks one replica about that namespace."""


def wait_until_serving(cluster: Cluster, deadline: Deadline) -> list[str]:
    """Wait until all replicas of Gatekeeper serve admission; return the names of the webhook pods.

    All Deployments are rolled out and available; the webhook's EndpointSlices contain every replica; each replica,
    called from a node without the API server, denies a namespace that it must deny; and the API server reports that
    denial for a dry run. Status alone is not enough: it is stale after a network fault. A cluster whose shape has no
    Gatekeeper has nothing to wait for: the list is empty.

    Raises DeadlineExceeded with what was missing last.
    """
    if cluster.shape.gatekeeper is None:
        return []
    slices = f"/apis/discovery.k8s.io/v1/namespaces/{cluster.shape.namespace}/endpointslices"
    last: str | None = None
    with cluster.client() as api:
        for _ in deadline.attempts():
            try:
                wanted = wait_until(api, deployments_path(cluster), _rolled_out, deadline)
                of_service = {"labelSelector": f"{_SERVICE}={service_called(api, cluster, WEBHOOK)}"}
                replicas = wait_until(api, slices, _all_replicas_listed(wanted), deadline, of_service)
                answers = {pod: _probe_replica(cluster, url, deadline) for pod, url in replicas.items()}
                wrong = [f"{pod} {why}" for pod, why in answers.items() if why is not None]
                now = "; ".join(wrong) if wrong else _probe_api_server(api)
            except (ApiRefused, ApiUnreachable) as error:
                now = f"the API server: {error}"
            except DeadlineExceeded as error:
                last = str(error) if last is None else last
                break
            if now is None:
                return sorted(replicas)
            last = last if last and deadline.expired else now  # who is broken off says nothing of Gatekeeper
    raise deadline.error(last or "")


def _rolled_out(objects: ObjectsByName) -> int | None:
    """Return how many pods serve admission, or None unless all Deployments are up to date and available."""
    for deployment in objects.values():
        status = deployment.get("status", {})
        wanted = deployment["spec"].get("replicas", 1)
        counts = [status.get(name, 0) for name in ("replicas", "updatedReplicas", "availableReplicas")]
        if status.get("observedGeneration", 0) < deployment["metadata"]["generation"] or counts != [wanted] * 3:
            return None
    serving = webhook_deployment_of(objects.values())
    return serving["spec"].get("replicas", 1) if serving else None


def _all_replicas_listed(wanted: int) -> Callable[[ObjectsByName], dict[str, str] | None]:
    def urls(objects: ObjectsByName) -> dict[str, str] | None:
        urls_by_pod = {}
        for endpoint_slice in objects.values():
            port = next((port["port"] for port in endpoint_slice.get("ports") or ()), None)
            for endpoint in endpoint_slice.get("endpoints") or ():
                if endpoint.get("conditions", {}).get("ready"):
                    address = endpoint["addresses"][0]  # an endpoint that somebody wrote by hand has no pod
                    replica = endpoint.get("targetRef", {}).get("name", address)
                    urls_by_pod[replica] = f"https://{address}:{port}{_PATH}"
        return urls_by_pod if len(urls_by_pod) == wanted else None

    return urls


def _probe_replica(cluster: Cluster, url: str, deadline: Deadline) -> str | None:
    """Send the review to one replica; return what was wrong with its answer, or None."""
    curl = ["curl", "--silent", "--show-error", "--insecure", "--noproxy", "*", "--max-time", f"{_ANSWER_SECONDS:.0f}"]
    argv = [*curl, "--header", "Content-Type: application/json", "--data", "@-", url]
    said = "was not asked"
    for node in cluster.control_planes:
        part = deadline.within(2 * _ANSWER_SECONDS, f"an answer of {url}")
        try:
            done = cluster.exec(node, argv, part, check=False, stdin=json.dumps(REVIEW))
            denied = json.loads(done.stdout)["response"]["allowed"] is False
        except (ValueError, KeyError, TypeError):
            said = f"answered {(done.stdout or done.stderr).strip()[:200]!r}"
        except HarnessError as error:
            said = str(error)
        else:
            return None if denied else f"allowed a namespace that it must deny: {done.stdout.strip()[:200]}"
    return said


def _probe_api_server(api: Any) -> str | None:
    """Ask the API server for a namespace that must be denied; return what was wrong with the answer, or None."""
    try:
        request(api, "POST", "/api/v1/namespaces", query={"dryRun": "All"}, body=FORBIDDEN_NAMESPACE)
    except ApiRefused as error:
        if error.status == _FORBIDDEN and WEBHOOK in str(error.body):
            return None
        return f"the API server, asked for a namespace that {WEBHOOK} must deny, said {error.status} {error.body}"
    return f"the API server admitted a namespace that {WEBHOOK} must deny"
