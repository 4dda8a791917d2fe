"""Installed: Gatekeeper is found by its labels and by what webhooks call, whatever its objects are called."""

from pathlib import Path
from typing import Any

import pytest

from chaos_harness.clusters.errors import ClusterUnavailable
from chaos_harness.clusters.gatekeeper.installed import (
    METRICS_PORT,
    WEBHOOK_PORT,
    configuration_with,
    port_of,
    secret_of,
    service_called,
    webhook_deployment,
    webhook_deployment_of,
)
from chaos_harness.clusters.gatekeeper.readiness import WEBHOOK
from tests.fakes.engine import FakeEngine
from tests.fakes.rest_server import cluster_on, rest_server

_DEPLOYMENTS = "/apis/apps/v1/namespaces/gatekeeper-system/deployments"
_VALIDATING = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"


def _deployment(name: str, operation: str = "", **spec: Any) -> dict[str, Any]:
    labels = {"gatekeeper.sh/operation": operation} if operation else {}
    return {"metadata": {"name": name}, "spec": {"template": {"metadata": {"labels": labels}, "spec": spec}}}


def _configuration(name: str, webhook: str, service: str = "s", namespace: str = "gatekeeper-system") -> dict[str, Any]:
    called = {"service": {"name": service, "namespace": namespace}}
    return {"metadata": {"name": name}, "webhooks": [{"name": webhook, "clientConfig": called}]}


@pytest.mark.parametrize(
    ("deployments", "found"),
    [
        ([_deployment("acme-audit", "audit"), _deployment("acme-admission", "webhook")], "acme-admission"),
        ([_deployment("gatekeeper-controller-manager"), _deployment("acme", "webhook")], "acme"),
        ([_deployment("proxy"), _deployment("gatekeeper-controller-manager")], "gatekeeper-controller-manager"),
        ([_deployment("proxy")], None),
    ],
)
def test_what_serves_admission(deployments: list[dict[str, Any]], found: str | None) -> None:
    """The label of its pods decides; only where nobody has it, the name that the release has."""
    deployment = webhook_deployment_of(deployments)
    assert (deployment and deployment["metadata"]["name"]) == found


def test_a_namespace_without_gatekeeper_is_told(tmp_path: Path) -> None:
    """With the label that was looked for, what is there, and the command that shows it."""
    with rest_server() as server, cluster_on(server, FakeEngine(), tmp_path).client() as api:
        server.answers[_DEPLOYMENTS] = {"items": [_deployment("proxy")]}
        with pytest.raises(ClusterUnavailable, match=r"gatekeeper\.sh/operation=webhook, there is proxy; see `kubectl"):
            webhook_deployment(api, cluster_on(server, FakeEngine(), tmp_path))


def test_the_service_is_the_one_that_the_webhook_calls(tmp_path: Path) -> None:
    """Not one of another namespace, nor that of another webhook; without any, it is the release's."""
    others = [_configuration("a", WEBHOOK, "other", "policy"), _configuration("b", "validation.acme.example", "acme")]
    with rest_server() as server, cluster_on(server, FakeEngine(), tmp_path).client() as api:
        cluster = cluster_on(server, FakeEngine(), tmp_path)
        server.answers[_VALIDATING] = {"items": others}
        assert service_called(api, cluster, WEBHOOK) == "gatekeeper-webhook-service"
        server.answers[_VALIDATING] = {"items": [*others, _configuration("c", WEBHOOK, "acme-webhook")]}
        assert service_called(api, cluster, WEBHOOK) == "acme-webhook"


def test_a_configuration_is_found_by_its_webhook() -> None:
    """However it is called, and only if it calls a Service of Gatekeeper's namespace."""
    elsewhere = _configuration("stock", "mutation.gatekeeper.sh", namespace="elsewhere")
    ours = _configuration("acme", "mutation.gatekeeper.sh")
    assert configuration_with([elsewhere, ours], "mutation.gatekeeper.sh", "gatekeeper-system") == "acme"
    assert configuration_with([elsewhere], "mutation.gatekeeper.sh", "gatekeeper-system") is None


def test_ports_and_the_secret_are_those_of_the_pods() -> None:
    """Named ports count, and the Secret that is mounted as the certificate; else Gatekeeper's own defaults."""
    ports = [{"name": "webhook-server", "containerPort": 9443}, {"name": "metrics", "containerPort": 9999}]
    pod = {"spec": {"containers": [{"name": "manager", "ports": ports}]}}
    assert (port_of(pod, WEBHOOK_PORT), port_of(pod, METRICS_PORT)) == (9443, 9999)
    assert (port_of({"spec": {}}, WEBHOOK_PORT), port_of({"spec": {}}, METRICS_PORT)) == (8443, 8888)
    mounted = _deployment("a", volumes=[{"name": "tmp"}, {"name": "cert", "secret": {"secretName": "acme-cert"}}])
    assert secret_of(mounted) == "acme-cert"
    assert secret_of(_deployment("a")) == "gatekeeper-webhook-server-cert"
