"""Tests of clusters.gatekeeper.certificate: the Secret that is made, and one that is there already."""

import base64
from pathlib import Path
from typing import Any

import pytest
from kubernetes.client import ApiClient

from chaos_harness.clusters.api.rest import apply, request
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.errors import ApiRefused
from chaos_harness.clusters.gatekeeper.certificate import SECRET, prepare_certificate
from chaos_harness.clusters.machine.process import run
from chaos_harness.clusters.shape import NAMESPACE, Shape
from tests.live_api.binaries import Binaries
from tests.live_api.cluster import KubectlEngine, live_cluster
from tests.live_api.gatekeeper import released
from tests.live_api.server import NOBODY, ApiServer

PATH = f"/api/v1/namespaces/{NAMESPACE}/secrets/{SECRET}"


def with_openssl(cluster: Cluster) -> Cluster:
    """Return the cluster whose node is this machine, as far as a shell goes."""
    assert isinstance(cluster.engine, KubectlEngine)
    cluster.engine.programs["sh"] = lambda words, deadline: run(words, deadline, check=False)
    return cluster


def prepare(cluster: Cluster) -> None:
    prepare_certificate(with_openssl(cluster), Deadline.after(30, "openssl"))


@pytest.mark.parametrize("install", ["manifest", "chart"])
def test_gatekeeper_takes_it_over(
    server: ApiServer, binaries: Binaries, api: ApiClient, tmp_path: Path, install: Any
) -> None:
    """For a chart it has the marks without which Helm refuses what it did not make; the manifest keeps its content."""
    prepare(live_cluster(server, binaries.kubectl, tmp_path, Shape(install=install)))
    secret = request(api, "GET", PATH)
    assert set(secret["data"]) == {"ca.crt", "ca.key", "tls.crt", "tls.key"}
    assert base64.b64decode(secret["data"]["ca.key"]).startswith(b"-----BEGIN RSA PRIVATE KEY-----")
    labels = secret["metadata"].get("labels", {})
    assert (labels == {"app.kubernetes.io/managed-by": "Helm"}) == (install == "chart")
    (empty,) = [made for made in released("Secret") if made["metadata"]["name"] == SECRET]
    apply(api, [*released("Namespace"), empty], Deadline.after(20, "the manifest"))
    assert request(api, "GET", PATH)["data"] == secret["data"]


def test_a_certificate_that_is_there_stays(cluster: Cluster, api: ApiClient) -> None:
    """A namespace and a Secret that exist are no error, and are not changed."""
    prepare(cluster)
    before = request(api, "GET", PATH)
    prepare(cluster)
    assert request(api, "GET", PATH) == before


def test_another_refusal_is_raised(server: ApiServer, binaries: Binaries, tmp_path: Path) -> None:
    """Only what is there already is passed over."""
    with pytest.raises(ApiRefused, match=r'403 .*User "nobody" cannot create resource "namespaces"'):
        prepare(live_cluster(server, binaries.kubectl, tmp_path, user=NOBODY))
