"""Empty certificate: the fault that empties the Secret with the certificate of Gatekeeper's webhooks."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from chaos_harness.clusters.api.rest import merge_patch, request
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine
from chaos_harness.clusters.gatekeeper.readiness import CONTROLLER, NAMESPACE
from chaos_harness.harness.errors import FaultNotApplied
from chaos_harness.harness.faults import Fault
from chaos_harness.harness.faults.injection import Injection
from chaos_harness.harness.faults.webhook.call import UNCALLED, wait_answered
from chaos_harness.harness.undo.actions import undo
from chaos_harness.harness.undo.commands import control_plane_arguments, undo_by_kubectl

__all__ = ["blank_certificate", "refill"]

BLANK_CERTIFICATE = "blank certificate"
"""The fault's name in a history."""

_SECRET = "gatekeeper-webhook-server-cert"  # noqa: S105 - the object's name
_PATH = f"/api/v1/namespaces/{NAMESPACE}/secrets/{_SECRET}"
_WHERE = ("--namespace", NAMESPACE)
_BLANK = "blank"


def blank_certificate() -> Fault:
    """Return the fault that empties the webhooks' Secret, as applying the release manifest again does.

    Gatekeeper then makes a new authority and a new certificate. Its pods get them when their kubelets update the
    volume; until then they serve the old certificate, which the API server does not trust any more. Healing waits for a
    certificate.
    """
    return _EmptyCertificate()


@undo
def refill(engine: Engine, *, control_plane: str, others: Sequence[str] = ()) -> None:
    """Make sure that Gatekeeper fills its Secret again: if it is still empty, restart the pods, which fill it."""
    words = ("get", "secret", _SECRET, "--ignore-not-found", "--output", "json")
    done = undo_by_kubectl(engine, control_plane, others, *_WHERE, *words)
    if done is None or (
        done.returncode == 0 and done.stdout.strip() and _fingerprint(json.loads(done.stdout)) != _BLANK
    ):
        return
    undo_by_kubectl(engine, control_plane, others, *_WHERE, "rollout", "restart", f"deployment/{CONTROLLER}")


class _EmptyCertificate:
    name = BLANK_CERTIFICATE

    def __init__(self) -> None:
        self._before = ""
        self._version = self._said = ""

    def inject(self, injection: Injection) -> None:
        with injection.cluster.client() as api:
            self._before = _fingerprint(request(api, "GET", _PATH))
            injection.undo(refill, **control_plane_arguments(injection.cluster))
            done = merge_patch(api, _PATH, {"data": None})
            self._version = done["metadata"]["resourceVersion"]

    def observed(self, cluster: Cluster, deadline: Deadline) -> str:
        """Require that the Secret is empty or has another certificate, and that a call of a webhook failed."""
        deadline.check("the Secret was not looked at")
        with cluster.client() as api:
            now = _fingerprint(request(api, "GET", _PATH))
        if self._before in {"", _BLANK, now}:
            raise FaultNotApplied(f"expected Secret {_SECRET} to lose its certificate, it was and is {now}")
        if not self._said:
            self._said = wait_answered(cluster, deadline, UNCALLED)
        return (
            f"Secret {_SECRET} was emptied in version {self._version}: its certificate was {self._before}, is {now}; "
            f"the API server said: {self._said}"
        )

    def healed(self, cluster: Cluster, deadline: Deadline) -> str:
        now = _BLANK
        with cluster.client() as api:
            for _ in deadline.attempts(first=0.2):
                now = _fingerprint(request(api, "GET", _PATH))
                if now != _BLANK:
                    return f"Secret {_SECRET} holds a certificate again: {now}"
        raise FaultNotApplied(
            f"expected Gatekeeper to fill Secret {_SECRET} within {deadline.seconds:.0f} s: it is {now}"
        )


def _fingerprint(secret: Any) -> str:
    """Return the fingerprint of a Secret's certificates, which identifies them and reveals nothing."""
    data = secret.get("data") or {}
    if not data.get("tls.crt") or not data.get("ca.crt"):
        return _BLANK
    return hashlib.sha256(f"{data['ca.crt']} {data['tls.crt']}".encode()).hexdigest()[:12]
