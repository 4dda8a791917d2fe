"""Samples: each fault of the catalogue with parameters, and the objects that these name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = [
    "BINDING",
    "DEFINITION",
    "HELD",
    "LEASE",
    "MAP",
    "NAMESPACE",
    "NOT_SAMPLED",
    "ROLE",
    "SAMPLES",
    "SELECTOR",
    "WEBHOOK_NODE",
    "WEBHOOK_POD",
    "held",
    "objects",
]

NAMESPACE, MAP, HELD, LEASE = "chaos-crash", "chaos-crash-map", "chaos-crash-held", "chaos-crash-lease"
ROLE, BINDING = "chaos-crash-role", "chaos-crash-binding"
DEFINITION = "chaoscrashes.chaos-harness.test"
SELECTOR = "gatekeeper.sh/operation=audit"
WEBHOOK_POD = "$pod(gatekeeper.sh/operation=webhook)"
WEBHOOK_NODE = "$node(gatekeeper.sh/operation=webhook)"
_USER = "chaos-crash-user"
_RBAC = "rbac.authorization.k8s.io"


@dataclass(frozen=True)
class Sample:
    """A fault with parameters, in which references of incident files stand for things of the cluster.

    One that is not `undone` has no undo: controllers repair what it did. `heals_itself` says why what it did goes by
    itself, so that its undo, turned into a no-op, leaves nothing to see; "" if it does not. It can be done on a cluster
    of that many control `planes`.
    """

    fault: str
    values: Mapping[str, Any]
    undone: bool = True
    heals_itself: str = ""
    planes: int = 1


_ON_WORKER = {"node": "$worker"}
_OF_MAP = {"kind": "ConfigMap", "name": MAP, "namespace": NAMESPACE}
_EDIT = _OF_MAP | {"patch": {"data": {"a": "7", "b": None, "c": "8"}}}
_PUT = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "chaos-crash-put", "namespace": NAMESPACE},
    "data": {"a": "b"},
}
_BY_GATEKEEPER = "Gatekeeper itself makes a certificate, and has it trusted"

SAMPLES: Mapping[str, Sample] = {
    "cut_registry stop": Sample("cut_registry", {"how": "stop"}),
    "cut_registry drop": Sample("cut_registry", {"how": "drop"}),
    "cut_registry drop of one": Sample("cut_registry", {"how": "drop", "nodes": ["$worker"]}),
    "cut_registry 503": Sample("cut_registry", {"how": "503"}),
    "remove_image": Sample("remove_image", {"image": "$gatekeeper-image"}),
    "cut_webhook": Sample("cut_webhook", {}),
    "cut_webhook of one": Sample("cut_webhook", {"count": 1}),
    "flap_webhook": Sample("flap_webhook", {}),
    "cut_off_node": Sample("cut_off_node", _ON_WORKER),
    "kill_node": Sample("kill_node", _ON_WORKER),
    "stop_node": Sample("stop_node", _ON_WORKER),
    "pause_node": Sample("pause_node", _ON_WORKER),
    "reboot_node": Sample("reboot_node", _ON_WORKER, heals_itself="the engine has started it again"),
    "stop_node of all": Sample("stop_node", {"node": ["$control-plane", "$worker", "$worker2"]}),
    "stop_kubelet": Sample("stop_kubelet", _ON_WORKER),
    "pause_etcd": Sample("pause_etcd", {}),
    "drain_node": Sample("drain_node", {"node": WEBHOOK_NODE}),
    "drain_node of a plane": Sample("drain_node", {"node": "$control-plane"}, planes=2),
    "reschedule_pod": Sample("reschedule_pod", {"pod": WEBHOOK_POD}),
    "remove_node": Sample("remove_node", _ON_WORKER),
    "scale_to_zero": Sample("scale_to_zero", {}),
    "edit_object": Sample("edit_object", _EDIT),
    "delete_crd": Sample("delete_crd", {"name": DEFINITION}),
    "revoke_rule": Sample("revoke_rule", {"role": ROLE, "verb": "list", "resource": "pods"}),
    "revoke_binding": Sample("revoke_binding", {"name": BINDING}),
    "delete_object": Sample("delete_object", _OF_MAP),
    "recreate_object": Sample("recreate_object", _OF_MAP, heals_itself="it is there again, with another uid"),
    "hold_deletion": Sample("hold_deletion", _OF_MAP),
    "flip_field": Sample("flip_field", _EDIT | {"times": 2}, heals_itself="the last flip is the one back"),
    "put_object": Sample("put_object", {"manifest": _PUT}),
    "exhaust_quota": Sample("exhaust_quota", {"namespace": NAMESPACE}),
    "break_ca_bundle": Sample("break_ca_bundle", {}, heals_itself="Gatekeeper itself writes the right one back"),
    "delete_certificate": Sample("delete_certificate", {}),
    "add_webhook": Sample("add_webhook", {"namespace": NAMESPACE}),
    "take_lease": Sample("take_lease", {"name": LEASE}),
    "throttle": Sample("throttle", {"selector": SELECTOR, "cpu": 0.1}),
    "pause_containers": Sample("pause_containers", {"selector": "k8s-app=kube-proxy", "namespace": "kube-system"}),
    "crowd_templates": Sample("crowd_templates", {"count": 3}),
    "blank_certificate": Sample("blank_certificate", {}, heals_itself=_BY_GATEKEEPER),
    "strip_finalizers": Sample("strip_finalizers", _OF_MAP | {"name": HELD}, undone=False),
    "delete_pods": Sample("delete_pods", {"selector": SELECTOR}, undone=False),
    "kill_containers": Sample("kill_containers", {"selector": SELECTOR}, undone=False),
    "restart_api_server": Sample("restart_api_server", {}, undone=False),
    "restart_rollout": Sample("restart_rollout", {}, undone=False),
    "delete_replicas": Sample("delete_replicas", {}, undone=False),
    "evict_replicas": Sample("evict_replicas", {}, undone=False),
}

NOT_SAMPLED = {
    "upgrade_gatekeeper": "what the other release brought stays after its undo",
    "rollback_gatekeeper": "what the other release brought stays after its undo",
}
"""Faults that are not tested, and why."""


def objects() -> Sequence[Mapping[str, Any]]:
    """Return the objects that samples name, in the order in which they can be applied."""
    rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}]
    subject = {"kind": "ServiceAccount", "name": _USER, "namespace": NAMESPACE}
    return (
        _object("v1", "Namespace", NAMESPACE, namespace=""),
        _object("v1", "ConfigMap", MAP, data={"a": "1", "b": "2"}),
        _object("v1", "ServiceAccount", _USER),
        _object(f"{_RBAC}/v1", "ClusterRole", ROLE, namespace="", rules=rules),
        _object(
            f"{_RBAC}/v1",
            "ClusterRoleBinding",
            BINDING,
            namespace="",
            roleRef={"apiGroup": _RBAC, "kind": "ClusterRole", "name": ROLE},
            subjects=[subject],
        ),
        _object("coordination.k8s.io/v1", "Lease", LEASE, namespace="kube-system", spec={"leaseDurationSeconds": 15}),
        _object("apiextensions.k8s.io/v1", "CustomResourceDefinition", DEFINITION, namespace="", spec=_DEFINED),
        _object("chaos-harness.test/v1", "ChaosCrash", "chaos-crash-one", namespace="", spec={"a": "b"}),
    )


def held() -> Mapping[str, Any]:
    """Return the object that is held while it is deleted."""
    made = _object("v1", "ConfigMap", HELD, data={"a": "1"})
    return {**made, "metadata": {**made["metadata"], "finalizers": ["chaos-harness.test/held"]}}


def _object(version: str, kind: str, name: str, *, namespace: str = NAMESPACE, **fields: Any) -> dict[str, Any]:
    place = {"namespace": namespace} if namespace else {}
    metadata = {"name": name, **place, "labels": {"chaos-harness.test": "crash"}}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **fields}


_DEFINED = {
    "group": "chaos-harness.test",
    "names": {"kind": "ChaosCrash", "plural": "chaoscrashes"},
    "scope": "Cluster",
    "versions": [
        {
            "name": "v1",
            "served": True,
            "storage": True,
            "schema": {
                "openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
            },
        }
    ],
}
