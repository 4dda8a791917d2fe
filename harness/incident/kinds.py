"""Kinds: the kinds of objects that a cluster with Gatekeeper has, whatever an incident brings."""

__all__ = ["KINDS", "groups_of"]

_BY_GROUP = {
    "": """
        ConfigMap Endpoints Event LimitRange Namespace Node PersistentVolume PersistentVolumeClaim Pod PodTemplate
        ReplicationController ResourceQuota Secret Service ServiceAccount
    """,
    "admissionregistration.k8s.io": """
        MutatingAdmissionPolicy MutatingAdmissionPolicyBinding MutatingWebhookConfiguration
        ValidatingAdmissionPolicy ValidatingAdmissionPolicyBinding ValidatingWebhookConfiguration
    """,
    "apiextensions.k8s.io": "CustomResourceDefinition",
    "apiregistration.k8s.io": "APIService",
    "apps": "ControllerRevision DaemonSet Deployment ReplicaSet StatefulSet",
    "autoscaling": "HorizontalPodAutoscaler",
    "batch": "CronJob Job",
    "certificates.k8s.io": "CertificateSigningRequest",
    "config.gatekeeper.sh": "Config",
    "connection.gatekeeper.sh": "Connection",
    "coordination.k8s.io": "Lease",
    "discovery.k8s.io": "EndpointSlice",
    "events.k8s.io": "Event",
    "expansion.gatekeeper.sh": "ExpansionTemplate",
    "externaldata.gatekeeper.sh": "Provider",
    "flowcontrol.apiserver.k8s.io": "FlowSchema PriorityLevelConfiguration",
    "mutations.gatekeeper.sh": "Assign AssignImage AssignMetadata ModifySet",
    "networking.k8s.io": "IPAddress Ingress IngressClass NetworkPolicy ServiceCIDR",
    "node.k8s.io": "RuntimeClass",
    "policy": "PodDisruptionBudget",
    "rbac.authorization.k8s.io": "ClusterRole ClusterRoleBinding Role RoleBinding",
    "resource.k8s.io": "DeviceClass ResourceClaim ResourceClaimTemplate ResourceSlice",
    "scheduling.k8s.io": "PriorityClass",
    "status.gatekeeper.sh": """
        ConfigPodStatus ConnectionPodStatus ConstraintPodStatus ConstraintTemplatePodStatus ExpansionTemplatePodStatus
        MutatorPodStatus ProviderPodStatus
    """,
    "storage.k8s.io": "CSIDriver CSINode CSIStorageCapacity StorageClass VolumeAttachment VolumeAttributesClass",
    "syncset.gatekeeper.sh": "SyncSet",
    "templates.gatekeeper.sh": "ConstraintTemplate",
}

KINDS = tuple(dict.fromkeys(kind for kinds in _BY_GROUP.values() for kind in kinds.split()))
"""Kinds of Kubernetes 1.33 to 1.36, and of Gatekeeper up to v3.23.1."""


def groups_of(kind: str) -> list[str]:
    """Return the API groups that have one of these kinds; the core group is ""."""
    return [group for group, kinds in _BY_GROUP.items() if kind in kinds.split()]
