"""Image digests: which images the cluster of a run used."""

import json

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.gatekeeper.install import REPOSITORY
from chaos_harness.harness.errors import HarnessError

__all__ = ["image_digests"]

_SECONDS = 30.0


def image_digests(cluster: Cluster) -> dict[str, str]:
    """Return the image ids of the nodes and of Gatekeeper, or "unknown"."""
    deadline = Deadline.after(_SECONDS, f"the images of {cluster.name}")
    node = (cluster.workers or cluster.control_planes)[0]
    digests = {"node": "unknown", "gatekeeper": "unknown"}
    try:
        digests["node"] = cluster.engine.run(["inspect", "--format", "{{.Image}}", node], deadline).stdout.strip()
        listed = json.loads(cluster.exec(node, ["crictl", "images", "--output", "json"], deadline).stdout)["images"]
    except (HarnessError, ValueError, KeyError):
        return digests
    for image in listed:
        names = [*(image.get("repoTags") or ()), *(image.get("repoDigests") or ())]
        if any(REPOSITORY in name for name in names):
            digests["gatekeeper"] = f"{image.get('id', 'unknown')} ({', '.join(names)})"
    return digests
