"""Leader election: waits until Kubernetes' own controllers and its scheduler hold and renew their leases."""

from datetime import datetime

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.errors import DeadlineExceeded
from chaos_harness.clusters.watching.watch import State, wait_until

__all__ = ["LEADERS", "LEASES", "wait_for_leaders"]

LEADERS = ("kube-controller-manager", "kube-scheduler")
LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases"


def wait_for_leaders(cluster: Cluster, deadline: Deadline) -> str:
    """Wait until kube-controller-manager and kube-scheduler renew their leases; return the holders as text.

    A leader that cannot renew its lease in time, for example because a webhook or an API server does not answer, exits.
    The kubelet restarts it after a back-off that grows to five minutes. Until then everything can look ready although
    no pod is scheduled and no namespace is removed. Raises DeadlineExceeded.
    """
    first: dict[str, str] = {}
    led: dict[str, str] = {}

    def renewed(state: State) -> bool:
        for lease in state.values():
            name, spec = lease["metadata"]["name"], lease["spec"]
            if first.setdefault(name, spec.get("renewTime", "")) != spec.get("renewTime", ""):
                led[name] = spec.get("holderIdentity", "")
        return led.keys() >= set(LEADERS)

    with cluster.client() as api:
        try:
            wait_until(api, LEASES, renewed, deadline)
        except DeadlineExceeded as error:
            if not first:
                raise
            raise deadline.error(
                "; ".join(_lease_state(judge, first) for judge in LEADERS if judge not in led)
            ) from error
    return ", ".join(f"{led[judge]} leads as {judge}" for judge in LEADERS)


def _lease_state(leader: str, first: dict[str, str]) -> str:
    last = first.get(leader)
    when = f"since {datetime.fromisoformat(last):%H:%M:%S}" if last else "at all"
    logs = f"kubectl logs --namespace kube-system --previous --selector component={leader}"
    return f"nobody renews the lease of {leader} {when}, see `{logs}`"
