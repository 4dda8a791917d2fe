"""Rollout server: an API server in memory whose webhook pods, when they are told to go, go, and are replaced."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from chaos_harness.clusters.cluster import Cluster
from tests.fakes.credentials import kubeconfig
from tests.fakes.served import served
from tests.fakes.world import World, WorldEngine
from tests.gatekeeper_names import CONTROLLER

__all__ = ["RolloutServer"]

_NAMESPACE = "/apis/apps/v1/namespaces/gatekeeper-system"


class RolloutServer:
    """`silences` has how many requests of a verb ("POST") get no answer."""

    def __init__(self) -> None:
        self.pods = [_pod(name) for name in ("a", "b")]
        self.replicas = 2
        self.silences: dict[str, int] = {}

    @contextmanager
    def cluster(self, directory: Path) -> Iterator[Cluster]:
        """Give the cluster, with its API served on loopback."""
        path, world = directory / "kubeconfig", World()
        with served(self) as host:
            path.write_text(json.dumps(kubeconfig(host)), encoding="utf-8")
            yield Cluster("w", world.shape, WorldEngine(world=world), path, "w", None, "run", directory)

    def answer(self, verb: str, path: str, body: Any, query: str) -> tuple[int, Any]:
        """Answer one request, or break its connection."""
        if self.silences.get(verb):
            self.silences[verb] -= 1
            raise ConnectionError
        if verb == "POST":
            self.replace(body["metadata"]["name"])
            return 201, {}
        if verb == "PATCH":
            self.patch(body)
        elif verb == "DELETE":
            self.replace(path.rpartition("/")[2])
        elif path.startswith(_NAMESPACE):
            metadata = {"name": path.rpartition("/")[2], "namespace": "gatekeeper-system"}
            spec = {"replicas": self.replicas}
            deployment = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}
            if path == f"{_NAMESPACE}/deployments":
                return 200, {"items": [{**deployment, "metadata": {**metadata, "name": CONTROLLER}}]}
            return 200, deployment
        else:
            metadata = {"resourceVersion": "1"}
            return 200, {"apiVersion": "v1", "kind": "PodList", "metadata": metadata, "items": self.pods}
        return 200, {}

    def replace(self, name: str) -> None:
        """Let a new pod come in the place of an old one."""
        self.pods = [pod for pod in self.pods if pod["metadata"]["name"] != name] + [_pod(f"new-{name}")]

    def patch(self, change: dict[str, Any]) -> None:
        """Roll out, or scale, as a patch of the Deployment says."""
        if "replicas" in change["spec"]:
            self.replicas = change["spec"]["replicas"]
            self.pods = []
        else:
            for pod in list(self.pods):
                self.replace(pod["metadata"]["name"])


def _pod(name: str) -> dict[str, Any]:
    metadata = {"name": name, "uid": f"uid-{name}", "namespace": "gatekeeper-system", "resourceVersion": "1"}
    return {"metadata": metadata, "spec": {"nodeName": "w-worker"}, "status": {}}
