"""Schema: the JSON Schema of incident files, with all faults, probes, checks …, for editors."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from chaos_harness.harness.catalogue import KINDS, PartKind, entries
from chaos_harness.harness.incident.durations import parameters_schema
from chaos_harness.harness.incident.model import Incident
from chaos_harness.harness.incident.watches import names

__all__ = ["PARTS", "schema"]

PARTS: Mapping[PartKind, str] = {
    "fault": "Step",
    "probe": "ProbeSpec",
    "check": "ClaimSpec",
    "policy": "PolicySpec",
    "preparation": "PreparationSpec",
}
"""The definition in the schema that names entries of each kind."""

Includes = Callable[[PartKind, str], bool]


def schema(wanted: Includes = lambda _kind, _name: True) -> dict[str, Any]:
    """Return the schema, with the parameters of every named thing that is `wanted`.

    A name that the schema does not know is allowed, so that an older schema does not refuse a newer fault.
    """
    model_schema = Incident.model_json_schema(by_alias=True)
    for kind in KINDS:
        part = model_schema["$defs"][PARTS[kind]]
        known = [name for name in entries(kind) if wanted(kind, name)]
        part["properties"][kind]["examples"] = known
        part["allOf"] = list(_branches(kind, known))
    model_schema["properties"]["watch"]["items"]["description"] = f"One of: {', '.join(names())}."
    model_schema["properties"]["$schema"] = {"type": "string"}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **model_schema}


def _branches(kind: PartKind, names: list[str]) -> Iterator[dict[str, Any]]:
    """Yield, for each name, the schema of its parameters."""
    for name in names:
        entry = entries(kind)[name]
        parameters = parameters_schema(entry)
        needed = {"required": ["with"]} if parameters.get("required") else {}
        yield {
            "if": {"properties": {kind: {"const": name}}},
            "then": {"properties": {"with": {**parameters, "description": entry.summary}}, **needed},
        }
