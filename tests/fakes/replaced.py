"""Replaced: an API server in memory whose webhook pods, when they are told to go, go, and are replaced."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from clusters.cluster import Cluster
from clusters.process import Completed
from tests.fakes.world import World, WorldEngine, kubeconfig

__all__ = ["Replaced"]

_NAMESPACE = "/apis/apps/v1/namespaces/gatekeeper-system"


class Replaced:
    """`lazy`: requests do nothing; `stays` is a pod that is never replaced; `refusals`: how often a budget says no."""

    def __init__(self) -> None:
        self.pods = [_pod(name) for name in ("a", "b")]
        self.replicas = 2
        self.lazy = False
        self.stays = ""
        self.refusals = 0

    @contextmanager
    def cluster(self, directory: Path) -> Iterator[Cluster]:
        """Give the cluster, with its API served on loopback; `kubectl scale` on its node is done."""
        server = _Server(("127.0.0.1", 0), _Api)
        server.replaced = self
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        path = directory / "kubeconfig"
        path.write_text(json.dumps(kubeconfig(f"http://127.0.0.1:{server.server_address[1]}")), encoding="utf-8")
        world = World()
        world.answer = self._scale  # type: ignore[method-assign]  # the one command that faults on rollouts use
        try:
            yield Cluster("w", world.shape, WorldEngine(world=world), path, "w", None, "run", directory)
        finally:
            server.shutdown()
            thread.join()
            server.server_close()

    def replace(self, name: str) -> None:
        """Let a new pod come in the place of an old one."""
        if not self.lazy and name != self.stays:
            self.pods = [each for each in self.pods if each["metadata"]["name"] != name] + [_pod(f"new-{name}")]

    def patch(self, change: dict[str, Any]) -> None:
        """Roll out, or scale, as a patch of the Deployment says."""
        if "replicas" in change["spec"]:
            self.replicas = change["spec"]["replicas"]
            self.pods = self.pods if self.lazy else []
        else:
            for each in list(self.pods):
                self.replace(each["metadata"]["name"])

    def _scale(self, words: list[str]) -> Completed:
        self.replicas = int(words[-1].rpartition("=")[2])
        return Completed("", "", 0)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    replaced: Replaced


class _Api(BaseHTTPRequestHandler):
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name in the base class
        """Say nothing."""

    def do_GET(self) -> None:
        url, replaced = urlsplit(self.path), self.server.replaced
        if "watch=true" in url.query:
            self._answer(200, None)
        elif url.path.startswith(_NAMESPACE):
            self._answer(200, {"spec": {"replicas": replaced.replicas}})
        else:
            found = {"apiVersion": "v1", "kind": "PodList", "metadata": {"resourceVersion": "1"}}
            self._answer(200, {**found, "items": replaced.pods})

    def do_PATCH(self) -> None:
        self.server.replaced.patch(self._body())
        self._answer(200, {})

    def do_DELETE(self) -> None:
        self._body()
        self.server.replaced.replace(urlsplit(self.path).path.rpartition("/")[2])
        self._answer(200, {})

    def do_POST(self) -> None:
        replaced = self.server.replaced
        name = self._body()["metadata"]["name"]
        if replaced.refusals:
            replaced.refusals -= 1
            self._answer(429, {"message": "Cannot evict pod as it would violate the pod's disruption budget."})
            return
        replaced.replace(name)
        self._answer(201, {})

    def _body(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        return found

    def _answer(self, status: int, body: Any) -> None:
        data = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def _pod(name: str) -> dict[str, Any]:
    metadata = {"name": name, "uid": f"uid-{name}", "namespace": "gatekeeper-system", "resourceVersion": "1"}
    return {"metadata": metadata, "spec": {"nodeName": "w-worker"}, "status": {}}
