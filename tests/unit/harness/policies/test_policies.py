"""Policies: what they are made of, and who carries their mark."""

import pytest

from chaos_harness.harness.policies import (
    CANARIES,
    LEVEL,
    Policy,
    deny_pods,
    deny_pods_by_cel,
    mutate_pods,
    mutate_templates,
    mutated,
)

ALL = (mutate_pods(), mutate_templates(), deny_pods(), deny_pods_by_cel())
MARK = {"securityContext": {"seLinuxOptions": {"level": LEVEL}}}


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


@pytest.mark.parametrize(
    ("manifest", "carries"),
    [
        ({"spec": MARK}, True),
        ({"spec": {"template": {"spec": MARK}}}, True),
        ({"spec": {"template": {"spec": {}}, **MARK}}, False),
        ({"spec": {"securityContext": {"seLinuxOptions": {"level": "s0"}}}}, False),
        ({"spec": {"securityContext": None}}, False),
        ({"spec": None}, False),
        ({}, False),
    ],
)
def test_mark(manifest: dict[str, object], carries: bool) -> None:
    """A pod carries the mark in its spec, a controller in its template's."""
    assert mutated(manifest) is carries
