"""World: a small cluster in memory, behind the docker command line and the HTTP API that faults and probes use."""

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count as counting
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import parse_qs, urlsplit

from chaos_harness.clusters.api.leader_election import LEADERS, LEASES
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine, HostQuirks
from chaos_harness.clusters.errors import CommandFailed
from chaos_harness.clusters.machine.process import Completed
from chaos_harness.clusters.registry.container import Registry
from chaos_harness.clusters.registry.login import Login
from chaos_harness.clusters.shape import Shape
from tests.fakes.credentials import kubeconfig

__all__ = ["IMAGE", "Api", "World", "WorldEngine"]

IMAGE = "docker.io/openpolicyagent/gatekeeper:v3.23.1"
_PODS = "/api/v1/namespaces/gatekeeper-system/pods"
_DEPLOYMENTS = "/apis/apps/v1/namespaces/gatekeeper-system/deployments"
_SLICES = "/apis/discovery.k8s.io/v1/namespaces/gatekeeper-system/endpointslices"
_NUMBERS = "/apis/coordination.k8s.io/v1/namespaces/gatekeeper-system/leases"
_EMPTY = "/api/v1/nodes", _PODS.replace("pods", "events")
_VERSION = {"resourceVersion": "1"}
_ADDRESS, _GATEWAY = "10.0.0.254", "10.0.0.1"
_DONE = Completed("", "", 0)


class World:
    """The state of everything; `ignored` are words of commands that are taken and do nothing (a no-op fault)."""

    def __init__(self) -> None:
        self.shape = Shape(workers=2)
        self.name = "w"
        self.running = True
        self.down = False
        self.gone: set[str] = set()
        self.paused: set[str] = set()
        self.rules: dict[str, list[tuple[str, int]]] = {}
        self.images: dict[str, set[str]] = {}
        self.cordoned: set[str] = set()
        self.containers: dict[str, dict[str, Any]] = {}
        self.pods: dict[str, dict[str, Any]] = {}
        self.log: list[str] = []
        self.asked: list[str] = []
        self.numbers: list[dict[str, Any]] = []
        self.patched = 0
        self.clock: Callable[[], str] = lambda: ""
        self.ignored: set[str] = set()
        self.denies = True
        self.uncalled = "failed calling webhook"
        self.leaders, self._looks = set(LEADERS), counting()
        self.policy = "Always"
        self.on_delete: Callable[[str], None] = lambda _: None
        self.handler: type[Api] = Api

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
        registry = Registry.at(engine, f"{self.name}-registry", port=1, address=_ADDRESS, gateway=_GATEWAY, login=login)
        try:
            yield Cluster(self.name, self.shape, engine, credentials, self.name, registry, "run", directory)
        finally:
            server.shutdown()
            thread.join()
            server.server_close()

    def pod(self, name: str, node: str, *, container: str = "c1", owner: str = "set", **fields: Any) -> dict[str, Any]:
        """Put a pod with one running container on a node."""
        self.containers[container] = {"node": node, "uid": f"uid-{name}", "pid": 4711, "running": True}
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
        return {"metadata": metadata, "spec": {"replicas": count, "template": template}, "status": counts}

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

    def roll_out(self, template: dict[str, Any]) -> None:
        """Give all pods a changed template."""
        for container in template.get("spec", {}).get("containers", ()):
            self.policy = container["imagePullPolicy"]
        for pod in self.pods.values():
            pod["metadata"]["annotations"] = template["metadata"]["annotations"]

    def answer(self, words: list[str]) -> Completed:
        """Do what a docker command asks."""
        self.asked.append(" ".join(words))
        if self.ignored & set(words):
            return _DONE
        verb, target = words[0], words[-1]
        if verb == "exec":
            return self._exec(words[2], words[3:]) if words[1] == "--interactive" else self._exec(words[1], words[2:])
        if target in self.gone:
            return Completed("", f"Error: No such container: {target}", 1)
        if verb in ("stop", "start"):
            self.running = verb == "start"
        if verb == "inspect":
            return Completed("running" if self.running else "exited", "", 0)
        if verb == "logs":
            return Completed("\n".join(self.log), "", 0)
        return _DONE

    def _exec(self, container: str, argv: list[str]) -> Completed:
        if argv[0] == "timeout":
            argv = argv[3:]
        if container in self.gone:
            return Completed("", f"Error: No such container: {container}", 1)
        if container in self.paused:
            return Completed("", f"Error response from daemon: Container {container} is paused", 1)
        if container.endswith("-registry"):
            if not self.running:
                return Completed("", f"Error response from daemon: Container {container} is not running", 1)
            self.down = argv[0] == "touch"
            return _DONE
        if "boot_id" in argv[-1]:
            return Completed(self.clock(), "", 0)
        commands = {"curl": self._curl, "iptables": self._iptables, "crictl": self._crictl, "kubectl": self._kubectl}
        return commands.get(argv[0], self._kill)(container, argv)

    def _curl(self, node: str, argv: list[str]) -> Completed:
        if argv[-1].startswith("https"):
            return Completed(json.dumps({"response": {"allowed": not self.denies}}), "", 0)
        rules = self.rules.get(node, [])
        if rules:
            self.rules[node] = [(rule, count + 3) for rule, count in rules]
            return Completed("000", "curl: (28) Connection timed out", 28)
        if not self.running:
            return Completed("000", "curl: (7) No route to host", 7)
        status = 503 if self.down else 200
        now = datetime.now(UTC).isoformat()
        self.log.append(f'{now} 10.0.0.2 - - [now] "GET /v2/ HTTP/1.1" {status} 0 "" "curl"')
        return Completed(str(status), "", 0)

    def _iptables(self, node: str, argv: list[str]) -> Completed:
        verb, rule = argv[3], " ".join(argv[4:])
        rules = self.rules.setdefault(node, [])
        if verb == "-I":
            rules.insert(0, (rule, 0))
        elif verb == "-D":
            matching = next((entry for entry in rules if entry[0] == rule), None)
            if matching is None:
                return Completed("", "iptables: Bad rule (does a matching rule exist in that chain?).", 1)
            rules.remove(matching)
        return Completed("\n".join(f"{count} 180 DROP {rule}" for rule, count in rules), "", 0)

    def _crictl(self, node: str, argv: list[str]) -> Completed:
        images, last = self.images.setdefault(node, {IMAGE}), argv[-1]
        if argv[1] == "images":
            return Completed(json.dumps({"images": [{"repoTags": sorted(images)}]}), "", 0)
        if argv[1] == "rmi":
            images.discard(last)
        if argv[1] == "inspecti":
            return Completed("", "", 0 if last in images else 1)
        if argv[1] == "pull":
            if not self.running or self.down:
                return Completed("", "failed to pull", 1)
            images.add(last)
        if argv[1] == "ps":
            uid = last.rpartition("=")[2]
            ids = [
                name for name, container in self.containers.items() if container["uid"] == uid and container["running"]
            ]
            return Completed(json.dumps({"containers": [{"id": name} for name in ids]}), "", 0)
        if argv[1] == "inspect":
            container = self.containers[last]
            state = "CONTAINER_RUNNING" if container["running"] else "CONTAINER_EXITED"
            inspected = {"status": {"state": state, "exitCode": 137}, "info": {"pid": container["pid"]}}
            return Completed(json.dumps(inspected), "", 0)
        return _DONE

    def _kubectl(self, _node: str, argv: list[str]) -> Completed:
        (self.cordoned.add if argv[-2] == "cordon" else self.cordoned.discard)(argv[-1])
        return _DONE

    def _kill(self, node: str, argv: list[str]) -> Completed:
        for container in self.containers.values():
            if container["node"] == node and str(container["pid"]) in argv:
                container["running"] = False
        for pod in self.pods.values():
            if pod["spec"]["nodeName"] == node:
                pod["status"]["containerStatuses"][0]["state"] = {"waiting": {"reason": "ErrImagePull"}}
        return _DONE


@dataclass(frozen=True)
class WorldEngine(Engine):
    """The docker command line of a world."""

    host: str = "unix:///nowhere/docker.sock"
    private: bool = True
    version: str = "20.10.24"
    quirks: HostQuirks = field(default_factory=HostQuirks)
    cli: str = "docker"
    world: World = field(default_factory=World)

    def run(self, argv: Sequence[str | Path], deadline: Deadline, *, check: bool = True, **_: Any) -> Completed:
        """Answer as docker would."""
        done = self.world.answer([str(word) for word in argv])
        if check and done.returncode:
            raise CommandFailed(f"`docker {' '.join(map(str, argv))}`: {done.stderr}")
        return done

    def talk(self, argv: Sequence[str], deadline: Deadline) -> NoReturn:
        """Refuse: nothing runs on in a world."""
        raise CommandFailed(f"`docker {' '.join(argv)}`: there is no such program")


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
        else:
            self.server.world.roll_out(patch["spec"]["template"])
        self.answer(200, {})

    def do_DELETE(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if not self.path.startswith(_NUMBERS):
            self.server.world.on_delete(urlsplit(self.path).path.rpartition("/")[2])
        self.answer(200, {})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        denies = self.server.world.denies
        if "/proxy/" in self.path:
            self.answer(200, {"response": {"allowed": not denies}})
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
