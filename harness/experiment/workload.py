"""Workload: controllers with pods on a chosen node, which an experiment then takes away."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from chaos_harness.clusters.api.rest import apply, delete
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.watching.watch import State, wait_until
from chaos_harness.harness.errors import BadScenario, PreparationFailed
from chaos_harness.harness.faults.registry.remove_image import images_of
from chaos_harness.harness.gatekeeper.placement import cordon_nodes
from chaos_harness.harness.history.objects import is_ready, is_terminating, labels, uid_of
from chaos_harness.harness.policies import WantedParts
from chaos_harness.harness.preparation import Preparation
from chaos_harness.harness.undo.journal import Journal
from chaos_harness.harness.undo.promises import Undos
from chaos_harness.harness.undo.put_object import put

__all__ = ["Controller", "deploy"]

ControllerKind = Literal["Deployment", "StatefulSet", "DaemonSet"]

_SECONDS = 90.0
_TOLERATED_SECONDS = 5
_LOST = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
_NAME = "chaos-harness/workload"


@dataclass(frozen=True)
class Controller:
    """A controller to deploy; a DaemonSet has one pod on each worker, regardless of `replicas`."""

    kind: ControllerKind
    name: str
    replicas: int = 1

    def manifest(self, namespace: str, image: str) -> dict[str, Any]:
        """Return the object; its pods run the sandbox image and tolerate a lost node for 5 s."""
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


def deploy(namespace: str, *controllers: Controller, on: str, carrying: WantedParts | None = None) -> Preparation:
    """Return the preparation that `controllers` run in the new `namespace`, which is deleted at the end.

    All pods are on the node `on`; DaemonSets have one on every worker. With `carrying`, all pods carry that mutation: a
    pod that a slow webhook with failurePolicy Ignore let through without it is deleted and admitted again. Raises
    BadScenario.
    """
    if not namespace.startswith("chaos-"):
        raise BadScenario(f"namespace {namespace!r}: expected one that begins with 'chaos-', which policies are for")
    names = ", ".join(f"{controller.kind} {controller.name}" for controller in controllers)
    make = partial(_run_controllers, namespace=namespace, controllers=controllers, on=on, carrying=carrying)
    return Preparation(f"deploy {names} in {namespace} on {on}", make)


@contextmanager
def _run_controllers(
    cluster: Cluster,
    journal: Journal,
    namespace: str,
    controllers: Sequence[Controller],
    on: str,
    carrying: WantedParts | None,
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
            again = 0
            while bare := [pod for pod in running if carrying and not carrying.are_in(pod)]:
                again += len(bare)
                running = _admit_pods(cluster, namespace, manifests, wanted, deadline, but=bare)
        where = ", ".join(sorted(f"{pod['metadata']['name']} on {pod['spec']['nodeName']}" for pod in running))
        yield f"{where} run {image}" + f"; {again} were admitted again because they lacked the mutation" * bool(again)
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
    """Apply the controllers, delete the pods `but`, and return the Ready pods once each has as many as are `wanted`."""
    path = f"/api/v1/namespaces/{namespace}/pods"
    gone = {uid_of(pod) for pod in but}
    with cluster.client() as api:
        apply(api, manifests, deadline)
        for pod in but:
            delete(api, f"{path}/{pod['metadata']['name']}")
        return wait_until(api, path, partial(_ready, wanted, gone), deadline)


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
    """Return the image of pod sandboxes, which every node has; kind's own images are the only ones on all nodes."""
    common = set.intersection(*(images_of(cluster, node, deadline) for node in cluster.workers))
    images = sorted(image for image in common if "/pause:" in image)
    if not images:
        raise PreparationFailed(
            f"expected an image …/pause on all workers, they share {', '.join(sorted(common)) or 'none'}; "
            "see `crictl images` on them"
        )
    return images[0]


def _ready(wanted: Mapping[str, int], gone: Collection[str], state: State) -> list[dict[str, Any]]:
    """Return the Ready pods that stay, once each controller has as many as are wanted; else an empty list."""
    ready = [pod for pod in state.values() if is_ready(pod) and not is_terminating(pod) and uid_of(pod) not in gone]
    return ready if Counter(labels(pod).get(_NAME) for pod in ready) == wanted else []
