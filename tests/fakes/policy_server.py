"""Policy server: an API server in memory that takes objects and enforces the harness's policies as Gatekeeper would."""

import json
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.machine.process import CommandResult
from chaos_harness.harness.policies import LEVEL
from tests.fakes.credentials import kubeconfig
from tests.fakes.served import served
from tests.fakes.world import World, WorldEngine

__all__ = ["PolicyServer"]

Object = dict[str, Any]

_PODS = "/api/v1/namespaces/gatekeeper-system/pods"
_KINDS = {
    "Namespace": "namespaces",
    "ServiceAccount": "serviceaccounts",
    "Assign": "assign",
    "ConstraintTemplate": "constrainttemplates",
    "ChaosDeniedByRego": "chaosdeniedbyrego",
    "ChaosDeniedByCel": "chaosdeniedbycel",
    "ConstraintPodStatus": "constraintpodstatuses",
    "ConstraintTemplatePodStatus": "constrainttemplatepodstatuses",
    "MutatorPodStatus": "mutatorpodstatuses",
    "ConfigPodStatus": "configpodstatuses",
    "Pod": "pods",
    "Deployment": "deployments",
    "StatefulSet": "statefulsets",
    "DaemonSet": "daemonsets",
}
_LISTS = {*_KINDS.values(), "validatingadmissionpolicybindings"}
_WORKLOAD = ("pods", "deployments", "statefulsets", "daemonsets")
_LATE = {
    "metadata": {"name": "late", "uid": "late", "resourceVersion": "1"},
    "status": {"containerStatuses": [{"state": {"waiting": {"reason": "ImagePullBackOff"}}}]},
}
_WEBHOOK = 'admission webhook "validation.gatekeeper.sh" denied the request'
_POLICY = "ValidatingAdmissionPolicy 'gatekeeper-x' with binding 'gatekeeper-chaos-cel-vap' denied request: no"
_FORBIDDEN = 'admission webhook "check-ignore-label.gatekeeper.sh" denied the request'


def _served(kind: str, plural: str) -> Object:
    return {"kind": kind, "name": plural, "namespaced": kind == "ServiceAccount"}


class PolicyServer:
    """What was applied, by its URL; `replicas` are the webhook pods that say they enforce it.

    `refused` are names of objects that are refused, with what is said of them, `broken` of those that replicas tell
    errors of. `answers` may answer creations in the place of the policies; every dry run of a delete is denied.
    `workload` is in the namespace n, with a pod that waits for its image.
    """

    def __init__(self) -> None:
        self.objects: dict[str, Object] = {}
        self.replicas = ["a", "b"]
        self.refused: dict[str, str] = {}
        self.broken: dict[str, str] = {}
        self.behind: set[str] = set()
        self.ran: list[str] = []
        self.answers: Callable[[str, Object], tuple[int, Object] | None] = lambda *_: None
        self.lax: set[str] = set()
        self.workload: list[Object] = []

    @contextmanager
    def cluster(self, directory: Path) -> Iterator[Cluster]:
        """Give the cluster, with its API served on loopback; what `kubectl` deletes is remembered in `ran`."""
        path, world = directory / "kubeconfig", _World(self)
        engine = WorldEngine(world=world)
        with served(self) as host:
            path.write_text(json.dumps(kubeconfig(host)), encoding="utf-8")
            yield Cluster("w", world.shape, engine, path, "w", None, "run", directory)

    def answer(self, verb: str, path: str, body: Any, query: str) -> tuple[int, Any]:
        """Answer one request."""
        if verb == "PATCH":
            return self.apply(path, body)
        if "/proxy/v1/" in path:
            return 200, {"response": self.review(path, body["request"])}
        if verb in ("POST", "DELETE") and "dryRun" in query:
            return self.create(path, body) if verb == "POST" else (403, {"message": f"{_WEBHOOK}: no"})
        discovers, last = path.count("/") in (2, 3), path.rpartition("/")[2]
        if verb != "GET" or not (discovers or last in _LISTS):
            return 404, {"message": f"{verb} {path}: unknown to the fake"}
        if discovers:
            return 200, {"resources": [_served(*served) for served in _KINDS.items()]}
        metadata = {"resourceVersion": "1"}
        return 200, {"apiVersion": "v1", "kind": "List", "metadata": metadata, "items": self.listed(path)}

    def review(self, path: str, asked: Object) -> Object:
        """Answer for a webhook pod, named in the path: one that is `lax` has neither mutators nor templates."""
        pod, endpoint = path.split(":")[1], path.rpartition("/")[2]
        labels = asked["object"]["metadata"].get("labels") or {}
        names = set() if pod in self.lax else {object_["metadata"]["name"] for object_ in self.objects.values()}
        if endpoint == "admitlabel":
            return {"allowed": False}
        if endpoint == "admit":
            denied = "chaos-harness/violates" in labels and f"chaos-{labels['chaos-harness/asks']}" in names
            return {"allowed": not denied}
        kind = "templates" if asked["resource"]["resource"] == "deployments" else "pods"
        level = {"seLinuxOptions": {"level": LEVEL}}
        where = "/spec/template/spec" if kind == "templates" else "/spec"
        operations = [{"op": "add", "path": f"{where}/securityContext", "value": level}]
        patch = b64encode(json.dumps(operations).encode()).decode()
        return {"allowed": True, **({"patch": patch, "patchType": "JSONPatch"} if f"chaos-{kind}" in names else {})}

    def apply(self, path: str, item: Object) -> tuple[int, Object]:
        """Take one object, as server-side apply does."""
        name = item["metadata"]["name"]
        if name in self.refused:
            return 422, {"message": self.refused[name]}
        item["metadata"] |= {"generation": 1, "uid": f"uid-{name}", "resourceVersion": "1"}
        self.objects[path] = item
        return 200, item

    def listed(self, path: str) -> list[Object]:
        """Return the objects below a list's URL, with what replicas say of them."""
        if path == _PODS:
            return [{"metadata": {"name": name, "uid": name, "resourceVersion": "1"}} for name in self.replicas]
        if "/namespaces/n/" in path and path.rpartition("/")[2] in _WORKLOAD:
            return [*self.workload, _LATE] if path.endswith("pods") else self.workload
        if path.endswith("validatingadmissionpolicybindings"):
            asked = [
                object_["metadata"]["name"] for object_ in self.objects.values() if "scoped" in json.dumps(object_)
            ]
            return [{"metadata": {"name": f"gatekeeper-{name}", "resourceVersion": "1"}} for name in asked]
        listed = [object_ for url, object_ in self.objects.items() if url.rpartition("/")[0] == path]
        return [{**object_, "status": {"byPod": self._status(object_["metadata"]["name"])}} for object_ in listed]

    def _status(self, name: str) -> list[Object]:
        errors = [{"message": self.broken[name]}] if name in self.broken else []
        generation = 0 if name in self.behind else 1
        pod_status = {"enforced": not errors, "errors": errors, "observedGeneration": generation}
        return [{"id": replica, **pod_status} for replica in self.replicas]

    def create(self, path: str, item: Object) -> tuple[int, Object]:
        """Answer a creation as the policies that are there demand."""
        answer = self.answers(path, item)
        if answer:
            return answer
        labels = item["metadata"].get("labels") or {}
        violates, asks = labels.get("chaos-harness/violates"), labels.get("chaos-harness/asks")
        names = {object_["metadata"]["name"] for object_ in self.objects.values()}
        if path == "/api/v1/namespaces":
            return 403, {"message": _FORBIDDEN}
        if violates and asks == "vap" and "chaos-cel-vap" in names:
            return 422, {"message": _POLICY}
        if violates and {f"chaos-{asks}", f"chaos-cel-{asks}"} & names:
            return 403, {"message": f"{_WEBHOOK}: [chaos-{'cel-' if asks == 'webhook' else ''}{asks}] no"}
        spec = item["spec"]["template"]["spec"] if "template" in item["spec"] else item["spec"]
        if {"chaos-templates" if "template" in item["spec"] else "chaos-pods"} & names:
            spec["securityContext"] = {"seLinuxOptions": {"level": LEVEL}}
        item["metadata"]["uid"] = "new"
        return 201, item


class _World(World):
    """The nodes of such a cluster, on which kubectl deletes."""

    def __init__(self, policy_server: PolicyServer) -> None:
        super().__init__()
        self._policy_server = policy_server
        self.objects = policy_server.objects

    def docker(self, words: list[str], stdin: str | None = None) -> CommandResult:
        self._policy_server.ran.append(" ".join(words[5:]))
        return super().docker(words, stdin)
