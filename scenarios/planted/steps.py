"""Planting: defects that are put into a cluster, so that it is known what a check must find there."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from chaos_harness.clusters.api.rest import merge_patch, request
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.harness.faults.injection import Injection

__all__ = ["PLANTED", "PlantedDefect", "mislead_webhooks"]

PLANTED = "plant defect"
"""The name of the fault."""

_NOWHERE = "/planted"


class PlantedDefect:
    """A fault that is a defect of the cluster, or none at all; who planted it takes it away when the fault is over."""

    name = PLANTED

    def __init__(self, plant: Callable[[], object] = lambda: None) -> None:
        self._plant = plant

    def inject(self, _injection: Injection) -> None:
        """Plant it, with nothing in the journal: it stays until the end, or until who planted it takes it away."""
        self._plant()

    def observed(self, _cluster: Cluster, _deadline: Deadline) -> str:
        """Return that it is there: who plants it raises if it could not be."""
        return "it is planted"

    def healed(self, _cluster: Cluster, _deadline: Deadline) -> str:
        """Return who takes it away."""
        return "it is taken away at the end"


@contextmanager
def mislead_webhooks(cluster: Cluster, kind: str) -> Iterator[PlantedDefect]:
    """Give the defect that the API server asks Gatekeeper's webhooks of one kind at a path where nobody answers.

    A Service that leads nowhere would not do: the API server keeps the connections that it has.
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
