"""Lease: the fault that has a stranger hold a lease, so that those who elect a leader by it have none."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import Field

from chaos_harness.clusters.api import object_names
from chaos_harness.clusters.api.rest import find_object, merge_patch
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.harness.errors import BadScenario, FaultNotApplied
from chaos_harness.harness.faults import Fault
from chaos_harness.harness.faults.injection import Injection
from chaos_harness.harness.faults.objects.edit import restore
from chaos_harness.harness.undo.commands import control_plane_arguments

__all__ = ["take_lease"]

_STRANGER = "chaos-harness-stranger"
_TAKEN_SECONDS = 3600
_SECONDS = 15


def take_lease(
    name: Annotated[str, Field(examples=["kube-controller-manager"])], *, namespace: str = "kube-system"
) -> Fault:
    """Return the fault that writes a stranger as the holder of a Lease, for an hour.

    It is proved when nobody has taken it back for 15 s, which is how long Kubernetes' own leaders hold one that they do
    not renew. Healing leaves the lease with no holder, so that the next one to ask has it. It is healed when somebody
    holds it, if somebody did before. Raises BadScenario.
    """
    object_names.require_names(name=name, namespace=namespace)
    return _TakenLease(name, namespace)


class _TakenLease:
    name = "take lease"

    def __init__(self, lease: str, namespace: str) -> None:
        self._lease = lease
        self._namespace = namespace
        self._path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/{lease}"
        self._before = ""
        self._version = ""

    def inject(self, injection: Injection) -> None:
        with injection.cluster.client() as api:
            there = find_object(api, self._path)
            if there is None or _holder(there) == _STRANGER:
                found = "there is none" if there is None else "the same fault lasts"
                raise BadScenario(
                    f"expected a Lease {self._namespace}/{self._lease}, {found}; see `kubectl get leases -A`"
                )
            self._before = _holder(there)
            seconds = there["spec"].get("leaseDurationSeconds")
            before = {"holderIdentity": None, "renewTime": None, "leaseDurationSeconds": seconds}
            injection.undo(
                restore,
                resource="Lease.v1.coordination.k8s.io",
                name=self._lease,
                namespace=self._namespace,
                patch={"spec": before},
                **control_plane_arguments(injection.cluster),
            )
            now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
            taken = {"holderIdentity": _STRANGER, "leaseDurationSeconds": _TAKEN_SECONDS, "renewTime": now}
            self._version = merge_patch(api, self._path, {"spec": taken})["metadata"]["resourceVersion"]

    def observed(self, cluster: Cluster, deadline: Deadline) -> str:
        """Require that nobody has written the lease since, although its holder would have renewed it."""
        seen: Mapping[str, Any] | None = None
        with cluster.client() as api:
            for _ in deadline.within(_SECONDS, f"the holder of {self._lease} to renew it").attempts(first=1.0):
                seen = find_object(api, self._path)
                if seen is None or _holder(seen) != _STRANGER:
                    raise FaultNotApplied(
                        f"expected {_STRANGER} to hold Lease {self._lease}, {_holder(seen) or 'nobody'} does"
                    )
        if not self._version:
            raise FaultNotApplied(f"expected {_STRANGER} to hold Lease {self._lease}, nothing was done")
        held = f"which {self._before} held" if self._before else "which nobody held"
        return f"Lease {self._lease}, {held}, is {_STRANGER}'s, and nobody has taken it back"

    def healed(self, cluster: Cluster, deadline: Deadline) -> str:
        deadline.check(f"Lease {self._lease} was not looked at")
        with cluster.client() as api:
            holder = _holder(find_object(api, self._path))
        if holder == _STRANGER or (self._before and not holder):
            raise FaultNotApplied(f"expected somebody to hold Lease {self._lease}, {holder or 'nobody'} does")
        return f"{holder or 'nobody'} holds Lease {self._lease}"


def _holder(lease: Mapping[str, Any] | None) -> str:
    return str((lease or {}).get("spec", {}).get("holderIdentity") or "")
