"""Policies: what they are made of, and who carries their mark."""

import pytest

from chaos_harness.harness.policies import (
    CANARIES,
    POD_LEVEL,
    Policy,
    deny_pods,
    deny_pods_by_cel,
    mutate_pods,
    mutate_templates,
)

ALL = (mutate_pods(), mutate_templates(), deny_pods(), deny_pods_by_cel())


@pytest.mark.parametrize("policy", ALL, ids=lambda policy: policy.name)
def test_only_chaos_namespaces_are_meant(policy: Policy) -> None:
    """No policy touches what is not in a namespace chaos-*."""
    for item in policy.objects:
        if item["kind"] != "ConstraintTemplate":
            assert item["spec"]["match"]["namespaces"] == ["chaos-*"]


@pytest.mark.parametrize("policy", ALL, ids=lambda policy: policy.name)
def test_each_policy_is_asked_about(policy: Policy) -> None:
    """Each has questions, in the canary's namespace, and a denial names the constraint that demands it."""
    names = {item["metadata"]["name"] for item in policy.objects}
    for question in policy.questions:
        assert f"/namespaces/{CANARIES}/" in question.path
        assert question.wanted in ("mutated", "admitted") or question.names in names


def test_policies_do_not_share_objects() -> None:
    """All of them can be in force at once."""
    names = [(item["kind"], item["metadata"]["name"]) for policy in ALL for item in policy.objects]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("policy", [mutate_pods(), mutate_templates()], ids=lambda policy: policy.name)
def test_pods_get_the_same_level(policy: Policy) -> None:
    """Both mutators make pods the same, one of them by way of their template."""
    assert policy.mutates == {policy.name: POD_LEVEL.by_path}


def test_what_denies_mutates_nothing() -> None:
    """What it demands of pods is no mutation."""
    assert deny_pods().mutates == {}
