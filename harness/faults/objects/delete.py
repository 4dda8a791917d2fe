"""Delete: the faults that delete objects until they are healed, or delete one and create it again at once."""

from dataclasses import replace

from chaos_harness.clusters.api import object_names
from chaos_harness.clusters.api.label_selectors import Selector, require_selector
from chaos_harness.clusters.api.rest import delete, find_object, request
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.harness.errors import BadScenario, FaultNotApplied
from chaos_harness.harness.faults import Fault
from chaos_harness.harness.faults.injection import Injection
from chaos_harness.harness.faults.leaves import made_again
from chaos_harness.harness.faults.objects.remembered import Lost, is_gone, remember, require_back
from chaos_harness.harness.faults.objects.selected import (
    MOST,
    Most,
    find_one,
    find_selected,
    require_kind,
    require_names,
)

__all__ = ["delete_object", "recreate_object"]

_GONE_SECONDS = 30.0


def delete_object(
    kind: str,
    name: str = "",
    *,
    selector: Selector = "",
    namespace: str = "",
    most: Most = 10,
) -> Fault:
    """Return the fault that deletes an object, or all that `selector` selects; healing makes them again.

    It is refused if these, and the definitions that they own, as a ConstraintTemplate does, with all objects of those
    are more than `most`. All of them are made again with the content that they had, labels, annotations and finalizers
    included; not given back are uids, statuses, and what controllers did meanwhile. Objects of kinds whose content
    must not leave the cluster (Secret), or cannot be made again (Pod, Node, Namespace, volumes), are refused. A `name`
    that begins with "$" is a reference of an incident file. Raises BadScenario.
    """
    require_kind("delete_object", kind)
    require_names(name, namespace, optional=True)
    if bool(name) == bool(selector) or not 1 <= most <= MOST:
        raise BadScenario(
            f"delete_object({kind!r}, {name!r}, selector={selector!r}, most={most}): expected either a name or a "
            f"selector, and at most 1 to {MOST} objects"
        )
    if selector:
        require_selector(selector)
    return _Deletion(kind, name, selector, namespace, most)


def recreate_object(kind: str, name: str, *, namespace: str = "", most: Most = 10) -> Fault:
    """Return the fault that deletes an object and creates it again at once, with its content and a new uid.

    What went with it, as in `delete_object`, is missing until the fault is healed, unless controllers make it again.
    Kinds and names are as there. Raises BadScenario.
    """
    require_kind("recreate_object", kind)
    require_names(name, namespace, optional=True)
    if not name or not 1 <= most <= MOST:
        raise BadScenario(f"recreate_object({kind!r}, {name!r}, most={most}): expected a name, and 1 to {MOST}")
    return _Recreation(kind, name, namespace, most)


class _Deletion:
    name = "delete object"

    def __init__(self, kind: str, name: str, selector: str, namespace: str, most: int) -> None:
        self.leaves = (made_again(name or "*", namespace),)
        self._kind = kind
        self._named = name, selector, namespace
        self._most = most
        self._lost: Lost | None = None

    def inject(self, injection: Injection) -> None:
        if self._named[0]:
            object_names.require_names(name=self._named[0])
        with injection.cluster.client() as api:
            found = find_selected(api, self._kind, *self._named)
            self._lost = remember(api, injection, found, self._most)
            for path, there in found.items():
                delete(api, path, {"preconditions": {"uid": there["metadata"]["uid"]}})

    def observed(self, cluster: Cluster, deadline: Deadline) -> str:
        if self._lost is None:
            raise FaultNotApplied(f"expected {self._kind} to be deleted, nothing was done")
        deleted = [one.path for one in self._lost.objects[: self._lost.deleted]]
        left = deleted
        with cluster.client() as api:
            for _ in deadline.attempts(first=0.1):
                left = [path for path in deleted if not is_gone(api, path)]
                if not left:
                    more = len(self._lost.objects) - len(deleted)
                    return f"nothing is at {', '.join(deleted)}" + (f", {more} go with it" if more else "")
        raise FaultNotApplied(
            f"expected {self._kind} to be deleted, there still is, or is again, {', '.join(left)}; "
            "a controller may have made it anew, or a finalizer holds it"
        )

    def healed(self, cluster: Cluster, deadline: Deadline) -> str:
        deadline.check(f"{self._kind} was not looked at")
        with cluster.client() as api:
            return require_back(api, self._lost)


class _Recreation:
    name = "recreate object"

    def __init__(self, kind: str, name: str, namespace: str, most: int) -> None:
        self.leaves = (made_again(name, namespace),)
        self._kind = kind
        self._object = name
        self._namespace = namespace
        self._most = most
        self._lost: Lost | None = None

    def inject(self, injection: Injection) -> None:
        with injection.cluster.client() as api:
            path, there = find_one(api, self._kind, self._object, self._namespace)
            self._lost = remember(api, injection, {path: there}, self._most)
            before = self._lost.first
            delete(api, path, {"preconditions": {"uid": before.uid}})
            for _ in Deadline.after(_GONE_SECONDS, f"{before.name} to be gone").attempts():
                if is_gone(api, path, before.uid):
                    request(api, "POST", path.rpartition("/")[0], body=before.manifest)
                    return

    def observed(self, cluster: Cluster, deadline: Deadline) -> str:
        deadline.check(f"{self._kind} {self._object} was not looked at")
        if self._lost is None:
            raise FaultNotApplied(f"expected {self._kind} {self._object} to be made anew, nothing was done")
        with cluster.client() as api:
            before = self._lost.first
            there = find_object(api, before.path)
            if there is None:
                raise FaultNotApplied(f"expected {before.name} to be there anew, it is gone")
            uid = there["metadata"]["uid"]
            if uid == before.uid:
                raise FaultNotApplied(f"expected {before.name} to be another one, it still has the uid {uid}")
            back = require_back(api, replace(self._lost, objects=[before]))
            return f"{before.name} has the uid {uid} now, it had {before.uid}; {back}"

    def healed(self, cluster: Cluster, deadline: Deadline) -> str:
        deadline.check(f"{self._kind} {self._object} was not looked at")
        with cluster.client() as api:
            return require_back(api, self._lost)
