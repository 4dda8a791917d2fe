"""Objects: what an experiment puts into a cluster for a while, each with the undo that takes it away again."""

from collections.abc import Mapping, Sequence
from typing import Any

from chaos_harness.clusters.api import object_names
from chaos_harness.clusters.api.rest import apply
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine
from chaos_harness.harness.errors import ApiRefused, ApiUnreachable, BadScenario, PreparationFailed
from chaos_harness.harness.undo.actions import undo
from chaos_harness.harness.undo.commands import planes, undo_by_kubectl
from chaos_harness.harness.undo.promises import Undos

__all__ = ["delete", "put"]

_PATIENCE_SECONDS = 400.0
"""A namespace goes when its last pod has gone, and on a busy node, or one just started, kubelets take their time. Nor
does it go without kube-controller-manager, which a lost lease may cost a back-off of five minutes."""

_REFUSED_SECONDS = 10.0


@undo
def delete(
    engine: Engine, *, control_plane: str, resource: str, name: str, namespace: str = "", others: Sequence[str] = ()
) -> None:
    """Delete an object and wait until it is gone; one that is not there, or of a kind that is not there, is gone."""
    where = ("--namespace", namespace) if namespace else ()
    words = ("delete", resource, name, *where, "--ignore-not-found", f"--timeout={_PATIENCE_SECONDS:.0f}s")
    undo_by_kubectl(engine, control_plane, others, *words, seconds=_PATIENCE_SECONDS + 10)


def put(cluster: Cluster, undos: Undos, item: Mapping[str, Any], deadline: Deadline) -> None:
    """Apply one object, after the promise to take it away again.

    Tries for a while: a kind may be too new to be known, a webhook may have to be told of it first. Raises
    PreparationFailed with what was said if it is refused all that time; DeadlineExceeded; and BadScenario, before
    anything is done, if it has a name that would be an option or a path.
    """
    problems = [f"{item['kind']} {'.'.join(place)}: {words}" for place, words in object_names.manifest_problems(item)]
    if problems:
        raise BadScenario(problems)
    metadata = item["metadata"]
    version, kind, name = item["apiVersion"], item["kind"], metadata["name"]
    group, _, number = version.rpartition("/")
    place = {"namespace": metadata["namespace"]} if "namespace" in metadata else {}
    undos.register(
        delete,
        harm={},
        resource=f"{kind}.{number}.{group}" if group else kind,
        name=name,
        **place,
        **planes(cluster),
    )
    refused = unheard = ""
    part = deadline.within(_REFUSED_SECONDS, f"{kind} {name} to be applied")
    with cluster.client() as api:
        for _ in part.attempts():
            try:
                apply(api, [item], deadline)
            except ApiRefused as error:
                refused = error.brief
            except ApiUnreachable as error:
                unheard = str(error)
            else:
                return
    if not refused:
        raise part.error(unheard)
    raise PreparationFailed(
        f"{kind} {name}: expected it to be accepted, refused for {part.seconds:.0f} s: {refused}; "
        f"see `kubectl explain {kind}`"
    )
