"""Load: reads an incident file and the files it refers to, and reports all their problems at once."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from chaos_harness.clusters.api.objects import Object
from chaos_harness.clusters.kind_file import KindFile
from chaos_harness.clusters.own_gatekeeper import flatten
from chaos_harness.clusters.problem_words import describe_problem, shorten
from chaos_harness.clusters.shape import RECORDED, Shape, as_written
from chaos_harness.clusters.suggest import did_you_mean
from chaos_harness.clusters.terminal.escape import escape_controls
from chaos_harness.harness.catalogue import KINDS, PartKind, entries
from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.incident import references
from chaos_harness.harness.incident.adopted import differences, problems_on_adopted
from chaos_harness.harness.incident.asks import questions_of
from chaos_harness.harness.incident.charts import SetupChart, charts_of
from chaos_harness.harness.incident.claim_problems import problems_of_claims
from chaos_harness.harness.incident.contents import LISTS, Contents
from chaos_harness.harness.incident.each import Turns
from chaos_harness.harness.incident.invariants import with_parts_that_apply
from chaos_harness.harness.incident.model import CONDITION_TAG, DURATION_TAG, FORMS, SCHEMA, Incident, fields_at
from chaos_harness.harness.incident.notation import translate
from chaos_harness.harness.incident.object_files import Objects, OwnFiles, objects_of
from chaos_harness.harness.incident.object_problems import brings_more, problems_of_objects
from chaos_harness.harness.incident.references import SYNTAX
from chaos_harness.harness.incident.step_problems import problems_of_replicas, problems_of_steps
from chaos_harness.harness.incident.timeline import problems_of_time
from chaos_harness.harness.incident.upgrades import problems_of_upgrades, with_releases
from chaos_harness.harness.incident.watches import lists_of
from chaos_harness.harness.incident.without_gatekeeper import problems_without_gatekeeper
from chaos_harness.harness.incident.yaml_source import Location, Problem, YamlSource, limit_problems, read
from chaos_harness.harness.policies import Question

if TYPE_CHECKING:
    from chaos_harness.clusters.adoption.record import Adoption

__all__ = ["LoadedIncident", "load", "problems_of_part"]

_MOST_PARTS = 200
"""How many elements of a list are validated one by one; the model allows no more."""

_SHORT = 80

_OF_FILES = ("policies", "setup", "workload")
"""Lists whose parts may be files."""

_NODES = ("node", "nodes", "on")
"""Parameters that are nodes."""


@dataclass(frozen=True)
class LoadedIncident:
    """An incident that is ready for a replay: the file, its content, and what it refers to.

    `shape` is the effective shape, with command-line overrides; `given` is the file's own `shape` as written.
    `setup`, `policies` and `workload` are the objects of each item of these lists, or its chart, `asks` the questions
    of each policy's item, and `files` the files that they come from. `more`: its cluster may have kinds, namespaces and
    policies that the file does not tell of.
    """

    path: Path
    incident: Incident
    shape: Shape
    given: Mapping[str, Any] = field(default_factory=dict, hash=False)
    setup: tuple[Objects | SetupChart, ...] = field(default=(), hash=False)
    policies: tuple[Objects, ...] = field(default=(), hash=False)
    workload: tuple[Objects, ...] = field(default=(), hash=False)
    files: tuple[Path, ...] = ()
    asks: tuple[tuple[Question, ...], ...] = field(default=(), hash=False)
    more: bool = False

    @property
    def name(self) -> str:
        """The file's name without its suffix."""
        return self.path.stem

    @property
    def objects(self) -> Iterator[Object]:
        """All objects of its items, but those that charts make."""
        setup = (brought for brought in self.setup if not isinstance(brought, SetupChart))
        return chain.from_iterable((*setup, *self.policies, *self.workload))

    def seeded(self, seed: int) -> "LoadedIncident":
        """Return it with this seed, whatever its file says."""
        return replace(self, incident=self.incident.model_copy(update={"seed": seed}))


def load(
    path: Path,
    asked: Mapping[str, Any] | None = None,
    *,
    context: str | None = None,
    on: "Adoption | None" = None,
) -> LoadedIncident:
    """Return the incident in a file; `asked` are fields of Shape that override the file's.

    It is for a cluster of that shape, or for the adopted one that it is to run `on`: what that is not, or does not
    have, is a problem, and its shape is the effective one.

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
    flat = flatten(given, path.parent)
    kinds: Sequence[PartKind] = ("check",) if context == RECORDED else KINDS
    shape, options = _effective_shape(_override(flat, asked or {}), context)
    data, wrong = translate({**source.data, "shape": flat} if given else source.data)
    data = with_parts_that_apply(data)
    turns = Turns(data)
    first, *others = turns.data
    problems = [*_problems_of_model(data, context), *_problems_of_names(first, kinds)]
    problems += [problem for turn in others for problem in _problems_of_names(turn, ("fault",))]
    if on and shape:
        options += [f"options: {words}" for _, words in differences(asked or {}, shape, on)]
        unlike = differences({name: None for name in flat if name not in (asked or {})}, shape, on)
        problems += [*((("shape", name), words) for name, words in unlike), *problems_on_adopted(first, on)]
        shape = on.shape
    problems += _problems_of_watches(data) if context != RECORDED else ()
    files = OwnFiles()
    by_field, more = objects_of(source, files)
    charts, wrong_charts = charts_of(source)
    asks, wrong_asks = questions_of(source, files)
    more += [*wrong_charts, *wrong_asks]
    adds = on is not None or brings_more(by_field["setup"], shape, charts=bool(charts))
    if context != RECORDED:
        contents = Contents.of(first, files.loaded, right=not more, more=adds)
        problems += problems_of_claims(first, contents, shape)
        mirrored = shape.model_copy(update={"registry": True}) if on and shape else shape  # told above, with the reason
        problems += [problem for turn in (first, *others) for problem in problems_of_steps(turn, contents, mirrored)]
        problems += problems_of_replicas(data, shape) if shape and not on else ()
        problems += problems_of_objects(first, by_field, asks, contents, shape, {} if on else charts)
        problems += problems_without_gatekeeper(data, by_field, shape)
        problems += problems_of_upgrades(data, shape) if shape else ()
    unplaced = list(turns.problems()) if context != RECORDED else []
    told = {place for place, _ in unplaced}
    wrong = [*unplaced, *(problem for problem in wrong if problem[0] not in told)]
    said = {place for place, _ in wrong}
    problems = [turns.told(*problem) for problem in (*problems, *problems_of_time(data)) if problem[0] not in said]
    lines = _in_order(source, [*wrong, *problems])
    lines = [*lines, *options] if on else lines or options
    if lines or more or shape is None:
        raise BadScenario(limit_problems([*lines, *more]))
    incident = Incident.model_validate_json(json.dumps(data), context=context)
    shape = with_releases(data, shape) if context != RECORDED else shape
    return LoadedIncident(
        path,
        incident,
        shape,
        given,
        setup=tuple(charts.get(number, objects) for number, objects in enumerate(by_field["setup"])),
        policies=tuple(by_field["policies"]),
        workload=tuple(by_field["workload"]),
        files=(*files.read, *chain(*(chart.files for chart in charts.values())), *_files_of(shape, path.parent)),
        asks=tuple(asks),
        more=adds,
    )


def _override(flat: dict[str, Any], asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a shape with those that were asked for; a baseline has nothing that differs, either."""
    bare = "gatekeeper" in asked and asked["gatekeeper"] is None
    return {name: value for name, value in flat.items() if not (bare and name == "own")} | dict(asked)


def _files_of(shape: Shape, folder: Path) -> list[Path]:
    """Return the files that the shape names, or that its nodes mount, and that lie with the incident."""
    own = (shape.own.manifest, shape.own.values) if shape.own else ()
    named = [Path(file.path) for file in (shape.kind, *own) if file]
    mounted = KindFile(shape.kind).mounted() if shape.kind else []
    return [path for path in (*named, *mounted) if path.is_relative_to(folder.absolute())]


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
            loc = tuple(part for part in detail["loc"] if part not in (DURATION_TAG, CONDITION_TAG))
            words = _words(detail) + (_as_part(loc[0], detail["input"]) if len(loc) == len(("faults", 0)) else "")
            yield (loc[0], *as_written(loc[1:])) if loc[:1] == ("shape",) else loc, words


def _as_part(section: str | int, word: object) -> str:
    """Return how a part of a list is written, of which there is only one word instead."""
    kind = next((kind for kind, name in LISTS.items() if name == section), None)
    known = entries(kind) if kind else {}
    if not isinstance(word, str) or not (kind or section in _OF_FILES) or escape_controls(word) != word:
        return ""
    if section in _OF_FILES and word not in known and Path(word).suffix:
        return f"; say {{file: {word[:_SHORT]}}}"
    meant = "" if word in known else did_you_mean(word, known)
    return f"; {meant}say {{{kind or 'file'}: {word if word in known else 'NAME'}}}"


def _words(problem: ErrorDetails) -> str:
    if problem["type"] == "missing":
        return "is missing"
    if problem["type"] == "extra_forbidden":
        there = fields_at(problem["loc"][:-1])
        return f"no such field; {did_you_mean(problem['loc'][-1], there)}there are {', '.join(there)}"
    if problem["loc"] == ("schema",):
        return f"this version of the harness reads schema 1 and {SCHEMA} (was {shorten(problem['input'])})"
    return describe_problem(problem, FORMS)


def _problems_of_names(data: Mapping[str, Any], kinds: Sequence[PartKind]) -> Iterator[Problem]:
    """Yield problems of the names of faults, probes, checks …, and of their parameters."""
    for kind in kinds:
        parts = data.get(LISTS[kind])
        for index, part in enumerate(parts[:_MOST_PARTS] if isinstance(parts, list) else ()):
            if isinstance(part, dict) and isinstance(part.get(kind), str):
                for place, words in problems_of_part(kind, part[kind], part.get("with", {})):
                    yield (LISTS[kind], index, *place), words


def _problems_of_watches(data: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield names in `watch` that no group has."""
    watch = data.get("watch")
    for index, words in enumerate(watch[:_MOST_PARTS] if isinstance(watch, list) else ()):
        if isinstance(words, str):
            try:
                lists_of(words)
            except BadScenario as error:
                yield ("watch", index), str(error)


def problems_of_part(kind: PartKind, name: str, values: Any) -> Iterator[Problem]:
    """Yield what is wrong with a fault, check, probe or preparation and its parameters, which are in `with`."""
    known = entries(kind)
    if name not in known:
        yield (kind,), f"no such {kind} {name[:_SHORT]!r}; {did_you_mean(name, known)}there are {', '.join(known)}"
        return
    if not isinstance(values, dict):
        return
    wrong = [((*("with", *place),), words) for place, words in known[name].problems(values)]
    wrong += references.problems_of_references(values, ("with",)) if kind in ("fault", "preparation") else ()
    wrong += _nodes_by_name(values) if kind in ("fault", "preparation") else ()
    hidden = dict(_find_invisible(values))
    wrong = [(place, words) for place, words in wrong if place not in hidden]
    wrong += [(place, f"expected visible characters, found {shorten(word)}") for place, word in hidden.items()]
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
