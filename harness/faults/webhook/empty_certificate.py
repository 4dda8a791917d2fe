"""Empty certificate: the fault that empties the Secret with the certificate of Gatekeeper's webhooks."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from chaos_harness.clusters.api.rest import merge_patch, request
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine
from chaos_harness.clusters.gatekeeper.installed import secret_of, webhook_deployment
from chaos_harness.clusters.shape import NAMESPACE
from chaos_harness.harness.errors import FaultNotApplied
from chaos_harness.harness.faults import Fault
from chaos_harness.harness.faults.injection import Injection
from chaos_harness.harness.faults.leaves import NEW_CERTIFICATE, ROLLED_OUT
from chaos_harness.harness.faults.webhook.call import UNCALLED, wait_answered
from chaos_harness.harness.undo.actions import undo
from chaos_harness.harness.undo.commands import control_plane_arguments, undo_by_kubectl

__all__ = ["blank_certificate", "refill"]

BLANK_CERTIFICATE = "blank certificate"
"""The fault's name in a history."""

_BLANK = "blank"


def blank_certificate() -> Fault:
    """Return the fault that empties the webhooks' Secret, as applying the release manifest again does.

    Gatekeeper then makes a new authority and a new certificate. Its pods get them when their kubelets update the
    volume; until then they serve the old certificate, which the API server does not trust any more. Healing waits for a
    certificate.
    """
    return _EmptyCertificate()


@undo
def refill(
    engine: Engine,
    *,
    control_plane: str,
    others: Sequence[str] = (),
    namespace: str = NAMESPACE,
    secret: str = "gatekeeper-webhook-server-cert",  # noqa: S107 - the object's name
    deployment: str = "gatekeeper-controller-manager",
) -> None:
    """Make sure that Gatekeeper fills its Secret again: if it is still empty, restart the pods, which fill it.

    Journals of earlier versions do not say where it is: it was where the release has it.
    """
    where = ("--namespace", namespace)
    words = ("get", "secret", secret, "--ignore-not-found", "--output", "json")
    done = undo_by_kubectl(engine, control_plane, others, *where, *words)
    if done is None or (
        done.returncode == 0 and done.stdout.strip() and _fingerprint(json.loads(done.stdout)) != _BLANK
    ):
        return
    undo_by_kubectl(engine, control_plane, others, *where, "rollout", "restart", f"deployment/{deployment}")


class _EmptyCertificate:
    name = BLANK_CERTIFICATE
    leaves = (*NEW_CERTIFICATE, *ROLLED_OUT)

    def __init__(self) -> None:
        self._before = self._secret = self._path = ""
        self._version = self._said = ""

    def inject(self, injection: Injection) -> None:
        namespace = injection.cluster.shape.namespace
        with injection.cluster.client() as api:
            deployment = webhook_deployment(api, injection.cluster)
            self._secret = secret_of(deployment)
            self._path = f"/api/v1/namespaces/{namespace}/secrets/{self._secret}"
            self._before = _fingerprint(request(api, "GET", self._path))
            named = {"namespace": namespace, "secret": self._secret, "deployment": deployment["metadata"]["name"]}
            injection.undo(refill, **named, **control_plane_arguments(injection.cluster))
            done = merge_patch(api, self._path, {"data": None})
            self._version = done["metadata"]["resourceVersion"]

    def observed(self, cluster: Cluster, deadline: Deadline) -> str:
        """Require that the Secret is empty or has another certificate, and that a call of a webhook failed."""
        deadline.check("the Secret was not looked at")
        with cluster.client() as api:
            now = _fingerprint(request(api, "GET", self._path))
        if self._before in {"", _BLANK, now}:
            raise FaultNotApplied(f"expected Secret {self._secret} to lose its certificate, it was and is {now}")
        if not self._said:
            self._said = wait_answered(cluster, deadline, UNCALLED)
        return (
            f"Secret {self._secret} was emptied in version {self._version}: its certificate was {self._before}, "
            f"is {now}; the API server said: {self._said}"
        )

    def healed(self, cluster: Cluster, deadline: Deadline) -> str:
        now = _BLANK
        with cluster.client() as api:
            for _ in deadline.attempts(first=0.2):
                now = _fingerprint(request(api, "GET", self._path))
                if now != _BLANK:
                    return f"Secret {self._secret} holds a certificate again: {now}"
        raise FaultNotApplied(
            f"expected Gatekeeper to fill Secret {self._secret} within {deadline.seconds:.0f} s: it is {now}"
        )


def _fingerprint(secret: Any) -> str:
    """Return the fingerprint of a Secret's certificates, which identifies them and reveals nothing."""
    data = secret.get("data") or {}
    if not data.get("tls.crt") or not data.get("ca.crt"):
        return _BLANK
    return hashlib.sha256(f"{data['ca.crt']} {data['tls.crt']}".encode()).hexdigest()[:12]
