"""World: a small cluster in memory, behind the docker command line and the HTTP API that faults and probes use."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count as counting
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from chaos_harness.clusters.api.leader_election import LEADERS, LEASES
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.machine.process import CommandResult
from chaos_harness.clusters.registry.container import Registry
from chaos_harness.clusters.registry.login import Login
from chaos_harness.clusters.shape import Shape
from tests.fakes.credentials import kubeconfig
from tests.fakes.docker import DONE, Container, FakeDockerEngine
from tests.fakes.nodes import IMAGE, FakeNodes

__all__ = ["IMAGE", "Api", "World", "WorldEngine"]

_PODS = "/api/v1/namespaces/gatekeeper-system/pods"
_DEPLOYMENTS = "/apis/apps/v1/namespaces/gatekeeper-system/deployments"
_SLICES = "/apis/discovery.k8s.io/v1/namespaces/gatekeeper-system/endpointslices"
_CONFIGURATIONS = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
_NUMBERS = "/apis/coordination.k8s.io/v1/namespaces/gatekeeper-system/leases"
_NODES = "/api/v1/nodes"
_EMPTY = _NODES, _PODS.replace("pods", "events"), _CONFIGURATIONS
_VERSION = {"resourceVersion": "1"}
_ADDRESS, _GATEWAY = "10.0.0.254", "10.0.0.1"
_SECRET = "/api/v1/namespaces/gatekeeper-system/secrets/gatekeeper-webhook-server-cert"  # noqa: S105 - a path


class World(FakeNodes):
    """The state of everything; `ignored` are words of commands that are taken and do nothing (a no-op fault)."""

    def __init__(self) -> None:
        super().__init__()
        self.shape = Shape(workers=2)
        self.name = "w"
        self.cordoned: set[str] = set()
        self.pod_containers: dict[str, dict[str, Any]] = {}
        self.pods: dict[str, dict[str, Any]] = {}
        self.objects: dict[str, dict[str, Any]] = {
            _SECRET: {"metadata": {"name": _SECRET.rpartition("/")[2]}, "data": {}}
        }
        self.asked: list[str] = []
        self.numbers: list[dict[str, Any]] = []
        self.patched = 0
        self.ignored: set[str] = set()
        self.uncalled = "failed calling webhook"
        self.leaders, self._looks = set(LEADERS), counting()
        self.policy = "Always"
        self.rolling: dict[str, Any] = {"maxSurge": "25%", "maxUnavailable": "25%"}
        self.rolled: list[dict[str, Any]] = []
        self.on_delete: Callable[[str], None] = lambda _: None
        self.handler: type[Api] = Api
        for name in ("w-control-plane", "w-worker", "w-worker2", "w-registry"):
            self.containers[name] = Container(name, images={IMAGE})

    @property
    def running(self) -> bool:
        """Whether the registry runs."""
        return self.registry.status == "running"

    @running.setter
    def running(self, runs: bool) -> None:
        self.registry.status = "running" if runs else "exited"

    @contextmanager
    def cluster(self, directory: Path) -> Iterator[Cluster]:
        """Give the cluster, with its API served on loopback."""
        server = _Server(("127.0.0.1", 0), self.handler)
        server.world = self
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        host = f"http://127.0.0.1:{server.server_address[1]}"
        credentials = directory / "kubeconfig"
        credentials.write_text(json.dumps(kubeconfig(host)), encoding="utf-8")
        engine = WorldEngine(world=self)
        login = Login.make(directory)
        self.header = f'header = "Authorization: {login.authorization}"\n'
        registry = Registry.at(engine, f"{self.name}-registry", port=1, address=_ADDRESS, gateway=_GATEWAY, login=login)
        cluster = Cluster(self.name, self.shape, engine, credentials, self.name, registry, "run", directory)
        for name in cluster.nodes():
            self.containers.setdefault(name, Container(name, images={IMAGE}))
        try:
            yield cluster
        finally:
            server.shutdown()
            thread.join()
            server.server_close()

    @classmethod
    def inhabited(cls) -> Self:
        """Return a world with a pod "a" on the node "w-worker"."""
        world = cls()
        world.pod("a", "w-worker")
        return world

    def pod(self, name: str, node: str, *, container: str = "c1", owner: str = "set", **fields: Any) -> dict[str, Any]:
        """Put a pod with one running container on a node."""
        self.pod_containers[container] = {"node": node, "uid": f"uid-{name}", "pid": 4711, "running": True}
        status = {"containerID": f"containerd://{container}", "restartCount": 0, "state": {"running": {}}}
        self.pods[name] = {
            "metadata": {
                "name": name,
                "uid": f"uid-{name}",
                "namespace": "gatekeeper-system",
                "resourceVersion": "1",
                "ownerReferences": [{"uid": owner}],
            },
            "spec": {"nodeName": node},
            "status": {"containerStatuses": [status]},
            **fields,
        }
        return self.pods[name]

    def deployment(self) -> dict[str, Any]:
        """Return the one Deployment, rolled out, of all pods."""
        count = len(self.pods)
        counts = {"replicas": count, "updatedReplicas": count, "availableReplicas": count, "observedGeneration": 1}
        template = {"spec": {"containers": [{"name": "manager", "imagePullPolicy": self.policy}]}}
        metadata = {"name": "gatekeeper-controller-manager", "uid": "d", "generation": 1, **_VERSION}
        strategy = {"type": "RollingUpdate", "rollingUpdate": self.rolling}
        spec = {"replicas": count, "strategy": strategy, "template": template}
        return {"metadata": metadata, "spec": spec, "status": counts}

    def leases(self) -> list[dict[str, Any]]:
        """Return the leases of those who lead; who is among `leaders` renews his whenever somebody looks."""
        looks = next(self._looks)
        seconds = {name: looks if name in self.leaders else 0 for name in LEADERS}
        times = {leader: datetime.fromtimestamp(at, UTC).isoformat() for leader, at in seconds.items()}
        specs = {name: {"holderIdentity": f"{self.name}_1", "renewTime": at} for name, at in times.items()}
        return [
            {"metadata": {"name": leader, "resourceVersion": str(looks)}, "spec": specs[leader]} for leader in specs
        ]

    def slice(self) -> dict[str, Any]:
        """Return the EndpointSlice with all pods ready."""
        endpoints = [
            {
                "addresses": ["10.0.0.9"],
                "conditions": {"ready": True},
                "targetRef": {"name": name, "uid": f"uid-{name}"},
            }
            for name in self.pods
        ]
        return {"metadata": {"name": "s", "uid": "s", **_VERSION}, "ports": [{"port": 8443}], "endpoints": endpoints}

    def roll_out(self, template: dict[str, Any] | None = None, strategy: dict[str, Any] | None = None) -> None:
        """Change how the Deployment is rolled out, or give all pods a changed template, in the way of now."""
        if strategy:
            self.rolling = self.rolling | strategy["rollingUpdate"]
        if template is None:
            return
        self.rolled.append(self.rolling)
        for container in template.get("spec", {}).get("containers", ()):
            self.policy = container["imagePullPolicy"]
        for pod in self.pods.values():
            pod["metadata"]["annotations"] = template["metadata"]["annotations"]

    def docker(self, words: list[str], stdin: str | None = None) -> CommandResult:
        """Do what a docker command asks."""
        self.asked.append(" ".join(words))
        if self.ignored & set(words):
            return DONE
        return super().docker(words, stdin)

    def find(self, path: str) -> dict[str, Any] | None:
        """Return a node, the one Deployment, or what was made meanwhile."""
        name = path.rpartition("/")[2]
        if path.startswith(f"{_NODES}/"):
            return {"metadata": {"name": name}} if name in self.containers and name != "w-registry" else None
        if path == f"{_DEPLOYMENTS}/gatekeeper-controller-manager":
            return self.deployment()
        return self.objects.get(path)

    def listed(self, path: str) -> Sequence[dict[str, Any]]:
        return [object_ for at, object_ in self.objects.items() if at.rpartition("/")[0] == path]

    def create(self, path: str, made: dict[str, Any]) -> None:
        self.objects[path] = made

    def merge(self, path: str, patch: Mapping[str, Any]) -> bool:
        """Cordon a node or open it, roll out the Deployment, or take what was changed of another object."""
        name = path.rpartition("/")[2]
        if path.startswith(f"{_NODES}/"):
            closed = bool(patch["spec"]["unschedulable"])
            change = closed != (name in self.cordoned)
            (self.cordoned.add if closed else self.cordoned.discard)(name)
            return change
        if path.startswith(_DEPLOYMENTS):
            self.roll_out(**patch["spec"])
        return bool(patch)

    def delete(self, path: str) -> None:
        del self.objects[path]

    def processes(self, container: Container) -> Mapping[str, dict[str, Any]]:
        return {id_: process for id_, process in self.pod_containers.items() if process["node"] == container.name}

    def end_process(self, container: Container, pid: str) -> bool:
        """End the containers of that process, which their pods tell."""
        ended = [process for process in self.processes(container).values() if str(process["pid"]) == pid]
        for process in ended:
            process["running"] = False
        for pod in self.pods.values():
            if ended and pod["spec"]["nodeName"] == container.name:
                pod["status"]["containerStatuses"][0]["state"] = {"waiting": {"reason": "ErrImagePull"}}
        return bool(ended)


class WorldEngine(FakeDockerEngine):
    """The docker command line of a world."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    world: World


class Api(BaseHTTPRequestHandler):
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name in the base class
        """Say nothing."""

    def do_GET(self) -> None:
        url, world = urlsplit(self.path), self.server.world
        query = parse_qs(url.query)
        if "watch" in query:
            self.answer(410, {"message": "no version is kept: who watches lists again"})
        elif url.path in (_PODS, _DEPLOYMENTS, _SLICES, LEASES, _NUMBERS, *_EMPTY):
            items = {_PODS: list(world.pods.values()), _DEPLOYMENTS: [world.deployment()], _SLICES: [world.slice()]}
            items |= {LEASES: world.leases(), _NUMBERS: world.numbers}
            listed = {"apiVersion": "v1", "kind": "List", "metadata": _VERSION, "items": items.get(url.path, [])}
            self.answer(200, listed)
        elif url.path == f"{_DEPLOYMENTS}/{world.deployment()['metadata']['name']}":
            self.answer(200, world.deployment())
        elif url.path.startswith("/api/v1/nodes/"):
            self.answer(200, {"spec": {"unschedulable": url.path.rpartition("/")[2] in world.cordoned}})
        else:
            pod = world.pods.get(url.path.rpartition("/")[2])
            self.answer(200 if pod else 404, pod or {"message": "not found"})

    def do_PATCH(self) -> None:
        patch = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.world.patched += 1
        if self.path.startswith(_NUMBERS):
            version = {"uid": "uid-number", "resourceVersion": str(patch["spec"]["leaseTransitions"])}
            self.server.world.numbers = [{**patch, "metadata": {**patch["metadata"], **version}}]
        elif self.path.startswith(f"{_DEPLOYMENTS}/{self.server.world.deployment()['metadata']['name']}"):
            self.server.world.roll_out(**patch["spec"])
        else:
            self.answer(404, {"message": f"not found: {self.path}"})
            return
        self.answer(200, {})

    def do_DELETE(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        place, _, name = urlsplit(self.path).path.rpartition("/")
        if place == _PODS and name in self.server.world.pods:
            self.server.world.on_delete(name)
        elif place != _NUMBERS:
            self.answer(404, {"message": f"not found: {self.path}"})
            return
        self.answer(200, {})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        denies = self.server.world.denies
        if "/proxy/" in self.path:
            self.answer(200, {"response": {"allowed": not denies}})
        elif urlsplit(self.path).path != "/api/v1/namespaces":
            self.answer(404, {"message": f"not found: {self.path}"})
        elif denies:
            said = 'admission webhook "check-ignore-label.gatekeeper.sh" denied the request'
            self.answer(403, {"message": said})
        else:
            self.answer(500, {"message": self.server.world.uncalled})

    def answer(self, status: int, body: Any) -> None:
        data = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
