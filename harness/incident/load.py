"""Load: reads an incident file and the files it refers to, and reports all their problems at once."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from chaos_harness.clusters.problem_words import describe_problem, shorten
from chaos_harness.clusters.shape import RECORDED, Shape
from chaos_harness.clusters.suggest import did_you_mean
from chaos_harness.clusters.terminal.escape import escape_controls
from chaos_harness.harness.catalogue import KINDS, PartKind, entries
from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.incident import references
from chaos_harness.harness.incident.claim_problems import problems_of_claims
from chaos_harness.harness.incident.contents import Contents
from chaos_harness.harness.incident.model import FORMS, SCHEMA, Incident, fields_at
from chaos_harness.harness.incident.object_files import Objects, objects_of
from chaos_harness.harness.incident.references import SYNTAX
from chaos_harness.harness.incident.step_problems import problems_of_steps
from chaos_harness.harness.incident.suite_items import suites_of
from chaos_harness.harness.incident.timeline import problems_of_time
from chaos_harness.harness.incident.watches import lists_of
from chaos_harness.harness.incident.yaml_source import Location, Problem, YamlSource, limit_problems, read

__all__ = ["LoadedIncident", "load"]

_MOST_PARTS = 200
"""How many elements of a list are validated one by one; the model allows no more."""

_SHORT = 80

_FIELDS: Mapping[PartKind, str] = {
    "fault": "faults",
    "probe": "probes",
    "check": "claims",
    "policy": "policies",
    "preparation": "preparations",
}


_NODES = ("node", "nodes", "on")
"""Parameters that are nodes."""


@dataclass(frozen=True)
class LoadedIncident:
    """An incident that is ready for a replay: the file, its content, and what it refers to.

    `shape` is the effective shape, with command-line overrides; `given` is the file's own `shape` as written.
    `policies` and `workload` are the objects of each item of these lists, `files` the files that they come from.
    """

    path: Path
    incident: Incident
    shape: Shape
    given: Mapping[str, Any] = field(default_factory=dict, hash=False)
    policies: tuple[Objects, ...] = field(default=(), hash=False)
    workload: tuple[Objects, ...] = field(default=(), hash=False)
    files: tuple[Path, ...] = ()

    @property
    def name(self) -> str:
        """The file's name without its suffix."""
        return self.path.stem


def load(path: Path, asked: Mapping[str, Any] | None = None, *, context: str | None = None) -> LoadedIncident:
    """Return the incident in a file; `asked` are fields of Shape that override the file's.

    With the `context` RECORDED (of clusters.shape) the incident was run before and is only judged again: its versions
    need no recipe, and only the names and parameters of its checks are validated. Raises BadScenario with every problem
    of the file, each with line and column. Nothing is touched.
    """
    sources = read(path)
    if len(sources) != 1:
        raise BadScenario(f"{path}: expected one YAML document, found {len(sources)}")
    source = sources[0]
    if not isinstance(source.data, dict):
        raise BadScenario(source.problem((), "expected an incident: fields such as title, shape, faults, claims"))
    given = source.data.get("shape")
    given = given if isinstance(given, dict) else {}
    kinds: Sequence[PartKind] = ("check",) if context == RECORDED else KINDS
    shape, options = _effective_shape({**given, **(asked or {})}, context)
    problems = [*_problems_of_model(source.data, context), *_problems_of_names(source.data, kinds)]
    problems += _problems_of_watches(source.data) if context != RECORDED else ()
    policies, workload, files, more = objects_of(source)
    suites, suite_files, wrong = suites_of(source, shape.gatekeeper if shape else None)
    files, more = [*dict.fromkeys([*files, *suite_files])], [*more, *wrong]
    if context != RECORDED:
        own = [manifest for objects in (*policies, *workload) for manifest in objects]
        contents = Contents.of(source.data, own, suites, right=not more)
        problems += problems_of_claims(source.data, contents, shape)
        problems += problems_of_steps(source.data, contents, shape)
    lines = _in_order(source, [*problems, *problems_of_time(source.data)])
    lines = lines or options
    if lines or more or shape is None:
        raise BadScenario(limit_problems([*lines, *more]))
    incident = Incident.model_validate_json(json.dumps(source.data), context=context)
    return LoadedIncident(path, incident, shape, given, tuple(policies), tuple(workload), tuple(files))


def _in_order(source: YamlSource, problems: Iterable[Problem]) -> list[str]:
    """Return the problems in the order of the file, each once."""
    ordered = sorted(dict.fromkeys(problems), key=lambda problem: source.where(problem[0]))
    return [source.problem(place, words) for place, words in ordered]


def _effective_shape(fields: dict[str, Any], context: str | None) -> tuple[Shape | None, list[str]]:
    """Return the effective shape, or the problems of the command-line overrides.

    Problems of the file's own `shape` are reported by the model.
    """
    try:
        return Shape.parse(fields, "options", context=context), []
    except BadScenario as error:
        return None, list(error.problems)


def _problems_of_model(data: Any, context: str | None) -> Iterator[Problem]:
    try:
        Incident.model_validate_json(json.dumps(data), context=context)
    except ValidationError as error:
        for detail in error.errors():
            yield detail["loc"], _words(detail)


def _words(problem: ErrorDetails) -> str:
    if problem["type"] == "missing":
        return "is missing"
    if problem["type"] == "extra_forbidden":
        there = fields_at(problem["loc"][:-1])
        return f"no such field; {did_you_mean(problem['loc'][-1], there)}there are {', '.join(there)}"
    if problem["loc"] == ("schema",):
        return f"this version of the harness reads schema {SCHEMA} (was {shorten(problem['input'])})"
    return describe_problem(problem, FORMS)


def _problems_of_names(data: Mapping[str, Any], kinds: Sequence[PartKind]) -> Iterator[Problem]:
    """Yield problems of the names of faults, probes, checks …, and of their parameters."""
    for kind in kinds:
        parts = data.get(_FIELDS[kind])
        for index, part in enumerate(parts[:_MOST_PARTS] if isinstance(parts, list) else ()):
            if isinstance(part, dict) and isinstance(part.get(kind), str):
                for place, words in _problems_of_entry(kind, part[kind], part.get("with", {})):
                    yield (_FIELDS[kind], index, *place), words


def _problems_of_watches(data: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield names in `watch` that no group has."""
    watch = data.get("watch")
    for index, words in enumerate(watch[:_MOST_PARTS] if isinstance(watch, list) else ()):
        if isinstance(words, str):
            try:
                lists_of(words)
            except BadScenario as error:
                yield ("watch", index), str(error)


def _problems_of_entry(kind: PartKind, name: str, values: Any) -> Iterator[Problem]:
    known = entries(kind)
    if name not in known:
        yield (kind,), f"no such {kind} {name[:_SHORT]!r}; {did_you_mean(name, known)}there are {', '.join(known)}"
        return
    if not isinstance(values, dict):
        return
    wrong = [((*("with", *place),), words) for place, words in known[name].problems(values)]
    wrong += references.problems_of_references(values, ("with",)) if kind in ("fault", "preparation") else ()
    wrong += _nodes_by_name(values) if kind in ("fault", "preparation") else ()
    wrong += [(place, f"expected visible characters, found {shorten(word)}") for place, word in _find_invisible(values)]
    yield from wrong
    if not wrong and kind != "probe":  # a probe needs a cluster, which does not exist yet
        try:
            known[name].make(values)
        except BadScenario as error:
            yield from ((("with",), problem) for problem in error.problems)


def _nodes_by_name(values: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield parameters that name a node literally: the cluster does not exist yet, so its node names are unknown."""
    for parameter in _NODES:
        given = values.get(parameter)
        for name in given if isinstance(given, list) else [given]:
            if isinstance(name, str) and name and not name.startswith("$"):
                yield ("with", parameter), f"{name!r} is a node of another cluster; say which of its own: {SYNTAX}"


def _find_invisible(value: Any, place: Location = ("with",)) -> Iterator[Problem]:
    """Yield the texts among parameters that contain invisible characters."""
    if isinstance(value, dict | list):
        for name, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _find_invisible(part, (*place, name))
    elif isinstance(value, str) and escape_controls(value) != value:
        yield place, value
