"""Upgrade: brings a running Gatekeeper to another release, and back, as upstream documents it for manifest and chart.

By the manifest all of another release's objects are applied. What only the release of before had stays, as after
`kubectl apply`: so an older manifest brings back its Deployments, and not the cluster as it was. By the chart helm does
it: its hook brings the definitions before an upgrade, and nothing takes them back after a rollback.
"""

import json
import re
from pathlib import Path

from kubernetes.client import ApiClient

from chaos_harness.clusters.api.rest import request
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.errors import BadScenario
from chaos_harness.clusters.gatekeeper.install import RELEASE, apply_manifest, chart
from chaos_harness.clusters.gatekeeper.installed import deployments_path
from chaos_harness.clusters.helm import helm
from chaos_harness.clusters.shape import Install

__all__ = ["deployed_versions", "roll_back_chart", "upgrade"]

_IMAGE = re.compile(r"/gatekeeper:(?P<version>v\d+\.\d+\.\d+)")


def deployed_versions(api: ApiClient, cluster: Cluster) -> dict[str, str]:
    """Return the version that each of Gatekeeper's Deployments asks for; none if Gatekeeper is not installed.

    Raises ApiRefused, ApiUnreachable.
    """
    versions = {}
    for deployment in request(api, "GET", deployments_path(cluster))["items"]:
        for container in deployment["spec"]["template"]["spec"]["containers"]:
            if image := _IMAGE.search(container["image"]):
                versions[deployment["metadata"]["name"]] = image["version"]
    return versions


def upgrade(cluster: Cluster, version: str, method: Install, deadline: Deadline) -> None:
    """Upgrade Gatekeeper to a release; it may be an older one by the manifest alone. Nothing waits until it serves.

    The chart keeps the values that its release was installed with. Raises CommandFailed (helm, or a hook of the chart),
    ApiRefused, ApiUnreachable, DeadlineExceeded.
    """
    if method == "manifest":
        apply_manifest(cluster, version, deadline)
    else:
        helm(cluster.kubeconfig, ["upgrade", RELEASE, chart(version), "--reset-then-reuse-values"], deadline)


def roll_back_chart(kubeconfig: Path, version: str, deadline: Deadline) -> None:
    """Have helm roll back to the last revision of a version, without waiting until it serves.

    Raises BadScenario if the release never had that version, CommandFailed, DeadlineExceeded.
    """
    revisions = json.loads(helm(kubeconfig, ["history", RELEASE, "--output", "json"], deadline))
    fitting = [str(one["revision"]) for one in revisions if one["app_version"] == version]
    if not fitting:
        had = ", ".join(dict.fromkeys(one["app_version"] for one in revisions))
        raise BadScenario(f"helm cannot roll back to {version}: the release had {had}")
    helm(kubeconfig, ["rollback", RELEASE, fitting[-1]], deadline)
