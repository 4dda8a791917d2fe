"""Forgotten: when an API server has ceased to enforce the policies, and to call the webhooks, that were taken away.

It reads all of its own policies anew, about once a second: when it enforces one that came after a removal, it has read
that, too.
"""

import uuid
from typing import Any

from kubernetes.client import ApiClient

from chaos_harness.clusters.api.rest import request
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.errors import ApiRefused

__all__ = ["POLICIES", "WEBHOOKS", "deny_maps", "wait_until_forgotten", "wait_until_uncalled"]

POLICIES = "/registry/validatingadmissionpolic"
"""How the keys of policies and of their bindings begin in etcd."""

WEBHOOKS = ("/registry/mutatingwebhookconfigurations/", "/registry/validatingwebhookconfigurations/")
"""How the keys of webhook configurations begin."""

_GROUP = "/apis/admissionregistration.k8s.io/v1"
_MAPS = "/api/v1/namespaces/default/configmaps"
_MAPS_MADE = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}
_CALLED_FOR = (
    ("/api/v1/namespaces", {"metadata": {"name": "uncalled"}}),
    (_MAPS, {"metadata": {"name": "uncalled"}}),
    (
        "/api/v1/namespaces/default/pods",
        {"metadata": {"name": "uncalled"}, "spec": {"containers": [{"name": "none", "image": "none"}]}},
    ),
)
_WAIT_SECONDS = 20.0


def wait_until_forgotten(api: ApiClient) -> None:
    """Wait until policies whose keys are gone are no longer enforced; a policy and its binding stay, for one object.

    Raises DeadlineExceeded after 20 s.
    """
    name = f"forgotten-{uuid.uuid4().hex[:8]}"
    deny_maps(api, name, unless=f"object.metadata.name != '{name}'")


def wait_until_uncalled(api: ApiClient) -> None:
    """Wait until no webhook that nobody answers is called for namespaces, ConfigMaps and pods.

    Raises DeadlineExceeded after 20 s.
    """
    deadline = Deadline.after(_WAIT_SECONDS, "webhooks that were taken away to be called no longer")
    for _ in deadline.attempts(0.05, 0.2):
        if not any(_is_called_for(api, path, body) for path, body in _CALLED_FOR):
            return
    raise deadline.error()


def _is_called_for(api: ApiClient, path: str, body: dict[str, Any]) -> bool:
    try:
        request(api, "POST", path, query={"dryRun": "All"}, body=body)
    except ApiRefused as error:
        return "failed calling webhook" in error.message
    return False


def deny_maps(api: ApiClient, name: str, *, unless: str) -> None:
    """Put a policy and its binding there that deny ConfigMaps `unless` (CEL), and wait until one of the name is denied.

    Raises DeadlineExceeded after 20 s.
    """
    policy = {"matchConstraints": {"resourceRules": [_MAPS_MADE]}, "validations": [{"expression": unless}]}
    binding = {"policyName": name, "validationActions": ["Deny"]}
    for plural, spec in (("validatingadmissionpolicies", policy), ("validatingadmissionpolicybindings", binding)):
        request(api, "POST", f"{_GROUP}/{plural}", body={"metadata": {"name": name}, "spec": spec})
    deadline = Deadline.after(_WAIT_SECONDS, f"policy {name} to deny")
    for _ in deadline.attempts(0.05, 0.2):
        try:
            request(api, "POST", _MAPS, query={"dryRun": "All"}, body={"metadata": {"name": name}})
        except ApiRefused as error:
            if f"'{name}'" in error.message:
                return
    raise deadline.error()
