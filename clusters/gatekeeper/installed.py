"""Installed: what a cluster's Gatekeeper consists of and how it is called, read from the cluster.

The chart and the manifest label Deployments and pods by what they do; webhook configurations name the Service that the
API server calls. Only the namespace is known beforehand, by the shape.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from kubernetes.client import ApiClient

from chaos_harness.clusters.api.objects import Object
from chaos_harness.clusters.api.rest import request
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.errors import ClusterUnavailable

__all__ = [
    "METRICS_PORT",
    "OPERATION",
    "WEBHOOK_PODS",
    "WEBHOOK_PORT",
    "configuration_with",
    "deployments_path",
    "pods_path",
    "port_of",
    "secret_of",
    "service_called",
    "webhook_deployment",
    "webhook_deployment_of",
]

OPERATION: Final = "gatekeeper.sh/operation"
"""Label of Deployments and pods: what they do, such as "webhook" or "audit"."""

WEBHOOK_PODS: Final = f"{OPERATION}=webhook"
"""Selects the pods that serve admission."""

WEBHOOK_PORT: Final = "webhook-server", 8443
METRICS_PORT: Final = "metrics", 8888
"""Name of a container's port, and its number where no container names it: the default of Gatekeeper's flag."""

_CONTROLLER = "gatekeeper-controller-manager"
_SERVICE = "gatekeeper-webhook-service"
_CERTIFICATE = "gatekeeper-webhook-server-cert"
_VOLUME = "cert"
_ADMISSION = "/apis/admissionregistration.k8s.io/v1"


def deployments_path(cluster: Cluster) -> str:
    """Return the URL of the Deployments in Gatekeeper's namespace."""
    return f"/apis/apps/v1/namespaces/{cluster.shape.namespace}/deployments"


def pods_path(cluster: Cluster) -> str:
    """Return the URL of the pods in Gatekeeper's namespace."""
    return f"/api/v1/namespaces/{cluster.shape.namespace}/pods"


def webhook_deployment_of(deployments: Iterable[Object]) -> Object | None:
    """Return the Deployment whose pods serve admission: by its pods' label, or by its name if none has the label."""
    there = list(deployments)
    labelled = [each for each in there if _pod_labels(each).get(OPERATION) == "webhook"]
    return next(iter(labelled or [each for each in there if each["metadata"]["name"] == _CONTROLLER]), None)


def webhook_deployment(api: ApiClient, cluster: Cluster) -> Object:
    """Return the Deployment whose pods serve admission. Raises ClusterUnavailable, ApiRefused, ApiUnreachable."""
    path = deployments_path(cluster)
    deployments = request(api, "GET", path)["items"]
    found = webhook_deployment_of(deployments)
    if found is None:
        names = ", ".join(each["metadata"]["name"] for each in deployments)
        raise ClusterUnavailable(
            f"expected a Deployment in {cluster.shape.namespace} whose pods have the label {WEBHOOK_PODS}, there is "
            f"{names or 'none'}; see `kubectl get deployments -n {cluster.shape.namespace} --show-labels`"
        )
    return found


def configuration_with(configurations: Iterable[Object], webhook: str, namespace: str) -> str | None:
    """Return the name of the configuration that has this webhook and calls a Service of the namespace; None: none."""
    for configuration in configurations:
        for settings in configuration.get("webhooks") or ():
            service = settings.get("clientConfig", {}).get("service") or {}
            if settings["name"] == webhook and service.get("namespace", namespace) == namespace:
                name: str = configuration["metadata"]["name"]
                return name
    return None


def service_called(api: ApiClient, cluster: Cluster, webhook: str) -> str:
    """Return the name of the Service that this validating webhook calls; the release's if no webhook names one.

    Raises ApiRefused, ApiUnreachable.
    """
    for configuration in request(api, "GET", f"{_ADMISSION}/validatingwebhookconfigurations")["items"]:
        for settings in configuration.get("webhooks") or ():
            service = settings.get("clientConfig", {}).get("service") or {}
            if settings["name"] == webhook and service.get("namespace") == cluster.shape.namespace:
                name: str = service["name"]
                return name
    return _SERVICE


def secret_of(deployment: Object) -> str:
    """Return the name of the Secret with the webhook's certificate, which a Deployment's pods mount."""
    for volume in deployment["spec"].get("template", {}).get("spec", {}).get("volumes") or ():
        if volume["name"] == _VOLUME and "secret" in volume:
            name: str = volume["secret"]["secretName"]
            return name
    return _CERTIFICATE


def port_of(pod: Object, port: tuple[str, int]) -> int:
    """Return the number of a pod's port (WEBHOOK_PORT, METRICS_PORT)."""
    name, default = port
    ports = (each for container in pod.get("spec", {}).get("containers") or () for each in container.get("ports") or ())
    return next((int(each["containerPort"]) for each in ports if each.get("name") == name), default)


def _pod_labels(deployment: Object) -> Mapping[str, str]:
    labels: Mapping[str, str] = deployment["spec"].get("template", {}).get("metadata", {}).get("labels") or {}
    return labels
