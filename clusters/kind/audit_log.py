"""Auditing: what each API server writes down of the requests that it was sent, on its own node, and how much of it.

Who asks for an object to be created learns from the answer whether it was admitted; why, and what became of a question
that was never answered, stands here: which webhooks were called, which mutated, which could not be called and were done
without (annotations of https://kubernetes.io/docs/tasks/debug/debug-cluster/audit/).
"""

import yaml

__all__ = ["AUDIT_DIRECTORY", "AUDIT_FILES", "AUDIT_LOG", "AUDIT_PATCH", "CANARIES"]

AUDIT_DIRECTORY = "/var/log/kubernetes"
AUDIT_LOG = f"{AUDIT_DIRECTORY}/audit.log"
"""One event a line, as JSON; older ones are in `audit-<when>.log` beside it, until they are deleted."""

CANARIES = "chaos-canary"
"""The namespace in which our own questions are asked."""

_POLICY = "/etc/kubernetes/audit/policy.yaml"
_ADMINISTRATOR = "kubernetes-admin"
"""Who is meant by kind's kubeconfig, and so by ours."""

_MEBIBYTES, _OLDER = 16, 3
"""A file takes several minutes of fifty questions a second: who reads it every few seconds misses nothing."""

_NOT_WATCHED = ["gatekeeper-system", "kube-node-lease", "kube-public", "kube-system", "local-path-storage"]

_RULES = [
    {"level": "Metadata", "users": [_ADMINISTRATOR], "verbs": ["create"], "namespaces": ["", CANARIES]},
    {"level": "None", "namespaces": _NOT_WATCHED},
    {
        "level": "RequestResponse",
        "verbs": ["create"],
        "resources": [{"group": "", "resources": ["pods"]}],
    },
    {"level": "None"},
]
"""The first that fits counts.

Our questions name what they ask for, and are known by their Audit-ID. What a controller creates has its name from the
server, which Metadata lacks (https://github.com/kubernetes/kubernetes/issues/100466), so pods are logged with the
response. A policy cannot name namespaces by how they begin: those that are not watched are.
"""

AUDIT_FILES = {
    _POLICY: yaml.safe_dump(
        {
            "apiVersion": "audit.k8s.io/v1",
            "kind": "Policy",
            "omitStages": ["RequestReceived"],
            "omitManagedFields": True,
            "rules": _RULES,
        },
        sort_keys=False,
    )
}
"""What is to be in every node, path -> content."""

_ARGUMENTS = {
    "audit-policy-file": _POLICY,
    "audit-log-path": AUDIT_LOG,
    "audit-log-format": "json",
    "audit-log-maxsize": str(_MEBIBYTES),
    "audit-log-maxbackup": str(_OLDER),
}
_VOLUMES = [
    {"name": "audit-policy", "hostPath": _POLICY, "mountPath": _POLICY, "readOnly": True, "pathType": "File"},
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
"""For kind's kubeadmConfigPatches. Without an apiVersion, kind turns arguments into the list that v1beta4 wants."""
