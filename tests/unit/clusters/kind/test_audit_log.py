"""Auditing: each API server writes down what is asked of policies and which pods come, and little else."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from chaos_harness.clusters.kind import audit_log
from chaos_harness.clusters.kind.audit_log import AUDIT_DIRECTORY, AUDIT_LOG, AUDIT_PATCH, audit_files
from chaos_harness.clusters.kind.cli import configuration
from chaos_harness.clusters.kind.node_files import node_files
from chaos_harness.clusters.shape import Shape
from chaos_harness.harness.policies import CANARIES

((_PATH, _TEXT),) = audit_files("gatekeeper-system").items()
_POLICY = yaml.safe_load(_TEXT)
_ADMIN, _CONTROLLER = "kubernetes-admin", "system:serviceaccount:kube-system:replicaset-controller"


def level(user: str, verb: str, resource: str, namespace: str, group: str = "") -> str:
    """Return the level of a request for a resource, as the API server finds it: the first rule that fits."""

    def fits(rule: dict[str, Any]) -> bool:
        resources = rule.get("resources")
        return (
            user in rule.get("users", [user])
            and verb in rule.get("verbs", [verb])
            and namespace in rule.get("namespaces", [namespace])
            and (
                resources is None
                or any(entry["group"] == group and resource in entry["resources"] for entry in resources)
            )
        )

    level: str = next(rule["level"] for rule in _POLICY["rules"] if fits(rule))
    return level


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ((_ADMIN, "create", "pods", "chaos-canary"), "Metadata"),
        ((_ADMIN, "create", "deployments", "chaos-canary", "apps"), "Metadata"),
        ((_ADMIN, "create", "namespaces", ""), "Metadata"),
        ((_CONTROLLER, "create", "pods", "chaos-work"), "RequestResponse"),
        ((_ADMIN, "create", "pods", "chaos-work"), "RequestResponse"),
        ((_CONTROLLER, "create", "pods", "gatekeeper-system"), "None"),
        ((_CONTROLLER, "create", "pods/binding", "chaos-work"), "None"),
        ((_CONTROLLER, "update", "pods/status", "chaos-work"), "None"),
        ((_ADMIN, "delete", "pods", "chaos-canary"), "Metadata"),
        ((_ADMIN, "patch", "ingresses", "team", "networking.k8s.io"), "Metadata"),
        ((_ADMIN, "patch", "pods", "kube-system"), "None"),
        ((_CONTROLLER, "delete", "pods", "chaos-work"), "None"),
        ((_ADMIN, "create", "pods/proxy", "gatekeeper-system"), "None"),
        ((_CONTROLLER, "update", "leases", "kube-system", "coordination.k8s.io"), "None"),
        (("system:node:w", "create", "subjectaccessreviews", "", "authorization.k8s.io"), "None"),
        (("system:node:w", "create", "events", "chaos-work"), "None"),
        ((_ADMIN, "list", "pods", "chaos-work"), "None"),
        ((_ADMIN, "watch", "pods", ""), "None"),
    ],
)
def test_levels(asked: tuple[str, ...], expected: str) -> None:
    """Our questions are logged without bodies, pods of watched namespaces with, and nothing else at all."""
    assert level(*asked) == expected


def test_one_line_a_request() -> None:
    """What was only begun is not logged, nor are managed fields, which are longer than the rest."""
    assert _POLICY["omitStages"] == ["RequestReceived"]
    assert _POLICY["omitManagedFields"] is True


def test_canaries_live_where_they_are_logged() -> None:
    """The policy names the namespace in which the admission probe asks."""
    assert audit_log.CANARIES == CANARIES


def test_every_node_has_the_policy_that_the_api_server_is_told_of() -> None:
    """A control plane that joins later reads the same file; what it is told hangs on no version of kubeadm."""
    mounts = dict.fromkeys(node_files("gatekeeper-system"), Path("/run/x"))
    patches = yaml.safe_load(configuration("c", Shape(), image="i", port=1, mounts=mounts))["kubeadmConfigPatches"]
    assert AUDIT_PATCH in patches
    patch = yaml.safe_load(AUDIT_PATCH)
    assert patch.keys() == {"kind", "apiServer"}
    arguments = patch["apiServer"]["extraArgs"]
    assert arguments["audit-policy-file"] in node_files("gatekeeper-system")
    assert arguments["audit-log-path"] == AUDIT_LOG
    assert all(isinstance(value, str) for value in arguments.values())
    mounted = {volume["mountPath"]: volume for volume in patch["apiServer"]["extraVolumes"]}
    assert mounted[arguments["audit-policy-file"]]["readOnly"] is True
    assert mounted[AUDIT_DIRECTORY]["readOnly"] is False


def test_who_has_no_policy_keeps_no_log() -> None:
    """An API server that is told of a file which is not there never starts, as once in a benchmark."""
    patches = yaml.safe_load(configuration("c", Shape(), image="i", port=1, mounts={}))["kubeadmConfigPatches"]
    assert not [patch for patch in patches if "audit" in patch]


def test_the_log_cannot_fill_the_disk() -> None:
    """Files are limited in size and in number; a number of 0 would be without a limit."""
    arguments = yaml.safe_load(AUDIT_PATCH)["apiServer"]["extraArgs"]
    most = int(arguments["audit-log-maxsize"]) * (int(arguments["audit-log-maxbackup"]) + 1)
    assert int(arguments["audit-log-maxbackup"]) > 0
    assert 16 <= most <= 100
