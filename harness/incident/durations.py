"""Durations: which values of an incident file are times, and how each schema writes them."""

from collections.abc import Iterator, Mapping
from typing import Any

from chaos_harness.harness.catalogue import CatalogueEntry
from chaos_harness.harness.incident.model import DURATION_SCHEMA, seconds
from chaos_harness.harness.incident.yaml_source import Location, Problem

__all__ = ["bare_numbers", "is_duration", "parameters_schema", "read_parameter", "written"]

_PARAMETERS = (
    *("seconds", "late", "steady", "within", "but_for", "unasked"),
    *("every", "mutation", "validation", "timeout"),
)
"""Parameters that are times, if they are numbers."""

_PLACES: tuple[Location, ...] = (
    ("budget",),
    ("lasts",),
    ("recovery",),
    *(("faults", "*", name) for name in ("at", "delay", "jitter", "wait", "lasts", "heals_within")),
    *(("faults", "*", name, "within") for name in ("when", "wait")),
)
"""Fields that are times; * is each part of a list."""


def is_duration(entry: CatalogueEntry, name: str) -> bool:
    """Whether a parameter of a fault, check, probe or preparation is a time."""
    field = entry.parameters.model_fields.get(name)
    return name in _PARAMETERS and field is not None and field.annotation in (float, int)


def parameters_schema(entry: CatalogueEntry) -> dict[str, Any]:
    """Return the JSON Schema of an entry's parameters, as schema 2 writes them."""
    schema = entry.parameters.model_json_schema()
    for name, values in schema.get("properties", {}).items():
        if is_duration(entry, name):
            default = {"default": written(values["default"])} if values.get("default") else {}
            schema["properties"][name] = {**DURATION_SCHEMA, **default, "title": values["title"]}
    return schema


def read_parameter(entry: CatalogueEntry, name: str, value: Any) -> Any:
    """Return the value of a parameter; a time of schema 2 in seconds. Raises ValueError if it is none."""
    if not is_duration(entry, name):
        return value
    return _read_duration(value, whole=entry.parameters.model_fields[name].annotation is int)


def _read_duration(value: Any, *, whole: bool = False) -> Any:
    """Return a time of schema 2 in seconds, `whole` ones if so. Raises ValueError if it is none."""
    if isinstance(value, str):
        number = seconds(value)
        if not whole:
            return number
        if number != int(number):  # type: ignore[call-overload]  # of a text it is a number
            raise ValueError(f"expected whole seconds, found {value[:20]!r}")
        return int(number)  # type: ignore[call-overload]
    if _is_bare(value):
        raise ValueError(_without_unit(value))
    return value


def bare_numbers(data: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield the times of a file, those of parameters aside, that have no unit."""
    for place in _PLACES:
        for where, value in _at(data, place, ()):
            if _is_bare(value):
                yield where, _without_unit(value)


def written(value: float) -> str:
    """Return a number of seconds as schema 2 writes it."""
    return f"{value:.10g}s"


def _without_unit(value: float) -> str:
    """Return what is to be written in place of a time that is a number alone."""
    try:
        return f"write {written(value)}: a time has its unit, such as 30s, 5m or 250ms"
    except OverflowError:
        return f"expected a duration such as 30s, 5m or 250ms, found a number of {len(str(abs(value)))} digits"


def _is_bare(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value != 0


def _at(value: Any, place: Location, where: Location) -> Iterator[tuple[Location, Any]]:
    """Yield what stands at a place, with where that is."""
    if not place:
        yield where, value
    elif place[0] == "*":
        for index, part in enumerate(value if isinstance(value, list) else ()):
            yield from _at(part, place[1:], (*where, index))
    elif isinstance(value, dict) and place[0] in value:
        yield from _at(value[place[0]], place[1:], (*where, place[0]))
