"""Upgrade: which version is deployed, to which revision helm goes back, and why a release does not get ready."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.errors import BadScenario
from chaos_harness.clusters.gatekeeper import upgrade as module
from chaos_harness.clusters.gatekeeper.upgrade import deployed_versions, roll_back_chart, upgrade, why_not_ready
from chaos_harness.clusters.machine.process import CommandResult
from tests.fakes.engine import FakeEngine
from tests.fakes.rest_server import RestServer, cluster_on, rest_server
from tests.gatekeeper_names import DEPLOYMENTS, NAMESPACE

_PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
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


def _pod(name: str, *, ready: str = "False", phase: str = "Running", **status: Any) -> dict[str, Any]:
    conditions = [{"type": "Ready", "status": ready}, *status.pop("conditions", [])]
    return {"metadata": {"name": name}, "status": {"phase": phase, "conditions": conditions, **status}}


def test_the_version_of_each_deployment(server: RestServer, cluster: Cluster) -> None:
    """It is that of Gatekeeper's image, whatever registry it is of; other Deployments have none."""
    images = {"audit": "docker.io/openpolicyagent/gatekeeper:v3.20.1", "manager": "openpolicyagent/gatekeeper:v3.23.1"}
    deployments = [_deployment(name, image) for name, image in {**images, "other": "other:v1.2.3"}.items()]
    server.answers[DEPLOYMENTS] = {"items": deployments}
    with cluster.client() as api:
        assert deployed_versions(api) == {"audit": "v3.20.1", "manager": "v3.23.1"}


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


def test_a_pod_that_is_not_ready_says_why(
    server: RestServer, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its states, and the end of its own log; pods that are ready, completed or on their way out say nothing."""
    crash = {
        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}},
        "lastState": {"terminated": {"exitCode": 1, "reason": "Error"}},
    }
    going = _pod("going")
    going["metadata"]["deletionTimestamp"] = "now"
    nowhere = [{"type": "PodScheduled", "status": "False", "message": "0/3 nodes are available"}]
    server.answers[_PODS] = {
        "items": [
            _pod("crashing", containerStatuses=[crash]),
            _pod("waiting", phase="Pending", conditions=nowhere),
            _pod("done", phase="Succeeded"),
            _pod("fine", ready="True"),
            going,
        ]
    }

    def run(_: FakeEngine, argv: list[str], *_args: object, **__: object) -> CommandResult:
        there = "crashing" in argv and "--previous" in argv
        return CommandResult(
            "starting\nmust specify at least one enforcement point\n" if there else "", "", int(not there)
        )

    monkeypatch.setattr(FakeEngine, "run", run)
    log = "starting | must specify at least one enforcement point"
    assert why_not_ready(cluster) == [
        f"crashing: CrashLoopBackOff back-off 10s, ended with status 1 (Error); its log ends with: {log}",
        "waiting: not scheduled: 0/3 nodes are available",
    ]


def test_pods_that_cannot_be_listed_are_no_error(cluster: Cluster) -> None:
    """The reason is looked for when something failed already: that it cannot be read must not hide what failed."""
    assert why_not_ready(cluster)[0].startswith("its pods cannot be listed: ")
