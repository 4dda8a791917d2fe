"""Tests of suites are in force together only if none meets the objects of another."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chaos_harness.harness.suites.groups import grouped
from chaos_harness.harness.suites.matching import may_match
from chaos_harness.harness.suites.model import Case, SuiteTest
from chaos_harness.harness.suites.read import read_suites

_SUITES = Path(__file__).parents[3] / "suites"
_POD: Mapping[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "web-1", "namespace": "shop-one", "labels": {"app": "web"}},
}


@pytest.mark.parametrize(
    ("match", "matches"),
    [
        ({}, True),
        ({"kinds": [{"apiGroups": [""], "kinds": ["Pod"]}]}, True),
        ({"kinds": [{"apiGroups": ["*"], "kinds": ["*"]}]}, True),
        ({"kinds": [{"apiGroups": ["apps"], "kinds": ["*"]}]}, False),
        ({"kinds": [{"kinds": ["Service"]}]}, False),
        ({"kinds": [{"kinds": ["Service"]}, {"apiGroups": [""]}]}, True),
        ({"namespaces": ["shop-*"]}, True),
        ({"namespaces": ["*-one"]}, True),
        ({"namespaces": ["*op-o*"]}, True),
        ({"namespaces": ["shop"]}, False),
        ({"excludedNamespaces": ["shop-*"]}, False),
        ({"excludedNamespaces": ["kube-*"]}, True),
        ({"name": "web-*"}, True),
        ({"name": "db-*"}, False),
        ({"labelSelector": {"matchLabels": {"app": "web"}}}, True),
        ({"labelSelector": {"matchLabels": {"app": "db"}}}, False),
        ({"labelSelector": {"matchExpressions": [{"key": "app", "operator": "In", "values": ["db"]}]}}, False),
        ({"labelSelector": {"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["db"]}]}}, True),
        ({"labelSelector": {"matchExpressions": [{"key": "app", "operator": "Exists"}]}}, True),
        ({"labelSelector": {"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}}, False),
        ({"namespaceSelector": {"matchLabels": {"stage": "production"}}}, True),
        ({"scope": "Cluster"}, True),
    ],
)
def test_what_a_constraint_may_match(match: dict[str, Any], matches: bool) -> None:
    """Kind, namespace, name and labels exclude; what is not known here, as labels of a namespace, excludes nothing."""
    assert may_match({"spec": {"match": match}}, _POD) is matches


def test_a_namespace_is_matched_by_its_own_name() -> None:
    """For a Namespace `namespaces` are its own name; an object whose namespace is not known may be in any."""
    only = {"spec": {"match": {"namespaces": ["shop-*"]}}}
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "bank"}}
    assert not may_match(only, namespace)
    assert may_match(only, {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}})


def _test(name: str, constraint: str = "", kind: str = "Pod", **changes: Any) -> SuiteTest:
    """Return a test about one object of a kind, whose constraint matches that kind."""
    tested = {"apiVersion": "v1", "kind": kind, "metadata": {"name": "a"}}
    return SuiteTest(
        Path("suite.yaml"),
        name,
        "suite.yaml:1",
        {"kind": "ConstraintTemplate", "metadata": {"name": name}},
        {"kind": name, "metadata": {"name": constraint or name}, "spec": {"match": {"kinds": [{"kinds": [kind]}]}}},
        cases=(Case("a", "suite.yaml:2", tested),),
        **changes,
    )


def _names(*tests: SuiteTest) -> list[list[str]]:
    return [[test.name for test in group] for group in grouped(tests)]


def test_constraints_of_one_kind_are_taken_apart() -> None:
    """Two tests about pods are in force one after another, one about services beside the first."""
    assert _names(_test("one"), _test("two"), _test("three", kind="Service")) == [["one", "three"], ["two"]]


def test_an_invalid_constraint_meets_nothing() -> None:
    """It is never in force, so it disturbs nobody."""
    services = _test("one", kind="Service")
    assert _names(_test("two", invalid=True), services) == [["two", "one"]]


def test_who_reaches_all_is_alone() -> None:
    """What an inventory or an ExpansionTemplate brings may reach any test."""
    expanding = _test("one", kind="Service", expansion=({"kind": "ExpansionTemplate"},))
    assert _names(expanding, _test("two"), _test("three", kind="ConfigMap")) == [["one"], ["two", "three"]]


def test_one_template_with_two_contents() -> None:
    """Templates of one name that differ cannot be in the cluster at once; the same one may."""
    same = _test("one", constraint="b", kind="Service")
    other = replace(same, template={**same.template, "spec": {}})
    assert _names(_test("one"), same) == [["one", "one"]]
    assert _names(_test("one"), other) == [["one"], ["one"]]


def test_the_suites_of_this_repository() -> None:
    """Each test is in one group, and no object in a group is met by another test's constraint."""
    tests = [test for suite in read_suites([_SUITES / "..."]) for test in suite.tests if not test.skip]
    groups = grouped(tests)
    assert sorted(id(case) for test in tests for case in test.cases) == sorted(
        id(case) for group in groups for test in group for case in test.cases
    )
    assert 1 < len(groups) < len(tests)


def test_each_inventory_is_there_alone() -> None:
    """Cases with one inventory are asked together; those with another, or with none, after it is gone."""
    (suite,) = read_suites([_SUITES / "unique-ingress-host"])
    assert [[case.name for case in test.cases] for (test,) in grouped(suite.tests)] == [
        ["free", "taken"],
        ["nothing-there"],
    ]
