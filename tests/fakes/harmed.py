"""Harmed: a cluster of three control planes in memory, on which every fault can be done, cut off, and undone."""

import copy
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from kubernetes.client import ApiClient, Configuration

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine, HostQuirks
from chaos_harness.clusters.errors import CommandFailed
from chaos_harness.clusters.machine.process import Completed
from chaos_harness.clusters.registry.container import Registry
from chaos_harness.clusters.registry.login import Login
from chaos_harness.clusters.shape import Shape
from tests.fakes.world import IMAGE

__all__ = ["CGROUP", "CONFIG_MAP", "DEPLOYMENT", "Harmed", "KilledError"]

DEPLOYMENT = "/apis/apps/v1/namespaces/gatekeeper-system/deployments/gatekeeper-controller-manager"
CONFIG_MAP = "/api/v1/namespaces/n/configmaps/c"
CGROUP = "/sys/fs/cgroup/cpu/pod/cpu.cfs_quota_us"
_SECRET = "/api/v1/namespaces/gatekeeper-system/secrets/gatekeeper-webhook-server-cert"  # noqa: S105 - a path
_PODS = "/api/v1/namespaces/gatekeeper-system/pods"
_TEMPLATES = "/apis/templates.gatekeeper.sh/v1/constrainttemplates"
_WEBHOOKS = "/apis/admissionregistration.k8s.io/v1/"
_DATA = {"ca.crt": "Y2E=", "tls.crt": "Y3J0"}
_KINDS = {"deployments": "Deployment"}
_CORE = [{"kind": "ConfigMap", "name": "configmaps"}, {"kind": "Namespace", "name": "namespaces"}]
_DONE = Completed("", "", 0)


class KilledError(BaseException):
    """The harness is killed: nothing of it runs any more."""


class _IgnoredError(Exception):
    """A change is not made."""


class Harmed:
    """`left` is how many changes are made until the harness is killed, before the next one or, `late`, just after.

    One that is `lazy` takes every command, says that it is done, and changes nothing.
    """

    def __init__(self) -> None:
        self.shape = Shape(control_planes=3, workers=2)
        planes = ["w-control-plane", "w-control-plane2", "w-control-plane3"]
        self.containers: dict[str, dict[str, Any]] = {
            name: {
                "status": "running",
                "address": f"10.0.0.{number}",
                "files": [],
                "rules": [],
                "images": [IMAGE],
                "limits": {CGROUP: "-1"},
            }
            for number, name in enumerate([*planes, "w-worker", "w-worker2", "w-registry"], start=2)
        }
        self.objects: dict[str, dict[str, Any]] = {
            DEPLOYMENT: _object("Deployment", DEPLOYMENT, {"spec": {"replicas": 3}}, version="apps/v1"),
            CONFIG_MAP: _object("ConfigMap", CONFIG_MAP, {"data": {"a": "1", "b": "2"}}),
            _SECRET: _object("Secret", _SECRET, {"data": dict(_DATA)}),
        }
        for which, kind in (("mutating", "mutation"), ("validating", "validation")):
            path = f"{_WEBHOOKS}{which}webhookconfigurations/gatekeeper-{which}-webhook-configuration"
            webhook = {"name": f"{kind}.gatekeeper.sh", "failurePolicy": "Ignore", "timeoutSeconds": 2}
            self.objects[path] = _object(f"{which}webhookconfiguration", path, {"webhooks": [webhook]})
        for name in (node for node in self.containers if node != "w-registry"):
            path = f"/api/v1/nodes/{name}"
            self.objects[path] = _object("Node", path, {"spec": {"podCIDR": "10.244.1.0/24"}})
        self.pods = [self._pod(name) for name in ("a", "b")]
        self.changes = 0
        self.left: int | None = None
        self.late = self.dead = self.lazy = False
        self.asked = 0

    def cluster(self, directory: Path) -> Cluster:
        """Return the cluster, which needs nothing of the directory."""
        engine = _Engine(world=self)
        login = Login.make(directory)
        registry = Registry.at(engine, "w-registry", port=1, address="10.0.0.7", gateway="10.0.0.1", login=login)
        return _Cluster("w", self.shape, engine, directory / "none", "w", registry, "run", directory, self)

    def state(self) -> Any:
        """Return all that a fault may harm; pods come and go, and nobody takes a death back."""
        objects = copy.deepcopy(self.objects)
        for object_ in objects.values():
            object_["metadata"].pop("uid", None)  # what is made anew has another one
        return copy.deepcopy(self.containers), objects

    def stop(self, name: str) -> None:
        """Stop a container: what was in the kernel is gone, what was in files is not."""
        self.containers[name] |= {"status": "exited", "rules": [], "limits": {CGROUP: "-1"}}

    def start(self, name: str) -> None:
        self.containers[name]["status"] = "running"

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Make a change, if the harness lives to see it."""
        if self.lazy:
            raise _IgnoredError
        if self.dead or (self.left == 0 and not self.late):
            self.dead = True
            raise KilledError
        yield
        self.changes += 1
        if self.left == 0:
            self.dead = True
            raise KilledError
        if self.left is not None:
            self.left -= 1

    def docker(self, words: list[str], stdin: str | None) -> Completed:
        """Do what a docker command asks."""
        self.asked += 1
        try:
            return self._docker(words, stdin)
        except _IgnoredError:
            return _DONE

    def _docker(self, words: list[str], stdin: str | None) -> Completed:
        verb, name = words[0], words[-1]
        if verb == "exec":
            words = [word for word in words if word != "--interactive"]
            return self._exec(words[1], words[2:], stdin)
        container = self.containers.get(name)
        if container is None:
            return Completed("", f"Error response from daemon: No such container: {name}", 1)
        if verb == "inspect" and "--format" in words:
            return Completed(container["status"], "", 0)
        if verb == "inspect":
            return Completed(json.dumps([self._inspected(container)]), "", 0)
        return self._do(words, name, container)

    def _do(self, words: list[str], name: str, container: dict[str, Any]) -> Completed:
        verb = words[0]
        if verb == "unpause" and container["status"] != "paused":
            return Completed("", f"Error response from daemon: Container {name} is not paused", 1)
        with self._changing():
            if verb in ("stop", "kill", "restart"):
                self.stop(name)
            elif verb in ("pause", "unpause"):
                container["status"] = "paused" if verb == "pause" else "running"
            elif verb == "start":
                self.start(name)
            elif words[:2] == ["network", "connect"]:
                container["address"] = words[words.index("--ip") + 1]
            else:
                container["address"] = ""
        if verb == "restart":
            with self._changing():
                self.start(name)
        return _DONE

    def _exec(self, name: str, argv: list[str], stdin: str | None) -> Completed:
        argv = argv[3:] if argv[0] == "timeout" else argv
        container = self.containers.get(name)
        if container is None:
            return Completed("", f"Error response from daemon: No such container: {name}", 1)
        if container["status"] != "running":
            what = "is not running" if container["status"] == "exited" else "is paused"
            return Completed("", f"Error response from daemon: Container {name} {what}", 1)
        if argv[0] == "kubectl":
            return self._kubectl(argv[3:], stdin)
        if argv[0] == "crictl":
            return self._crictl(container, argv)
        return self._shell(container, argv)

    def _shell(self, container: dict[str, Any], argv: list[str]) -> Completed:
        if argv[:2] == ["bash", "-c"] and argv[3] == "limit":
            return Completed(f"{CGROUP}\n{container['limits'][CGROUP]}\n", "", 0)
        if argv[0] == "cat":
            return Completed(container["limits"][argv[1]], "", 0)
        if argv[0] == "curl":
            return Completed("200", "", 0)
        if argv[0] == "iptables" and argv[3] == "-nvxL":
            return Completed("".join(f"7 420 {' '.join(rule)}\n" for rule in container["rules"]), "", 0)
        if argv[0] == "iptables" and argv[3] == "-D" and argv[4:] not in container["rules"]:
            return Completed("", "iptables: Bad rule (does a matching rule exist in that chain?).", 1)
        with self._changing():
            if argv[0] == "iptables":
                (container["rules"].append if argv[3] == "-I" else container["rules"].remove)(argv[4:])
            elif argv[0] == "touch":
                container["files"] = [argv[-1]]
            elif argv[0] == "rm":
                container["files"] = []
            elif argv[:2] == ["bash", "-c"] and argv[3] == "write":
                container["limits"][argv[4]] = argv[5]
        return _DONE

    def _crictl(self, container: dict[str, Any], argv: list[str]) -> Completed:
        if argv[1] == "images":
            return Completed(json.dumps({"images": [{"repoTags": container["images"]}]}), "", 0)
        if argv[1] == "inspecti":
            return Completed("", "", int(argv[-1] not in container["images"]))
        if argv[1] == "ps":
            return Completed(json.dumps({"containers": [{"id": "c", "metadata": {"attempt": 0}}]}), "", 0)
        if argv[1] == "inspect":
            running = {"status": {"state": "CONTAINER_RUNNING"}, "info": {"pid": 7}}
            return Completed(json.dumps(running), "", 0)
        with self._changing():
            container["images"] = [argv[-1]] if argv[1] == "pull" else []
        return _DONE

    def _kubectl(self, argv: list[str], stdin: str | None) -> Completed:
        if argv[:2] == ["--namespace", "gatekeeper-system"]:
            argv = argv[2:]
        if argv[0] == "get":
            return Completed(json.dumps(self.objects[_SECRET]), "", 0)
        if argv[0] == "create" and self._named("Node", json.loads(stdin or "")["metadata"]["name"]):
            return Completed("", "Error from server (AlreadyExists): nodes exists", 1)
        with self._changing():
            if argv[0] == "create":
                node = json.loads(stdin or "")
                self.objects[f"/api/v1/nodes/{node['metadata']['name']}"] = node
            elif argv[0] == "rollout":
                self.objects[_SECRET]["data"] = dict(_DATA)
            elif argv[0] in ("cordon", "uncordon"):
                self._named("Node", argv[1])[0]["spec"].update(unschedulable=True)
                if argv[0] == "uncordon":
                    self._named("Node", argv[1])[0]["spec"].pop("unschedulable")
            elif argv[0] == "patch":
                kind = _KINDS.get(resource := argv[1].partition(".")[0], resource)
                _merge(self._named(kind, argv[2])[0], json.loads(argv[-1]))
            elif argv[0] == "delete":
                doomed = _TEMPLATES if argv[1] == "constrainttemplates" else f"/api/v1/namespaces/{argv[2]}"
                self.objects = {path: object_ for path, object_ in self.objects.items() if not path.startswith(doomed)}
        return _DONE

    def serve(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        """Answer a request to the API server."""
        self.asked += 1
        try:
            return self._serve(method, path, body)
        except _IgnoredError:
            return 200, {"metadata": {"resourceVersion": "2"}}

    def _serve(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        if method == "GET":
            return self._get(path)
        if path == "/api/v1/namespaces":
            return 403, {"message": "denied"}
        with self._changing():
            if method == "DELETE":
                self.objects.pop(path, None)
            elif method == "PATCH" and path not in self.objects:
                self.objects[path] = body
            elif method == "PATCH":
                _merge(self.objects[path], body)
                return 200, {**self.objects[path], "metadata": {"resourceVersion": "2"}}
            else:
                self.pods = [pod for pod in self.pods if pod["metadata"]["name"] != path.split("/")[-2]]
        return 200, {}

    def _get(self, path: str) -> tuple[int, Any]:
        if path in ("/apis", "/api/v1"):
            return 200, {"groups": [], "resources": _CORE}
        if path == _TEMPLATES.rpartition("/")[0]:
            return 200, {"resources": [{"kind": "ConstraintTemplate", "name": "constrainttemplates"}]}
        if path in (_PODS, "/api/v1/pods", _TEMPLATES):
            templates = [template for at, template in self.objects.items() if at.startswith(f"{_TEMPLATES}/")]
            kind, items = ("Template", templates) if path == _TEMPLATES else ("Pod", self.pods)
            return 200, {
                "apiVersion": "v1",
                "kind": f"{kind}List",
                "metadata": {"resourceVersion": "1"},
                "items": items,
            }
        if path.startswith(_PODS):
            return 200, next(pod for pod in self.pods if path.endswith(f"/{pod['metadata']['name']}"))
        if "/leases/" in path:
            return 200, {"spec": {"renewTime": "1"}}
        object_ = copy.deepcopy(self.objects.get(path))
        return (200, object_) if object_ else (404, {"message": "not found"})

    def _named(self, kind: str, name: str) -> list[dict[str, Any]]:
        of_kind = (object_ for object_ in self.objects.values() if object_["kind"] == kind)
        return [object_ for object_ in of_kind if object_["metadata"]["name"] == name]

    def _inspected(self, container: Mapping[str, Any]) -> dict[str, Any]:
        network = {"IPAddress": container["address"] if container["status"] != "exited" else "", "IPAMConfig": None}
        state = {"Status": container["status"], "StartedAt": "1"}
        return {"State": state, "NetworkSettings": {"Networks": {"w": network}}}

    def _pod(self, name: str) -> dict[str, Any]:
        metadata = {"name": name, "uid": f"uid-{name}", "namespace": "gatekeeper-system", "resourceVersion": "1"}
        status = {"containerID": "containerd://c", "restartCount": 0, "state": {"running": {}}}
        spec = {"nodeName": "w-worker" if name == "a" else "w-worker2"}
        return {"metadata": metadata, "spec": spec, "status": {"containerStatuses": [status]}}


@dataclass(frozen=True)
class _Engine(Engine):
    host: str = "unix:///nowhere/docker.sock"
    private: bool = True
    version: str = "20.10.24"
    quirks: HostQuirks = field(default_factory=HostQuirks)
    cli: str = "docker"
    world: Harmed = field(default_factory=Harmed)

    def run(
        self, argv: Sequence[str | Path], deadline: Deadline, *, check: bool = True, stdin: Any = None, **_: Any
    ) -> Completed:
        done = self.world.docker([str(word) for word in argv], stdin)
        if check and done.returncode:
            raise CommandFailed(f"`docker {' '.join(map(str, argv))}`: {done.stderr}")
        return done


@dataclass(frozen=True)
class _Cluster(Cluster):
    world: Harmed = field(default_factory=Harmed)

    def client(self, *, connections: int = 4) -> ApiClient:
        return _Api(self.world)


class _Api(ApiClient):
    """An API client whose server is the world, in the thread of who asks, so that he can be killed there."""

    def __init__(self, world: Harmed) -> None:
        super().__init__(Configuration(host="http://w"))
        self._world = world
        self.rest_client.pool_manager = cast("Any", _Pool(world))

    def call_api(self, *words: Any, **_: Any) -> Any:
        method, url, _headers, body = words[:4]
        return _Answer(*self._world.serve(method, urlsplit(url).path, body))


class _Pool:
    """The connections of who watches: he gets a list, and then learns that no version is kept."""

    def __init__(self, world: Harmed) -> None:
        self._world = world

    def request(self, method: str, url: str, **_: Any) -> "_Answer":
        path, query = urlsplit(url).path, urlsplit(url).query
        return _Answer(410, {}) if "watch" in query else _Answer(*self._world.serve(method, path, None))

    def clear(self) -> None:
        """Do nothing."""


class _Answer:
    """What the client reads of an answer."""

    reason = ""

    def __init__(self, status: int, body: Any) -> None:
        self.status = status
        self.headers: dict[str, str] = {}
        self.data = json.dumps(body).encode()

    def read(self, _length: int = 0) -> bytes:
        return self.data

    def __iter__(self) -> Iterator[bytes]:
        return iter([self.data])

    def close(self) -> None:
        """Do nothing."""

    shutdown = close

    def getheaders(self) -> dict[str, str]:
        return self.headers


def _object(kind: str, path: str, fields: Mapping[str, Any], version: str = "v1") -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": path.rpartition("/")[2], "uid": path, "labels": {"l": "m"}}
    if "/namespaces/" in path:
        metadata["namespace"] = path.split("/namespaces/")[1].partition("/")[0]
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **fields}


def _merge(target: dict[str, Any], patch: Mapping[str, Any]) -> None:
    """Merge as an API server does, in place; webhooks by their names."""
    for name, value in patch.items():
        if name == "webhooks":
            _merge(target[name][0], value[0])
            continue
        if value is None:
            target.pop(name, None)
        elif isinstance(value, Mapping):
            target[name] = target.get(name) if isinstance(target.get(name), dict) else {}
            _merge(target[name], value)
        else:
            target[name] = value
