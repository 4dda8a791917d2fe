"""Audit log: what each API server records of its requests, on its own node, and how much.

A client learns from the answer whether its object was admitted. The audit log also says why, and what became of a
request without an answer: which webhooks were called, which mutated the object, and which failed open (annotations of
https://kubernetes.io/docs/tasks/debug/debug-cluster/audit/).
"""

import yaml

__all__ = ["AUDIT_DIRECTORY", "AUDIT_LOG", "AUDIT_PATCH", "AUDIT_POLICY", "CANARIES", "audit_files"]

AUDIT_DIRECTORY = "/var/log/kubernetes"
AUDIT_LOG = f"{AUDIT_DIRECTORY}/audit.log"
"""One event a line, as JSON; older events are in `audit-<when>.log` beside it, until those are deleted."""

CANARIES = "chaos-canary"
"""Namespace of the admission probe's requests."""

AUDIT_POLICY = "/etc/kubernetes/audit/policy.yaml"
"""What is logged: a file that a control plane must have, or its API server does not start with AUDIT_PATCH."""

_ADMINISTRATOR = "kubernetes-admin"
"""User of kind's kubeconfig, and so of the harness."""

_MEBIBYTES, _OLDER = 16, 3
"""Size of a log file, and how many older ones are kept: several minutes of 50 requests a second each."""

_NOT_WATCHED = ["kube-node-lease", "kube-public", "kube-system", "local-path-storage"]


def audit_files(gatekeeper: str) -> dict[str, str]:
    """Return files for every node, path → content; `gatekeeper` is its namespace, which is not watched.

    The first matching rule counts; a user who is impersonated counts as the one who impersonates. Our requests name
    their objects and are identified by their Audit-ID. An object that a controller creates gets its name from the
    server, which the level Metadata does not log (https://github.com/kubernetes/kubernetes/issues/100466); so pods are
    logged with the response. A policy cannot match namespaces by prefix, so it lists those that are not watched.
    """
    rules = [
        {"level": "Metadata", "users": [_ADMINISTRATOR], "verbs": ["create"], "namespaces": ["", CANARIES]},
        {"level": "None", "namespaces": [gatekeeper, *_NOT_WATCHED]},
        {"level": "RequestResponse", "verbs": ["create"], "resources": [{"group": "", "resources": ["pods"]}]},
        {"level": "Metadata", "users": [_ADMINISTRATOR], "verbs": ["create", "update", "patch", "delete"]},
        {"level": "None"},
    ]
    policy = {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "omitManagedFields": True,
        "rules": rules,
    }
    return {AUDIT_POLICY: yaml.safe_dump(policy, sort_keys=False)}


_ARGUMENTS = {
    "audit-policy-file": AUDIT_POLICY,
    "audit-log-path": AUDIT_LOG,
    "audit-log-format": "json",
    "audit-log-maxsize": str(_MEBIBYTES),
    "audit-log-maxbackup": str(_OLDER),
}
_VOLUMES = [
    {"name": "audit-policy", "hostPath": AUDIT_POLICY, "mountPath": AUDIT_POLICY, "readOnly": True, "pathType": "File"},
    {
        "name": "audit-log",
        "hostPath": AUDIT_DIRECTORY,
        "mountPath": AUDIT_DIRECTORY,
        "readOnly": False,
        "pathType": "DirectoryOrCreate",
    },
]

AUDIT_PATCH = yaml.safe_dump(
    {"kind": "ClusterConfiguration", "apiServer": {"extraArgs": _ARGUMENTS, "extraVolumes": _VOLUMES}}, sort_keys=False
)
"""For kind's kubeadmConfigPatches. Without an apiVersion, kind converts arguments to the list that v1beta4 needs."""
