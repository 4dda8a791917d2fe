"""Gatekeeper: its installation from the release manifest or the chart, and the settings that can be changed."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from kubernetes.client import ApiClient

from chaos_harness.clusters.api.objects import condition
from chaos_harness.clusters.api.rest import apply, is_not_yet, merge_patch, request
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.errors import BadScenario
from chaos_harness.clusters.gatekeeper.customise import add_flags, customised
from chaos_harness.clusters.gatekeeper.installed import deployments_path
from chaos_harness.clusters.gatekeeper.readiness import wait_until_serving
from chaos_harness.clusters.helm import helm
from chaos_harness.clusters.images import catalogue
from chaos_harness.clusters.images.sources import gatekeeper_source
from chaos_harness.clusters.retrying import retry
from chaos_harness.clusters.shape import Install
from chaos_harness.clusters.watching.watch import wait_until

__all__ = [
    "CRDS_REPOSITORY",
    "RELEASE",
    "REPOSITORY",
    "PullPolicy",
    "apply_definitions",
    "apply_manifest",
    "chart",
    "install",
    "manifest",
    "wait_until_serving",
]

REPOSITORY = catalogue.GATEKEEPER
"""Repository of Gatekeeper's image below docker.io, as in manifest and chart."""

CRDS_REPOSITORY = catalogue.CRDS
"""Repository of the image of the chart's hook jobs."""

RELEASE = "gatekeeper"
"""Name of the chart's release."""

PullPolicy = Literal["Always", "IfNotPresent", "Never"]

_CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_CRD = "CustomResourceDefinition"

_CHART_VALUES = {
    # Its image, curlimages/curl, is not to be had without docker.io; wait_until_serving asks more than it does.
    "postInstall.probeWebhook.enabled": "false",
}
"""Chart values that differ from the chart's defaults."""


def apply_definitions(cluster: Cluster, deadline: Deadline) -> None:
    """Apply the custom resource definitions of the shape's manifest, which need no node; `install` does so, too.

    Raises ApiRefused, ApiUnreachable, DeadlineExceeded.
    """
    with cluster.client() as api:
        _apply_definitions(api, _manifest(cluster), deadline)


def install(cluster: Cluster, method: Install, deadline: Deadline) -> None:
    """Install the shape's Gatekeeper by `method`; `wait_until_serving` waits until it serves.

    Manifest and chart are from the same release as the image. Raises CommandFailed (helm), ApiRefused, ApiUnreachable,
    DeadlineExceeded, BadScenario (the shape has no Gatekeeper).
    """
    if cluster.shape.gatekeeper is None:
        raise BadScenario(f"cluster {cluster.name}: its shape has no Gatekeeper to install")
    own = cluster.shape.own
    if method == "manifest":
        _apply_manifest(cluster, _manifest(cluster), deadline)
        return
    values: list[str | Path] = ["--values", own.values.path] if own and own.values else []
    settings = {**_CHART_VALUES, **({"replicas": str(own.replicas)} if own and own.replicas else {})}
    values += [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
    words: list[str | Path] = ["install", RELEASE, chart(cluster.shape.gatekeeper), "--create-namespace", *values]
    helm(cluster.kubeconfig, words, deadline, namespace=cluster.shape.namespace)
    if own and own.flags:
        with cluster.client() as api:
            for deployment in request(api, "GET", deployments_path(cluster))["items"]:
                path = f"{deployments_path(cluster)}/{deployment['metadata']['name']}"
                merge_patch(api, path, add_flags(deployment, own.flags), strategic=True)


def apply_manifest(cluster: Cluster, version: str, deadline: Deadline) -> None:
    """Apply the manifest of a release, its definitions first; of an older one, too.

    Raises ApiRefused, ApiUnreachable, DeadlineExceeded.
    """
    _apply_manifest(cluster, customised(manifest(version), None, f"{REPOSITORY}:{version}"), deadline)


def _apply_manifest(cluster: Cluster, objects: list[dict[str, Any]], deadline: Deadline) -> None:
    with cluster.client() as api:
        _apply_definitions(api, objects, deadline)
        _apply(api, [applied for applied in objects if applied["kind"] != _CRD], deadline)


def manifest(version: str) -> Path:
    """Return the file with the manifest of a release. Raises ImageUnavailable."""
    return gatekeeper_source(version) / "deploy" / "gatekeeper.yaml"


def chart(version: str) -> Path:
    """Return the folder of the chart of a release. Raises ImageUnavailable."""
    return gatekeeper_source(version) / "charts" / "gatekeeper"


def _manifest(cluster: Cluster) -> list[dict[str, Any]]:
    version = str(cluster.shape.gatekeeper)
    return customised(manifest(version), cluster.shape.own, f"{REPOSITORY}:{version}")


def _apply_definitions(api: ApiClient, objects: Sequence[Mapping[str, Any]], deadline: Deadline) -> None:
    definitions = [applied for applied in objects if applied["kind"] == _CRD]
    names = {definition["metadata"]["name"] for definition in definitions}
    _apply(api, definitions, deadline)
    wait_until(api, _CRDS, lambda state: _established(state, names), deadline)


def _apply(api: ApiClient, objects: Sequence[Mapping[str, Any]], deadline: Deadline) -> None:
    """Apply objects in order, and all of them again while a starting API server cannot take one yet."""
    retry(lambda: apply(api, objects, deadline), deadline, passes=is_not_yet)


def _established(state: Mapping[str, Mapping[str, Any]], names: set[str]) -> bool | None:
    established = {crd["metadata"]["name"] for crd in state.values() if condition(crd, "Established") == "True"}
    return True if names <= established else None
