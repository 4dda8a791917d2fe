"""Flip: the fault that changes fields of an object there and back, several times, with a pause in between."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from chaos_harness.clusters.api import object_names
from chaos_harness.clusters.api.rest import merge_patch, request
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.harness.errors import BadScenario, FaultNotApplied
from chaos_harness.harness.faults import Fault
from chaos_harness.harness.faults.injection import Injection
from chaos_harness.harness.faults.objects.edit import EditRecord, edit
from chaos_harness.harness.faults.objects.remembered import fields_of
from chaos_harness.harness.faults.objects.selected import find_one, require_names

__all__ = ["flip_field"]

_MOST = 100
_LONGEST = 60.0


def flip_field(
    kind: str,
    name: str,
    patch: dict[str, Any],
    *,
    times: Annotated[int, Field(ge=1, le=100)] = 5,
    every: float = 0.5,
    namespace: str = "",
) -> Fault:
    """Return the fault that merges `patch` into an object and takes it back, so many `times`, as `edit_object` would.

    Between two changes `every` seconds pass (at most a minute); the last change leaves what was there before the first.
    It is proved by the versions that the API server gave the object: each change must have made one. Raises
    BadScenario.
    """
    if not patch or kind == "Secret":
        raise BadScenario(f"flip_field({kind!r}, {name!r}): expected a patch, and of no Secret")
    if not (1 <= times <= _MOST and 0 <= every <= _LONGEST):
        raise BadScenario(f"flip_field, times={times}, every={every}: expected 1 to {_MOST} times, 0 to {_LONGEST:g} s")
    object_names.require_names(kind=kind)
    require_names(name, namespace)
    return _Flips((kind, name, namespace), patch, times, every)


class _Flips:
    name = "flip field"

    def __init__(self, named: tuple[str, str, str], patch: Mapping[str, Any], times: int, every: float) -> None:
        self._named = named
        self._patch = patch
        self._times = times
        self._every = every
        self._path = ""
        self._edit: EditRecord | None = None
        self._versions: list[str] = []
        self._generation = 0

    def inject(self, injection: Injection) -> None:
        changes = 2 * self._times
        deadline = Deadline.after(changes * self._every + 1, "the pauses between the changes")
        with injection.cluster.client() as api:
            self._path, there = find_one(api, *self._named)
            self._versions = [there["metadata"].get("resourceVersion", "")]
            self._generation = there["metadata"].get("generation", 0)
            for change in range(changes):
                if self._edit is None:
                    self._edit = edit(injection.cluster, injection.undos, api, self._path, self._patch)
                    taken = request(api, "GET", self._path)
                else:
                    taken = merge_patch(api, self._path, self._edit.undo.given["patch"] if change % 2 else self._patch)
                self._versions.append(taken["metadata"].get("resourceVersion", ""))
                if change < changes - 1:
                    deadline.pause(self._every)

    def observed(self, cluster: Cluster, deadline: Deadline) -> str:
        changed = sum(one != other for one, other in zip(self._versions, self._versions[1:], strict=False))
        if changed < 2 * self._times:
            raise FaultNotApplied(
                f"expected {2 * self._times} changes of {self._named[0]} {self._named[1]}, "
                f"the API server made {changed}"
            )
        said = self.healed(cluster, deadline)
        return f"{changed} changes made the versions {self._versions[0]} to {self._versions[-1]}; {said}"

    def healed(self, cluster: Cluster, deadline: Deadline) -> str:
        kind, name, _ = self._named
        deadline.check(f"{kind} {name} was not looked at")
        if self._edit is None:
            return f"{kind} {name} was not changed"
        before = self._edit.undo.given["patch"]
        with cluster.client() as api:
            there = request(api, "GET", self._path)
        if not fields_of(before, there):
            raise FaultNotApplied(
                f"expected {kind} {name} to have {before} again, it has not; see `kubectl get {kind}`"
            )
        grown = there["metadata"].get("generation", 0) - self._generation
        return f"{kind} {name} is as before" + (f", its generation has grown by {grown}" if grown else "")
