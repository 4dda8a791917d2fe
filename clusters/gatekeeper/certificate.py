"""Certificate: the webhook's, put into its Secret before Gatekeeper first starts, as Gatekeeper would make it.

A first start without one takes minutes: one replica makes the certificate, and all others wait until the
kubelet has brought the Secret into their volume. Nothing of Gatekeeper is changed: its rotator finds what
every later start finds. It keeps a CA only if that carries the DNS name `gatekeeper-ca` and is good for
another 90 days, and reads its key in PKCS#1.
"""

from http import HTTPStatus
from typing import Any

from kubernetes.client import ApiClient

from chaos_harness.clusters.api.rest import request
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.errors import ApiRefused
from chaos_harness.clusters.gatekeeper.readiness import NAMESPACE

__all__ = ["SECRET", "prepare_certificate"]

SECRET = "gatekeeper-webhook-server-cert"  # noqa: S105 - the name of one
"""The Secret that the webhook's pods mount."""

_SERVER = f"gatekeeper-webhook-service.{NAMESPACE}.svc"
_FILES = ("ca.crt", "ca.key", "tls.crt", "tls.key")
_MANAGER = "chaos-harness-certificate"
_HELM = {"meta.helm.sh/release-name": "gatekeeper", "meta.helm.sh/release-namespace": NAMESPACE}

_SCRIPT = f"""
set -eu
cd "$(mktemp -d)"
trap 'rm -r "$PWD"' EXIT
for name in ca tls; do openssl genrsa -traditional -out "$name.key" 2048; done
new() {{ openssl req -x509 -new -days 3650 "$@"; }}
new -key ca.key -out ca.crt -subj /O=gatekeeper/CN=gatekeeper-ca -addext subjectAltName=DNS:gatekeeper-ca \\
  -addext keyUsage=critical,digitalSignature,keyEncipherment,keyCertSign
new -key tls.key -out tls.crt -CA ca.crt -CAkey ca.key -subj /CN={_SERVER} -addext subjectAltName=DNS:{_SERVER} \\
  -addext basicConstraints=critical,CA:FALSE -addext keyUsage=critical,digitalSignature,keyEncipherment \\
  -addext extendedKeyUsage=serverAuth
for file in {" ".join(_FILES)}; do base64 --wrap=0 "$file"; echo; done
"""


def prepare_certificate(cluster: Cluster, deadline: Deadline) -> None:
    """Put a new CA and the webhook's certificate into their Secret; if there is one already, leave it.

    They are made on a node, which has openssl; the keys leave it for the API server only.
    Raises CommandFailed, ApiRefused, ApiUnreachable, DeadlineExceeded.
    """
    done = cluster.exec(cluster.control_planes[0], ["sh", "-c", _SCRIPT], deadline)
    data = dict(zip(_FILES, done.stdout.split(), strict=True))
    with cluster.client() as api:
        _create(api, "/api/v1/namespaces", {"kind": "Namespace", "metadata": {"name": NAMESPACE}})
        # Helm takes over what says that it is its own; the manifest takes over anything.
        metadata = {"name": SECRET, "labels": {"app.kubernetes.io/managed-by": "Helm"}, "annotations": _HELM}
        if cluster.shape.install == "manifest":
            metadata = {"name": SECRET}
        _create(api, f"/api/v1/namespaces/{NAMESPACE}/secrets", {"kind": "Secret", "metadata": metadata, "data": data})


def _create(api: ApiClient, path: str, body: dict[str, Any]) -> None:
    try:
        request(api, "POST", path, query={"fieldManager": _MANAGER}, body={"apiVersion": "v1", **body})
    except ApiRefused as error:
        if error.status != HTTPStatus.CONFLICT:
            raise
