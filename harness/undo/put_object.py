"""Put object: applies an object for the duration of an experiment, with the undo that deletes it."""

import json
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from chaos_harness.clusters.api import object_names
from chaos_harness.clusters.api.rest import apply
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine
from chaos_harness.clusters.retrying import retry
from chaos_harness.harness.errors import (
    ApiRefused,
    ApiUnreachable,
    BadScenario,
    CommandFailed,
    DeadlineExceeded,
    PreparationFailed,
)
from chaos_harness.harness.undo.actions import undo
from chaos_harness.harness.undo.commands import control_plane_arguments, undo_by_kubectl
from chaos_harness.harness.undo.promises import Undos

__all__ = ["apply_patiently", "delete", "put", "putting"]

_PATIENCE_SECONDS = 400.0
"""A namespace goes after its last pod, and kubelets of busy or just started nodes are slow. It also needs
kube-controller-manager, which may be in a back-off of five minutes after it lost its lease."""

_HELD_SECONDS = 20.0
"""By when those who do their work have taken their finalizers off an object that is being deleted."""

_REFUSED_SECONDS = 10.0


@undo
def delete(
    engine: Engine,
    *,
    control_plane: str,
    resource: str,
    name: str,
    namespace: str = "",
    others: Sequence[str] = (),
    may_be_held: bool = False,
) -> None:
    """Delete an object and wait until it is gone; an object, or kind, that does not exist counts as gone.

    One that `may_be_held` counts as deleted, too, if after 20 s it is still there, marked as being deleted: nobody can
    take that back, and whoever holds it by a finalizer, or by what is in a namespace, decides when it is gone. Raises
    CommandFailed if it is still there otherwise.
    """
    kubectl = partial(undo_by_kubectl, engine, control_plane, others)
    place = (resource, name, *(("--namespace", namespace) if namespace else ()), "--ignore-not-found")
    patience = _HELD_SECONDS if may_be_held else _PATIENCE_SECONDS
    try:
        kubectl("delete", *place, f"--timeout={patience:.0f}s", seconds=patience + 10)
    except CommandFailed:
        if not may_be_held:
            raise
        seen = kubectl("get", *place, "--output", "json")
        if seen is not None and seen.stdout.strip() and "deletionTimestamp" not in json.loads(seen.stdout)["metadata"]:
            raise


def put(
    cluster: Cluster, undos: Undos, manifest: Mapping[str, Any], deadline: Deadline, *, may_be_held: bool = False
) -> None:
    """Apply one object, after the undo that deletes it is journaled; see `delete` for one that `may_be_held`.

    Retries for 10 s, because the kind may be too new for the API server, or the object for a webhook. Raises
    PreparationFailed with the refusal if it is refused all the time; DeadlineExceeded; and BadScenario, before anything
    is done, for a name that would be an option or a path.
    """
    problems = [
        f"{manifest['kind']} {'.'.join(place)}: {words}" for place, words in object_names.manifest_problems(manifest)
    ]
    if problems:
        raise BadScenario(problems)
    metadata = manifest["metadata"]
    version, kind, name = manifest["apiVersion"], manifest["kind"], metadata["name"]
    group, _, number = version.rpartition("/")
    place = {"namespace": metadata["namespace"]} if "namespace" in metadata else {}
    target = {"resource": f"{kind}.{number}.{group}" if group else kind, "name": name, **place}
    if cluster.adopted and not undos.standing(delete, **target):
        _require_absent(cluster, target)
    held = {"may_be_held": True} if may_be_held else {}
    undos.register(delete, harm={}, **target, **held, **control_plane_arguments(cluster))
    apply_patiently(cluster, manifest, deadline)


def putting(undos: Undos, manifest: Mapping[str, Any]) -> int | None:
    """Return the number of the undo that deletes an object which `put` put there; None if it did not.

    The version of its API is not asked for: an object is the same in all of them.
    """
    metadata, group = manifest["metadata"], manifest["apiVersion"].rpartition("/")[0]
    place = {"namespace": metadata["namespace"]} if "namespace" in metadata else {}
    for number, entry in undos.numbered(delete, name=metadata["name"], **place).items():
        kind, _, versioned = str(entry.arguments["resource"]).partition(".")
        if (kind, versioned.partition(".")[2]) == (manifest["kind"], group):
            return number
    return None


def apply_patiently(cluster: Cluster, manifest: Mapping[str, Any], deadline: Deadline) -> None:
    """Apply one object, without an undo; it is tried again for 10 s. Raises PreparationFailed, DeadlineExceeded."""
    kind, name = manifest["kind"], manifest["metadata"]["name"]
    part = deadline.within(_REFUSED_SECONDS, f"{kind} {name} to be applied")
    with cluster.client() as api:
        try:
            retry(lambda: apply(api, [manifest], deadline), part, passes=_may_pass)
        except DeadlineExceeded as error:
            if not isinstance(error.__cause__, ApiRefused):
                raise
            raise PreparationFailed(
                f"{kind} {name}: expected it to be accepted, refused for {part.seconds:.0f} s: "
                f"{error.__cause__.brief}; see `kubectl explain {kind}`"
            ) from error


def _require_absent(cluster: Cluster, target: Mapping[str, str]) -> None:
    """Raise PreparationFailed if an adopted cluster has the object: applied, and deleted by its undo, it would be lost.

    One that is going already, such as that of the experiment before, is waited for.
    """
    where = ("--namespace", target["namespace"]) if "namespace" in target else ()
    words = ("get", target["resource"], target["name"], *where, "--ignore-not-found", "--output=name")
    for _ in Deadline.after(_REFUSED_SECONDS, f"{target['name']} to be absent").attempts():
        seen = undo_by_kubectl(cluster.engine, cluster.control_planes[0], cluster.control_planes[1:], *words)
        if seen is None or seen.returncode or not seen.stdout.strip():
            return
    raise PreparationFailed(
        f"{target['resource']} {target['name']} is on kind cluster {cluster.name} already, and is yours: it would be "
        "overwritten, and deleted at the end; give the one in the file another name"
    )


def _may_pass(error: Exception) -> bool:
    return isinstance(error, ApiRefused | ApiUnreachable)
