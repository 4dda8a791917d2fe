"""Certificate: puts the webhook's certificate into its Secret before Gatekeeper first starts.

Without it, a first start takes minutes: one replica creates the certificate, and the others wait until the kubelet
mounts the Secret. Gatekeeper itself is not changed: its certificate rotator finds what it finds at every later start.
The rotator accepts a CA only if it has the DNS name `gatekeeper-ca` and is valid for 90 more days, and it reads keys in
PKCS#1.
"""

from http import HTTPStatus
from typing import Any

from kubernetes.client import ApiClient

from chaos_harness.clusters.api.rest import request
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.errors import ApiRefused

__all__ = ["SECRET", "prepare_certificate"]

SECRET = "gatekeeper-webhook-server-cert"  # noqa: S105 - the name of one
"""The Secret that the webhook's pods mount."""

_SERVICE = "gatekeeper-webhook-service"
_FILES = ("ca.crt", "ca.key", "tls.crt", "tls.key")
_MANAGER = "chaos-harness-certificate"

_SCRIPT = """
set -eu
cd "$(mktemp -d)"
trap 'rm -r "$PWD"' EXIT
for name in ca tls; do openssl genrsa -traditional -out "$name.key" 2048; done
new() { openssl req -x509 -new -days 3650 "$@"; }
new -key ca.key -out ca.crt -subj /O=gatekeeper/CN=gatekeeper-ca -addext subjectAltName=DNS:gatekeeper-ca \\
  -addext keyUsage=critical,digitalSignature,keyEncipherment,keyCertSign
new -key tls.key -out tls.crt -CA ca.crt -CAkey ca.key -subj "/CN=$1" -addext "subjectAltName=DNS:$1" \\
  -addext basicConstraints=critical,CA:FALSE -addext keyUsage=critical,digitalSignature,keyEncipherment \\
  -addext extendedKeyUsage=serverAuth
for file in ca.crt ca.key tls.crt tls.key; do base64 --wrap=0 "$file"; echo; done
"""


def prepare_certificate(cluster: Cluster, deadline: Deadline) -> None:
    """Create a CA and the webhook's certificate in their Secret; an existing Secret is left as it is.

    They are created on a node, which has openssl; the keys are sent to the API server only. Raises CommandFailed,
    ApiRefused, ApiUnreachable, DeadlineExceeded.
    """
    namespace = cluster.shape.namespace
    server = f"{_SERVICE}.{namespace}.svc"
    done = cluster.exec(cluster.control_planes[0], ["sh", "-c", _SCRIPT, "sh", server], deadline)
    data = dict(zip(_FILES, done.stdout.split(), strict=True))
    with cluster.client() as api:
        _create(api, "/api/v1/namespaces", {"kind": "Namespace", "metadata": {"name": namespace}})
        owned = {"meta.helm.sh/release-name": "gatekeeper", "meta.helm.sh/release-namespace": namespace}
        # Helm takes over what says that it is its own; the manifest takes over anything.
        metadata = {"name": SECRET, "labels": {"app.kubernetes.io/managed-by": "Helm"}, "annotations": owned}
        if cluster.shape.install == "manifest":
            metadata = {"name": SECRET}
        _create(api, f"/api/v1/namespaces/{namespace}/secrets", {"kind": "Secret", "metadata": metadata, "data": data})


def _create(api: ApiClient, path: str, body: dict[str, Any]) -> None:
    try:
        request(api, "POST", path, query={"fieldManager": _MANAGER}, body={"apiVersion": "v1", **body})
    except ApiRefused as error:
        if error.status != HTTPStatus.CONFLICT:
            raise
