"""Put: the fault that adds an object, which stays while the fault lasts."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from chaos_harness.clusters.api import object_names
from chaos_harness.clusters.api.rest import list_path, request
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.harness.errors import ApiRefused, BadScenario, FaultNotApplied
from chaos_harness.harness.faults import Fault
from chaos_harness.harness.faults.injection import Injection
from chaos_harness.harness.faults.objects.remembered import is_gone
from chaos_harness.harness.undo.put_object import put

__all__ = ["put_object"]

_SECONDS = 20.0


def put_object(
    manifest: Annotated[
        dict[str, Any], Field(examples=[{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}])
    ],
) -> Fault:
    """Return the fault that creates the object `manifest`; healing deletes it.

    One that exists already is refused: `edit_object` changes it. What controllers make of it goes as they see fit. A
    Secret is refused, for the journal names what was put. Raises BadScenario.
    """
    metadata = manifest.get("metadata")
    words = [
        manifest.get("apiVersion"),
        manifest.get("kind"),
        metadata.get("name") if isinstance(metadata, dict) else None,
    ]
    if not all(isinstance(word, str) and word for word in words) or manifest["kind"] == "Secret":
        raise BadScenario(
            "put_object: expected an object with apiVersion, kind and metadata.name, and no Secret, found "
            f"{' '.join(str(word) for word in words)}"
        )
    problems = [f"put_object, {'.'.join(at)}: {said}" for at, said in object_names.manifest_problems(manifest)]
    if problems:
        raise BadScenario(problems)
    return _Put(manifest)


class _Put:
    name = "put object"

    def __init__(self, manifest: Mapping[str, Any]) -> None:
        self._manifest = manifest
        self._what = f"{manifest['kind']} {manifest['metadata']['name']}"
        self._path = ""
        self._uid = ""

    def inject(self, injection: Injection) -> None:
        deadline = Deadline.after(_SECONDS, f"{self._what} to be put")
        with injection.cluster.client() as api:
            try:
                path = f"{list_path(api, self._manifest, deadline)}/{self._manifest['metadata']['name']}"
            except ApiRefused as error:
                raise BadScenario(f"{self._what}: {error.brief}; see `kubectl api-resources`") from error
            if not is_gone(api, path):
                raise BadScenario(f"expected no {self._what}, there is one; say edit_object, or give it another name")
            self._path = path
            put(injection.cluster, injection.undos, self._manifest, deadline)

    def observed(self, cluster: Cluster, deadline: Deadline) -> str:
        deadline.check(f"{self._what} was not looked at")
        with cluster.client() as api:
            if not self._path or is_gone(api, self._path, self._uid):
                raise FaultNotApplied(f"expected {self._what} to be there, it is not, or another one is")
            self._uid = str(request(api, "GET", self._path)["metadata"].get("uid"))
        return f"{self._what} is there with the uid {self._uid}"

    def healed(self, cluster: Cluster, deadline: Deadline) -> str:
        deadline.check(f"{self._what} was not looked at")
        with cluster.client() as api:
            if self._path and not is_gone(api, self._path):
                raise FaultNotApplied(f"expected {self._what} to be gone, it is there")
        return f"{self._what} is gone"
