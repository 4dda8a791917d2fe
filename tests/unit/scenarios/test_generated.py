"""Generated: the templates and constraints that scenarios put there ask for what the scenarios say they do."""

from pathlib import Path
from typing import Any

import pytest

from chaos_harness.harness.policies.generation_rules import Rules
from chaos_harness.scenarios.generated_policies.steps import (
    CONFIG_MAPS,
    LEASES,
    WEBHOOK_ONLY,
    PolicyInCluster,
    SamplePolicy,
)
from chaos_harness.scenarios.generated_policies.test_generated_policies import crowd
from tests.fakes.world import World

RULES = [Rules.of(version) for version in ("v3.17.1", "v3.20.1", "v3.23.1")]


@pytest.mark.parametrize("policy", [CONFIG_MAPS, LEASES], ids=lambda policy: policy.kind)
@pytest.mark.parametrize("rules", RULES)
def test_policies_ask_on_every_version(policy: SamplePolicy, rules: Rules) -> None:
    """Template and constraint ask for a policy and a binding in words, so that no version's default matters."""
    templates, constraint = [policy.template()], policy.constraint()
    assert rules.policies(templates) == {f"gatekeeper-{policy.kind.lower()}"}
    assert rules.bindings(templates, [constraint]) == {rules.binding(constraint)}
    constraint["spec"]["scopedEnforcementActions"][0]["enforcementPoints"] = [{"name": WEBHOOK_ONLY[0]}]
    assert rules.bindings(templates, [constraint]) == set()


def constraint(*statuses: dict[str, Any]) -> dict[str, Any]:
    """Return a constraint of generation 2 of which pods tell this."""
    return {"metadata": {"generation": 2}, "status": {"byPod": list(statuses)}}


@pytest.mark.parametrize(
    ("candidate", "settled"),
    [
        (constraint({"observedGeneration": 2}, {"observedGeneration": 2}), True),
        (constraint({"observedGeneration": 2}, {"observedGeneration": 1}), False),
        (constraint(), False),
        ({"metadata": {"generation": 2}}, False),
    ],
)
def test_settled(tmp_path: Path, candidate: dict[str, Any], *, settled: bool) -> None:
    """A constraint is settled when all pods have dealt with it as it is."""
    with World().cluster(tmp_path) as cluster, PolicyInCluster(cluster, CONFIG_MAPS) as generated:
        assert generated.has_settled(candidate) is settled


@pytest.mark.parametrize(("state", "settled"), [("generated", True), ("waiting", False)])
def test_settled_with_its_binding(tmp_path: Path, state: str, *, settled: bool) -> None:
    """A constraint whose binding is still to come is not settled."""
    points = [{"enforcementPoint": "vap.k8s.io", "state": state}, {"enforcementPoint": "other", "state": "active"}]
    with_points = constraint({"observedGeneration": 2, "enforcementPointsStatus": points})
    with World().cluster(tmp_path) as cluster, PolicyInCluster(cluster, CONFIG_MAPS) as generated:
        assert generated.has_settled(with_points) is settled


def test_who_generates() -> None:
    """Before v3.18 every pod generates, from then on the audit pod."""
    assert crowd("v3.17.1").selector == "gatekeeper.sh/system=yes"
    assert crowd("v3.18.3") == crowd("v3.23.1") == crowd(None)
