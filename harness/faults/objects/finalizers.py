"""Finalizers: the faults that hold a deletion by a finalizer, or strip one that holds it."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from chaos_harness.clusters.api import object_names
from chaos_harness.clusters.api.rest import delete, merge_patch, request
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine
from chaos_harness.harness.errors import BadScenario, FaultNotApplied
from chaos_harness.harness.faults import ONE_SHOT, Fault
from chaos_harness.harness.faults.injection import Injection
from chaos_harness.harness.faults.leaves import Leave, made_again
from chaos_harness.harness.faults.objects.remembered import Lost, is_gone, remember, require_back
from chaos_harness.harness.faults.objects.selected import MOST, Most, find_one, require_kind, require_names
from chaos_harness.harness.undo.actions import undo
from chaos_harness.harness.undo.commands import control_plane_arguments, undo_by_kubectl

__all__ = ["hold_deletion", "release", "strip_finalizers"]

_FINALIZER = "chaos-harness/hold"


def hold_deletion(kind: str, name: str, *, namespace: str = "", most: Most = 10) -> Fault:
    """Return the fault that deletes an object and holds the deletion by a finalizer of its own.

    The object stays, marked as being deleted, and whoever deletes it waits. Healing takes the finalizer off, lets the
    deletion end, and makes the object again with its content and a new uid. Kinds, names and `most` are as in
    `delete_object`. Raises BadScenario.
    """
    require_kind("hold_deletion", kind)
    require_names(name, namespace)
    if not 1 <= most <= MOST:
        raise BadScenario(f"hold_deletion({kind!r}, {name!r}, most={most}): expected at most 1 to {MOST} objects")
    return _Held(kind, name, namespace, most)


def strip_finalizers(kind: str, name: str, *, namespace: str = "") -> Fault:
    """Return the fault that takes all finalizers off an object that is being deleted, which ends the deletion.

    It is one-shot: the object was to go. What the finalizers were for, such as something outside of the cluster that
    their controllers clean up, is left as it is. Raises BadScenario.
    """
    object_names.require_names(kind=kind)
    require_names(name, namespace)
    return _Stripped(kind, name, namespace)


@undo
def release(
    engine: Engine, *, control_plane: str, resource: str, name: str, namespace: str, others: Sequence[str] = ()
) -> None:
    """Take our finalizer off an object; one that has it not, or is gone, needs nothing.

    It fails, to be done again, if somebody changes the object in between.
    """
    where = ("--namespace", namespace) if namespace else ()
    words = ("get", resource, name, *where, "--ignore-not-found", "--output", "json")
    read = undo_by_kubectl(engine, control_plane, others, *words)
    there: Mapping[str, Any] = json.loads(read.stdout) if read and not read.returncode and read.stdout.strip() else {}
    finalizers = there.get("metadata", {}).get("finalizers", ())
    if _FINALIZER in finalizers:
        left = [one for one in finalizers if one != _FINALIZER]
        metadata = {"finalizers": left or None, "resourceVersion": there["metadata"].get("resourceVersion")}
        patch = ("patch", resource, name, *where, "--type", "merge", "--patch", json.dumps({"metadata": metadata}))
        undo_by_kubectl(engine, control_plane, others, *patch)


class _Held:
    name = "hold deletion"

    def __init__(self, kind: str, name: str, namespace: str, most: int) -> None:
        self.leaves = (made_again(name, namespace),)
        self._named = kind, name, namespace
        self._most = most
        self._lost: Lost | None = None

    def inject(self, injection: Injection) -> None:
        kind, name, namespace = self._named
        with injection.cluster.client() as api:
            path, there = find_one(api, kind, name, namespace)
            self._lost = remember(api, injection, {path: there}, self._most)
            group, _, version = there["apiVersion"].rpartition("/")
            resource = f"{kind}.{version}.{group}" if group else kind
            planes = control_plane_arguments(injection.cluster)
            injection.undo(release, resource=resource, name=name, namespace=namespace, **planes)
            held = [*there["metadata"].get("finalizers", ()), _FINALIZER]
            merge_patch(api, path, {"metadata": {"finalizers": held}})
            delete(api, path, {"preconditions": {"uid": self._lost.first.uid}})

    def observed(self, cluster: Cluster, deadline: Deadline) -> str:
        deadline.check(f"{self._named[0]} {self._named[1]} was not looked at")
        if self._lost is None:
            raise FaultNotApplied(f"expected {self._named[1]} to be deleted, nothing was done")
        with cluster.client() as api:
            if is_gone(api, self._lost.first.path):
                raise FaultNotApplied(f"expected {self._lost.first.name} to be held while it is deleted, it is gone")
            there = request(api, "GET", self._lost.first.path)["metadata"]
        since, finalizers = there.get("deletionTimestamp"), there.get("finalizers", ())
        if not since or _FINALIZER not in finalizers:
            raise FaultNotApplied(
                f"expected {self._lost.first.name} to be held while it is deleted, it has the finalizers "
                f"{', '.join(finalizers) or 'none'} and is {'' if since else 'not '}being deleted"
            )
        return f"{self._lost.first.name} is being deleted since {since} and is still there, held by {_FINALIZER}"

    def healed(self, cluster: Cluster, deadline: Deadline) -> str:
        deadline.check(f"{self._named[0]} {self._named[1]} was not looked at")
        with cluster.client() as api:
            return require_back(api, self._lost)


class _Stripped:
    name = "strip finalizers"
    healed = ONE_SHOT

    def __init__(self, kind: str, name: str, namespace: str) -> None:
        self.leaves = tuple(
            Leave("the object, which was to go", "*", name, namespace, aspect) for aspect in ("", "uid")
        )
        self._named = kind, name, namespace
        self._path = ""
        self._uid = ""
        self._stripped: Sequence[str] = ()

    def inject(self, injection: Injection) -> None:
        kind, name, namespace = self._named
        with injection.cluster.client() as api:
            self._path, there = find_one(api, kind, name, namespace)
            metadata = there["metadata"]
            self._uid, self._stripped = metadata["uid"], metadata.get("finalizers", ())
            if "deletionTimestamp" not in metadata or not self._stripped:
                raise BadScenario(
                    f"expected {kind} {name} to be held by finalizers while it is deleted, it "
                    f"{'has none' if 'deletionTimestamp' in metadata else 'is not being deleted'}"
                )
            merge_patch(api, self._path, {"metadata": {"finalizers": None}})

    def observed(self, cluster: Cluster, deadline: Deadline) -> str:
        kind, name, _ = self._named
        with cluster.client() as api:
            for _ in deadline.attempts(first=0.1):
                if self._path and is_gone(api, self._path, self._uid):
                    return f"{kind} {name} is gone, without what {', '.join(self._stripped)} waited for"
        raise FaultNotApplied(f"expected {kind} {name} to be gone within {deadline.seconds:.0f} s, it is there")
