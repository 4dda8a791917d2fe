"""Edits: the fault that changes fields of an object, as somebody with kubectl does, and puts them back."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from kubernetes.client import ApiClient

from chaos_harness.clusters.api import names
from chaos_harness.clusters.api.rest import find_path, merge, request
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine
from chaos_harness.harness.errors import ApiRefused, BadScenario, FaultNotApplied
from chaos_harness.harness.faults import Fault
from chaos_harness.harness.faults.injection import Injection
from chaos_harness.harness.undo.actions import undo
from chaos_harness.harness.undo.commands import planes, undo_by_kubectl
from chaos_harness.harness.undo.promises import Promise, Undos

__all__ = ["Edited", "edit", "edit_object", "restore"]

_NOT_FOUND = 404


class Edited(NamedTuple):
    """An edit that was made: the promise to take it back, and the fields of the patch as the API server took them.

    It may have completed them, as the containers of a list, or given back the default of one that was taken out.
    """

    promise: Promise
    taken: Mapping[str, Any]


def edit_object(kind: str, name: str, patch: dict[str, Any], *, namespace: str = "") -> Fault:
    """Return the fault that merges `patch` into an object: a field that is null is taken out, a list is replaced.

    Healing puts the fields of the patch back to what they were. Raises BadScenario. A name that begins with "$" is a
    reference of an incident's file, which stands for another one when the fault is on.
    """
    if not patch or kind == "Secret":
        raise BadScenario(f"edit_object({kind!r}, {name!r}): expected a patch, and of no Secret")
    names.require(kind=kind, namespace=namespace, **({} if name.startswith("$") else {"name": name}))
    return _Edit(kind, name, patch, namespace)


@undo
def restore(
    engine: Engine,
    *,
    control_plane: str,
    resource: str,
    name: str,
    namespace: str,
    patch: Any,
    others: Sequence[str] = (),
) -> None:
    """Merge a patch into an object; one that is gone, or of a kind that is gone, has nothing to restore."""
    where = ("--namespace", namespace) if namespace else ()
    words = ("patch", resource, name, *where, "--type", "merge", "--patch", json.dumps(patch))
    undo_by_kubectl(engine, control_plane, others, *words)


def edit(cluster: Cluster, undos: Undos, api: ApiClient, path: str, patch: Mapping[str, Any]) -> Edited:
    """Merge `patch` into the object at `path`, after the promise to put its fields back to what they were.

    That is what they were before the first of all edits of the object that are not healed yet. Raises ApiRefused,
    ApiUnreachable.
    """
    edited = request(api, "GET", path)
    metadata, (group, _, version) = edited["metadata"], edited["apiVersion"].rpartition("/")
    place = {
        "resource": f"{edited['kind']}.{version}.{group}" if group else edited["kind"],
        "name": metadata["name"],
        "namespace": metadata.get("namespace", ""),
    }
    unharmed = edited
    for other in undos.standing(restore, **place):
        unharmed = _applied(unharmed, other.arguments["patch"])
    before = _fields(patch, unharmed)
    promise = undos.register(restore, harm={"patch": dict(patch)}, patch=before, **place, **planes(cluster))
    return Edited(promise, _fields(patch, merge(api, path, patch)))


class _Edit:
    def __init__(self, kind: str, name: str, patch: Mapping[str, Any], namespace: str) -> None:
        self.name = f"edit {kind}"
        self._kind = kind
        self._object = name
        self._patch = patch
        self._namespace = namespace
        self._edited: Edited | None = None

    def inject(self, injection: Injection) -> None:
        names.require(name=self._object)
        with injection.cluster.client() as api:
            self._edited = edit(injection.cluster, injection.undos, api, self._path(api), self._patch)

    def observed(self, cluster: Cluster, deadline: Deadline) -> str:
        if self._edited is None:
            raise FaultNotApplied(f"{self._kind} {self._object} was not edited")
        promise, taken = self._edited
        if ignored := _ignored(self._patch, promise.given["patch"], taken):
            raise FaultNotApplied(
                f"expected the API server to take {self._patch}, it left {ignored} of {self._kind} {self._object} as "
                f"they were; see `kubectl explain {self._kind}`"
            )
        return self._expect(cluster, taken, deadline)

    def healed(self, cluster: Cluster, deadline: Deadline) -> str:
        try:
            return self._expect(cluster, self._edited.promise.given["patch"] if self._edited else {}, deadline)
        except ApiRefused as error:
            if error.status == _NOT_FOUND:
                return f"{self._kind} {self._object} is gone"
            raise

    def _expect(self, cluster: Cluster, wanted: Any, deadline: Deadline) -> str:
        """See that the object has what a patch says; what was changed back by somebody else is no edit any more."""
        deadline.check(f"{self._kind} {self._object} was not looked at")
        with cluster.client() as api:
            edited = request(api, "GET", self._path(api))
        if not _has(edited, wanted):
            where = f"--namespace {self._namespace} " if self._namespace else ""
            raise FaultNotApplied(
                f"expected {self._kind} {self._object} to have {wanted}, it has {_fields(wanted, edited)}; "
                f"see `kubectl get {where}{self._kind} {self._object} -o yaml`"
            )
        version = edited["metadata"]["resourceVersion"]
        return f"{self._kind} {self._object} has {json.dumps(wanted)} in version {version}"

    def _path(self, api: Any) -> str:
        root, _, plural = find_path(api, self._kind).rpartition("/")
        scope = f"/namespaces/{self._namespace}" if self._namespace else ""
        return f"{root}{scope}/{plural}/{self._object}"


def _fields(patch: Mapping[str, Any], current: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that a patch names as they are now: the patch that puts them back to that."""
    return {
        name: _fields(value, current[name])
        if isinstance(value, dict) and isinstance(current.get(name), dict)
        else current.get(name)
        for name, value in patch.items()
    }


def _ignored(patch: Mapping[str, Any], before: Any, taken: Any) -> dict[str, Any]:
    """Return the fields that are neither as the patch wants them nor other than before, as one that the kind has not.

    Another value than the wanted one is the server's own: it completes lists and gives back defaults.
    """
    ignored: dict[str, Any] = {}
    for name, wanted in patch.items():
        was, now = (fields.get(name) if isinstance(fields, Mapping) else None for fields in (before, taken))
        if isinstance(wanted, dict) and isinstance(now, dict):
            if part := _ignored(wanted, was, now):
                ignored[name] = part
        elif now == was != wanted:
            ignored[name] = now
    return ignored


def _applied(current: Any, patch: Any) -> Any:
    """Return an object as a merge patch (RFC 7386) leaves it."""
    if not isinstance(patch, Mapping):
        return patch
    kept = dict(current) if isinstance(current, Mapping) else {}
    kept |= {name: _applied(kept.get(name), value) for name, value in patch.items()}
    return {name: value for name, value in kept.items() if value is not None}


def _has(current: Any, wanted: Any) -> bool:
    """Whether an object has everything that a merged patch leaves in it, and nothing that it takes out."""
    if isinstance(wanted, dict):
        return isinstance(current, dict) and all(_has(current.get(name), value) for name, value in wanted.items())
    return bool(current == wanted)
