"""Definition: the fault that deletes a CustomResourceDefinition, with which all objects of its kind go."""

from typing import Annotated

from pydantic import Field

from chaos_harness.clusters.api import object_names
from chaos_harness.clusters.api.rest import delete, find_object
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.harness.errors import BadScenario, FaultNotApplied
from chaos_harness.harness.faults import Fault
from chaos_harness.harness.faults.injection import Injection
from chaos_harness.harness.faults.leaves import made_again
from chaos_harness.harness.faults.objects.remembered import DEFINITIONS, Lost, is_gone, remember, require_back
from chaos_harness.harness.faults.objects.selected import MOST, Most

__all__ = ["delete_crd"]


def delete_crd(
    name: Annotated[str, Field(examples=["assign.mutations.gatekeeper.sh"])],
    *,
    most: Most = 50,
) -> Fault:
    """Return the fault that deletes the CustomResourceDefinition `name` ("assign.mutations.gatekeeper.sh").

    All objects of the kind go with it, and the definitions that these own, as those of constraints are owned by
    templates. It is refused if these are more than `most` objects together. Healing makes all of them again, the
    definition first, with the content that they had; not given back are their uids, their statuses, and what their
    controllers did when they went. Raises BadScenario.
    """
    object_names.require_names(name=name)
    if "." not in name or not 1 <= most <= MOST:
        raise BadScenario(
            f"delete_crd({name!r}, most={most}): expected a name such as assign.mutations.gatekeeper.sh, and at most "
            f"1 to {MOST} objects; see `kubectl get crd`"
        )
    return _Definition(name, most)


class _Definition:
    name = "delete crd"

    def __init__(self, definition: str, most: int) -> None:
        self._name = definition
        self._most = most
        self._path = f"{DEFINITIONS}/{definition}"
        self._lists: list[str] = []
        self._lost: Lost | None = None
        plural, _, group = definition.partition(".")
        self.leaves = (made_again(definition), made_again(kind=plural), made_again(f"*.{group}", kind="apiservices"))

    def inject(self, injection: Injection) -> None:
        with injection.cluster.client() as api:
            there = find_object(api, self._path)
            if there is None:
                raise BadScenario(f"there is no definition {self._name!r}; see `kubectl get crd`")
            spec = there["spec"]
            served = [version["name"] for version in spec["versions"] if version["served"]]
            self._lists = [f"/apis/{spec['group']}/{version}/{spec['names']['plural']}" for version in served]
            self._lost = remember(api, injection, {self._path: there}, self._most)
            delete(api, self._path, {"preconditions": {"uid": self._lost.first.uid}})

    def observed(self, cluster: Cluster, deadline: Deadline) -> str:
        if self._lost is None:
            raise FaultNotApplied(f"expected definition {self._name} to be deleted, nothing was done")
        left: list[str] = []
        with cluster.client() as api:
            for _ in deadline.attempts(first=0.1):
                left = [path for path in (self._path, *self._lists) if not is_gone(api, path)]
                if not left:
                    return (
                        f"there is no definition {self._name}, nobody answers at {', '.join(self._lists)}, and "
                        f"{len(self._lost.objects) - 1} objects are lost with it"
                    )
        raise FaultNotApplied(
            f"expected definition {self._name} to be gone within {deadline.seconds:.0f} s, there still is "
            f"{', '.join(left)}; see `kubectl get --raw {self._path}`"
        )

    def healed(self, cluster: Cluster, deadline: Deadline) -> str:
        deadline.check(f"definition {self._name} was not looked at")
        with cluster.client() as api:
            for path in self._lists if self._lost and not self._lost.undo.moot else ():
                if is_gone(api, path):
                    raise FaultNotApplied(f"expected the kind of {self._name} to be served, nobody answers at {path}")
            return require_back(api, self._lost)
