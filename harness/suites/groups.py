"""Groups: tests whose policies may be in force at the same time, because none meets the objects of another."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

from chaos_harness.clusters.api.objects import Object, metadata
from chaos_harness.harness.suites.matching import may_match
from chaos_harness.harness.suites.model import SuiteTest

__all__ = ["grouped"]

_MOST_TESTS = 40
"""Tests of a group, at most: each webhook pod compiles their templates before the first case is asked."""


def grouped(tests: Iterable[SuiteTest]) -> list[list[SuiteTest]]:
    """Return the tests in groups, each test in the first group in which it disturbs no other.

    Two tests disturb each other if the constraint of one may match an object of the other, or if they have objects of
    the same name that differ. What is in data.inventory, and what an ExpansionTemplate implies, may reach any test:
    each test with one of them is alone. Cases of one test with different inventories are in different groups.
    """
    groups: list[list[SuiteTest]] = []
    for test in chain.from_iterable(map(_by_inventory, tests)):
        for group in groups:
            if len(group) < _MOST_TESTS and not any(_disturb(test, other) for other in group):
                group.append(test)
                break
        else:
            groups.append([test])
    return groups


def _by_inventory(test: SuiteTest) -> Iterator[SuiteTest]:
    """Yield a test for each inventory of its cases, with the cases that have it."""
    if test.invalid:
        yield test
        return
    kept = [json.dumps(case.inventory, sort_keys=True) for case in test.cases]
    for inventory in dict.fromkeys(kept):
        cases = (case for case, its in zip(test.cases, kept, strict=True) if its == inventory)
        yield replace(test, cases=tuple(cases))


def _disturb(one: SuiteTest, other: SuiteTest) -> bool:
    """Whether two tests cannot be in force at the same time."""
    return (
        any(test.expansion or any(case.inventory for case in test.cases) for test in (one, other))
        or _clash(one.template, other.template)
        or _identity(one.constraint) == _identity(other.constraint)
        or _meets(one, other)
        or _meets(other, one)
    )


def _clash(one: Object, other: Object) -> bool:
    """Whether two objects have one name and differ."""
    return _identity(one) == _identity(other) and one != other


def _identity(thing: Object) -> tuple[Any, Any]:
    return thing.get("kind"), metadata(thing).get("name")


def _meets(one: SuiteTest, other: SuiteTest) -> bool:
    """Whether the constraint of one test may match an object of another; one that is invalid is never in force."""
    return not one.invalid and any(may_match(one.constraint, thing) for thing in _objects(other))


def _objects(test: SuiteTest) -> Sequence[Object]:
    return [thing for case in test.cases if not case.skip for thing in case.reviewed]
