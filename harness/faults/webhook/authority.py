"""Authority: the fault that makes the API server trust another authority than that of the webhooks."""

import base64
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, get_args

from kubernetes.client import ApiClient

from chaos_harness.clusters.api.rest import merge_patch, request
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.harness.errors import BadScenario, FaultNotApplied
from chaos_harness.harness.faults import Fault
from chaos_harness.harness.faults.injection import Injection
from chaos_harness.harness.faults.webhook.call import DENIED, NOBODY, UNCALLED, ask, wait_answered
from chaos_harness.harness.gatekeeper.webhook_settings import set_back
from chaos_harness.harness.undo.commands import control_plane_arguments

__all__ = ["break_ca_bundle"]

Authority = Literal["other", "none"]

_ROOT = "/apis/admissionregistration.k8s.io/v1"
_KINDS = ("mutatingwebhookconfiguration", "validatingwebhookconfiguration")
_OURS = ".gatekeeper.sh"
_DISTRUST = "x509"
_ASKED_SECONDS = 0.5
"""How long it is asked at once after the change: Gatekeeper mostly puts it right within a tenth of a second."""


def break_ca_bundle(how: Authority = "other") -> Fault:
    """Return the fault that changes the `caBundle` of all webhooks of Gatekeeper, as a wrong manifest does.

    It is that of the cluster's own authority ("other"), or there is "none", so that the API server does not trust the
    certificate that it is shown. Whoever writes the right one back ends the fault; if that is before its proof, a call
    that fails for the certificate, it is not applied. Raises BadScenario.
    """
    if how not in get_args(Authority):
        raise BadScenario(f"break_ca_bundle(how={how!r}): expected 'other' or 'none'")
    return _Authority(how)


class _Authority:
    name = "break CA bundle"

    def __init__(self, how: Authority) -> None:
        self._how = how
        self._changed: list[str] = []
        self._said = ""

    def inject(self, injection: Injection) -> None:
        planes = control_plane_arguments(injection.cluster)
        with injection.cluster.client() as api:
            bundle = _own_authority(api) if self._how == "other" else None
            wanted = {"clientConfig": {"caBundle": bundle}}
            for kind, configuration, webhook in _webhooks(api):
                named = {"kind": kind, "configuration": configuration, "webhook": webhook["name"]}
                before = {"clientConfig": {"caBundle": _bundle_before(injection, named, webhook)}}
                injection.undo(set_back, harm={"fields": wanted}, fields=before, **named, **planes)
                patch = {"webhooks": [{"name": webhook["name"], **wanted}]}
                merge_patch(api, f"{_ROOT}/{kind}s/{configuration}", patch, strategic=True)
                self._changed.append(str(webhook["name"]))
            for _ in Deadline.after(_ASKED_SECONDS, "a call that fails").attempts(first=0.002, most=0.01):
                if _DISTRUST in (said := ask(api)):
                    self._said = said
                    break

    def observed(self, cluster: Cluster, deadline: Deadline) -> str:
        """Ask for a namespace that Gatekeeper must deny: the call must fail, or have failed, for the certificate."""
        if not self._changed:
            raise FaultNotApplied("expected a webhook of Gatekeeper, there is none; see `kubectl get vwc,mwc`")
        said = self._said or wait_answered(cluster, deadline, UNCALLED)
        if _DISTRUST not in said:
            raise FaultNotApplied(f"expected the API server to trust no certificate of Gatekeeper's, it says: {said}")
        return f"the caBundle of {', '.join(self._changed)} is {self._how}; the API server says: {said}"

    def healed(self, cluster: Cluster, deadline: Deadline) -> str:
        said = wait_answered(cluster, deadline, DENIED, NOBODY)
        return f"the API server, asked for what Gatekeeper must deny, says: {said}"


def _webhooks(api: ApiClient) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Yield each webhook of Gatekeeper with the kind and the name of its configuration."""
    for kind in _KINDS:
        for configuration in request(api, "GET", f"{_ROOT}/{kind}s")["items"]:
            for webhook in configuration.get("webhooks") or ():
                if webhook["name"].endswith(_OURS):
                    yield kind, configuration["metadata"]["name"], webhook


def _bundle_before(injection: Injection, named: Mapping[str, str], webhook: Mapping[str, Any]) -> str | None:
    """Return the caBundle from before the first fault that changed it and is not healed yet."""
    for other in injection.undos.standing(set_back, **named):
        if "caBundle" in other.arguments["fields"].get("clientConfig", {}):
            first: str | None = other.arguments["fields"]["clientConfig"]["caBundle"]
            return first
    now: str | None = webhook.get("clientConfig", {}).get("caBundle")
    return now


def _own_authority(api: ApiClient) -> str:
    return base64.b64encode(Path(api.configuration.ssl_ca_cert).read_bytes()).decode()
