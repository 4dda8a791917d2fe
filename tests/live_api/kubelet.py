"""Kubelet: says of every pod that is bound to a node that it runs, and lets it go when it is told to."""

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

from kubernetes.client import ApiClient

from chaos_harness.clusters.api.rest import list_objects, merge_patch, request
from chaos_harness.clusters.errors import ApiRefused
from tests.live_api.server import ApiServer

__all__ = ["kubelet"]

_EVERY_SECONDS = 0.05


@contextlib.contextmanager
def kubelet(server: ApiServer, *, ends: bool = True) -> Iterator[None]:
    """Do so during the block; without `ends` pods stay on their way out, as those of a node that is lost."""
    stop = threading.Event()

    def work() -> None:
        with server.client() as api:
            while not stop.wait(_EVERY_SECONDS):
                for pod in list_objects(api, "/api/v1/pods", "items"):
                    with contextlib.suppress(ApiRefused):  # it is gone meanwhile
                        _tend(api, pod, ends=ends)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _tend(api: ApiClient, pod: dict[str, Any], *, ends: bool) -> None:
    metadata = pod["metadata"]
    path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}"
    if "deletionTimestamp" in metadata:
        if ends:
            request(api, "DELETE", path, body={"gracePeriodSeconds": 0, "preconditions": {"uid": metadata["uid"]}})
    elif "nodeName" in pod["spec"] and pod["status"].get("phase") != "Running":
        names = [container["name"] for container in pod["spec"]["containers"]]
        ready = {"ready": True, "restartCount": 0, "image": "", "imageID": "", "state": {"running": {}}}
        containers = [{"name": name, "containerID": f"containerd://{metadata['uid']}", **ready} for name in names]
        status = {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": containers,
        }
        merge_patch(api, f"{path}/status", {"status": status})
