"""Webhook: what the API server calls on loopback to admit, deny or mutate, and how it may fail to be called."""

import base64
import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from kubernetes.client import ApiClient

from chaos_harness.clusters.api.rest import apply
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.machine.process import run
from chaos_harness.harness.policies import CANARIES, LEVEL

__all__ = ["Webhook", "denial", "mutation", "serving"]

Decide = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""What is said of a request of admission.k8s.io/v1: the response without its uid."""

_ROOTS = {"Validating": "validation.gatekeeper.sh", "Mutating": "mutation.gatekeeper.sh"}


def denial(message: str, code: int = 403) -> dict[str, Any]:
    """Return the response that denies in these words."""
    return {"allowed": False, "status": {"message": message, "code": code}}


def mutation(request: Mapping[str, Any]) -> dict[str, Any]:
    """Return the response that gives a pod, or a pod template, the level that the harness's mutators write."""
    place = "/spec/template/spec" if "template" in request["object"]["spec"] else "/spec"
    options = {"seLinuxOptions": {"level": LEVEL}}
    patch = json.dumps([{"op": "add", "path": f"{place}/securityContext", "value": options}])
    return {"allowed": True, "patchType": "JSONPatch", "patch": base64.b64encode(patch.encode()).decode()}


class Webhook:
    """A webhook that answers as `decide` says, and `mutate` where it mutates; or with `status` and `body`."""

    def __init__(self, port: int, authority: bytes) -> None:
        self.port = port
        self.authority = authority
        self.decide: Decide = lambda _: {"allowed": True}
        self.mutate: Decide = lambda _: {"allowed": True}
        self.status = 200
        self.body: bytes | None = None
        self.reviewed: list[Mapping[str, Any]] = []

    def configure(
        self,
        api: ApiClient,
        kind: Literal["Validating", "Mutating"] = "Validating",
        *,
        policy: Literal["Ignore", "Fail"] = "Fail",
        operations: tuple[str, ...] = ("CREATE",),
        name: str = "",
        port: int = 0,
        authority: bytes = b"",
        seconds: int = 10,
    ) -> None:
        """Have the API server ask it of what is created in the namespace of canaries, and of namespaces."""
        config = {
            "url": f"https://127.0.0.1:{port or self.port}/{kind}",
            "caBundle": base64.b64encode(authority or self.authority).decode(),
        }
        resources = ["pods", "deployments", "namespaces"] if kind == "Validating" else ["pods", "deployments"]
        rules = [{"apiGroups": ["", "apps"], "apiVersions": ["v1"], "operations": operations, "resources": resources}]
        webhook = {
            "name": name or _ROOTS[kind],
            "clientConfig": config,
            "rules": rules,
            "failurePolicy": policy,
            "sideEffects": "None",
            "timeoutSeconds": seconds,
            "admissionReviewVersions": ["v1"],
        }
        if kind == "Mutating" or operations != ("CREATE",):
            webhook["namespaceSelector"] = {"matchLabels": {"kubernetes.io/metadata.name": CANARIES}}
        configuration = {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": f"{kind}WebhookConfiguration",
            "metadata": {"name": f"test-{webhook['name']}"},
            "webhooks": [webhook],
        }
        apply(api, [configuration], Deadline.after(10, "a webhook"))


@contextmanager
def serving() -> Iterator[Webhook]:
    """Serve one during the block."""
    certificate, key = authority()
    with _Listener(("127.0.0.1", 0), _Handler) as listener, TemporaryDirectory() as folder:
        files = [Path(folder, name) for name in ("certificate", "key")]
        for file, content in zip(files, (certificate, key), strict=True):
            file.write_bytes(content)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(files[0], files[1])
        listener.socket = context.wrap_socket(listener.socket, server_side=True, do_handshake_on_connect=False)
        listener.webhook = Webhook(listener.server_address[1], certificate)
        thread = threading.Thread(target=listener.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield listener.webhook
        finally:
            listener.shutdown()
            thread.join()


@cache
def authority(name: str = "127.0.0.1") -> tuple[bytes, bytes]:
    """Return a new certificate for an address, which is its own authority, and its key."""
    with TemporaryDirectory() as folder:
        key, certificate = Path(folder, "key"), Path(folder, "certificate")
        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
        subject = ["-subj", "/CN=webhook", "-addext", f"subjectAltName=IP:{name}"]
        words = ["openssl", "req", "-x509", *curve, *subject, "-keyout", str(key), "-out", str(certificate)]
        run(words, Deadline.after(30, "openssl to make a certificate"))
        return certificate.read_bytes(), key.read_bytes()


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    webhook: Webhook

    def handle_error(self, *_: object) -> None:
        """Say nothing: an API server that does not trust the certificate is what is tested."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Listener

    def do_POST(self) -> None:
        webhook = self.server.webhook
        review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        webhook.reviewed.append(review["request"])
        body = webhook.body
        if body is None:
            decide = webhook.mutate if self.path.startswith("/Mutating") else webhook.decide
            response = {"uid": review["request"]["uid"], **decide(review["request"])}
            kinds = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}
            body = json.dumps({**kinds, "response": response}).encode()
        self.send_response(webhook.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""
