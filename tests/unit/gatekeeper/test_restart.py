"""Tests of harness.gatekeeper.restart that need no cluster; what a restart does is told by those of the experiment."""

from pathlib import Path

import pytest

from clusters.cluster import Cluster
from clusters.deadline import Deadline
from clusters.shape import Shape
from harness.errors import BadScenario
from harness.gatekeeper.restart import restart_gatekeeper
from tests.fakes.engine import FakeEngine


def test_an_unknown_pull_policy_is_refused_before_the_cluster_is_asked(tmp_path: Path) -> None:
    """Kubernetes' three policies are told, nothing is sent."""
    unasked = Cluster("c", Shape(), FakeEngine(), Path("/nonexistent"), "c", None, "r", tmp_path)
    deadline = Deadline.after(60, "x")
    with pytest.raises(BadScenario, match=r"'always'.*Always, IfNotPresent, Never"):
        restart_gatekeeper(unasked, deadline, pull_policy="always")  # type: ignore[arg-type]  # the mistake
