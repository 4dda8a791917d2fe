"""Delete pods: the fault that deletes pods, with their grace period or at once, for their controllers to replace."""

from typing import Annotated

from pydantic import Field

from chaos_harness.clusters.api import object_names
from chaos_harness.clusters.api.label_selectors import Selector, require_selector
from chaos_harness.clusters.api.rest import delete
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.harness.errors import BadScenario, FaultNotApplied
from chaos_harness.harness.faults import ONE_SHOT, Fault
from chaos_harness.harness.faults.injection import Injection
from chaos_harness.harness.faults.leaves import NEW_PODS
from chaos_harness.harness.faults.objects.remembered import is_gone
from chaos_harness.harness.faults.objects.selected import MOST, Most
from chaos_harness.harness.faults.targets import Target, find_pods
from chaos_harness.harness.faults.workloads.rollouts import DELETED

__all__ = ["delete_pods"]

_LONGEST = 3600


def delete_pods(
    selector: Selector,
    *,
    namespace: str = "",
    grace: Annotated[int, Field(ge=0, le=3600)] | None = None,
    most: Most = 10,
) -> Fault:
    """Return the fault that deletes the pods that `selector` selects, with `grace` seconds to end.

    They are in `namespace`, by default Gatekeeper's; it is refused if they are more than `most`. Without `grace` each
    has its own; with 0 the API server forgets them at once ("force delete"), while their containers may still run. It
    is one-shot: their controllers make others, and a pod that has none stays away. Litmus calls it pod-delete, Chaos
    Mesh pod-kill. Raises BadScenario.
    """
    if not selector or not 1 <= most <= MOST or (grace is not None and not 0 <= grace <= _LONGEST):
        raise BadScenario(
            f"delete_pods({selector!r}, grace={grace}, most={most}): expected a selector such as app=web, a grace of 0 "
            f"to {_LONGEST} s, and at most 1 to {MOST} pods"
        )
    require_selector(selector)
    object_names.require_names(namespace=namespace)
    return _PodDeletion(selector, namespace, grace, most)


class _PodDeletion:
    name = "delete pods"
    harms_pods = DELETED
    leaves = NEW_PODS
    healed = ONE_SHOT

    def __init__(self, selector: str, namespace: str, grace: int | None, most: int) -> None:
        self._selector = selector
        self._namespace = namespace
        self._grace = grace
        self._most = most
        self._targets: list[Target] = []

    def inject(self, injection: Injection) -> None:
        self._namespace = self._namespace or injection.cluster.shape.namespace
        grace = {} if self._grace is None else {"gracePeriodSeconds": self._grace}
        with injection.cluster.client() as api:
            targets = find_pods(api, self._namespace, (), self._selector)
            if len(targets) > self._most:
                raise BadScenario(
                    f"expected that at most {self._most} pods would be deleted, {self._selector!r} selects "
                    f"{len(targets)} in {self._namespace}; say `most`"
                )
            self._targets = targets
            for target in targets:
                injection.note_harm(self.harms_pods, target)
                delete(api, self._path(target), {"preconditions": {"uid": target.uid}, **grace})

    def observed(self, cluster: Cluster, deadline: Deadline) -> str:
        left: list[str] = []
        with cluster.client() as api:
            for _ in deadline.attempts(first=0.1):
                left = [target.pod for target in self._targets if not is_gone(api, self._path(target), target.uid)]
                if self._targets and not left:
                    gone = ", ".join(f"{target.pod} of {target.node}" for target in self._targets)
                    return f"the API server knows no more of {gone}"
        raise FaultNotApplied(
            f"expected pods with {self._selector!r} to be gone from {self._namespace} within {deadline.seconds:.0f} s, "
            f"there still is {', '.join(left) or 'every one'}; see `kubectl --namespace {self._namespace} get pods`"
        )

    def _path(self, target: Target) -> str:
        return f"/api/v1/namespaces/{self._namespace}/pods/{target.pod}"
