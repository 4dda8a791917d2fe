"""Tests of clusters.gatekeeper.install and clusters.gatekeeper.readiness: what counts as installed, and as serving."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.errors import ApiRefused, BadScenario
from chaos_harness.clusters.gatekeeper.install import _apply, _established, install
from chaos_harness.clusters.gatekeeper.readiness import (
    _all_replicas_listed,
    _probe_replica,
    _rolled_out,
    wait_until_serving,
)
from chaos_harness.clusters.machine.process import CommandResult
from chaos_harness.clusters.shape import Shape
from tests.fakes.engine import FakeEngine
from tests.fakes.rest_server import cluster_on, rest_server
from tests.gatekeeper_names import CONTROLLER

_URL = "https://10.244.1.2:8443/v1/admitlabel"


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    return Cluster("c", Shape(), FakeEngine(), tmp_path / "k", "c", None, "r", tmp_path)


def deployment(name: str = CONTROLLER, wanted: int = 3, status: dict[str, int] | None = None) -> dict[str, Any]:
    done = {"observedGeneration": 2, "replicas": wanted, "updatedReplicas": wanted, "availableReplicas": wanted}
    return {
        "metadata": {"name": name, "generation": 2},
        "spec": {"replicas": wanted},
        "status": {**done, **(status or {})},
    }


def slice_of(*pods: str, ready: bool = True) -> dict[str, Any]:
    endpoints = [
        {"addresses": [f"10.0.0.{n}"], "conditions": {"ready": ready}, "targetRef": {"name": pod}}
        for n, pod in enumerate(pods)
    ]
    return {"ports": [{"port": 8443}], "endpoints": endpoints}


def test_deployments_that_are_up_to_date_and_available_are_rolled_out() -> None:
    """Every replica is there, of the newest generation, and available."""
    state = {"a": deployment("gatekeeper-audit", 1), "b": deployment()}
    assert _rolled_out(state) == 3


@pytest.mark.parametrize(
    "status",
    [
        {"observedGeneration": 1},
        {"updatedReplicas": 2},
        {"availableReplicas": 2},
        {"replicas": 4},
    ],
)
def test_a_deployment_in_the_middle_of_something_is_not_rolled_out(status: dict[str, int]) -> None:
    """A change not yet seen, an old replica, a missing one and a surplus one each mean not yet."""
    assert _rolled_out({"a": deployment("gatekeeper-audit", 1), "b": deployment(status=status)}) is None


def test_without_the_webhook_deployment_nothing_is_rolled_out() -> None:
    """An empty namespace, or one with audit alone, does not serve."""
    assert [_rolled_out({}), _rolled_out({"a": deployment("gatekeeper-audit", 1)})] == [None, None]


def test_endpoints_are_complete_when_every_replica_is_ready() -> None:
    """The slices name each webhook pod, and so the URL at which it is asked, over several slices too."""
    assert _all_replicas_listed(3)({"x": slice_of("p", "q"), "y": slice_of("r")}) == {
        "p": "https://10.0.0.0:8443/v1/admitlabel",
        "q": "https://10.0.0.1:8443/v1/admitlabel",
        "r": "https://10.0.0.0:8443/v1/admitlabel",
    }


def test_an_endpoint_without_a_pod_is_one_too_many() -> None:
    """An address without a pod, written by hand, raises no error: it is one endpoint too many."""
    by_hand = {"addresses": ["10.0.1.1"], "conditions": {"ready": True}}
    state = {"x": slice_of("p"), "y": {"ports": [{"port": 8443}], "endpoints": [by_hand]}}
    assert [_all_replicas_listed(wanted)(state) is None for wanted in (1, 2)] == [True, False]


def test_endpoints_that_lack_a_replica_are_incomplete() -> None:
    """A replica that is missing or not ready, and slices that hold nothing yet, are not enough."""
    empty = {"ports": None, "endpoints": None}
    states: list[dict[str, Any]] = [{"x": slice_of("p")}, {"x": slice_of("p", "q", ready=False)}, {"x": empty}, {}]
    assert [_all_replicas_listed(2)(state) for state in states] == [None] * 4


@pytest.mark.parametrize(
    ("answer", "wrong"),
    [
        ('{"response": {"allowed": false}}', None),
        ('{"response": {"allowed": true}}', "allowed a namespace that it must deny"),
        ("curl: (7) Failed to connect", "answered 'curl: (7) Failed to connect'"),
        ("[]", "answered '[]'"),
        ("", "answered ''"),
    ],
)
def test_a_replica_serves_only_if_it_denies_what_it_must(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, answer: str, wrong: str | None
) -> None:
    """A replica that admits everything, or says anything else, does not serve."""
    monkeypatch.setattr(FakeEngine, "run", lambda *_, **__: CommandResult(answer, "", 0))
    problem = _probe_replica(cluster, _URL, Deadline.after(60, "x"))
    assert (problem is None) == (wrong is None)
    assert (problem or "").startswith(wrong or "")


def test_a_replica_is_asked_without_the_api_server(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """The review goes from a control-plane node straight to the pod's address."""
    seen: list[Any] = []

    def run(_: FakeEngine, argv: list[str], *_args: object, stdin: str, **__: object) -> CommandResult:
        seen.append((argv[2], argv[-1], json.loads(stdin)["request"]["object"]["metadata"]["labels"]))
        return CommandResult("{}", "", 0)

    monkeypatch.setattr(FakeEngine, "run", run)
    _probe_replica(cluster, _URL, Deadline.after(60, "x"))
    assert seen == [("c-control-plane", _URL, {"admission.gatekeeper.sh/ignore": "canary"})]


def test_definitions_are_established_when_all_of_them_are() -> None:
    """One definition whose condition is not yet True keeps the rest of the manifest waiting."""

    def definition(name: str, status: str) -> dict[str, Any]:
        return {"metadata": {"name": name}, "status": {"conditions": [{"type": "Established", "status": status}]}}

    one, two = definition("a", "True"), definition("b", "False")
    assert [_established({"a": one, "b": two}, {"a"}), _established({"a": one, "b": two}, {"a", "b"})] == [True, None]


def test_a_shape_without_gatekeeper_has_none_to_install(cluster: Cluster) -> None:
    """Installing what the shape does not have is a mistake in the scenario; nobody waits for it to serve."""
    bare = replace(cluster, shape=Shape(gatekeeper=None))
    with pytest.raises(BadScenario, match="has no Gatekeeper"):
        install(bare, "manifest", Deadline.after(60, "x"))
    assert wait_until_serving(bare, Deadline.after(0, "x")) == []


def test_what_a_starting_api_server_cannot_take_yet_is_applied_again(tmp_path: Path) -> None:
    """It says so with 429; all objects are applied again, since that changes nothing of those that are there."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n"}}
    answers = [(429, {"message": "storage is (re)initializing"}), {}]
    with rest_server() as server, cluster_on(server, FakeEngine(), tmp_path).client() as api:
        server.answers["/api/v1"] = {"resources": [{"kind": "Namespace", "name": "namespaces"}]}
        server.answers["PATCH /api/v1/namespaces/n"] = lambda: answers.pop(0)
        _apply(api, [namespace], Deadline.after(20, "the namespace"))
        assert [change[:2] for change in server.changes] == [("PATCH", "/api/v1/namespaces/n")] * 2

        server.answers["PATCH /api/v1/namespaces/n"] = 422
        with pytest.raises(ApiRefused, match="422 "):
            _apply(api, [namespace], Deadline.after(20, "the namespace"))
