"""Upgrade: brings a running Gatekeeper to another release, and back, as upstream documents it for manifest and chart.

By the manifest all of another release's objects are applied. What only the release of before had stays, as after
`kubectl apply`: so an older manifest brings back its Deployments, and not the cluster as it was. By the chart helm does
it: its hook brings the definitions before an upgrade, and nothing takes them back after a rollback.
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from kubernetes.client import ApiClient

from chaos_harness.clusters.api.objects import is_ready, is_terminating
from chaos_harness.clusters.api.rest import request
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.errors import BadScenario, HarnessError
from chaos_harness.clusters.gatekeeper.install import RELEASE, apply_manifest, chart, helm
from chaos_harness.clusters.shape import NAMESPACE, Install

__all__ = ["deployed_versions", "roll_back_chart", "upgrade", "why_not_ready"]

_IMAGE = re.compile(r"/gatekeeper:(?P<version>v\d+\.\d+\.\d+)")
_DEPLOYMENTS = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments"
_PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
_KUBECTL = ("kubectl", "--kubeconfig", "/etc/kubernetes/admin.conf", "--namespace", NAMESPACE)
_LOG_LINES = 5
_LOG_SECONDS = 10.0
_SHORT = 300


def deployed_versions(api: ApiClient) -> dict[str, str]:
    """Return the version that each of Gatekeeper's Deployments asks for; none if Gatekeeper is not installed.

    Raises ApiRefused, ApiUnreachable.
    """
    versions = {}
    for deployment in request(api, "GET", _DEPLOYMENTS)["items"]:
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


def why_not_ready(cluster: Cluster) -> list[str]:
    """Return, for each pod in Gatekeeper's namespace that is not ready, what its status and its own log say.

    What cannot be read is left out.
    """
    try:
        with cluster.client() as api:
            pods = request(api, "GET", _PODS)["items"]
    except HarnessError as error:
        return [f"its pods cannot be listed: {error}"]
    waiting = (pod for pod in pods if not is_ready(pod) and not is_terminating(pod) and not _completed(pod))
    return [_described(cluster, pod) for pod in waiting]


def _described(cluster: Cluster, pod: Mapping[str, Any]) -> str:
    name = pod["metadata"]["name"]
    words = list(dict.fromkeys(_states(pod))) or [f"phase {pod['status'].get('phase', 'unknown')}"]
    log = _log(cluster, name)
    return f"{name}: {', '.join(words)}" + (f"; its log ends with: {log}" if log else "")


def _states(pod: Mapping[str, Any]) -> Iterator[str]:
    """Yield why the containers of a pod wait, or ended last."""
    for status in pod["status"].get("containerStatuses") or ():
        for state in (status.get("state") or {}, status.get("lastState") or {}):
            waiting, ended = state.get("waiting"), state.get("terminated")
            if waiting:
                yield f"{waiting.get('reason', 'waiting')} {waiting.get('message', '')}".strip()[:_SHORT]
            if ended:
                yield f"ended with status {ended.get('exitCode')} ({ended.get('reason', 'no reason')})"
    for condition in pod["status"].get("conditions") or ():
        if condition["type"] == "PodScheduled" and condition["status"] != "True":
            yield f"not scheduled: {condition.get('message', '')}"[:_SHORT]


def _log(cluster: Cluster, pod: str) -> str:
    """Return the last lines of a pod's log, of its last container that ended if there is one; "" if there is none."""
    tail = f"--tail={_LOG_LINES}"
    for words in (("--previous", tail), (tail,)):
        deadline = Deadline.after(_LOG_SECONDS, f"the log of {pod}")
        try:
            done = cluster.exec(cluster.control_planes[0], [*_KUBECTL, "logs", pod, *words], deadline, check=False)
        except HarnessError:
            return ""
        if not done.returncode and done.stdout.strip():
            return " | ".join(done.stdout.strip().splitlines())
    return ""


def _completed(pod: Mapping[str, Any]) -> bool:
    return bool(pod["status"].get("phase") == "Succeeded")
