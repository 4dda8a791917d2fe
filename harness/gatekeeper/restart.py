"""Restart: replaces Gatekeeper's pods by new ones, so that an experiment does not inherit restarts or back-offs."""

from collections.abc import Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any, get_args

from chaos_harness.clusters.api.rest import merge_patch, request
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.gatekeeper.install import PullPolicy
from chaos_harness.clusters.gatekeeper.installed import deployments_path, pods_path, webhook_deployment
from chaos_harness.clusters.gatekeeper.readiness import wait_until_serving
from chaos_harness.clusters.watching.watch import wait_until
from chaos_harness.harness.errors import BadScenario

__all__ = ["PullPolicy", "pull_policy", "restart_gatekeeper"]

_RESTARTED = "kubectl.kubernetes.io/restartedAt"
_ALL_AT_ONCE = {"maxSurge": "100%", "maxUnavailable": 0}
"""How Deployments are rolled out here: one pod after the other takes three times as long, and nobody measures it."""


def restart_gatekeeper(cluster: Cluster, deadline: Deadline, *, pull_policy: PullPolicy | None = None) -> list[str]:
    """Roll out all of Gatekeeper's Deployments anew, with `pull_policy` if given.

    As `kubectl rollout restart` does, but with all new pods at once; old ones serve until those do. How a Deployment is
    rolled out otherwise is put back. Returns the names of the webhook pods, once they are serving and the old ones are
    gone. Raises BadScenario (no such pull policy, no Gatekeeper, or an adopted cluster, whose Deployments nothing would
    put back), DeadlineExceeded, ApiRefused, ApiUnreachable.
    """
    if cluster.adopted:
        raise BadScenario(
            f"kind cluster {cluster.name} is yours: to restart Gatekeeper changes its Deployments for good; "
            "delete_replicas makes new pods, too"
        )
    if pull_policy and pull_policy not in get_args(PullPolicy):
        raise BadScenario(f"pull policy {pull_policy!r}: expected one of {', '.join(get_args(PullPolicy))}")
    if cluster.shape.gatekeeper is None:
        raise BadScenario(f"cluster {cluster.name} has no Gatekeeper to restart")
    now = datetime.now(UTC).isoformat()
    with cluster.client() as api, ExitStack() as put_back:
        for deployment in request(api, "GET", deployments_path(cluster))["items"]:
            template: dict[str, Any] = {"metadata": {"annotations": {_RESTARTED: now}}}
            if pull_policy:
                names = [container["name"] for container in deployment["spec"]["template"]["spec"]["containers"]]
                containers = [{"name": name, "imagePullPolicy": pull_policy} for name in names]
                template["spec"] = {"containers": containers}
            path = f"{deployments_path(cluster)}/{deployment['metadata']['name']}"
            if usual := deployment["spec"]["strategy"].get("rollingUpdate"):
                put_back.callback(merge_patch, api, path, _rolled_out(usual))
                merge_patch(api, path, _rolled_out(_ALL_AT_ONCE))
            merge_patch(api, path, {"spec": {"template": template}}, strategic=True)
        pods = wait_until_serving(cluster, deadline)
        wait_until(api, pods_path(cluster), lambda state: _are_all_fresh(state, now), deadline)
    return pods


def _rolled_out(how: Mapping[str, Any]) -> dict[str, Any]:
    return {"spec": {"strategy": {"rollingUpdate": how}}}


def pull_policy(cluster: Cluster) -> PullPolicy:
    """Return the current pull policy of Gatekeeper's webhook pods. Raises ApiRefused, ApiUnreachable."""
    with cluster.client() as api:
        deployment = webhook_deployment(api, cluster)
    policy: PullPolicy = deployment["spec"]["template"]["spec"]["containers"][0]["imagePullPolicy"]
    return policy


def _are_all_fresh(pods: Mapping[str, Mapping[str, Any]], now: str) -> bool:
    return all(pod["metadata"].get("annotations", {}).get(_RESTARTED) == now for pod in pods.values())
