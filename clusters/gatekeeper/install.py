"""Gatekeeper: its installation from the release manifest or the chart, and the settings that can be changed."""

import os
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
from chaos_harness.clusters.images.sources import gatekeeper_source, tool
from chaos_harness.clusters.machine.process import run
from chaos_harness.clusters.retrying import retry
from chaos_harness.clusters.shape import Install
from chaos_harness.clusters.watching.watch import wait_until

__all__ = ["CRDS_REPOSITORY", "REPOSITORY", "PullPolicy", "apply_definitions", "install", "wait_until_serving"]

REPOSITORY = "openpolicyagent/gatekeeper"
"""Repository of Gatekeeper's image below docker.io, as in manifest and chart."""

CRDS_REPOSITORY = "openpolicyagent/gatekeeper-crds"
"""Repository of the image of the chart's hook jobs."""

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
        objects = _manifest(cluster)
        with cluster.client() as api:
            _apply_definitions(api, objects, deadline)
            _apply(api, [manifest for manifest in objects if manifest["kind"] != _CRD], deadline)
        return
    _install_chart(cluster, gatekeeper_source(cluster.shape.gatekeeper) / "charts" / "gatekeeper", deadline)
    if own and own.flags:
        with cluster.client() as api:
            for deployment in request(api, "GET", deployments_path(cluster))["items"]:
                path = f"{deployments_path(cluster)}/{deployment['metadata']['name']}"
                merge_patch(api, path, add_flags(deployment, own.flags), strategic=True)


def _manifest(cluster: Cluster) -> list[dict[str, Any]]:
    version, own = str(cluster.shape.gatekeeper), cluster.shape.own
    release = gatekeeper_source(version) / "deploy" / "gatekeeper.yaml"
    return customised(release, own, f"{REPOSITORY}:{version}")


def _apply_definitions(api: ApiClient, objects: Sequence[Mapping[str, Any]], deadline: Deadline) -> None:
    definitions = [manifest for manifest in objects if manifest["kind"] == _CRD]
    names = {definition["metadata"]["name"] for definition in definitions}
    _apply(api, definitions, deadline)
    wait_until(api, _CRDS, lambda state: _established(state, names), deadline)


def _apply(api: ApiClient, objects: Sequence[Mapping[str, Any]], deadline: Deadline) -> None:
    """Apply objects in order, and all of them again while a starting API server cannot take one yet."""
    retry(lambda: apply(api, objects, deadline), deadline, passes=is_not_yet)


def _established(state: Mapping[str, Mapping[str, Any]], names: set[str]) -> bool | None:
    established = {crd["metadata"]["name"] for crd in state.values() if condition(crd, "Established") == "True"}
    return True if names <= established else None


def _install_chart(cluster: Cluster, chart: Path, deadline: Deadline) -> None:
    own = cluster.shape.own
    values = ["--values", own.values.path] if own and own.values else []
    settings = {**_CHART_VALUES, **({"replicas": str(own.replicas)} if own and own.replicas else {})}
    values += [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
    where = [
        "--namespace",
        cluster.shape.namespace,
        "--create-namespace",
        "--timeout",
        f"{max(deadline.remaining, 1):.0f}s",
    ]
    homes = {f"HELM_{name}_HOME": str(cluster.directory / "helm") for name in ("CACHE", "CONFIG", "DATA")}
    unset = dict.fromkeys((name for name in os.environ if name.startswith("HELM_KUBE")), "")
    env = {**unset, **homes, "KUBECONFIG": str(cluster.kubeconfig)}
    run([tool("helm"), "install", "gatekeeper", chart, *where, *values], deadline, env=env)
