"""Charts: installs a Helm chart for the duration of an experiment, with the undos that take it away again."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from chaos_harness.clusters.api.rest import find_object
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine
from chaos_harness.clusters.helm import helm
from chaos_harness.harness.errors import CommandFailed, PreparationFailed
from chaos_harness.harness.undo.actions import undo
from chaos_harness.harness.undo.commands import control_plane_arguments, undo_by_kubectl
from chaos_harness.harness.undo.promises import Undos
from chaos_harness.harness.undo.put_object import delete

__all__ = ["install", "installed", "uninstall"]

_CRD = "CustomResourceDefinition"
_CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_NOT_FOUND = "release: not found"
_SECONDS = 240.0


@undo
def uninstall(
    engine: Engine, *, control_plane: str, release: str, namespace: str, kubeconfig: str, others: Sequence[str] = ()
) -> None:
    """Uninstall a release and wait until its objects are gone; a release, or cluster, that is not there counts as gone.

    Definitions in the chart's folder `crds` stay, as Helm leaves them: each has an undo of its own (see `install`).
    """
    if undo_by_kubectl(engine, control_plane, others, "get", "--raw", "/version") is not None:
        words = ("uninstall", release, "--ignore-not-found", "--wait")
        helm(Path(kubeconfig), words, Deadline.after(_SECONDS, f"release {release} to go"), namespace=namespace)


def install(
    cluster: Cluster,
    undos: Undos,
    folder: Path,
    release: str,
    namespace: str,
    values: Path | None,
    definitions: Sequence[str],
    deadline: Deadline,
) -> None:
    """Install the chart in `folder`, after the undos that uninstall it and delete its `definitions` are journaled.

    Definitions that are there already are not its own, and stay.

    Its hooks have ended when this returns; its pods may not be Ready. Raises PreparationFailed, before anything is
    done, if the release is there: it would be uninstalled at the end. Raises CommandFailed with what helm says,
    ApiRefused, ApiUnreachable, DeadlineExceeded, ImageUnavailable (no helm).
    """
    if _is_there(cluster, release, namespace, deadline):
        raise PreparationFailed(
            f"release {release} is in namespace {namespace} already: it would be uninstalled at the end; "
            "give the chart another `release`"
        )
    planes = control_plane_arguments(cluster)
    with cluster.client() as api:
        for name in definitions:
            if find_object(api, f"{_CRDS}/{name}") is None:
                undos.register(delete, harm={}, resource=_CRD, name=name, **planes)
    undos.register(uninstall, release=release, namespace=namespace, kubeconfig=str(cluster.kubeconfig), **planes)
    words: list[str | Path] = ["install", release, folder]
    if values:
        words += ["--values", values]
    helm(cluster.kubeconfig, words, deadline, namespace=namespace)


def installed(cluster: Cluster, release: str, namespace: str, deadline: Deadline) -> list[dict[str, Any]]:
    """Return the objects of a release, in its namespace unless they say another one. Raises CommandFailed."""
    text = helm(cluster.kubeconfig, ["get", "manifest", release], deadline, namespace=namespace)
    objects = [document for document in yaml.load_all(text, yaml.CSafeLoader) if document]
    return [{**one, "metadata": {"namespace": namespace, **one["metadata"]}} for one in objects]


def _is_there(cluster: Cluster, release: str, namespace: str, deadline: Deadline) -> bool:
    try:
        helm(cluster.kubeconfig, ["status", release], deadline, namespace=namespace)
    except CommandFailed as error:
        if _NOT_FOUND in error.said:
            return False
        raise
    return True
