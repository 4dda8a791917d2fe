"""Edit: the fault that changes fields of an object, as with kubectl, and restores them."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from kubernetes.client import ApiClient

from chaos_harness.clusters.api import object_names
from chaos_harness.clusters.api.rest import find_path, merge_patch, request
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine
from chaos_harness.harness.errors import ApiRefused, BadScenario, FaultNotApplied
from chaos_harness.harness.faults import Fault
from chaos_harness.harness.faults.injection import Injection
from chaos_harness.harness.undo.actions import undo
from chaos_harness.harness.undo.commands import control_plane_arguments, undo_by_kubectl
from chaos_harness.harness.undo.promises import RegisteredUndo, Undos

__all__ = ["EditRecord", "edit", "edit_object", "restore"]

_NOT_FOUND = 404


class EditRecord(NamedTuple):
    """An edit that was made: its registered undo, and the fields of the patch as the API server took them.

    The server may have completed them (the containers of a list), or restored the default of a field that was removed.
    """

    undo: RegisteredUndo
    taken: Mapping[str, Any]


def edit_object(kind: str, name: str, patch: dict[str, Any], *, namespace: str = "") -> Fault:
    """Return the fault that merges `patch` into an object: null removes a field, a list is replaced (RFC 7386).

    Healing restores the patched fields. A `name` that begins with "$" is a reference of an incident file, resolved when
    the fault is injected. Raises BadScenario.
    """
    if not patch or kind == "Secret":
        raise BadScenario(f"edit_object({kind!r}, {name!r}): expected a patch, and of no Secret")
    object_names.require_names(kind=kind, namespace=namespace, **({} if name.startswith("$") else {"name": name}))
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
    """Merge a patch into an object; if the object, or its kind, is gone, there is nothing to restore."""
    where = ("--namespace", namespace) if namespace else ()
    words = ("patch", resource, name, *where, "--type", "merge", "--patch", json.dumps(patch))
    undo_by_kubectl(engine, control_plane, others, *words)


def edit(cluster: Cluster, undos: Undos, api: ApiClient, path: str, patch: Mapping[str, Any]) -> EditRecord:
    """Merge `patch` into the object at `path`, after its undo is journaled.

    The undo restores the fields to their values before the first edit of this object that is not healed yet. Raises
    ApiRefused, ApiUnreachable.
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
        unharmed = _apply_patch(unharmed, other.arguments["patch"])
    before = _select(patch, unharmed)
    registered = undos.register(
        restore, harm={"patch": dict(patch)}, patch=before, **place, **control_plane_arguments(cluster)
    )
    return EditRecord(registered, _select(patch, merge_patch(api, path, patch)))


class _Edit:
    def __init__(self, kind: str, name: str, patch: Mapping[str, Any], namespace: str) -> None:
        self.name = f"edit {kind}"
        self._kind = kind
        self._object = name
        self._patch = patch
        self._namespace = namespace
        self._edit: EditRecord | None = None

    def inject(self, injection: Injection) -> None:
        object_names.require_names(name=self._object)
        with injection.cluster.client() as api:
            self._edit = edit(injection.cluster, injection.undos, api, self._path(api), self._patch)

    def observed(self, cluster: Cluster, deadline: Deadline) -> str:
        if self._edit is None:
            raise FaultNotApplied(f"{self._kind} {self._object} was not edited")
        registered, taken = self._edit
        if ignored := _ignored(self._patch, registered.given["patch"], taken):
            raise FaultNotApplied(
                f"expected the API server to take {self._patch}, it left {ignored} of {self._kind} {self._object} as "
                f"they were; see `kubectl explain {self._kind}`"
            )
        return self._expect(cluster, taken, deadline)

    def healed(self, cluster: Cluster, deadline: Deadline) -> str:
        try:
            return self._expect(cluster, self._edit.undo.given["patch"] if self._edit else {}, deadline)
        except ApiRefused as error:
            if error.status == _NOT_FOUND:
                return f"{self._kind} {self._object} is gone"
            raise

    def _expect(self, cluster: Cluster, wanted: Any, deadline: Deadline) -> str:
        """Require that the object has what a patch says; if somebody changed it back, the fault is not in effect."""
        deadline.check(f"{self._kind} {self._object} was not looked at")
        with cluster.client() as api:
            edited = request(api, "GET", self._path(api))
        if not _has(edited, wanted):
            where = f"--namespace {self._namespace} " if self._namespace else ""
            raise FaultNotApplied(
                f"expected {self._kind} {self._object} to have {wanted}, it has {_select(wanted, edited)}; "
                f"see `kubectl get {where}{self._kind} {self._object} -o yaml`"
            )
        version = edited["metadata"]["resourceVersion"]
        return f"{self._kind} {self._object} has {json.dumps(wanted)} in version {version}"

    def _path(self, api: Any) -> str:
        root, _, plural = find_path(api, self._kind).rpartition("/")
        scope = f"/namespaces/{self._namespace}" if self._namespace else ""
        return f"{root}{scope}/{plural}/{self._object}"


def _select(patch: Mapping[str, Any], current: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that a patch names with their current values: as a patch, it restores them."""
    return {
        name: _select(value, current[name])
        if isinstance(value, dict) and isinstance(current.get(name), dict)
        else current.get(name)
        for name, value in patch.items()
    }


def _ignored(patch: Mapping[str, Any], before: Any, taken: Any) -> dict[str, Any]:
    """Return the patched fields that have their value of before instead of the wanted one, as one unknown to the kind.

    A third value is the server's own: it completes lists and restores defaults.
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


def _apply_patch(current: Any, patch: Any) -> Any:
    """Return an object after a merge patch (RFC 7386)."""
    if not isinstance(patch, Mapping):
        return patch
    kept = dict(current) if isinstance(current, Mapping) else {}
    kept |= {name: _apply_patch(kept.get(name), value) for name, value in patch.items()}
    return {name: value for name, value in kept.items() if value is not None}


def _has(current: Any, wanted: Any) -> bool:
    """Whether an object has all that a merge patch sets, and nothing that it removes."""
    if isinstance(wanted, dict):
        return isinstance(current, dict) and all(_has(current.get(name), value) for name, value in wanted.items())
    return bool(current == wanted)
