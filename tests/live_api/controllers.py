"""Controllers: the little that tests need of kube-controller-manager, which does not run."""

import contextlib
import threading
from collections.abc import Iterator

from kubernetes.client import ApiClient

from chaos_harness.clusters.api.rest import listed, request
from chaos_harness.clusters.errors import ApiRefused
from tests.live_api.server import ApiServer

__all__ = ["ending_namespaces"]

_EVERY_SECONDS = 0.05


@contextlib.contextmanager
def ending_namespaces(server: ApiServer) -> Iterator[None]:
    """Let namespaces that are deleted end during the block; what is in one must be gone before."""
    stop = threading.Event()

    def end() -> None:
        with server.client() as api:
            while not stop.wait(_EVERY_SECONDS):
                _finalize(api)

    thread = threading.Thread(target=end)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _finalize(api: ApiClient) -> None:
    for namespace in listed(api, "/api/v1/namespaces", "items"):
        name = namespace["metadata"]["name"]
        if "deletionTimestamp" in namespace["metadata"] and not _inhabitants(api, name):
            with contextlib.suppress(ApiRefused):
                body = namespace | {"spec": {"finalizers": []}}
                request(api, "PUT", f"/api/v1/namespaces/{name}/finalize", body=body)


def _inhabitants(api: ApiClient, name: str) -> int:
    kinds = ("pods", "serviceaccounts")
    return sum(len(listed(api, f"/api/v1/namespaces/{name}/{kind}", "items")) for kind in kinds)
