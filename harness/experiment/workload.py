"""Workload: controllers with pods on a chosen node, for an experiment to lose: they cost nothing and leave quickly."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from chaos_harness.clusters.api.rest import apply, delete
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.watching.watch import State, until
from chaos_harness.harness.errors import BadScenario, PreparationFailed
from chaos_harness.harness.faults.registry.remove_image import images_of
from chaos_harness.harness.gatekeeper.placement import cordon_nodes
from chaos_harness.harness.history.objects import is_leaving, is_ready, labels, uid_of
from chaos_harness.harness.policies import mutated
from chaos_harness.harness.preparation import Preparation
from chaos_harness.harness.undo.journal import Journal
from chaos_harness.harness.undo.promises import Undos
from chaos_harness.harness.undo.put_object import put

__all__ = ["Controller", "Kind", "deploy"]

Kind = Literal["Deployment", "StatefulSet", "DaemonSet"]

_SECONDS = 90.0
_TOLERATED_SECONDS = 5
_LOST = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
_NAME = "chaos-harness/workload"


@dataclass(frozen=True)
class Controller:
    """A controller to deploy; a DaemonSet has a pod on each worker, whatever its `replicas`."""

    kind: Kind
    name: str
    replicas: int = 1

    def manifest(self, namespace: str, image: str) -> dict[str, Any]:
        """Return the object; its pods run the sandbox's own image, and leave a lost node after 5 s."""
        named = {_NAME: self.name}
        spec: dict[str, Any] = {
            "selector": {"matchLabels": named},
            "template": {"metadata": {"labels": named}, "spec": _pod(image)},
        }
        if self.kind != "DaemonSet":
            spec["replicas"] = self.replicas
        if self.kind == "StatefulSet":
            spec |= {"serviceName": self.name, "podManagementPolicy": "Parallel"}
        return {
            "apiVersion": "apps/v1",
            "kind": self.kind,
            "metadata": {"name": self.name, "namespace": namespace, "labels": named},
            "spec": spec,
        }


def deploy(namespace: str, *controllers: Controller, on: str, carrying: bool = False) -> Preparation:
    """Return the preparation that `controllers` run in the new `namespace`, which goes at the end with all in it.

    All pods are on the node `on`, and those of DaemonSets on every worker. With `carrying`, they all carry the
    mutation: what a webhook let through without it, as one that ignores failures does when it is too slow, is
    admitted anew. Raises BadScenario.
    """
    if not namespace.startswith("chaos-"):
        raise BadScenario(f"namespace {namespace!r}: expected one that begins with 'chaos-', which policies are for")
    names = ", ".join(f"{controller.kind} {controller.name}" for controller in controllers)
    make = partial(_run_controllers, namespace=namespace, controllers=controllers, on=on, carrying=carrying)
    return Preparation(f"deploy {names} in {namespace} on {on}", make)


@contextmanager
def _run_controllers(
    cluster: Cluster, journal: Journal, namespace: str, controllers: Sequence[Controller], on: str, carrying: bool
) -> Iterator[str]:
    that = "to be Ready and carry the mutation" if carrying else "to be Ready"
    deadline = Deadline.after(_SECONDS, f"the pods of {namespace} {that} on {on}")
    undos, image = Undos(cluster.engine, journal), _sandbox_image(cluster, deadline)
    manifests = [controller.manifest(namespace, image) for controller in controllers]
    wanted = {
        controller.name: len(cluster.workers) if controller.kind == "DaemonSet" else controller.replicas
        for controller in controllers
    }
    try:
        item = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
        put(cluster, undos, item, deadline)
        others = [worker for worker in cluster.workers if worker != on]
        with cordon_nodes(cluster, journal, others, deadline):
            running = _admit_pods(cluster, namespace, manifests, wanted, deadline)
            anew = 0
            while bare := [pod for pod in running if carrying and not mutated(pod)]:
                anew += len(bare)
                running = _admit_pods(cluster, namespace, manifests, wanted, deadline, but=bare)
        where = ", ".join(sorted(f"{pod['metadata']['name']} on {pod['spec']['nodeName']}" for pod in running))
        yield f"{where} run {image}" + f"; {anew} were admitted anew, for they lacked the mutation" * bool(anew)
    finally:
        undos.run()


def _admit_pods(
    cluster: Cluster,
    namespace: str,
    manifests: Sequence[Mapping[str, Any]],
    wanted: Mapping[str, int],
    deadline: Deadline,
    but: Sequence[Mapping[str, Any]] = (),
) -> list[dict[str, Any]]:
    """Apply the controllers, delete the pods `but`, and return as many Ready ones as are `wanted` of each."""
    path = f"/api/v1/namespaces/{namespace}/pods"
    gone = {uid_of(pod) for pod in but}
    with cluster.client() as api:
        apply(api, manifests, deadline)
        for pod in but:
            delete(api, f"{path}/{pod['metadata']['name']}")
        return until(api, path, partial(_ready, wanted, gone), deadline)


def _pod(image: str) -> dict[str, Any]:
    tolerations = [
        {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": _TOLERATED_SECONDS}
        for key in _LOST
    ]
    return {
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 1,
        "tolerations": tolerations,
        "containers": [{"name": "pause", "image": image, "imagePullPolicy": "IfNotPresent"}],
    }


def _sandbox_image(cluster: Cluster, deadline: Deadline) -> str:
    """Return the image of pods' sandboxes, which every node has; kind's own are the only ones that all nodes do."""
    common = set.intersection(*(images_of(cluster, node, deadline) for node in cluster.workers))
    images = sorted(image for image in common if "/pause:" in image)
    if not images:
        raise PreparationFailed(
            f"expected an image …/pause on all workers, they share {', '.join(sorted(common)) or 'none'}; "
            "see `crictl images` on them"
        )
    return images[0]


def _ready(wanted: Mapping[str, int], gone: Collection[str], state: State) -> list[dict[str, Any]]:
    """Return the pods that stay, when as many as are wanted of each controller are Ready."""
    ready = [pod for pod in state.values() if is_ready(pod) and not is_leaving(pod) and uid_of(pod) not in gone]
    return ready if Counter(labels(pod).get(_NAME) for pod in ready) == wanted else []
