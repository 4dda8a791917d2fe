"""In force: waits until objects are enforced by every replica of Gatekeeper, and workloads are Ready."""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, Self

from chaos_harness.clusters.api.objects import Object, ObjectsByName, is_ready, status
from chaos_harness.clusters.api.rest import list_objects, list_path, request
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.errors import DeadlineExceeded
from chaos_harness.clusters.gatekeeper.installed import WEBHOOK_PODS, pods_path
from chaos_harness.clusters.watching.watch import wait_until
from chaos_harness.harness.errors import PolicyRejected
from chaos_harness.harness.history.objects import is_terminating, name_of, waiting

__all__ = ["Reporters", "wait_for_workload", "webhook_pods"]

_ERROR_SECONDS = 10.0
_READY_SECONDS = 180.0
_STATUS = "/apis/status.gatekeeper.sh/v1beta1"
_OURS = ".gatekeeper.sh"
_FAMILIES = {"constraints.gatekeeper.sh": "Constraint", "mutations.gatekeeper.sh": "Mutator"}
_WORKLOADS = ("v1", "apps/v1")
_NO_BINDING = "cannot generate ValidatingAdmissionPolicyBinding: conditions are not satisfied"
"""What Gatekeeper reports of a constraint in CEL whose template does not ask for a generated policy."""

_BY_AUDIT = ("Connection",)
"""Kinds of which only the audit pod reports."""


class Reporters:
    """The replicas that report of each of Gatekeeper's objects whether they enforce it."""

    def __init__(self, api: Any, replicas: set[str]) -> None:
        self._api = api
        self._replicas = replicas
        self._reported = {kind["kind"] for kind in list_objects(api, _STATUS, "resources")}

    @classmethod
    def of(cls, api: Any, cluster: Cluster) -> Self:
        """Return those of a cluster: its webhook pods."""
        return cls(api, {name_of(pod) for pod in webhook_pods(api, cluster)})

    def are_asked_about(self, item: Object) -> bool:
        """Whether replicas report of such an object: those of other groups, and of some kinds, have no status."""
        group, kind = str(item["apiVersion"]).partition("/")[0], str(item["kind"])
        reported = f"{_FAMILIES.get(group, kind)}PodStatus"
        return group.endswith(_OURS) and kind not in _BY_AUDIT and reported in self._reported

    def wait(self, item: Object, deadline: Deadline) -> str:
        """Wait until each replica reports that it enforces an object; return the proof.

        Raises PolicyRejected for errors that are still there after 10 s, DeadlineExceeded.
        """
        kind, name = item["kind"], item["metadata"]["name"]
        path, last = list_path(self._api, item, deadline), "no status"
        errors: list[str] = []

        def settled(state: ObjectsByName) -> bool:
            nonlocal last
            manifest = next((one for one in state.values() if name_of(one) == name), {})
            errors[:] = _errors(manifest)
            missing = sorted(self._replicas - _find_enforcing_pods(manifest))
            last = f"{kind} {name} is not enforced by {', '.join(missing)}" if missing else ""
            return bool(errors) or not missing

        wait_until(self._api, path, settled, deadline)
        if errors:
            try:
                part = deadline.within(_ERROR_SECONDS, f"{kind} {name} to be enforced")
                wait_until(self._api, path, lambda state: settled(state) and not errors, part)
            except DeadlineExceeded as error:
                raise PolicyRejected(
                    f"{kind} {name}: expected it to be enforced within {part.seconds:.0f} s, Gatekeeper says: "
                    f"{'; '.join(errors) or last}; see `kubectl get {path.rpartition('/')[2]} {name} -o yaml`"
                ) from error
        return f"{kind} {name} is enforced by {len(self._replicas)} replicas"


def webhook_pods(api: Any, cluster: Cluster) -> list[Object]:
    """Return the pods that serve Gatekeeper's webhook and are not on their way out."""
    pods = request(api, "GET", pods_path(cluster), query={"labelSelector": WEBHOOK_PODS})["items"]
    return [pod for pod in pods if not is_terminating(pod)]


def wait_for_workload(api: Any, objects: Iterable[Object]) -> list[str]:
    """Wait until all controllers and pods among the objects are Ready; return the proofs.

    Raises DeadlineExceeded with what their pods wait for.
    """
    deadline = Deadline.after(_READY_SECONDS, "the workload to be Ready")
    proofs = []
    for item in objects:
        kind, name = item["kind"], item["metadata"]["name"]
        ready = _READY.get(kind)
        if ready and item["apiVersion"] in _WORKLOADS:
            path = list_path(api, item, deadline)
            try:
                wait_until(api, path, partial(_is_all_ready, name, ready), deadline)
            except DeadlineExceeded as error:
                pods = _pods_beside(api, path)
                raise deadline.error(f"{kind} {name} is not: {pods}") from error
            proofs.append(f"{kind} {name} is Ready")
    return proofs


def _is_all_ready(name: str, ready: Any, state: ObjectsByName) -> bool:
    return any(ready(manifest) for manifest in state.values() if name_of(manifest) == name)


def _pods_beside(api: Any, path: str) -> str:
    """Return what the pods of the namespace wait for that are not Ready, in words."""
    namespace = path.partition("/namespaces/")[2].partition("/")[0]
    listed = list_objects(api, f"/api/v1/namespaces/{namespace}/pods", "items")
    late = [pod for pod in listed if not is_ready(pod)]
    words = [f"{name_of(pod)} {waiting(pod) or status(pod).get('phase', '')}".strip() for pod in late]
    return ", ".join(words) or "there is no pod that is not Ready"


def _observed(manifest: Object) -> bool:
    generation = manifest["metadata"].get("generation")
    return bool(status(manifest).get("observedGeneration", generation) == generation)


def _has_replicas(manifest: Object) -> bool:
    wanted = manifest["spec"].get("replicas", 1)
    now = status(manifest)
    updated = now.get("updatedReplicas", wanted) if wanted else wanted
    return _observed(manifest) and now.get("readyReplicas", 0) == wanted == updated


def _is_on_all_nodes(manifest: Object) -> bool:
    now = status(manifest)
    wanted = now.get("desiredNumberScheduled")
    return _observed(manifest) and wanted is not None and now.get("numberReady", 0) == wanted


def _is_ready_or_over(manifest: Object) -> bool:
    return is_ready(manifest) or status(manifest).get("phase") == "Succeeded"


_READY = {
    "Deployment": _has_replicas,
    "StatefulSet": _has_replicas,
    "ReplicaSet": _has_replicas,
    "ReplicationController": _has_replicas,
    "DaemonSet": _is_on_all_nodes,
    "Pod": _is_ready_or_over,
}


def _current_statuses(manifest: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    """Return what pods report of the object's current generation."""
    generation = manifest.get("metadata", {}).get("generation")
    statuses = manifest.get("status", {}).get("byPod") or ()
    return [report for report in statuses if report.get("observedGeneration") == generation]


def _errors(manifest: Mapping[str, Any]) -> list[str]:
    return list(dict.fromkeys(words for report in _current_statuses(manifest) for words in _errors_of(report)))


def _errors_of(report: Mapping[str, Any]) -> list[str]:
    """Return what a pod reports as wrong; that it generates no binding is nothing that keeps it from enforcing."""
    messages = [error.get("message", str(error)) for error in report.get("errors") or ()]
    return [words for words in messages if not words.startswith(_NO_BINDING)]


def _find_enforcing_pods(manifest: Mapping[str, Any]) -> set[str]:
    """Return the pods that enforce the object; a template has no `enforced`, so it only has to be observed."""
    return {
        report["id"]
        for report in _current_statuses(manifest)
        if report.get("enforced", True) and not _errors_of(report)
    }
