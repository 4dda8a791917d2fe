"""Suite items: the tests of gator's suites that an incident puts in force, whose cases are asked all the time."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

from chaos_harness.clusters.suggest import did_you_mean
from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.incident.object_files import find_file, is_secret
from chaos_harness.harness.incident.yaml_source import Location, YamlSource
from chaos_harness.harness.policies import Policy
from chaos_harness.harness.suites.groups import disturb
from chaos_harness.harness.suites.model import Suite, SuiteTest
from chaos_harness.harness.suites.questions import policy_of, why_not
from chaos_harness.harness.suites.read import read_suite

__all__ = ["suite_policies", "suites_of"]

_MOST_ITEMS = 200


def suites_of(source: YamlSource, gatekeeper: str | None) -> tuple[list[Policy], list[Path], list[str]]:
    """Return the policies of all suites that an incident names, the files that they come from, and all problems."""
    items = source.data.get("policies")
    policies: list[Policy] = []
    files: list[Path] = []
    problems: list[str] = []
    chosen: list[tuple[Location, SuiteTest]] = []
    for index, item in enumerate(items[:_MOST_ITEMS] if isinstance(items, list) else ()):
        if not isinstance(item, dict) or not item.get("suite"):
            continue
        place: Location = ("policies", index)
        try:
            path = find_file(source, (*place, "suite"), item["suite"])
            suite = read_suite(path, inside=source.path.parent)
            tests = _chosen(suite, item.get("tests") or ())
        except BadScenario as error:
            problems += [problem if ":" in problem else source.problem(place, problem) for problem in error.problems]
            continue
        files += [path, *suite.files]
        chosen += [(place, test) for test in tests]
        made = [policy_of(test, gatekeeper) for test in tests]
        policies += made
        problems += [source.problem(where, words) for where, words in _problems(place, tests, made)]
    problems += [source.problem(place, words) for place, words in _disturbed(chosen)]
    return policies, files, problems


def suite_policies(incident: Path, item: str, tests: Sequence[str], gatekeeper: str | None) -> Iterator[Policy]:
    """Yield the policies of a suite that an incident names, which was found to be right."""
    suite = read_suite(incident.parent / item, inside=incident.parent)
    return (policy_of(test, gatekeeper) for test in _chosen(suite, tests))


def _chosen(suite: Suite, names: Any) -> list[SuiteTest]:
    """Return the tests of these names that are not skipped, all without names; raise BadScenario for an unknown one."""
    there = [test.name for test in suite.tests]
    unknown = [name for name in names if name not in there]
    if unknown:
        words = (f"no test {name!r} in {suite.path.name}; {did_you_mean(name, there)}" for name in unknown)
        raise BadScenario([f"{each}there are {', '.join(there)}" for each in words])
    return [test for test in suite.tests if not test.skip and not test.invalid and (not names or test.name in names)]


def _problems(
    place: Location, tests: Sequence[SuiteTest], policies: Sequence[Policy]
) -> Iterator[tuple[Location, str]]:
    for test, policy in zip(tests, policies, strict=True):
        if not policy.questions:
            whys = dict.fromkeys(why_not(test, case) or "it has an inventory" for case in test.cases)
            yield place, f"the test {test.name} has no case that can be asked all the time: {'; '.join(whys) or 'none'}"
        if any(is_secret(thing) for thing in _objects(test)):
            yield place, f"the test {test.name}: a Secret does not belong into a file that is passed on"


def _objects(test: SuiteTest) -> Iterator[Mapping[str, Any]]:
    yield from (test.template, test.constraint, *test.expansion)
    yield from (thing for case in test.cases for thing in (*case.reviewed, *case.inventory))


def _disturbed(chosen: Sequence[tuple[Location, SuiteTest]]) -> Iterator[tuple[Location, str]]:
    """Yield the tests that cannot be in force together."""
    for (_, one), (place, other) in combinations(chosen, 2):
        if disturb(one, other):
            words = "one's constraint may match the other's objects, or they share a name"
            yield (
                place,
                f"the tests {one.name} and {other.name} cannot be in force together: {words}; choose by `tests:`",
            )
