"""Rollouts: faults that replace Gatekeeper's webhook pods gradually, all at once, or leave none for a while."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from kubernetes.client import ApiClient

from chaos_harness.clusters.api.objects import ObjectsByName
from chaos_harness.clusters.api.rest import merge_patch, request
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine
from chaos_harness.clusters.errors import DeadlineExceeded
from chaos_harness.clusters.gatekeeper.installed import WEBHOOK_PODS, deployments_path, pods_path, webhook_deployment
from chaos_harness.clusters.shape import NAMESPACE
from chaos_harness.clusters.watching.watch import wait_until
from chaos_harness.harness.errors import ApiRefused, ApiUnreachable, FaultNotApplied
from chaos_harness.harness.faults import ONE_SHOT, Fault
from chaos_harness.harness.faults.injection import Injection
from chaos_harness.harness.faults.leaves import NEW_PODS, ROLLED_OUT
from chaos_harness.harness.faults.objects.edit import edit, restore
from chaos_harness.harness.faults.targets import Target, find_pods
from chaos_harness.harness.undo.actions import undo

if TYPE_CHECKING:
    from chaos_harness.harness.undo.promises import RegisteredUndo

__all__ = [
    "DELETED",
    "ROLLED",
    "delete_replicas",
    "evict_replicas",
    "restart_rollout",
    "scale",
    "scale_to_zero",
]

DELETED, EVICTED, ROLLED = "deleted", "evicted", "rolled out"
"""`Entry.f` of harm entries for webhook pods."""

_RESTARTED = "kubectl.kubernetes.io/restartedAt"
_EVICT_SECONDS = 150.0
_TOO_MANY, _NOT_FOUND = 429, 404


def restart_rollout() -> Fault:
    """Return the fault that does `kubectl rollout restart`: replicas are replaced as the Deployment's strategy says."""
    return _Replacement("restart rollout", ROLLED, _restart)


def delete_replicas() -> Fault:
    """Return the fault that deletes all webhook pods at once; each has its grace period."""
    return _Replacement("delete replicas", DELETED, _delete)


def evict_replicas() -> Fault:
    """Return the fault that evicts all webhook pods, each as soon as the disruption budget allows it."""
    return _Replacement("evict replicas", EVICTED, _evict)


def scale_to_zero() -> Fault:
    """Return the fault that scales the webhook's Deployment to 0 replicas; healing scales it back."""
    return _ScaleDown()


@undo
def scale(engine: Engine, *, control_plane: str, replicas: int) -> None:
    """Scale the webhook's Deployment; only journals of earlier versions name this undo."""
    restore(
        engine,
        control_plane=control_plane,
        resource="deployments.v1.apps",
        name="gatekeeper-controller-manager",
        namespace=NAMESPACE,
        patch={"spec": {"replicas": replicas}},
    )


class _Replacement:
    """Harm after which the Deployment's controller creates new pods: nothing has to be undone."""

    healed = ONE_SHOT

    def __init__(self, name: str, how: str, harm: Callable[[ApiClient, Cluster, Sequence[Target]], str]) -> None:
        self.name = name
        self.harms_pods = how
        self.leaves = ROLLED_OUT if how == ROLLED else NEW_PODS
        self._harm = harm
        self._targets: list[Target] = []
        self._said = ""

    def inject(self, injection: Injection) -> None:
        with injection.cluster.client() as api:
            self._targets = find_pods(api, injection.cluster.shape.namespace, (), WEBHOOK_PODS)
            for target in self._targets:
                injection.note_harm(self.harms_pods, target)
            self._said = self._harm(api, injection.cluster, self._targets)

    def observed(self, cluster: Cluster, deadline: Deadline) -> str:
        try:
            with cluster.client() as api:
                selector = {"labelSelector": WEBHOOK_PODS}
                seen = wait_until(api, pods_path(cluster), self._describe_replacement, deadline, selector)
        except DeadlineExceeded as error:
            raise FaultNotApplied(f"expected webhook pods to be {self.harms_pods}: {error}") from error
        return f"{self._said}{seen}"

    def _describe_replacement(self, state: ObjectsByName) -> str:
        """Return which pods are terminating or gone and which are new; "" until all are (one in a rollout)."""
        there = {pod["metadata"]["uid"]: pod["metadata"] for pod in state.values()}
        staying = [target.pod for target in self._targets if "deletionTimestamp" not in there.get(target.uid, _GONE)]
        fresh = sorted(
            metadata["name"] for uid, metadata in there.items() if uid not in {target.uid for target in self._targets}
        )
        going = [target.pod for target in self._targets if target.pod not in staying]
        if not fresh or not going or (staying and self.harms_pods != ROLLED):
            return ""
        part = f" of {len(self._targets)} webhook pods" if staying else ""
        return f"{', '.join(going)}{part} {self.harms_pods}, {', '.join(fresh)} came"


class _ScaleDown:
    name = "scale to zero"
    leaves = NEW_PODS
    harms_pods = DELETED

    def __init__(self) -> None:
        self._undo: RegisteredUndo | None = None

    def inject(self, injection: Injection) -> None:
        with injection.cluster.client() as api:
            targets = find_pods(api, injection.cluster.shape.namespace, (), WEBHOOK_PODS)
            for target in targets:
                injection.note_harm(self.harms_pods, target)
            patch = {"spec": {"replicas": 0}}
            deployment = _deployment(api, injection.cluster)
            self._undo = edit(injection.cluster, injection.undos, api, deployment, patch).undo

    def observed(self, cluster: Cluster, deadline: Deadline) -> str:
        try:
            with cluster.client() as api:
                return wait_until(api, pods_path(cluster), _describe_empty, deadline, {"labelSelector": WEBHOOK_PODS})
        except DeadlineExceeded as error:
            raise FaultNotApplied(f"expected no webhook pod that is not on its way out: {error}") from error

    def healed(self, cluster: Cluster, deadline: Deadline) -> str:
        deadline.check("the Deployment was not looked at")
        with cluster.client() as api:
            wanted = request(api, "GET", _deployment(api, cluster))["spec"]["replicas"]
        before = self._undo.given["patch"]["spec"]["replicas"] if self._undo else 1
        if wanted < before:
            raise FaultNotApplied(f"expected {before} replicas to be wanted again, found {wanted}")
        return f"{wanted} replicas are wanted again"


_GONE = {"deletionTimestamp": ""}


def _describe_empty(state: ObjectsByName) -> str:
    left = [pod for pod in state.values() if "deletionTimestamp" not in pod["metadata"]]
    return "" if left else f"no webhook pod is left but {len(state)} on their way out"


def _deployment(api: ApiClient, cluster: Cluster) -> str:
    """Return the URL of the Deployment whose pods serve admission."""
    return f"{deployments_path(cluster)}/{webhook_deployment(api, cluster)['metadata']['name']}"


def _restart(api: ApiClient, cluster: Cluster, _targets: Sequence[Target]) -> str:
    annotations = {_RESTARTED: datetime.now(UTC).isoformat()}
    patch = {"spec": {"template": {"metadata": {"annotations": annotations}}}}
    merge_patch(api, _deployment(api, cluster), patch)
    return ""


def _delete(api: ApiClient, cluster: Cluster, targets: Sequence[Target]) -> str:
    for target in targets:
        request(api, "DELETE", f"{pods_path(cluster)}/{target.pod}", body={"preconditions": {"uid": target.uid}})
    return ""


def _evict(api: ApiClient, cluster: Cluster, targets: Sequence[Target]) -> str:
    refused = sum(_evict_pod(api, cluster, target) for target in targets)
    return f"the disruption budget refused {refused} times; "


def _evict_pod(api: ApiClient, cluster: Cluster, target: Target) -> int:
    """Evict one pod and return how often the budget refused; a request that was not answered is sent again."""
    body = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": target.pod, "namespace": cluster.shape.namespace},
        "deleteOptions": {"preconditions": {"uid": target.uid}},
    }
    said, refused, deadline = "", 0, Deadline.after(_EVICT_SECONDS, f"{target.pod} to be evicted")
    for _ in deadline.attempts():
        try:
            request(api, "POST", f"{pods_path(cluster)}/{target.pod}/eviction", body=body)
        except ApiRefused as error:
            if error.status == _NOT_FOUND:
                return refused
            if error.status != _TOO_MANY:
                raise
            said, refused = error.brief, refused + 1
        except ApiUnreachable as error:
            said = str(error)
        else:
            return refused
    raise FaultNotApplied(f"{deadline.error(said)}; see `kubectl --namespace {cluster.shape.namespace} get pdb`")
