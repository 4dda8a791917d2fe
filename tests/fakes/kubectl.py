"""Kubectl: what it says when it changes an object of a cluster in memory, and when it cannot."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from chaos_harness.clusters.machine.process import CommandResult
from tests.fakes.grammar import Call, refuse

__all__ = ["Kubectl", "Objects"]

_CREDENTIALS = "/etc/kubernetes/admin.conf"


class Objects(Protocol):
    """What kubectl reads and changes, by the paths of the API."""

    def find(self, path: str) -> dict[str, Any] | None:
        """Return the object at a path, None if there is none."""

    def listed(self, path: str) -> Sequence[dict[str, Any]]:
        """Return the objects below a path."""

    def create(self, path: str, made: dict[str, Any]) -> None:
        """Take an object, which is not there yet."""

    def merge(self, path: str, patch: Mapping[str, Any]) -> bool:
        """Merge into an object that is there; return whether that changes it."""

    def delete(self, path: str) -> None:
        """Remove an object that is there."""


@dataclass(frozen=True)
class _Resource:
    kind: str
    plural: str
    group: str = ""
    version: str = "v1"
    namespaced: bool = False

    @property
    def full_name(self) -> str:
        """Its plural as messages have it."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def path(self, namespace: str) -> str:
        """Return the path of the API that lists such objects."""
        root = f"/apis/{self.group}/{self.version}" if self.group else "/api/v1"
        return (
            f"{root}/namespaces/{namespace or 'default'}/{self.plural}" if self.namespaced else f"{root}/{self.plural}"
        )


_ADMISSION = "admissionregistration.k8s.io"
_RBAC = "rbac.authorization.k8s.io"
_RESOURCES = (
    _Resource("Node", "nodes"),
    _Resource("Namespace", "namespaces"),
    _Resource("Secret", "secrets", namespaced=True),
    _Resource("ConfigMap", "configmaps", namespaced=True),
    _Resource("ServiceAccount", "serviceaccounts", namespaced=True),
    _Resource("ResourceQuota", "resourcequotas", namespaced=True),
    _Resource("Deployment", "deployments", "apps", namespaced=True),
    _Resource("Lease", "leases", "coordination.k8s.io", namespaced=True),
    _Resource("ConstraintTemplate", "constrainttemplates", "templates.gatekeeper.sh"),
    _Resource("Assign", "assign", "mutations.gatekeeper.sh"),
    _Resource("ChaosDeniedByRego", "chaosdeniedbyrego", "constraints.gatekeeper.sh", "v1beta1"),
    _Resource("ChaosDeniedByCel", "chaosdeniedbycel", "constraints.gatekeeper.sh", "v1beta1"),
    _Resource("CustomResourceDefinition", "customresourcedefinitions", "apiextensions.k8s.io"),
    _Resource("ClusterRole", "clusterroles", _RBAC),
    _Resource("ClusterRoleBinding", "clusterrolebindings", _RBAC),
    _Resource("MutatingWebhookConfiguration", "mutatingwebhookconfigurations", _ADMISSION),
    _Resource("ValidatingWebhookConfiguration", "validatingwebhookconfigurations", _ADMISSION),
)
_BY_NAME = {name: resource for resource in _RESOURCES for name in (resource.plural, resource.kind.lower())}


class Kubectl:
    """Kubectl on a control plane."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    def run(self, call: Call, stdin: str | None) -> CommandResult:
        """Do what a command line asks. Raises RefusedError."""
        credentials = call.value("--kubeconfig")
        if credentials != _CREDENTIALS:
            refuse(1, f"error: stat {credentials}: no such file or directory")
        namespace = call.value("--namespace")
        match call.verb:
            case "cordon" | "uncordon":
                return self._cordon(call.verb, call.words[0])
            case "create":
                return self._create(stdin or "")
            case "get":
                return self._get(call, namespace)
            case "patch":
                return self._patch(call, namespace)
            case "delete":
                return self._delete(call, namespace)
            case _:
                return self._restart(call.words[0], namespace)

    def _there(self, resource: _Resource, namespace: str, name: str) -> str:
        path = f"{resource.path(namespace)}/{name}"
        if self._objects.find(path) is None:
            refuse(1, f'Error from server (NotFound): {resource.full_name} "{name}" not found')
        return path

    def _cordon(self, verb: str, name: str) -> CommandResult:
        path = self._there(_BY_NAME["node"], "", name)
        closed = {"spec": {"unschedulable": True if verb == "cordon" else None}}
        already = "" if self._objects.merge(path, closed) else "already "
        return CommandResult(f"node/{name} {already}{verb}ed\n", "", 0)

    def _create(self, manifest: str) -> CommandResult:
        try:
            made = json.loads(manifest)
        except ValueError:
            refuse(1, "error: error parsing STDIN: unexpected EOF")
        metadata, resource = made["metadata"], _BY_NAME[made["kind"].lower()]
        path, name = resource.path(metadata.get("namespace", "")), metadata["name"]
        if self._objects.find(f"{path}/{name}") is not None:
            said = f'error when creating "STDIN": {resource.full_name} "{name}" already exists'
            refuse(1, f"Error from server (AlreadyExists): {said}")
        self._objects.create(f"{path}/{name}", made)
        return CommandResult(f"{_singular(resource)}/{name} created\n", "", 0)

    def _get(self, call: Call, namespace: str) -> CommandResult:
        resource, name = _resource(call.words[0]), call.words[1]
        object_ = self._objects.find(f"{resource.path(namespace)}/{name}")
        if object_ is None and "--ignore-not-found" in call.options:
            return CommandResult("", "", 0)
        self._there(resource, namespace, name)
        return CommandResult(json.dumps(object_), "", 0)

    def _patch(self, call: Call, namespace: str) -> CommandResult:
        resource, name = _resource(call.words[0]), call.words[1]
        path = self._there(resource, namespace, name)
        try:
            patch = json.loads(call.value("--patch"))
        except ValueError:
            refuse(1, "Error from server (BadRequest): unexpected end of JSON input")
        change = "" if self._objects.merge(path, patch) else " (no change)"
        return CommandResult(f"{_singular(resource)}/{name} patched{change}\n", "", 0)

    def _delete(self, call: Call, namespace: str) -> CommandResult:
        resource = _resource(call.words[0])
        path = resource.path(namespace)
        if selector := call.value("--selector"):
            label, _, value = selector.partition("=")
            names = [
                listed["metadata"]["name"]
                for listed in self._objects.listed(path)
                if listed["metadata"].get("labels", {}).get(label) == value
            ]
        else:
            names = list(call.words[1:])
        if "--ignore-not-found" in call.options:
            names = [name for name in names if self._objects.find(f"{path}/{name}") is not None]
        for name in names:
            self._objects.delete(self._there(resource, namespace, name))
        where = f" from {namespace} namespace" if resource.namespaced else ""
        done = "".join(f'{_singular(resource)} "{name}" deleted{where}\n' for name in names)
        return CommandResult(done or "No resources found\n" * bool(selector), "", 0)

    def _restart(self, named: str, namespace: str) -> CommandResult:
        kind, _, name = named.partition("/")
        path = self._there(_resource(kind), namespace, name)
        annotations = {"kubectl.kubernetes.io/restartedAt": "2026-11-28T12:00:00Z"}
        self._objects.merge(path, {"spec": {"template": {"metadata": {"annotations": annotations}}}})
        return CommandResult(f"{_singular(_resource(kind))}/{name} restarted\n", "", 0)


def _resource(word: str) -> _Resource:
    """Return what a word such as "node" or "Deployment.v1.apps" stands for."""
    name, _, rest = word.partition(".")
    version, _, group = rest.partition(".")
    resource = _BY_NAME.get(name.lower())
    if resource is None or (rest and (version, group) != (resource.version, resource.group)):
        refuse(1, f'error: the server doesn\'t have a resource type "{name}"')
    return resource


def _singular(resource: _Resource) -> str:
    kind = resource.kind.lower()
    return f"{kind}.{resource.group}" if resource.group else kind
