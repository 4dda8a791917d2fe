"""Rollouts: faults that replace Gatekeeper's webhook pods, gently, at once, or by none for a while."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from kubernetes.client import ApiClient

from chaos_harness.clusters.api.rest import merge, request
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine
from chaos_harness.clusters.errors import DeadlineExceeded
from chaos_harness.clusters.gatekeeper.readiness import CONTROLLER, DEPLOYMENTS, NAMESPACE
from chaos_harness.clusters.watching.watch import until
from chaos_harness.harness.errors import ApiRefused, FaultNotApplied
from chaos_harness.harness.faults import ONE_SHOT, Fault
from chaos_harness.harness.faults.injection import Injection
from chaos_harness.harness.faults.objects.edit import edit, restore
from chaos_harness.harness.faults.targets import Target, find_pods
from chaos_harness.harness.undo.actions import undo

if TYPE_CHECKING:
    from chaos_harness.harness.undo.promises import Promise

__all__ = [
    "DELETED",
    "EVICTED",
    "ROLLED",
    "delete_replicas",
    "evict_replicas",
    "restart_rollout",
    "scale",
    "scale_to_zero",
]

DELETED, EVICTED, ROLLED = "deleted", "evicted", "rolled out"
"""How, in a history, the webhook pods were harmed."""

_DEPLOYMENT = f"{DEPLOYMENTS}/{CONTROLLER}"
_PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
_WEBHOOKS = "gatekeeper.sh/operation=webhook"
_RESTARTED = "kubectl.kubernetes.io/restartedAt"
_EVICT_SECONDS = 150.0
_TOO_MANY, _NOT_FOUND = 429, 404

State = Mapping[str, Mapping[str, Any]]


def restart_rollout() -> Fault:
    """Return the fault that `kubectl rollout restart` is: replicas are replaced as the Deployment says."""
    return _Replacement("restart rollout", ROLLED, _restart)


def delete_replicas() -> Fault:
    """Return the fault that deletes all webhook pods at once, with their own grace periods."""
    return _Replacement("delete replicas", DELETED, _delete)


def evict_replicas() -> Fault:
    """Return the fault that evicts all webhook pods, each as soon as the disruption budget lets it."""
    return _Replacement("evict replicas", EVICTED, _evict)


def scale_to_zero() -> Fault:
    """Return the fault that scales the webhook's Deployment to no replica; healing scales it back."""
    return _ScaleDown()


@undo
def scale(engine: Engine, *, control_plane: str, replicas: int) -> None:
    """Scale the webhook's Deployment, as journals of earlier versions say; one that is gone stays so."""
    restore(
        engine,
        control_plane=control_plane,
        resource="deployments.v1.apps",
        name=CONTROLLER,
        namespace=NAMESPACE,
        patch={"spec": {"replicas": replicas}},
    )


class _Replacement:
    """Harm after which the Deployment's controller makes new pods by itself: nothing has to be undone."""

    healed = ONE_SHOT

    def __init__(self, name: str, how: str, harm: Callable[[ApiClient, Sequence[Target]], str]) -> None:
        self.name = name
        self._how = how
        self._harm = harm
        self._targets: list[Target] = []
        self._said = ""

    def inject(self, injection: Injection) -> None:
        with injection.cluster.client() as api:
            self._targets = find_pods(api, NAMESPACE, (), _WEBHOOKS)
            for target in self._targets:
                injection.note_harm(self._how, target)
            self._said = self._harm(api, self._targets)

    def observed(self, cluster: Cluster, deadline: Deadline) -> str:
        try:
            with cluster.client() as api:
                seen = until(api, _PODS, self._replaced, deadline, {"labelSelector": _WEBHOOKS})
        except DeadlineExceeded as error:
            raise FaultNotApplied(f"expected webhook pods to be {self._how}: {error}") from error
        return f"{self._said}{seen}"

    def _replaced(self, state: State) -> str:
        """Return who is on the way out, or gone, and who came; "" unless it is all of them, or one in a rollout."""
        there = {pod["metadata"]["uid"]: pod["metadata"] for pod in state.values()}
        staying = [target.pod for target in self._targets if "deletionTimestamp" not in there.get(target.uid, _GONE)]
        fresh = sorted(
            metadata["name"] for uid, metadata in there.items() if uid not in {target.uid for target in self._targets}
        )
        going = [target.pod for target in self._targets if target.pod not in staying]
        if not fresh or not going or (staying and self._how != ROLLED):
            return ""
        part = f" of {len(self._targets)} webhook pods" if staying else ""
        return f"{', '.join(going)}{part} {self._how}, {', '.join(fresh)} came"


class _ScaleDown:
    name = "scale to zero"

    def __init__(self) -> None:
        self._promise: Promise | None = None

    def inject(self, injection: Injection) -> None:
        with injection.cluster.client() as api:
            targets = find_pods(api, NAMESPACE, (), _WEBHOOKS)
            for target in targets:
                injection.note_harm(DELETED, target)
            patch = {"spec": {"replicas": 0}}
            self._promise = edit(injection.cluster, injection.undos, api, _DEPLOYMENT, patch).promise

    def observed(self, cluster: Cluster, deadline: Deadline) -> str:
        try:
            with cluster.client() as api:
                return until(api, _PODS, _nobody, deadline, {"labelSelector": _WEBHOOKS})
        except DeadlineExceeded as error:
            raise FaultNotApplied(f"expected no webhook pod that is not on its way out: {error}") from error

    def healed(self, cluster: Cluster, deadline: Deadline) -> str:
        deadline.check("the Deployment was not looked at")
        with cluster.client() as api:
            wanted = request(api, "GET", _DEPLOYMENT)["spec"]["replicas"]
        before = self._promise.given["patch"]["spec"]["replicas"] if self._promise else 1
        if wanted < before:
            raise FaultNotApplied(f"expected {before} replicas to be wanted again, found {wanted}")
        return f"{wanted} replicas are wanted again"


_GONE = {"deletionTimestamp": ""}


def _nobody(state: State) -> str:
    left = [pod for pod in state.values() if "deletionTimestamp" not in pod["metadata"]]
    return "" if left else f"no webhook pod is left but {len(state)} on their way out"


def _restart(api: ApiClient, _targets: Sequence[Target]) -> str:
    annotations = {_RESTARTED: datetime.now(UTC).isoformat()}
    patch = {"spec": {"template": {"metadata": {"annotations": annotations}}}}
    merge(api, _DEPLOYMENT, patch)
    return ""


def _delete(api: ApiClient, targets: Sequence[Target]) -> str:
    for target in targets:
        request(api, "DELETE", f"{_PODS}/{target.pod}", body={"preconditions": {"uid": target.uid}})
    return ""


def _evict(api: ApiClient, targets: Sequence[Target]) -> str:
    refused = sum(_evicted(api, target) for target in targets)
    return f"the disruption budget refused {refused} times; "


def _evicted(api: ApiClient, target: Target) -> int:
    """Evict one pod and return how often that was refused before."""
    body = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": target.pod, "namespace": NAMESPACE},
        "deleteOptions": {"preconditions": {"uid": target.uid}},
    }
    said, deadline = "", Deadline.after(_EVICT_SECONDS, f"{target.pod} to be evicted")
    for refused in deadline.attempts():
        try:
            request(api, "POST", f"{_PODS}/{target.pod}/eviction", body=body)
        except ApiRefused as error:
            if error.status == _NOT_FOUND:
                return refused
            if error.status != _TOO_MANY:
                raise
            said = error.brief
        else:
            return refused
    raise FaultNotApplied(f"{deadline.error(said)}; see `kubectl --namespace {NAMESPACE} get pdb`")
