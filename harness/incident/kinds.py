"""Kinds: the kinds of objects that a cluster with Gatekeeper has, whatever an incident brings."""

__all__ = ["KINDS"]

_KUBERNETES = """
    APIService CertificateSigningRequest ClusterRole ClusterRoleBinding ConfigMap ControllerRevision CronJob CSIDriver
    CSINode CSIStorageCapacity CustomResourceDefinition DaemonSet Deployment DeviceClass Endpoints EndpointSlice Event
    FlowSchema HorizontalPodAutoscaler Ingress IngressClass IPAddress Job Lease LimitRange
    MutatingAdmissionPolicy MutatingAdmissionPolicyBinding MutatingWebhookConfiguration Namespace NetworkPolicy Node
    PersistentVolume PersistentVolumeClaim Pod PodDisruptionBudget PodTemplate PriorityClass PriorityLevelConfiguration
    ReplicaSet ReplicationController ResourceClaim ResourceClaimTemplate ResourceQuota ResourceSlice Role RoleBinding
    RuntimeClass Secret Service ServiceAccount ServiceCIDR StatefulSet StorageClass ValidatingAdmissionPolicy
    ValidatingAdmissionPolicyBinding ValidatingWebhookConfiguration VolumeAttachment VolumeAttributesClass
"""
_GATEKEEPER = """
    Assign AssignImage AssignMetadata Config ConfigPodStatus Connection ConnectionPodStatus ConstraintPodStatus
    ConstraintTemplate ConstraintTemplatePodStatus ExpansionTemplate ExpansionTemplatePodStatus ModifySet
    MutatorPodStatus Provider ProviderPodStatus SyncSet
"""

KINDS = (*_KUBERNETES.split(), *_GATEKEEPER.split())
"""Kinds of Kubernetes 1.33 to 1.36, and of Gatekeeper up to v3.23.1."""
