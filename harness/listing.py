"""Listing: what incident files may name, with parameters, and which scenarios there are, read from the code."""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chaos_harness.harness.catalogue import CatalogueEntry, PartKind, entries, watch_groups
from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.incident.durations import parameters_schema
from chaos_harness.harness.incident.load import load
from chaos_harness.harness.incident.model import DURATION_SCHEMA

__all__ = ["LISTS", "Listed", "listed"]

_KINDS: Mapping[str, PartKind] = {
    "faults": "fault",
    "checks": "check",
    "probes": "probe",
    "policies": "policy",
    "preparations": "preparation",
}
LISTS = (*_KINDS, "watches", "scenarios")
"""What can be listed."""

_EXAMPLES: Mapping[str, Any] = {"string": "KIND", "number": 0.5, "integer": 1, "object": {"KIND": 1}}
_BOUNDS = {"minimum": "from", "maximum": "to"}


@dataclass(frozen=True)
class Parameter:
    """A parameter: its JSON Schema's type or values, in words, and its default, if it need not be given."""

    name: str
    values: str
    required: bool
    default: Any = None


@dataclass(frozen=True)
class Listed:
    """One thing by its name; `harms` is how a fault harms pods or nodes, as claims name that (`how`)."""

    name: str
    summary: str
    parameters: tuple[Parameter, ...] = ()
    known_as: str = ""
    harms: str = ""
    extended: bool = field(default=False)


def listed(what: str, scenarios: Path | None = None) -> list[Listed]:
    """Return what there is of one of LISTS; `scenarios` is the folder of scenarios."""
    if what == "scenarios":
        return [*_incidents(scenarios), *_tests(scenarios)] if scenarios and scenarios.is_dir() else []
    if what == "watches":
        return [
            Listed(f"{name} KIND" if group.of_kind else name, ", ".join(watched.path for watched in group.lists))
            for name, group in watch_groups().items()
        ]
    return [_entry(_KINDS[what], entry) for entry in entries(_KINDS[what]).values()]


def _entry(kind: PartKind, entry: CatalogueEntry) -> Listed:
    made = _made(entry) if kind in ("fault", "policy") else None
    return Listed(
        entry.name,
        _verb_phrase(entry.summary),
        tuple(_parameters(entry)),
        known_as=getattr(made, "name", ""),
        harms=getattr(made, "harms_pods", "") or getattr(made, "harms_nodes", ""),
    )


def _verb_phrase(docstring: str) -> str:
    """Return what follows "Return the fault that", with which docstrings of factories begin."""
    _, _, phrase = docstring.partition(" that ")
    return phrase or docstring


def _made(entry: CatalogueEntry) -> Any:
    """Return the thing with parameters that stand for any, to read its name off it; None if it takes none of these."""
    values: dict[str, Any] = {}
    for name, schema in entry.parameters.model_json_schema().get("properties", {}).items():
        if name in entry.parameters.model_json_schema().get("required", ()):
            values[name] = next(iter(schema.get("examples") or ()), _EXAMPLES.get(schema.get("type", "")))
    for more in ({}, {"selector": "KIND"}):
        try:
            return entry.make({**values, **more})
        except BadScenario:
            continue
    return None


def _parameters(entry: CatalogueEntry) -> Iterator[Parameter]:
    schema = parameters_schema(entry)
    needed = schema.get("required", ())
    for name, values in schema.get("properties", {}).items():
        yield Parameter(name, _values(values), name in needed, values.get("default"))


def _values(schema: Mapping[str, Any]) -> str:
    """Return which values a parameter takes, in words."""
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if schema.get("anyOf") == DURATION_SCHEMA["anyOf"]:
        return "duration"
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(map(_values, schema["anyOf"])))
    if schema.get("type") == "array":
        items = schema.get("items")
        return f"list of {_values(items) if isinstance(items, dict) else 'values'}"
    bounds = [f"{words} {schema[bound]:g}" for bound, words in _BOUNDS.items() if bound in schema]
    words = {"string": "text", "integer": "whole number", "object": "fields"}.get(schema.get("type", ""), "")
    return " ".join([words or str(schema.get("type", "value")), *bounds])


def _incidents(folder: Path) -> Iterator[Listed]:
    for path in sorted(folder.glob("**/incidents/*.yaml")):
        try:
            incident = load(path).incident
        except BadScenario:
            yield Listed(_shown(path, folder), "has problems: see `check`")
            continue
        yield Listed(_shown(path, folder), incident.title, extended=incident.extended)


def _tests(folder: Path) -> Iterator[Listed]:
    """Yield the tests of scenarios in Python; the files are read, not imported."""
    for path in sorted(folder.glob("**/test_*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                yield Listed(f"{_shown(path, folder)}::{node.name}", (ast.get_docstring(node) or "").partition("\n")[0])


def _shown(path: Path, folder: Path) -> str:
    return str(Path(folder.name) / path.relative_to(folder))
