"""Fields: a probe that records every value of one field of one object, for assertions of one's own."""

from typing import Annotated

from pydantic import AfterValidator, Field

from chaos_harness.clusters.api.rest import find_path
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.watching.changes import ObjectDict
from chaos_harness.harness import jsonpath
from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.history import HistoryWriter
from chaos_harness.harness.history.vocabulary import FIELDS, watch
from chaos_harness.harness.probes import Probe
from chaos_harness.harness.probes.objects import ListWatch, watch_objects
from chaos_harness.harness.redaction import redact_object

__all__ = ["watch_field"]


def _readable(path: str) -> str:
    jsonpath.parse(path)
    return path


def _public(kind: str) -> str:
    if kind == "Secret":
        raise ValueError("what a Secret holds is never on disk: no field of it can be watched")
    return kind


FieldName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]{0,79}$")]
Kind = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_public)]
Name = Annotated[str, Field(min_length=1, max_length=253)]
Path = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_readable)]


def watch_field(
    cluster: Cluster,
    history: HistoryWriter,
    *,
    field: FieldName,
    kind: Kind,
    name: Name,
    path: Path,
    namespace: str = "default",
) -> Probe:
    """Return a probe that records each value of a field of one object; claims name it by `field`.

    `path` is one expression of kubectl's JSONPath, such as {.status.readyReplicas}; what it finds is recorded, and
    nothing else of the object. `namespace` counts for kinds that have namespaces. The object may be absent, and come
    later. Raises BadScenario if the API server has no such kind, or the path is none.
    """
    try:
        steps = jsonpath.parse(_readable(path))
        _public(kind)
    except ValueError as error:
        raise BadScenario(f"field {field}: {error}") from error

    def written(watched_object: ObjectDict) -> ObjectDict:
        kept = ("namespace", "name", "uid", "resourceVersion")
        metadata = {key: watched_object["metadata"][key] for key in kept if key in watched_object["metadata"]}
        return {"kind": kind, "metadata": metadata, "found": jsonpath.find(steps, redact_object(watched_object))}

    with cluster.client() as api:
        listed = find_path(api, kind, namespace)
    process = FIELDS.removeprefix(watch("")) + field
    (probe,) = watch_objects(
        cluster, history, [ListWatch(process, listed, written, {"fieldSelector": f"metadata.name={name}"})]
    )
    return probe
