"""Quota: the fault that exhausts a namespace's quota, so that nothing more of a kind can be created in it."""

from http import HTTPStatus
from typing import Annotated, Any, Literal, get_args

from kubernetes.client import ApiClient
from pydantic import Field

from chaos_harness.clusters.api import object_names
from chaos_harness.clusters.api.rest import request
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.harness.errors import ApiRefused, BadScenario, FaultNotApplied
from chaos_harness.harness.faults import Fault
from chaos_harness.harness.faults.injection import Injection
from chaos_harness.harness.faults.objects.remembered import is_gone
from chaos_harness.harness.undo.put_object import put

__all__ = ["exhaust_quota"]

Exhausted = Literal["pods", "configmaps"]

_SECONDS = 20.0
_SPECS: dict[str, dict[str, Any]] = {
    "pods": {"spec": {"containers": [{"name": "none", "image": "none"}]}},
    "configmaps": {},
}


def exhaust_quota(namespace: Annotated[str, Field(examples=["default"])], of: Exhausted = "pods") -> Fault:
    """Return the fault that allows no more pods, or ConfigMaps, in a namespace, by a ResourceQuota of zero.

    Those that are there stay. It is proved by a dry run that is refused for this quota; healing deletes the quota.
    Raises BadScenario.
    """
    if of not in get_args(Exhausted) or not namespace:
        raise BadScenario(f"exhaust_quota({namespace!r}, {of!r}): expected a namespace, and pods or configmaps")
    object_names.require_names(namespace=namespace)
    return _Exhausted(namespace, of)


class _Exhausted:
    name = "exhaust quota"

    def __init__(self, namespace: str, of: Exhausted) -> None:
        self._namespace = namespace
        self._of = of
        self._quota = f"chaos-no-more-{of}"

    def inject(self, injection: Injection) -> None:
        with injection.cluster.client() as api:
            if is_gone(api, f"/api/v1/namespaces/{self._namespace}"):
                raise BadScenario(f"there is no namespace {self._namespace!r}; see `kubectl get namespaces`")
        metadata = {"name": self._quota, "namespace": self._namespace}
        quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": metadata, "spec": {"hard": {self._of: "0"}}}
        put(injection.cluster, injection.undos, quota, Deadline.after(_SECONDS, "the quota to be applied"))

    def observed(self, cluster: Cluster, deadline: Deadline) -> str:
        said = ""
        with cluster.client() as api:
            for _ in deadline.attempts(first=0.1):
                said = self._ask(api)
                if self._is_exhausted(said):
                    return f"a dry run of {self._of} in {self._namespace} is refused: {said}"
        raise FaultNotApplied(
            f"expected that no {self._of} can be created in {self._namespace}, a dry run "
            f"{f'said {said}' if said else 'was taken'}; does kube-controller-manager fill in quotas?"
        )

    def healed(self, cluster: Cluster, deadline: Deadline) -> str:
        deadline.check(f"the quota of {self._namespace} was not asked about")
        with cluster.client() as api:
            said = self._ask(api)
        if self._is_exhausted(said):
            raise FaultNotApplied(f"expected that {self._of} can be created in {self._namespace} again: {said}")
        return f"a dry run of {self._of} in {self._namespace} is not refused for the quota{f': {said}' if said else ''}"

    def _ask(self, api: ApiClient) -> str:
        """Return in what words a dry run is refused, "" if it is not."""
        body = {"metadata": {"generateName": "chaos-"}, **_SPECS[self._of]}
        path = f"/api/v1/namespaces/{self._namespace}/{self._of}"
        try:
            request(api, "POST", path, query={"dryRun": "All"}, body=body)
        except ApiRefused as error:
            if error.status not in (HTTPStatus.FORBIDDEN, HTTPStatus.UNPROCESSABLE_ENTITY):
                raise
            return error.brief
        return ""

    def _is_exhausted(self, said: str) -> bool:
        return f"exceeded quota: {self._quota}" in said
