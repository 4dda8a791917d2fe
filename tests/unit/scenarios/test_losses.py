"""Losses: the table of the node-loss scenario, without a cluster."""

import json
from typing import Any

import pytest

from chaos_harness.harness.policies import CANARIES, mutate_pods
from chaos_harness.scenarios.node_loss.steps import _are_replaced, _only_in
from chaos_harness.scenarios.node_loss.table import FAULTS, ROWS, rows


def test_rows() -> None:
    """Every fault is in a row, no row is there twice, and the default ones are few enough for 12 minutes."""
    assert {row.fault for row in ROWS} == set(FAULTS)
    assert len({row.name for row in ROWS}) == len(ROWS)
    assert sum(row.usual for row in ROWS) == 4


def test_both_verdicts_are_predicted() -> None:
    """By default a cell is expected to lose the mutation and one to keep it: a table that only holds proves nothing."""
    assert {row.deployment for row in ROWS if row.usual} == {"mutated", "unmutated", "never"}


def test_only_usual_rows_run_by_default() -> None:
    """What is not usual carries the marker by which it is left out."""
    params: Any = rows()
    names = [{mark.name for mark in param.marks} for param in params]
    assert ["extended" in marks for marks in names] == [not row.usual for row in ROWS]
    assert all("takes" in marks for marks in names)


def test_webhook_pods_that_outlive_the_loss() -> None:
    """Processes that stood still or were unreachable go on; all others of a lost node begin anew."""
    assert {row.fault for row in ROWS if row.outlived} == {"pause", "cut off"}


def test_a_policy_for_one_namespace() -> None:
    """The policy matches one workload's namespace and the canary's, and nothing else of it is changed."""
    policy = _only_in(mutate_pods(), "chaos-pods")
    assert policy.objects[0]["spec"]["match"]["namespaces"] == ["chaos-pods", CANARIES]
    policy.objects[0]["spec"]["match"]["namespaces"] = mutate_pods().objects[0]["spec"]["match"]["namespaces"]
    assert json.dumps(policy.objects) == json.dumps(mutate_pods().objects)


@pytest.mark.parametrize(
    ("pod", "counts"),
    [
        ({}, True),
        ({"node": "victim"}, False),
        ({"node": ""}, False),
        ({"leaving": "now"}, False),
        ({"ready": "False"}, False),
        ({"owner": "DaemonSet"}, False),
    ],
)
def test_replacements_that_count(pod: dict[str, str], counts: bool) -> None:
    """A Ready pod beside the victim counts, unless it is leaving or a DaemonSet's."""
    metadata: dict[str, Any] = {"ownerReferences": [{"kind": pod.get("owner", "ReplicaSet")}]}
    if "leaving" in pod:
        metadata["deletionTimestamp"] = pod["leaving"]
    replacement = {
        "metadata": metadata,
        "spec": {"nodeName": pod.get("node", "other")},
        "status": {"conditions": [{"type": "Ready", "status": pod.get("ready", "True")}]},
    }
    assert _are_replaced(1, "victim", {"a": replacement}) is counts
