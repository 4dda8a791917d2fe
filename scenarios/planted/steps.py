"""Planting: defects that are put into a cluster on purpose, so that it is known what a check must report."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from chaos_harness.clusters.api.rest import merge_patch, request
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.shape import NAMESPACE
from chaos_harness.harness.experiment.lifecycle import Experiment
from chaos_harness.harness.faults.injection import Injection
from chaos_harness.harness.probes import Probe
from chaos_harness.harness.probes.fields import watch_field

__all__ = ["AUDIT_PODS", "PLANTED", "PlantedDefect", "count_audit_pods", "end_generation", "mislead_webhooks"]

PLANTED = "plant defect"
"""The name of the fault."""

AUDIT_PODS = "audit pods"
"""The field that says how many pods Gatekeeper's audit is to have; they generate policies, too."""

_NOWHERE = "/planted"
_AUDIT = "gatekeeper-audit"


class PlantedDefect:
    """A fault that is a defect of the cluster, or none at all; the test that planted it removes it afterwards."""

    name = PLANTED

    def __init__(self, plant: Callable[[], object] = lambda: None) -> None:
        self._plant = plant

    def inject(self, _injection: Injection) -> None:
        """Plant the defect, with nothing in the journal: the test removes it."""
        self._plant()

    def observed(self, _cluster: Cluster, _deadline: Deadline) -> str:
        """Return that the defect exists: planting it raises if it does not work."""
        return "it is planted"

    def healed(self, _cluster: Cluster, _deadline: Deadline) -> str:
        """Return when it is removed."""
        return "it is taken away at the end"


@contextmanager
def mislead_webhooks(cluster: Cluster, kind: str) -> Iterator[PlantedDefect]:
    """Give the defect that the API server calls Gatekeeper's webhooks of one kind at a path that does not exist.

    A Service without endpoints would not do: the API server keeps its open connections.
    """
    path = f"/apis/admissionregistration.k8s.io/v1/{kind}webhookconfigurations/gatekeeper-{kind}-webhook-configuration"

    def lead(rename: Callable[[str], str]) -> None:
        with cluster.client() as api:
            webhooks = request(api, "GET", path)["webhooks"]
            for webhook in webhooks:
                service = webhook["clientConfig"]["service"]
                service["path"] = rename(service["path"])
            merge_patch(api, path, {"webhooks": webhooks})

    try:
        yield PlantedDefect(lambda: lead(lambda service_path: f"{_NOWHERE}{service_path}"))
    finally:
        lead(lambda service_path: service_path.removeprefix(_NOWHERE))


@contextmanager
def end_generation(cluster: Cluster) -> Iterator[PlantedDefect]:
    """Give the defect that Gatekeeper's audit, which generates policies, has no pods."""
    path = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/{_AUDIT}"

    def scale(replicas: int) -> None:
        with cluster.client() as api:
            merge_patch(api, path, {"spec": {"replicas": replicas}})

    try:
        yield PlantedDefect(lambda: scale(0))
    finally:
        scale(1)


def count_audit_pods(experiment: Experiment) -> Probe:
    """Return the probe of AUDIT_PODS."""
    named = {"kind": "Deployment", "name": _AUDIT, "namespace": NAMESPACE}
    return watch_field(experiment.cluster, experiment.history, field=AUDIT_PODS, path="{.spec.replicas}", **named)
