"""Read: gator's test suites and the files that they name, with all their problems at once."""

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from chaos_harness.clusters.api import object_names
from chaos_harness.clusters.api.objects import Object
from chaos_harness.clusters.checkout import command_line
from chaos_harness.clusters.machine.bounded_files import read_bounded_text
from chaos_harness.clusters.problem_words import describe_problem, shorten
from chaos_harness.clusters.suggest import did_you_mean
from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.incident.yaml_source import MOST_BYTES, Location, YamlSource, limit_problems, parse
from chaos_harness.harness.policies.shapes import CONSTRAINT, OBJECT, REVIEW, TEMPLATE, misshapen
from chaos_harness.harness.suites.fields import API_VERSION, KIND, PARTS, CaseFields, SuiteFields, TestFields
from chaos_harness.harness.suites.model import TARGET, Assertion, Case, Suite, SuiteTest

__all__ = ["find_suites", "read_suite", "read_suites"]

_SUFFIXES = (".yaml", ".yml")
_BELOW = "..."
_SUITE = re.compile(rf"^kind:\s*[\"']?{KIND}\b", re.MULTILINE)
_GROUP = API_VERSION.partition("/")[0]
_CONSTRAINTS, _TEMPLATES, _EXPANSIONS = (f"{name}.gatekeeper.sh/" for name in ("constraints", "templates", "expansion"))


def read_suites(paths: Iterable[Path]) -> list[Suite]:
    """Return the suites in files and folders; see `find_suites`. Raises BadScenario with the problems of all."""
    suites: list[Suite] = []
    problems: list[str] = []
    for path in find_suites(paths):
        try:
            suites.append(read_suite(path))
        except BadScenario as error:
            problems += error.problems
    if problems:
        raise BadScenario(limit_problems(problems))
    return suites


def find_suites(paths: Iterable[Path]) -> list[Path]:
    """Return the files, and the suites directly in each folder; in all folders below it for FOLDER/..., as gator does.

    In folders, files that are no suites are left out. Raises BadScenario for a path with none.
    """
    found: list[Path] = []
    problems: list[str] = []
    for path in paths:
        folder, below = (path.parent, True) if path.name == _BELOW else (path, False)
        if not below and not folder.is_dir():
            found.append(path)
            continue
        files = sorted(folder.rglob("*") if below else folder.iterdir()) if folder.is_dir() else []
        there = [file for file in files if file.suffix in _SUFFIXES and file.is_file() and _is_suite(file)]
        if not there:
            deeper = "" if below else f"; {folder / _BELOW} also looks in the folders below"
            problems.append(f"{path}: there is no suite in this folder (kind: {KIND} of {API_VERSION}){deeper}")
        found += there
    if problems:
        raise BadScenario(problems)
    return list(dict.fromkeys(found))


def _is_suite(file: Path) -> bool:
    """Whether a file says that it is a suite; one that is, and cannot be read as one, is told when it is read."""
    with file.open("rb") as opened:
        text = opened.read(MOST_BYTES).decode(errors="replace")
    return _GROUP in text and _SUITE.search(text) is not None


def read_suite(path: Path, *, inside: Path | None = None) -> Suite:
    """Return the suite in a file. With `inside`, all its files must lie in that folder or below.

    Raises BadScenario with all problems, each with file, line and column.
    """
    documents = parse(read_bounded_text(path, MOST_BYTES), path, core=True)
    if len(documents) != 1:
        raise BadScenario(f"{path}: expected one suite, found {len(documents)} documents of YAML")
    return _SuiteReader(documents[0], inside).read()


class _SuiteReader:
    """Reads one suite and collects its problems; each file that it names is read once."""

    def __init__(self, source: YamlSource, inside: Path | None) -> None:
        self._source = source
        self._inside = inside
        self._problems: list[str] = []
        self._files: dict[Path, list[YamlSource] | None] = {}

    def read(self) -> Suite:
        fields = self._fields()
        tests = [self._test(fields, index) for index in range(len(fields.tests))] if fields else []
        if self._problems:
            raise BadScenario(limit_problems(self._problems))
        return Suite(self._source.path, tuple(tests), tuple(self._files))

    def _fields(self) -> SuiteFields | None:
        data = self._source.data
        if not isinstance(data, dict) or data.get("kind") != KIND or data.get("apiVersion") != API_VERSION:
            words = f"expected a suite of gator's: apiVersion: {API_VERSION}, kind: {KIND}"
            self._problems.append(f"{self._source.problem((), words)}; `{command_line('suite --')} --help` says more")
            return None
        try:
            return SuiteFields.model_validate_json(json.dumps(data))
        except ValidationError as error:
            details = sorted(error.errors(), key=lambda detail: self._source.where(detail["loc"]))
            self._problems += [self._source.problem(detail["loc"], _words(detail)) for detail in details]
            return None

    def _test(self, suite: SuiteFields, index: int) -> SuiteTest:
        given, place = suite.tests[index], ("tests", index)
        name = _unique([test.name or f"test {number + 1}" for number, test in enumerate(suite.tests)], index)
        where = self._where(place)
        if suite.skip or given.skip:
            cases = tuple(Case(each, where, skip=True) for each in _names(given.cases))
            return SuiteTest(self._source.path, name, where, cases=cases, invalid=given.invalid, skip=True)
        template = self._one((*place, "template"), given.template)
        constraint = self._one((*place, "constraint"), given.constraint)
        self._problems += template.problems(_template_problems(template.data)) if template else ()
        kind = _kind_of(template.data) if template else ""
        self._problems += constraint.problems(_constraint_problems(constraint.data, kind)) if constraint else ()
        if constraint and not given.invalid:
            self._problems += constraint.problems(misshapen(constraint.data, CONSTRAINT))
        expansion = self._many((*place, "expansion"), given.expansion) if given.expansion else []
        for source in expansion:
            self._problems += source.problems(_expansion_problems(source.data))
        return SuiteTest(
            self._source.path,
            name,
            where,
            template.data if template else {},
            constraint.data if constraint else {},
            tuple(source.data for source in expansion),
            tuple(self._case(given, (*place, "cases", number), number) for number in range(len(given.cases))),
            given.invalid,
        )

    def _case(self, test: TestFields, place: Location, index: int) -> Case:
        given: CaseFields = test.cases[index]
        name, where = _unique(_names(test.cases), index), self._where(place)
        if given.skip:
            return Case(name, where, skip=True)
        tested = self._one((*place, "object"), given.object)
        inventory = [
            source
            for number, file in enumerate(given.inventory)
            for source in self._many((*place, "inventory", number), file)
        ]
        for source in (*([tested] if tested else []), *inventory):
            self._problems += source.problems(_object_problems(source.data))
        for source in inventory:
            self._problems += source.problems(_problems_of_inventory(source.data))
        return Case(
            name,
            where,
            tested.data if tested else {},
            tuple(source.data for source in inventory),
            tuple(Assertion(assertion.violations, assertion.message) for assertion in given.assertions),
        )

    def _where(self, place: Location) -> str:
        return f"{self._source.path}:{self._source.where(place)[0]}"

    def _one(self, place: Location, name: str | None) -> "_Document | None":
        documents = self._many(place, name)
        if len(documents) > 1:
            words = f"{name}: expected one document, found {len(documents)}; gator takes none but the first"
            self._problems.append(self._source.problem(place, words))
        return documents[0] if documents else None

    def _many(self, place: Location, name: str | None) -> "list[_Document]":
        path = self._find(place, name) if name else None
        if path is None:
            return []
        if path not in self._files:
            self._files[path] = self._parse(path)
            if self._files[path] == []:
                self._problems.append(self._source.problem(place, f"{name}: there is no object in this file"))
        return [_Document(source) for source in self._files[path] or ()]

    def _parse(self, path: Path) -> list[YamlSource] | None:
        """Return the documents of a file; None, and its problems are noted, if it cannot be read."""
        try:
            return parse(read_bounded_text(path, MOST_BYTES), path, core=True)
        except BadScenario as error:
            self._problems += error.problems
            return None

    def _find(self, place: Location, name: str) -> Path | None:
        """Return the path of a file that the suite names, or note why there is none."""
        path = Path(os.path.normpath(self._source.path.parent / name))
        problem = ""
        try:
            if PurePosixPath(name).is_absolute():
                problem = f"{name!r} is an absolute path; gator takes paths relative to the suite"
            elif self._inside and not path.resolve().is_relative_to(self._inside.resolve()):
                problem = f"{name!r} leads out of {self._inside}"
            elif not path.is_file():
                near = (
                    did_you_mean(path.name, [file.name for file in path.parent.iterdir()])
                    if path.parent.is_dir()
                    else ""
                )
                problem = f"no file {name!r} in {self._source.path.parent}; {near}".rstrip("; ")
        except (OSError, ValueError, RuntimeError) as error:  # too long, a NUL, a circle of links, a closed folder
            problem = f"{name!r} cannot be looked for: {getattr(error, 'strerror', None) or error}"
        if problem:
            self._problems.append(self._source.problem(place, problem))
        return None if problem else path


class _Document:
    """One document of a file that the suite names."""

    def __init__(self, source: YamlSource) -> None:
        self._source = source

    @property
    def data(self) -> Object:
        data: Object = self._source.data if isinstance(self._source.data, dict) else {}
        return data

    def problems(self, found: Iterable[tuple[Location, str]]) -> list[str]:
        """Return problems of the document, with their places."""
        return [self._source.problem(place, words) for place, words in found]


def _words(problem: ErrorDetails) -> str:
    if problem["type"] == "missing":
        return "is missing"
    if problem["type"] == "extra_forbidden":
        names = [name for name in problem["loc"][:-1] if isinstance(name, str)]
        there = list((PARTS[names[-1]] if names else SuiteFields).model_fields)
        return f"no such field; {did_you_mean(problem['loc'][-1], there)}there are {', '.join(there)}"
    return describe_problem(problem)


def _names(cases: Sequence[CaseFields]) -> list[str]:
    return [case.name or f"case {number + 1}" for number, case in enumerate(cases)]


def _unique(names: Sequence[str], index: int) -> str:
    """Return a name; the second test or case of the same name gets a number."""
    earlier = names[:index].count(names[index])
    return f"{names[index]} ({earlier + 1})" if earlier else names[index]


def _object_problems(data: Object) -> Iterator[tuple[Location, str]]:
    for name in ("apiVersion", "kind"):
        if not isinstance(data.get(name), str) or not data[name]:
            yield (), f"an object needs the field {name}"
    yield from misshapen(data, {"metadata": OBJECT["metadata"]})
    yield from object_names.manifest_problems(data)
    if data.get("kind") == "AdmissionReview":
        request = data.get("request")
        if not isinstance(request, dict):
            yield (), "an AdmissionReview needs the field request"
        elif not any(isinstance(request.get(name), dict) and request[name] for name in ("object", "oldObject")):
            yield ("request",), "the request of an AdmissionReview needs an object or an oldObject"
        else:
            yield from misshapen(data, REVIEW)


def _problems_of_inventory(data: Object) -> Iterator[tuple[Location, str]]:
    if not _at(data, "metadata", "name"):
        words = "an object of an inventory is created, and so needs the field metadata.name"
        yield ("metadata",), words


def _template_problems(data: Object) -> Iterator[tuple[Location, str]]:
    yield from _head_problems(data, _TEMPLATES, "ConstraintTemplate")
    yield from misshapen(data, TEMPLATE)
    if not _kind_of(data):
        yield ("spec", "crd"), "a ConstraintTemplate needs the field spec.crd.spec.names.kind"
    targets = _at(data, "spec", "targets")
    for index, each in enumerate(targets if isinstance(targets, list) else ()):
        name = each.get("target") if isinstance(each, dict) else each
        if name != TARGET:
            yield ("spec", "targets", index), f"expected the target {TARGET}, found {shorten(name)}"
    if not targets or not isinstance(targets, list):
        yield ("spec",), f"a ConstraintTemplate needs targets: [{{target: {TARGET}, …}}]"


def _constraint_problems(data: Object, kind: str) -> Iterator[tuple[Location, str]]:
    yield from _head_problems(data, _CONSTRAINTS, kind)


def _expansion_problems(data: Object) -> Iterator[tuple[Location, str]]:
    yield from _head_problems(data, _EXPANSIONS, "ExpansionTemplate")


def _head_problems(data: Object, group: str, kind: str) -> Iterator[tuple[Location, str]]:
    """Yield what is wrong with the group, the kind ("" is any) and the name of an object."""
    if not str(data.get("apiVersion")).startswith(group):
        yield ("apiVersion",), f"expected an object of {group}…, found {shorten(data.get('apiVersion'))}"
    if kind and data.get("kind") != kind:
        yield ("kind",), f"expected the kind {kind}, found {shorten(data.get('kind'))}"
    if not isinstance(_at(data, "metadata", "name"), str):
        yield ("metadata",), "an object needs the field metadata.name"
    yield from object_names.manifest_problems(data)


def _kind_of(template: Object) -> str:
    """Return the kind of constraints that a template defines; "" if it defines none."""
    kind = _at(template, "spec", "crd", "spec", "names", "kind")
    return kind if isinstance(kind, str) else ""


def _at(data: Object, *keys: str) -> Any:
    value: Any = data
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value
