"""Upgrade: which version is deployed, and to which revision helm goes back."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.errors import BadScenario
from chaos_harness.clusters.gatekeeper import upgrade as module
from chaos_harness.clusters.gatekeeper.upgrade import deployed_versions, roll_back_chart, upgrade
from tests.fakes.engine import FakeEngine
from tests.fakes.rest_server import RestServer, cluster_on, rest_server
from tests.gatekeeper_names import DEPLOYMENTS

_NEVER = Deadline.after(60, "x")


@pytest.fixture
def server() -> Iterator[RestServer]:
    with rest_server() as server:
        yield server


@pytest.fixture
def cluster(server: RestServer, tmp_path: Path) -> Cluster:
    return cluster_on(server, FakeEngine(), tmp_path)


@pytest.fixture
def helm(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Return what helm was asked; its history has three revisions."""
    asked: list[list[str]] = []
    versions = ["v3.18.3", "v3.20.1", "v3.23.1"]
    revisions = [{"revision": number + 1, "app_version": version} for number, version in enumerate(versions)]

    def answer(_kubeconfig: Path, words: list[str], _deadline: Deadline) -> str:
        asked.append([str(word) for word in words])
        return json.dumps(revisions) if words[0] == "history" else ""

    monkeypatch.setattr(module, "helm", answer)
    return asked


def _deployment(name: str, image: str) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"template": {"spec": {"containers": [{"image": image}]}}}}


def test_the_version_of_each_deployment(server: RestServer, cluster: Cluster) -> None:
    """It is that of Gatekeeper's image, whatever registry it is of; other Deployments have none."""
    images = {"audit": "docker.io/openpolicyagent/gatekeeper:v3.20.1", "manager": "openpolicyagent/gatekeeper:v3.23.1"}
    deployments = [_deployment(name, image) for name, image in {**images, "other": "other:v1.2.3"}.items()]
    server.answers[DEPLOYMENTS] = {"items": deployments}
    with cluster.client() as api:
        assert deployed_versions(api, cluster) == {"audit": "v3.20.1", "manager": "v3.23.1"}


def test_helm_goes_back_to_the_revision_of_a_version(helm: list[list[str]]) -> None:
    """A revision has the number that helm gave it; a version that never was there is refused, and nothing is done."""
    roll_back_chart(Path("k"), "v3.20.1", _NEVER)
    assert helm[-1] == ["rollback", "gatekeeper", "2"]
    with pytest.raises(
        BadScenario, match=r"cannot roll back to v3\.17\.1: the release had v3\.18\.3, v3\.20\.1, v3\.23"
    ):
        roll_back_chart(Path("k"), "v3.17.1", _NEVER)
    assert [words[0] for words in helm] == ["history", "rollback", "history"]


def test_a_chart_keeps_the_values_that_it_was_installed_with(
    cluster: Cluster, helm: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Helm takes the new chart's defaults and the values of the release of before."""
    monkeypatch.setattr(module, "chart", lambda version: Path(f"charts-{version}"))
    upgrade(cluster, "v3.23.1", "chart", _NEVER)
    assert helm == [["upgrade", "gatekeeper", "charts-v3.23.1", "--reset-then-reuse-values"]]
