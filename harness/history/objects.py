"""Objects: reads fields of a Kubernetes object in plain JSON; any of them may be missing, or null.

What `clusters` reads of them, too, is defined there.
"""

from chaos_harness.clusters.api.objects import Object, condition, is_ready, is_terminating, metadata, status

__all__ = [
    "Object",
    "condition",
    "endpoints",
    "is_ready",
    "is_terminating",
    "labels",
    "name_of",
    "node_of",
    "owner_uid",
    "owners",
    "restarts",
    "running",
    "uid_of",
    "waiting",
]


def name_of(thing: Object) -> str:
    """Return its name, or ""."""
    return str(metadata(thing).get("name") or "")


def uid_of(thing: Object) -> str:
    """Return its uid, or ""."""
    return str(metadata(thing).get("uid") or "")


def labels(thing: Object) -> Object:
    """Return its labels."""
    return metadata(thing).get("labels") or {}


def owners(thing: Object) -> list[Object]:
    """Return its owner references."""
    return list(metadata(thing).get("ownerReferences") or ())


def owner_uid(thing: Object) -> str:
    """Return the uid of its controller; of its first owner, if none is the controller; or ""."""
    ours = [owner for owner in owners(thing) if owner.get("controller")] or owners(thing)
    return str(ours[0].get("uid") or "") if ours else ""


def node_of(pod: Object) -> str:
    """Return the name of the node that a pod is on, or ""."""
    return str((pod.get("spec") or {}).get("nodeName") or "")


def running(pod: Object) -> tuple[str, ...]:
    """Return the ids of a pod's running containers, without the name of the container runtime."""
    states = [one for one in _containers(pod) if "running" in (one.get("state") or {})]
    return tuple(str(one.get("containerID") or "").rpartition("/")[2] for one in states)


def restarts(pod: Object) -> int:
    """Return how often a pod's containers were restarted, all together."""
    return sum(one.get("restartCount") or 0 for one in _containers(pod))


def waiting(pod: Object) -> str:
    """Return the reason for which a pod's first waiting container waits ("ErrImagePull"), or ""."""
    reasons = ((one.get("state") or {}).get("waiting", {}).get("reason") for one in _containers(pod))
    return str(next(filter(None, reasons), ""))


def endpoints(piece: Object) -> dict[str, str]:
    """Return the names of the pods that an EndpointSlice routes to, by uid; `ready` is true by default."""
    leads = [
        one["targetRef"]
        for one in piece.get("endpoints") or ()
        if (one.get("conditions") or {}).get("ready") is not False and (one.get("targetRef") or {}).get("uid")
    ]
    return {target["uid"]: target.get("name", "") for target in leads}


def _containers(pod: Object) -> tuple[Object, ...]:
    return tuple(status(pod).get("containerStatuses") or ())
