"""Lost certificate: the fault that deletes the Secret with the certificate of Gatekeeper's webhooks."""

from chaos_harness.clusters.api.rest import delete, find_object, request
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.gatekeeper.installed import secret_of, webhook_deployment
from chaos_harness.harness.errors import FaultNotApplied
from chaos_harness.harness.faults import Fault
from chaos_harness.harness.faults.injection import Injection
from chaos_harness.harness.faults.leaves import NEW_CERTIFICATE, ROLLED_OUT, made_again
from chaos_harness.harness.faults.objects.remembered import is_gone
from chaos_harness.harness.faults.webhook.empty_certificate import refill
from chaos_harness.harness.undo.bring_back import bring_back, own_fields
from chaos_harness.harness.undo.commands import control_plane_arguments

__all__ = ["delete_certificate"]


def delete_certificate() -> Fault:
    """Return the fault that deletes the Secret with the webhooks' certificate.

    Its content leaves the cluster neither for the undo nor for the proof: healing makes the Secret again without it, as
    the release manifest does, and restarts the pods. It is healed when somebody has filled it.
    """
    return _LostCertificate()


class _LostCertificate:
    name = "delete certificate"
    leaves = (made_again(kind="secrets"), *NEW_CERTIFICATE, *ROLLED_OUT)

    def __init__(self) -> None:
        self._secret = self._path = self._uid = ""

    def inject(self, injection: Injection) -> None:
        namespace, planes = injection.cluster.shape.namespace, control_plane_arguments(injection.cluster)
        with injection.cluster.client() as api:
            deployment = webhook_deployment(api, injection.cluster)
            self._secret = secret_of(deployment)
            self._path = f"/api/v1/namespaces/{namespace}/secrets/{self._secret}"
            there = request(api, "GET", self._path)
            self._uid = there["metadata"]["uid"]
            empty = {name: value for name, value in own_fields(there).items() if name not in ("data", "stringData")}
            named = {"namespace": namespace, "secret": self._secret, "deployment": deployment["metadata"]["name"]}
            injection.undo(refill, **named, **planes)
            injection.undo(bring_back, manifests=[empty], **planes)
            delete(api, self._path, {"preconditions": {"uid": self._uid}})

    def observed(self, cluster: Cluster, deadline: Deadline) -> str:
        deadline.check("the Secret was not looked at")
        with cluster.client() as api:
            if not self._path or not is_gone(api, self._path):
                raise FaultNotApplied(f"expected no Secret {self._secret}, it is there; did somebody make it again?")
        return f"there is no Secret {self._secret}, whose uid was {self._uid}"

    def healed(self, cluster: Cluster, deadline: Deadline) -> str:
        deadline.check("the Secret was not looked at")
        with cluster.client() as api:
            there = find_object(api, self._path) if self._path else {}
        if there is None:
            raise FaultNotApplied(f"expected a Secret {self._secret} again, there is none")
        if self._path and not (there.get("data") or {}).get("tls.crt"):
            raise FaultNotApplied(f"expected Gatekeeper to fill Secret {self._secret}, it has no certificate")
        return f"Secret {self._secret} holds a certificate again" if self._path else "nothing was deleted"
