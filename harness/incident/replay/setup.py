"""Setup: brings objects of the author's into a cluster before any policy: definitions, operators, their namespaces."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from chaos_harness.clusters.api.objects import Object, condition
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.images.sources import tool
from chaos_harness.clusters.watching.watch import wait_until
from chaos_harness.harness.errors import CommandFailed, DeadlineExceeded, PreparationFailed
from chaos_harness.harness.gatekeeper.in_force import wait_for_workload
from chaos_harness.harness.incident.charts import SetupChart
from chaos_harness.harness.incident.load import LoadedIncident
from chaos_harness.harness.preparation import Preparation
from chaos_harness.harness.undo.charts import install, installed
from chaos_harness.harness.undo.journal import Journal
from chaos_harness.harness.undo.promises import Undos
from chaos_harness.harness.undo.put_object import put

__all__ = ["setup_of"]

_SECONDS = 180.0
_CHART_SECONDS = 300.0
_CRD = "CustomResourceDefinition"
_CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def setup_of(loaded: LoadedIncident) -> Iterator[Preparation]:
    """Yield what an incident sets up before all else: for each item a preparation, which deletes it at the end.

    They are applied in their order. Each definition of a kind is established before the next object is applied, and all
    controllers and pods, also those of a chart, are Ready at the end of an item. A preparation raises PreparationFailed
    with the refusal, or with what is not ready and why.
    """
    for item, brought in zip(loaded.incident.setup, loaded.setup, strict=True):
        if isinstance(brought, SetupChart):
            yield Preparation(f"set up chart {brought.folder.name}", partial(_install, brought))
            continue
        name = item.file or ", ".join(f"{manifest['kind']} {manifest['metadata']['name']}" for manifest in brought)
        yield Preparation(f"set up {name}", partial(_bring, name, brought))


@contextmanager
def _bring(name: str, objects: Sequence[Object], cluster: Cluster, journal: Journal) -> Iterator[str]:
    undos = Undos(cluster.engine, journal)
    try:
        try:
            proofs = list(_applied(cluster, undos, objects, Deadline.after(_SECONDS, f"{name} to be set up")))
        except DeadlineExceeded as error:
            raise PreparationFailed(f"set up {name}: {error}") from error
        yield "; ".join([f"{len(objects)} objects are applied", *proofs])
    finally:
        undos.run(patient=True)


@contextmanager
def _install(chart: SetupChart, cluster: Cluster, journal: Journal) -> Iterator[str]:
    undos = Undos(cluster.engine, journal)
    name = f"set up chart {chart.folder.name}"
    tool("helm")
    deadline = Deadline.after(_CHART_SECONDS, f"chart {chart.folder.name} to be set up")
    try:
        try:
            place = chart.release, chart.namespace
            install(cluster, undos, chart.folder, *place, chart.values, chart.definitions, deadline)
            objects = installed(cluster, chart.release, chart.namespace, deadline)
            with cluster.client() as api:
                proofs = wait_for_workload(api, objects)
        except (CommandFailed, DeadlineExceeded) as error:
            raise PreparationFailed(f"{name}: {error}") from error
        yield "; ".join([f"release {chart.release} has {len(objects)} objects", *proofs])
    finally:
        undos.run()


def _applied(cluster: Cluster, undos: Undos, objects: Sequence[Object], deadline: Deadline) -> Iterator[str]:
    with cluster.client() as api:
        for item in objects:
            put(cluster, undos, item, deadline)
            if item["kind"] == _CRD:
                defined = item["metadata"]["name"]
                within = deadline.within(deadline.remaining, f"the definition {defined} to be established")
                wait_until(api, _CRDS, partial(_is_established, defined), within)
                yield f"{defined} is established"
        yield from wait_for_workload(api, objects)


def _is_established(name: str, state: Mapping[str, Any]) -> bool:
    return any(crd["metadata"]["name"] == name and condition(crd, "Established") == "True" for crd in state.values())
