"""Leaves: what a fault does not give back when it is undone, as data that the crash test leaves out."""

from dataclasses import dataclass
from fnmatch import fnmatchcase

from chaos_harness.clusters.pool.deviations import Trait
from chaos_harness.harness.faults import Fault

__all__ = [
    "API_SERVER_ENDED",
    "NEW_CERTIFICATE",
    "NEW_PODS",
    "RESTARTS",
    "ROLLED_OUT",
    "Leave",
    "leaves_of",
    "made_again",
    "shut_down",
    "started_again",
]


@dataclass(frozen=True)
class Leave:
    """A trait of a cluster that is another one after a fault and its undo; `words` say what of it.

    The others are those of `clusters.pool.deviations.Trait`, in which "*" stands for anything: a plural as the API
    server has it ("configmaps"), "node" or "container"; `aspect` is "" for the content of an object, else "uid", of
    pods "restarts", or a line such as "mounts: *".
    """

    words: str
    kind: str
    name: str = "*"
    namespace: str = "*"
    aspect: str = ""

    def covers(self, trait: Trait) -> bool:
        """Whether a trait that changed is what is left."""
        wanted = Trait(self.kind, self.name, self.namespace, self.aspect)
        return all(fnmatchcase(has, want) for has, want in zip(trait, wanted, strict=True))


def leaves_of(fault: Fault) -> tuple[Leave, ...]:
    """Return what a fault declares by its attribute `leaves`; most give everything back."""
    return tuple(getattr(fault, "leaves", ()))


def made_again(name: str = "*", namespace: str = "*", kind: str = "*") -> Leave:
    """Return the leave of an object that is made again with its content."""
    return Leave("the uid of what is made again", kind, name, namespace, "uid")


def started_again(node: str) -> tuple[Leave, ...]:
    """Return the leaves of a node that went down and started again: its pods are the same, and started anew."""
    return (
        Leave("when the node's container started", "container", node, aspect="state"),
        Leave("the machine's id, which a node draws when it starts", "node", node, aspect="etc: /etc/machine-id"),
        *RESTARTS,
    )


def shut_down(node: str) -> tuple[Leave, ...]:
    """Return the leaves of a node that shut down in order, besides those of its start; a worker has none."""
    return API_SERVER_ENDED if _PLANE in node else ()


_LEASE = "the lease by which an API server tells that it runs: it deletes that when it ends"

API_SERVER_ENDED = (Leave(_LEASE, "leases", "apiserver-*", "kube-system", "uid"),)
"""An API server ended in order."""

_PLANE = "-control-plane"
_NODES_SAY = "as nodes run them"

_REPLACED = "pods are replaced, maybe on other nodes"

NEW_PODS = (
    Leave(_REPLACED, "pods", aspect="uid"),
    Leave(_REPLACED, "pods", aspect="restarts"),
    Leave(_REPLACED, "pods", _NODES_SAY),
    Leave(_REPLACED, "node", aspect="mounts: /run/netns/cni-UID nsfs"),
    Leave(_REPLACED, "node", aspect="mounts: /var/lib/kubelet/pods/UID/*"),
    Leave(_REPLACED, "node", aspect="mounts: /run/containerd/*"),
    Leave(_REPLACED, "node", aspect="cgroups: *kubepods*podUID*"),
    Leave(_REPLACED, "node", aspect="namespaces: * dev eth0*"),
)
"""Pods were deleted or evicted, and their controllers made others, which the scheduler put somewhere.

What a node has of a pod is on another node then, and of the last of its kind gone; a new pod has not restarted yet.
"""

RESTARTS = (
    Leave("restart counts", "pods", aspect="restarts"),
    Leave("restart counts, as nodes tell them", "pods", _NODES_SAY),
)
"""Containers ended, and their kubelets started them again."""

ROLLED_OUT = (
    *NEW_PODS,
    Leave("when it was restarted, in the Deployment", "deployments"),
    Leave("the ReplicaSet of the new pods", "replicasets"),
    Leave("the ReplicaSet of the new pods", "replicasets", aspect="uid"),
    Leave("pods of the new ReplicaSet", "pods", "ReplicaSet *", aspect=""),
)
"""A Deployment was rolled out anew, as by `kubectl rollout restart`."""

NEW_CERTIFICATE = (
    Leave("the certificate, which is a new one", "secrets"),
    Leave("the authority that signed it", "*webhookconfigurations"),
    Leave("the authority that signed it", "customresourcedefinitions"),
)
"""Gatekeeper made another certificate for its webhooks, and other objects trust it."""
