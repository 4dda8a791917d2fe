"""Catalogue: all faults, probes, checks, policies and preparations by name, found by inspecting modules."""

import importlib
import inspect
import json
import pkgutil
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError, create_model
from pydantic.errors import PydanticInvalidForJsonSchema, PydanticSchemaGenerationError
from pydantic_core import ErrorDetails

from chaos_harness.clusters.problem_words import describe_problem
from chaos_harness.clusters.suggest import did_you_mean
from chaos_harness.harness.errors import BadScenario, HarnessError

if TYPE_CHECKING:
    from chaos_harness.harness.probes.objects import WatchGroup

__all__ = ["KINDS", "CatalogueEntry", "PartKind", "entries", "watch_groups"]

PartKind = Literal["fault", "probe", "check", "policy", "preparation"]

KINDS: tuple[PartKind, ...] = ("fault", "probe", "check", "policy", "preparation")

_PLACES: Mapping[PartKind, tuple[str, str]] = {
    "fault": ("chaos_harness.harness.faults.Fault", "chaos_harness.harness.faults"),
    "probe": ("chaos_harness.harness.probes.Probe", "chaos_harness.harness.probes"),
    "check": ("chaos_harness.harness.checks.Check", "chaos_harness.harness.checks"),
    "policy": ("chaos_harness.harness.policies.Policy", "chaos_harness.harness.policies"),
    "preparation": ("chaos_harness.harness.preparation.Preparation", "chaos_harness.harness.gatekeeper"),
}
"""For each kind: the return annotation of its entries, and the package with them, which is imported when needed."""

_WATCHES = "chaos_harness.harness.probes.objects.WatchGroup", "chaos_harness.harness.probes"

_GIVEN = ("chaos_harness.clusters.cluster.Cluster", "chaos_harness.harness.history.writer.HistoryWriter")
"""Types of arguments that the experiment supplies, not the user."""


class _Parameters(BaseModel):
    """The parameters of one entry, as a user writes them."""

    model_config = ConfigDict(extra="forbid", strict=True, arbitrary_types_allowed=True)


@dataclass(frozen=True)
class CatalogueEntry:
    """A named thing of the catalogue: its factory function and the model of the function's parameters.

    `summary` is the first paragraph of the function's docstring, `many` the parameter that takes any number of values.
    """

    name: str
    factory: Callable[..., Any]
    parameters: type[BaseModel]
    summary: str
    many: str = ""

    def problems(self, values: Mapping[str, Any]) -> list[tuple[tuple[str | int, ...], str]]:
        """Return (location, message) for each problem of the values."""
        try:
            self._read(values)
        except ValidationError as error:
            return [(detail["loc"], self._words(detail)) for detail in error.errors()]
        return []

    def settings(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return all parameters: the values, and the defaults of the others. The values must be right."""
        return dict(self._read(values))

    def make(self, values: Mapping[str, Any], *given: Any) -> Any:
        """Call the factory; `given` are arguments from the experiment. Raises BadScenario if the values are refused."""
        try:
            parameters = self._read(values)
        except ValidationError as error:
            raise BadScenario([f"{self.name}: {self._words(detail)}" for detail in error.errors()]) from error
        fields = {name: getattr(parameters, name) for name in parameters.model_fields_set}
        return self.factory(*given, *fields.pop(self.many, ()), **fields)

    def _read(self, values: Mapping[str, Any]) -> BaseModel:
        return self.parameters.model_validate_json(json.dumps(values))

    def _words(self, problem: ErrorDetails) -> str:
        if problem["type"] == "extra_forbidden":
            meant = did_you_mean(problem["loc"][-1], self.parameters.model_fields)
            takes = ", ".join(self.parameters.model_fields) or "none"
            return f"{self.name} takes no such parameter; {meant}it takes {takes}"
        if problem["type"] == "missing":
            return f"{self.name} needs the parameter {problem['loc'][-1]}"
        return describe_problem(problem)


@cache
def entries(kind: PartKind) -> Mapping[str, CatalogueEntry]:
    """Return all entries of a kind by name.

    An entry is a function in a module's `__all__` whose return annotation is Fault, Probe, Check, Policy or
    Preparation; a new one needs no registration. Raises HarnessError if two have the same name.
    """
    made, package = _PLACES[kind]
    by_name: dict[str, CatalogueEntry] = {}
    for module in _modules(package):
        for entry in _entries_in(module, made):
            if entry.name in by_name:
                other = by_name[entry.name].factory.__module__
                raise HarnessError(f"two entries have the name {entry.name}: in {other} and in {module.__name__}")
            by_name[entry.name] = entry
    return dict(sorted(by_name.items()))


@cache
def watch_groups() -> Mapping[str, "WatchGroup"]:
    """Return all groups of lists to watch by name.

    A group is a WatchGroup in a module's `__all__`. Raises HarnessError if two have the same name.
    """
    made, package = _WATCHES
    groups: dict[str, WatchGroup] = {}
    for module in _modules(package):
        for value in (getattr(module, name) for name in getattr(module, "__all__", ())):
            if _full_name(type(value)) != made or groups.get(value.name) is value:
                continue
            if value.name in groups:
                raise HarnessError(f"two groups of lists to watch have the name {value.name!r}: see {module.__name__}")
            groups[value.name] = value
    return dict(sorted(groups.items()))


def _modules(package: str) -> list[ModuleType]:
    """Return a package and all modules below it."""
    place = importlib.import_module(package)
    names = [module.name for module in pkgutil.walk_packages(place.__path__, f"{package}.")]
    return [place, *map(importlib.import_module, names)]


def _entries_in(module: ModuleType, made: str) -> list[CatalogueEntry]:
    functions = [getattr(module, name) for name in getattr(module, "__all__", ())]
    local = [
        function for function in functions if inspect.isfunction(function) and function.__module__ == module.__name__
    ]
    return [
        entry
        for function in local
        if _full_name(get_type_hints(function).get("return")) == made and (entry := _entry(function))
    ]


def _entry(function: Callable[..., Any]) -> CatalogueEntry | None:
    """Return the entry of a function, or None if it requires an argument that no file can hold."""
    hints = {name: _as_sequence(hint) for name, hint in get_type_hints(function, include_extras=True).items()}
    fields: dict[str, Any] = {}
    many = ""
    for name, parameter in inspect.signature(function).parameters.items():
        required = parameter.default is parameter.empty
        if parameter.kind is parameter.VAR_POSITIONAL:
            if not _is_data(hints[name]):
                return None
            many, fields[name] = name, (Sequence[hints[name]], ())  # type: ignore[valid-type]  # known when it runs
        elif _full_name(hints[name]) in _GIVEN:
            continue
        elif _is_data(hints[name]):
            fields[name] = (hints[name], ... if required else parameter.default)
        elif required:
            return None
    model = create_model(function.__name__, __base__=_Parameters, **fields)
    summary = " ".join((inspect.getdoc(function) or "").split("\n\n")[0].split())
    return CatalogueEntry(function.__name__, function, model, summary, many)


def _full_name(annotation: Any) -> str:
    return f"{getattr(annotation, '__module__', '')}.{getattr(annotation, '__qualname__', '')}"


def _as_sequence(annotation: Any) -> Any:
    """Return the annotation of a list in place of any collection's, which pydantic may consume or has no schema for."""
    listed = get_origin(annotation) in (Collection, Iterable)
    return Sequence[get_args(annotation)] if listed else annotation  # type: ignore[misc]


def _is_data(annotation: Any) -> bool:
    """Whether a file can hold such a value: numbers, texts, and lists and maps of them, but no object of ours."""
    try:
        schema = TypeAdapter(annotation).json_schema()
    except (PydanticInvalidForJsonSchema, PydanticSchemaGenerationError):
        return False
    return '"properties"' not in json.dumps(schema)
