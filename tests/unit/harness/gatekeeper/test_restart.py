"""Tests of harness.gatekeeper.restart that need no cluster; what a restart does is told by those of the experiment."""

from pathlib import Path

import pytest

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.shape import Shape
from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.gatekeeper.restart import pull_policy, restart_gatekeeper
from tests.fakes.engine import FakeEngine
from tests.fakes.world import World
from tests.gatekeeper_names import DEPLOYMENTS


def test_an_unknown_pull_policy_is_refused_before_the_cluster_is_asked(tmp_path: Path) -> None:
    """Kubernetes' three policies are told, nothing is sent."""
    unasked = Cluster("c", Shape(), FakeEngine(), Path("/nonexistent"), "c", None, "r", tmp_path)
    deadline = Deadline.after(60, "x")
    with pytest.raises(BadScenario, match=r"'always'.*Always, IfNotPresent, Never"):
        restart_gatekeeper(unasked, deadline, pull_policy="always")  # type: ignore[arg-type]  # the mistake


def test_the_pull_policy_is_that_of_the_webhook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever other Deployments stand in Gatekeeper's namespace, and however they are called, it is the webhook's."""
    policies = {"gatekeeper-audit": "Never", "gatekeeper-controller-manager": "IfNotPresent", "zz-mirror": "Always"}
    deployments = [
        {
            "metadata": {"name": name},
            "spec": {"template": {"spec": {"containers": [{"imagePullPolicy": policy}]}}},
        }
        for name, policy in policies.items()
    ]
    answers = {DEPLOYMENTS: {"items": deployments}}
    monkeypatch.setattr(
        "chaos_harness.clusters.gatekeeper.installed.request", lambda _api, _method, path: answers[path]
    )
    with World().cluster(tmp_path) as cluster:
        assert pull_policy(cluster) == "IfNotPresent"
