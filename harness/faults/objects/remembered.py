"""Remembered: what a deletion takes with it, read before it is done, and the proofs that it is gone and back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from kubernetes.client import ApiClient

from chaos_harness.clusters.api.rest import find_object, list_objects, request
from chaos_harness.harness.errors import ApiRefused, BadScenario, FaultNotApplied
from chaos_harness.harness.faults.injection import Injection
from chaos_harness.harness.undo.bring_back import DEFINITION, bring_back, own_fields
from chaos_harness.harness.undo.commands import control_plane_arguments
from chaos_harness.harness.undo.promises import RegisteredUndo
from chaos_harness.harness.undo.put_object import putting

__all__ = ["DEFINITIONS", "Lost", "fields_of", "is_gone", "remember", "require_back"]

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
"""The path of all CustomResourceDefinitions."""

_SHOWN = 5


@dataclass(frozen=True)
class Remembered:
    """An object before it was deleted: where it is, its uid then, and what it is made again from."""

    path: str
    uid: str
    manifest: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Its kind and its name, for messages."""
        return f"{self.manifest['kind']} {self.manifest['metadata']['name']}"


@dataclass(frozen=True)
class Lost:
    """What a deletion takes, in an order in which it can be made again, and the journalled undo that does so.

    The first objects, as many as are `deleted`, take the others along.
    """

    objects: Sequence[Remembered]
    deleted: int
    undo: RegisteredUndo

    @property
    def first(self) -> Remembered:
        """The first of the objects that are deleted."""
        return self.objects[0]


def remember(api: ApiClient, injection: Injection, deleted: Mapping[str, Mapping[str, Any]], most: int) -> Lost:
    """Read what the deletion of these objects (by path) takes with it, and journal that all of it is made again.

    With a definition go its objects; with an object go the definitions that it owns, as with a ConstraintTemplate that
    of its constraints. If one is deleted, and the experiment had put it there, as it does policies, there is nothing to
    make again once it has taken that away. Raises BadScenario if these are more than `most` objects, or if one is being
    deleted already; ApiRefused, ApiUnreachable.
    """
    objects = _read(api, deleted, most)
    manifests = [one.manifest for one in objects]
    within = putting(injection.undos, manifests[0]) if len(deleted) == 1 else None
    planes = control_plane_arguments(injection.cluster)
    undo = injection.undos.register_within(within, bring_back, manifests=manifests, **planes)
    return Lost(objects, len(deleted), undo)


def is_gone(api: ApiClient, path: str, uid: str = "") -> bool:
    """Whether nothing is at a path, or something with another uid. Raises ApiRefused, ApiUnreachable."""
    there = find_object(api, path)
    return there is None or (bool(uid) and there["metadata"]["uid"] != uid)


def require_back(api: ApiClient, lost: Lost | None) -> str:
    """Require that all of it is there with the content that it had, as was journalled; return the proof.

    Raises FaultNotApplied with the first that is not, ApiRefused, ApiUnreachable.
    """
    if lost is None:
        return "nothing was deleted"
    if lost.undo.moot:
        return f"{lost.first.name} was put there for the experiment, which has taken it away"
    count = len(lost.objects)
    anew = sum(_require_one_back(api, one) for one in lost.objects)
    kinds = [f"{one.name}{_within(one)}" for one in lost.objects[:_SHOWN]]
    more = f" and {count - _SHOWN} more" if count > _SHOWN else ""
    return f"{', '.join(kinds)}{more} are there as before, {anew} of {count} with a new uid"


def fields_of(wanted: Any, there: Any) -> bool:
    """Whether an object has all fields that are wanted; it may have more, but no list may."""
    if isinstance(wanted, Mapping):
        return isinstance(there, Mapping) and all(fields_of(value, there.get(name)) for name, value in wanted.items())
    return bool(wanted == there)


def _read(api: ApiClient, deleted: Mapping[str, Mapping[str, Any]], most: int) -> list[Remembered]:
    definitions = list_objects(api, DEFINITIONS, "items")
    found: dict[str, Remembered] = {}
    waiting = dict(deleted)
    while waiting:
        path = next(iter(waiting))
        there = waiting.pop(path)
        if "deletionTimestamp" in there["metadata"]:
            raise BadScenario(f"expected {path} to stay, it is being deleted already; see `kubectl get --raw {path}`")
        found[path] = Remembered(path, there["metadata"]["uid"], own_fields(there))
        if there["kind"] == DEFINITION:
            waiting |= _objects_of(api, there)
        owned = {f"{DEFINITIONS}/{one['metadata']['name']}": one for one in definitions if _owns(there, one)}
        waiting |= {at: {**_DEFINED, **one} for at, one in owned.items() if at not in found}
        if len(found) + len(waiting) > most:
            raise BadScenario(
                f"expected that at most {most} objects would be lost, there are {len(found) + len(waiting)} or more: "
                f"{', '.join([*found, *waiting][:_SHOWN])}, …; say `most`"
            )
    return list(found.values())


def _require_one_back(api: ApiClient, one: Remembered) -> bool:
    """Require it of one; return whether it has a new uid."""
    try:
        there = request(api, "GET", one.path)
    except ApiRefused as error:
        if error.status == HTTPStatus.NOT_FOUND:
            raise FaultNotApplied(f"expected {one.name} to be back, it is not there: {error.brief}") from error
        raise
    conditions = there.get("status", {}).get("conditions") or ()
    if one.manifest["kind"] == DEFINITION and not any(
        (condition["type"], condition["status"]) == ("Established", "True") for condition in conditions
    ):
        raise FaultNotApplied(f"expected {one.name} to be established, its conditions are {conditions}")
    if "deletionTimestamp" in there["metadata"]:
        raise FaultNotApplied(f"expected {one.name} to be back, it is being deleted")
    wanted = {name: value for name, value in one.manifest.items() if name not in ("metadata", "apiVersion")}
    labels = {"labels": one.manifest["metadata"].get("labels", {})}
    if not fields_of({**wanted, "metadata": labels if labels["labels"] else {}}, there):
        raise FaultNotApplied(f"expected {one.name} to be as it was, it differs; see `kubectl get --raw {one.path}`")
    return bool(there["metadata"]["uid"] != one.uid)


_DEFINED = {"apiVersion": "apiextensions.k8s.io/v1", "kind": DEFINITION}


def _objects_of(api: ApiClient, definition: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the objects of a definition by their paths."""
    spec = definition["spec"]
    root = f"/apis/{spec['group']}/{_version(spec)}"
    plural, kind = spec["names"]["plural"], spec["names"]["kind"]
    objects = {}
    for one in list_objects(api, f"{root}/{plural}", "items"):
        namespace = one["metadata"].get("namespace")
        scope = f"/namespaces/{namespace}" if namespace else ""
        typed = {"apiVersion": root.removeprefix("/apis/"), "kind": kind, **one}
        objects[f"{root}{scope}/{plural}/{one['metadata']['name']}"] = typed
    return objects


def _version(spec: Mapping[str, Any]) -> str:
    """Return a version that is served, if possible that in which objects are stored."""
    served = [version for version in spec["versions"] if version["served"]]
    stored = [version["name"] for version in served if version["storage"]]
    return str((stored or [version["name"] for version in served] or ["none"])[0])


def _owns(owner: Mapping[str, Any], owned: Mapping[str, Any]) -> bool:
    uid = owner["metadata"]["uid"]
    return any(one["uid"] == uid for one in owned["metadata"].get("ownerReferences") or ())


def _within(one: Remembered) -> str:
    namespace = one.manifest["metadata"].get("namespace")
    return f" in {namespace}" if namespace else ""
