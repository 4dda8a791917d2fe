"""Put: the fault that adds an object, which stays while the fault lasts."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field

from chaos_harness.clusters.api import object_names
from chaos_harness.clusters.api.rest import find_object, list_path, request
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.harness.errors import ApiRefused, BadScenario, FaultNotApplied
from chaos_harness.harness.faults import Fault
from chaos_harness.harness.faults.injection import Injection
from chaos_harness.harness.faults.objects.remembered import is_gone
from chaos_harness.harness.undo.put_object import apply_patiently, put

__all__ = ["put_object"]

_SECONDS = 20.0
_CONTENT = ("NamespaceContentRemaining", "NamespaceFinalizersRemaining", "NamespaceDeletionContentFailure")
"""Conditions of a namespace that say what is still in it."""


def put_object(
    manifest: Annotated[
        dict[str, Any], Field(examples=[{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}])
    ],
    *,
    contents: Sequence[dict[str, Any]] = (),
) -> Fault:
    """Return the fault that creates the object `manifest`; healing deletes it.

    One that exists already is refused: `edit_object` changes it. What controllers make of it goes as they see fit. A
    Secret is refused, for the journal names what was put. The `contents` of a namespace are put into it, and go with
    it. An object that somebody holds by a finalizer, or by what is in a namespace, is taken back when it is marked as
    being deleted, and healed when it is gone: if it is not, the claim `heals` says who holds it. Raises BadScenario.
    """
    problems = [problem for one in (manifest, *contents) for problem in _problems(one)]
    if not problems and contents:
        problems = _misplaced(manifest, contents)
    if problems:
        raise BadScenario([f"put_object: {problem}" for problem in problems])
    return _Put(manifest, contents)


class _Put:
    name = "put object"

    def __init__(self, manifest: Mapping[str, Any], contents: Sequence[Mapping[str, Any]]) -> None:
        self._manifest = manifest
        self._contents = contents
        self._what = f"{manifest['kind']} {manifest['metadata']['name']}"
        self._path = ""
        self._uid = ""
        self._inside: list[str] = []

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
            put(injection.cluster, injection.undos, self._manifest, deadline, may_be_held=True)
            for one in self._contents:
                apply_patiently(injection.cluster, one, deadline)
                self._inside.append(f"{list_path(api, one, deadline)}/{one['metadata']['name']}")

    def observed(self, cluster: Cluster, deadline: Deadline) -> str:
        deadline.check(f"{self._what} was not looked at")
        with cluster.client() as api:
            if not self._path or is_gone(api, self._path, self._uid):
                raise FaultNotApplied(f"expected {self._what} to be there, it is not, or another one is")
            self._uid = str(request(api, "GET", self._path)["metadata"].get("uid"))
            missing = [path for path in self._inside if is_gone(api, path)]
        if missing:
            raise FaultNotApplied(f"expected {self._what} with what was put into it, {missing[0]} is not there")
        inside = f", and {len(self._inside)} objects in it" if self._inside else ""
        return f"{self._what} is there with the uid {self._uid}{inside}"

    def healed(self, cluster: Cluster, deadline: Deadline) -> str:
        deadline.check(f"{self._what} was not looked at")
        with cluster.client() as api:
            there = find_object(api, self._path) if self._path else None
        if there is not None:
            raise FaultNotApplied(f"expected {self._what} to be gone, it is there{_why(there)}")
        return f"{self._what} is gone"


def _problems(manifest: Mapping[str, Any]) -> list[str]:
    metadata = manifest.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    words = [manifest.get("apiVersion"), manifest.get("kind"), name]
    if not all(isinstance(word, str) and word for word in words) or manifest["kind"] == "Secret":
        found = " ".join(str(word) for word in words)
        return [f"expected an object with apiVersion, kind and metadata.name, and no Secret, found {found}"]
    return [f"{'.'.join(at)}: {said}" for at, said in object_names.manifest_problems(manifest)]


def _misplaced(manifest: Mapping[str, Any], contents: Sequence[Mapping[str, Any]]) -> list[str]:
    if manifest["kind"] != "Namespace":
        return [f"expected contents of a Namespace alone, found some of a {manifest['kind']}"]
    name = manifest["metadata"]["name"]
    others = [one for one in contents if one["metadata"].get("namespace") != name]
    return [
        f"expected contents with metadata.namespace {name}, found {one['kind']} {one['metadata']['name']} in "
        f"{one['metadata'].get('namespace') or 'none'}"
        for one in others
    ]


def _why(there: Mapping[str, Any]) -> str:
    """Return why an object that is being deleted is still there, "" if it is not being deleted."""
    metadata = there["metadata"]
    if "deletionTimestamp" not in metadata:
        return ""
    conditions = there.get("status", {}).get("conditions") or ()
    left = [one["message"] for one in conditions if one["type"] in _CONTENT and one["status"] == "True"]
    said = [*(f"finalizer {name}" for name in metadata.get("finalizers") or ()), *left]
    return f", being deleted since {metadata['deletionTimestamp']}, held by {'; '.join(said) or 'nobody who is told'}"
