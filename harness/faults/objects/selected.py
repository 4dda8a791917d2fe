"""Selected: the objects that a fault is about, by name or label selector, and the kinds that none is about."""

from typing import Annotated, Any

from kubernetes.client import ApiClient
from pydantic import Field

from chaos_harness.clusters.api import object_names
from chaos_harness.clusters.api.rest import find_object, find_path
from chaos_harness.harness.errors import BadScenario

__all__ = ["MOST", "Most", "find_one", "find_selected", "require_kind", "require_names"]

MOST = 500
"""How many objects may be lost by one fault, whatever it is told."""

Most = Annotated[int, Field(ge=1, le=MOST)]
"""How many objects may be lost by a fault, as an incident file may set it."""

_REFUSED = {
    "Secret": "its content would stand in the journal, which leaves the cluster; blank_certificate harms Gatekeeper's",
    "CustomResourceDefinition": "its objects go with it; say delete_crd",
    "Namespace": "what is in it, such as Secrets and volumes, cannot be brought back",
    "Node": "its kubelet must register it again; say remove_node",
    "Pod": "what runs in it cannot be brought back; say delete_replicas, reschedule_pod or kill_containers",
    "PersistentVolume": "its data would be lost",
    "PersistentVolumeClaim": "its data would be lost",
}
"""Kinds that cannot be made again from what is read of them, and why."""


def require_kind(fault: str, kind: str) -> None:
    """Raise BadScenario for a kind whose objects could not be made again as they were."""
    object_names.require_names(kind=kind)
    if reason := _REFUSED.get(kind):
        raise BadScenario(f"{fault}: expected another kind than {kind}: {reason}")


def require_names(name: str, namespace: str, *, optional: bool = False) -> None:
    """Raise BadScenario unless these can be names.

    A `name` may be a reference of an incident file ("$…"), and where it is `optional` it may be empty.
    """
    named = {} if name.startswith("$") or (optional and not name) else {"name": name}
    object_names.require_names(namespace=namespace, **named)


def find_one(api: ApiClient, kind: str, name: str, namespace: str) -> tuple[str, dict[str, Any]]:
    """Return the path of an object, and the object. Raises BadScenario if there is none; ApiRefused, ApiUnreachable."""
    object_names.require_names(name=name)
    ((path, there),) = find_selected(api, kind, name, "", namespace).items()
    return path, there


def find_selected(api: ApiClient, kind: str, name: str, selector: str, namespace: str) -> dict[str, dict[str, Any]]:
    """Return the object with a name, or those that `selector` selects, by their paths.

    Raises BadScenario if there is none, ApiRefused, ApiUnreachable.
    """
    root, _, plural = find_path(api, kind).rpartition("/")
    scope = f"/namespaces/{namespace}" if namespace else ""
    query = {"labelSelector": selector} if selector else {}
    found = find_object(api, f"{root}{scope}/{plural}" + ("" if selector else f"/{name}"), query=query)
    objects = [] if found is None else found["items"] if selector else [found]
    if not objects:
        where = f" in {namespace}" if namespace else ""
        raise BadScenario(f"there is no {kind} {name or selector!r}{where}; see `kubectl get {kind} --all-namespaces`")
    typed = {"apiVersion": root.removeprefix("/apis/").removeprefix("/api/"), "kind": kind}
    return {f"{root}{_scope(one)}/{plural}/{one['metadata']['name']}": {**typed, **one} for one in objects}


def _scope(there: dict[str, Any]) -> str:
    namespace = there["metadata"].get("namespace")
    return f"/namespaces/{namespace}" if namespace else ""
