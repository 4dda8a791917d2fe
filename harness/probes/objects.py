"""Objects: probes that write every change of Gatekeeper's pods, events, deployments and endpoints, and of nodes."""

from functools import partial

from clusters.cluster import Cluster
from clusters.deadline import Deadline
from clusters.serving import NAMESPACE
from clusters.watching import Change, Watch
from harness.history import History
from harness.probes import Probe

__all__ = ["WATCHED", "watch_objects"]

WATCHED = {
    "pods": f"/api/v1/namespaces/{NAMESPACE}/pods",
    "events": f"/api/v1/namespaces/{NAMESPACE}/events",
    "deployments": f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments",
    "endpointslices": f"/apis/discovery.k8s.io/v1/namespaces/{NAMESPACE}/endpointslices",
    "nodes": "/api/v1/nodes",
}
"""What is watched, by the name that it has in the history: process "watch <name>"."""

_LIFETIME_SECONDS = 24 * 3600.0
_QUIET_SECONDS = 120.0


def watch_objects(cluster: Cluster, history: History) -> list[Probe]:
    """Return one probe for each of `WATCHED`.

    An entry has kind `change` and says in `f` what the watch saw (see clusters.watching.Change); the
    object is its value's `object`, without managedFields, which nobody reads.
    """
    return [
        Probe(f"watch {name}", partial(_watch, cluster, history, path), late_after=_QUIET_SECONDS)
        for name, path in WATCHED.items()
    ]


def _watch(cluster: Cluster, history: History, path: str, probe: Probe) -> None:
    deadline = Deadline.after(_LIFETIME_SECONDS, f"changes of {path}")
    with cluster.client() as api:
        for change in Watch(api, path).changes(deadline, probe.stopping):
            probe.beat()
            history.append("change", probe.name, change.kind, _value(change))


def _value(change: Change) -> dict[str, object]:
    value: dict[str, object] = {"resource_version": change.resource_version}
    if change.object is not None:
        metadata = {name: each for name, each in change.object["metadata"].items() if name != "managedFields"}
        value["object"] = {**change.object, "metadata": metadata}
    if change.in_gap:
        value["in_gap"] = True
    if change.kind == "GAP":
        value |= {"why": change.why, "detail": change.detail}
    return value
