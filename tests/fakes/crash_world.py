"""Crash world: a cluster of three control planes in memory, on which every fault can be done, cut off, and undone."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from kubernetes.client import ApiClient, Configuration

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.machine.process import CommandResult
from chaos_harness.clusters.registry.container import Registry
from chaos_harness.clusters.registry.login import Login
from chaos_harness.clusters.shape import Shape
from chaos_harness.harness.faults.control_plane.api_server import _KILL_AND_ASK as KILL_AND_ASK
from tests.fakes.docker import DONE, Container, FakeDockerEngine
from tests.fakes.merging import merge
from tests.fakes.nodes import IMAGE, FakeNodes

__all__ = ["CGROUP", "CONFIG_MAP", "DEPLOYMENT", "CrashWorld", "KilledError"]

DEPLOYMENT = "/apis/apps/v1/namespaces/gatekeeper-system/deployments/gatekeeper-controller-manager"
CONFIG_MAP = "/api/v1/namespaces/n/configmaps/c"
CGROUP = "/sys/fs/cgroup/cpu/pod/cpu.cfs_quota_us"
_SECRET = "/api/v1/namespaces/gatekeeper-system/secrets/gatekeeper-webhook-server-cert"  # noqa: S105 - a path
_PODS = "/api/v1/namespaces/gatekeeper-system/pods"
_TEMPLATES = "/apis/templates.gatekeeper.sh/v1/constrainttemplates"
_WEBHOOKS = "/apis/admissionregistration.k8s.io/v1/"
_DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_DEFINITION = f"{_DEFINITIONS}/chaosdeniedbyrego.constraints.gatekeeper.sh"
_CONSTRAINTS = "/apis/constraints.gatekeeper.sh/v1beta1/chaosdeniedbyrego"
_ESTABLISHED = {"conditions": [{"type": "Established", "status": "True"}]}
_RBAC = "/apis/rbac.authorization.k8s.io/v1"
_ROLE, _BINDING = f"{_RBAC}/clusterroles/r", f"{_RBAC}/clusterrolebindings/b"
_LEASE = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/l"
_REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
_KINDS = {
    _TEMPLATES.rpartition("/")[0]: "ConstraintTemplate",
    _WEBHOOKS.removesuffix("/"): "MutatingWebhookConfiguration",
}
_DATA = {"ca.crt": "Y2E=", "tls.crt": "Y3J0"}
_HELD = "/api/v1/namespaces/n/configmaps/held"
_QUOTAS = "/api/v1/namespaces/n/resourcequotas"
_CORE = [
    {"kind": "ConfigMap", "name": "configmaps"},
    {"kind": "Namespace", "name": "namespaces"},
    {"kind": "ResourceQuota", "name": "resourcequotas"},
]


class KilledError(BaseException):
    """The harness is killed: nothing of it runs any more."""


class _IgnoredError(Exception):
    """A change is not made."""


class CrashWorld(FakeNodes):
    """`left` is how many changes are made until the harness is killed, before the next one or, `late`, just after.

    One that is `lazy` takes every command, says that it is done, and changes nothing.
    """

    def __init__(self) -> None:
        super().__init__()
        self.shape = Shape(control_planes=3, workers=2)
        planes = ["w-control-plane", "w-control-plane2", "w-control-plane3"]
        for number, name in enumerate([*planes, "w-worker", "w-worker2", "w-registry"], start=2):
            files = {CGROUP: "-1"}
            self.containers[name] = Container(name, address=f"10.0.0.{number}", images={IMAGE}, files=files)
        self.objects: dict[str, dict[str, Any]] = {
            DEPLOYMENT: _object("Deployment", DEPLOYMENT, {"spec": {"replicas": 3}}, version="apps/v1"),
            CONFIG_MAP: _object("ConfigMap", CONFIG_MAP, {"data": {"a": "1", "b": "2"}}),
            _SECRET: _object("Secret", _SECRET, {"data": dict(_DATA)}),
        }
        self.objects |= json.loads(json.dumps(_DEFINED))
        for which, kind in (("mutating", "mutation"), ("validating", "validation")):
            path = f"{_WEBHOOKS}{which}webhookconfigurations/gatekeeper-{which}-webhook-configuration"
            webhook = {"name": f"{kind}.gatekeeper.sh", "failurePolicy": "Ignore", "timeoutSeconds": 2}
            webhook["clientConfig"] = {"caBundle": "Y2E="}
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
        engine = FakeDockerEngine(world=self)
        login = Login.make(directory)
        self.header = f'header = "Authorization: {login.authorization}"\n'
        registry = Registry.at(engine, "w-registry", port=1, address="10.0.0.7", gateway="10.0.0.1", login=login)
        return _Cluster("w", self.shape, engine, directory / "none", "w", registry, "run", directory, self)

    def state(self) -> Any:
        """Return all that a fault may harm; pods come and go, and nobody takes a death back."""
        objects = json.loads(json.dumps(self.objects))
        for object_ in objects.values():
            for name in ("uid", "resourceVersion"):  # what is made anew has others
                object_["metadata"].pop(name, None)
        containers = [container.lasting() for container in self.containers.values()]
        return containers, objects

    def stop(self, container: Container) -> None:
        super().stop(container)
        container.files[CGROUP] = "-1"

    @contextmanager
    def changing(self) -> Iterator[None]:
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

    def docker(self, words: list[str], stdin: str | None = None) -> CommandResult:
        """Do what a docker command asks."""
        self.asked += 1
        try:
            return super().docker(words, stdin)
        except _IgnoredError:
            return DONE

    def script(self, container: Container, script: str, words: Sequence[str]) -> CommandResult:
        if script == KILL_AND_ASK:
            with self.changing():
                return DONE
        return super().script(container, script, words)

    def limiting_file(self, container: Container) -> str:
        return CGROUP

    def processes(self, container: Container) -> Mapping[str, dict[str, Any]]:
        labels = {"io.kubernetes.pod.name": "p", "io.kubernetes.pod.uid": "uid"}
        pod = next((pod for pod in self.pods if pod["spec"]["nodeName"] == container.name), None)
        process = {"pid": 7, "running": True, "labels": labels}
        if pod is None:
            etcd = {**process, "pid": 8, "name": "etcd", "uid": ""}
            return {"c": {**process, "name": "kube-apiserver", "uid": ""}, "e": etcd}
        return {"c": {**process, "uid": pod["metadata"]["uid"]}}

    def end_process(self, container: Container, pid: str) -> bool:
        return pid == "7"

    def find(self, path: str) -> dict[str, Any] | None:
        return self.objects.get(path)

    def listed(self, path: str) -> Sequence[dict[str, Any]]:
        return [object_ for at, object_ in self.objects.items() if at.startswith(f"{path}/")]

    def create(self, path: str, made: dict[str, Any]) -> None:
        with self.changing():
            self.objects[path] = made | ({"status": _ESTABLISHED} if path.startswith(_DEFINITIONS) else {})

    def merge(self, path: str, patch: Mapping[str, Any]) -> bool:
        """Merge a patch; a Deployment that is rolled out anew fills the Secret, as Gatekeeper does."""
        before = json.dumps(self.objects[path])
        with self.changing():
            if "template" in patch.get("spec", {}):
                self.objects[_SECRET]["data"] = dict(_DATA)
            else:
                merge(self.objects[path], patch)
            let_go = self._let_go(path)
        return let_go or json.dumps(self.objects[path]) != before

    def delete(self, path: str) -> None:
        with self.changing():
            del self.objects[path]

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
        if path == _REVIEWS:
            return 201, {"status": {"allowed": self._may(body["spec"])}}
        if method == "POST" and path.endswith("/n/pods"):
            quotas = [quota["metadata"]["name"] for quota in self.listed(_QUOTAS)]
            return (403, {"message": f"exceeded quota: {quotas[0]}"}) if quotas else (201, body)
        with self.changing():
            if method == "DELETE":
                self._remove(path)
            elif method == "PATCH" and path not in self.objects:
                self.objects[path] = body
            elif method == "PATCH":
                merge(self.objects[path], body)
                changed = {**self.objects[path], "metadata": {"resourceVersion": "2"}}
                self._let_go(path)
                return 200, changed
            elif path.endswith("/configmaps"):
                self.objects[f"{path}/{body['metadata']['name']}"] = json.loads(json.dumps(body))
                self.objects[f"{path}/{body['metadata']['name']}"]["metadata"]["uid"] = f"made by {self.changes}"
            else:
                self.pods = [pod for pod in self.pods if pod["metadata"]["name"] != path.split("/")[-2]]
        return 200, {}

    def _remove(self, path: str) -> None:
        """Delete an object, with those that it defines; one that is held is marked."""
        if self.objects.get(path, {}).get("metadata", {}).get("finalizers"):
            self.objects[path]["metadata"]["deletionTimestamp"] = "2026-11-28T12:00:00Z"
            return
        self.objects.pop(path, None)
        if path == _DEFINITION:
            self.objects = {at: one for at, one in self.objects.items() if not at.startswith(_CONSTRAINTS)}

    def _let_go(self, path: str) -> bool:
        """Whether an object goes because nothing holds it any more."""
        metadata = self.objects[path]["metadata"]
        gone = "deletionTimestamp" in metadata and not metadata.get("finalizers")
        if gone:
            del self.objects[path]
        return gone

    def _get(self, path: str) -> tuple[int, Any]:
        if path in ("/apis", "/api/v1"):
            return 200, {"groups": [], "resources": _CORE}
        if path in _KINDS:
            return 200, {"resources": [{"kind": _KINDS[path], "name": f"{_KINDS[path].lower()}s"}]}
        if path in (_PODS, "/api/v1/pods", _TEMPLATES):
            templates = [template for at, template in self.objects.items() if at.startswith(f"{_TEMPLATES}/")]
            kind, items = ("Template", templates) if path == _TEMPLATES else ("Pod", self.pods)
            return 200, {
                "apiVersion": "v1",
                "kind": f"{kind}List",
                "metadata": {"resourceVersion": "1"},
                "items": items,
            }
        if path.endswith("webhookconfigurations") or (path in _LISTS and self._serves(path)):
            return 200, {"items": list(self.listed(path))}
        if path.startswith(_PODS):
            return 200, next(pod for pod in self.pods if path.endswith(f"/{pod['metadata']['name']}"))
        nodes_lease = {"spec": {"renewTime": "1"}} if "/kube-node-lease/" in path else None
        object_ = nodes_lease or self.objects.get(path)
        return (200, object_) if object_ else (404, {"message": "not found"})

    def _serves(self, path: str) -> bool:
        return path != _CONSTRAINTS or _DEFINITION in self.objects

    def _may(self, asked: Mapping[str, Any]) -> bool:
        """Whether the one role and its binding let somebody do something."""
        (rule,) = self.objects[_ROLE].get("rules") or [{"verbs": []}]
        subjects = self.objects[_BINDING].get("subjects") or ()
        bound = asked["user"] in [f"system:serviceaccount:{one['namespace']}:{one['name']}" for one in subjects]
        wanted = asked["resourceAttributes"]
        return bound and wanted["verb"] in rule["verbs"] and wanted["resource"] in rule["resources"]

    def _pod(self, name: str) -> dict[str, Any]:
        metadata = {"name": name, "uid": f"uid-{name}", "namespace": "gatekeeper-system", "resourceVersion": "1"}
        status = {"containerID": "containerd://c", "restartCount": 0, "state": {"running": {}}}
        spec = {"nodeName": "w-worker" if name == "a" else "w-worker2"}
        address = "10.244.1.1" if name == "a" else "10.244.2.1"
        return {"metadata": metadata, "spec": spec, "status": {"podIP": address, "containerStatuses": [status]}}


@dataclass(frozen=True)
class _Cluster(Cluster):
    world: CrashWorld = field(default_factory=CrashWorld)

    def client(self, *, connections: int = 4) -> ApiClient:
        return _Api(self.world)


class _Api(ApiClient):
    """An API client whose server is the world, in the thread of who asks, so that he can be killed there."""

    def __init__(self, world: CrashWorld) -> None:
        configuration = Configuration(host="http://w")
        configuration.ssl_ca_cert = str(Path(__file__).with_name("__init__.py"))
        super().__init__(configuration)
        self._world = world
        self.rest_client.pool_manager = cast("Any", _Pool(world))

    def call_api(self, *words: Any, **_: Any) -> Any:
        method, url, _headers, body = words[:4]
        return _Answer(*self._world.serve(method, urlsplit(url).path, body))


class _Pool:
    """The connections of who watches: he gets a list, and then learns that no version is kept."""

    def __init__(self, world: CrashWorld) -> None:
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


_DEFINED = {
    "/api/v1/namespaces/n": {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n"}},
    _HELD: {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "held", "namespace": "n", "uid": "h", "finalizers": ["a/b"], "deletionTimestamp": "now"},
    },
    _DEFINITION: _object(
        "CustomResourceDefinition",
        _DEFINITION,
        {
            "spec": {
                "group": "constraints.gatekeeper.sh",
                "names": {"kind": "ChaosDeniedByRego", "plural": "chaosdeniedbyrego"},
                "versions": [{"name": "v1beta1", "served": True, "storage": True}],
            },
            "status": _ESTABLISHED,
        },
        version="apiextensions.k8s.io/v1",
    ),
    f"{_CONSTRAINTS}/c": _object(
        "ChaosDeniedByRego", f"{_CONSTRAINTS}/c", {"spec": {"a": "b"}}, version="constraints.gatekeeper.sh/v1beta1"
    ),
    _LEASE: _object("Lease", _LEASE, {"spec": {"leaseDurationSeconds": 15}}, version="coordination.k8s.io/v1"),
    _ROLE: _object(
        "ClusterRole",
        _ROLE,
        {"rules": [{"verbs": ["get", "list"], "apiGroups": [""], "resources": ["pods"]}]},
        version="rbac.authorization.k8s.io/v1",
    ),
    _BINDING: _object(
        "ClusterRoleBinding",
        _BINDING,
        {
            "roleRef": {"kind": "ClusterRole", "name": "r"},
            "subjects": [{"kind": "ServiceAccount", "name": "s", "namespace": "n"}],
        },
        version="rbac.authorization.k8s.io/v1",
    ),
}
"""A definition with an object of its kind, a role with its binding, a lease, and what is held while it is deleted."""

_LISTS = (
    DEPLOYMENT.rpartition("/")[0],
    _DEFINITIONS,
    _CONSTRAINTS,
    f"{_RBAC}/clusterrolebindings",
    f"{_RBAC}/rolebindings",
)
