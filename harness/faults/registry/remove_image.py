"""Image removal: the fault that removes an image from nodes; running containers of it keep running."""

import json
from collections.abc import Sequence

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine
from chaos_harness.clusters.retrying import retry
from chaos_harness.harness.errors import BadScenario, CommandFailed, FaultNotApplied
from chaos_harness.harness.faults import Fault
from chaos_harness.harness.faults.injection import Injection
from chaos_harness.harness.faults.targets import require_nodes
from chaos_harness.harness.undo.actions import undo
from chaos_harness.harness.undo.commands import run_in_container

__all__ = ["images_of", "pull", "remove_image"]

_SECONDS = 60.0
_PULL_SECONDS = 60.0


def remove_image(image: str, nodes: Sequence[str] = ()) -> Fault:
    """Return the fault that removes `image` ("docker.io/NAME:TAG") from `nodes` (none: all workers).

    Healing pulls it where it is missing, through the node's containerd.
    """
    return _ImageRemoval(image, tuple(nodes))


def images_of(cluster: Cluster, node: str, deadline: Deadline) -> set[str]:
    """Return the names of the images on a node."""
    listed = cluster.exec(node, ["crictl", "images", "--output", "json"], deadline).stdout
    return {tag for image in json.loads(listed)["images"] for tag in image.get("repoTags") or ()}


@undo
def pull(engine: Engine, *, node: str, image: str) -> None:
    """Pull an image to a node that lacks it; retries for 60 s, because its registry may have just been started.

    Raises CommandFailed if the node is stopped (it would lack the image at its start), DeadlineExceeded with what the
    node said last.
    """
    deadline = Deadline.after(_PULL_SECONDS, f"{node} to pull {image}")
    retry(lambda: _pull(engine, node, image), deadline, passes=lambda error: isinstance(error, _NotPulled))


class _NotPulled(CommandFailed):
    """A node could not pull an image; it may be able to a little later."""


def _pull(engine: Engine, node: str, image: str) -> None:
    done = run_in_container(engine, node, "crictl", "inspecti", "--quiet", image, ended_by="removal")
    if done is not None and done.returncode:
        done = run_in_container(engine, node, "crictl", "pull", image, ended_by="removal")
    if done is not None and done.returncode:
        raise _NotPulled(done.stderr.strip())


class _ImageRemoval:
    name = "remove image"

    def __init__(self, image: str, nodes: tuple[str, ...]) -> None:
        self._image = image
        self._nodes = nodes

    def inject(self, injection: Injection) -> None:
        cluster = injection.cluster
        if cluster.registry is None:
            raise BadScenario(f"cluster {cluster.name} has no registry: a removed image could not be pulled again")
        require_nodes(self._nodes, cluster.name, cluster.nodes())
        deadline = Deadline.after(_SECONDS, f"{self._image} to be removed")
        for node in self._chosen(cluster):
            if self._image in images_of(cluster, node, deadline):
                injection.undo(pull, node=node, image=self._image)
                cluster.exec(node, ["crictl", "rmi", self._image], deadline)

    def observed(self, cluster: Cluster, deadline: Deadline) -> str:
        nodes = [node for node in self._chosen(cluster) if self._image in images_of(cluster, node, deadline)]
        if nodes:
            raise FaultNotApplied(f"expected {self._image} to be removed, {', '.join(nodes)} still has it")
        return f"`crictl images` on {', '.join(self._chosen(cluster))} does not list {self._image}"

    def healed(self, cluster: Cluster, deadline: Deadline) -> str:
        lacking = [node for node in self._chosen(cluster) if self._image not in images_of(cluster, node, deadline)]
        if lacking:
            raise FaultNotApplied(f"expected {self._image} to be there again, {', '.join(lacking)} lacks it")
        return f"`crictl images` on {', '.join(self._chosen(cluster))} lists {self._image}"

    def _chosen(self, cluster: Cluster) -> Sequence[str]:
        return self._nodes or cluster.workers
