"""Reference: the pages of incident fields and of all named parts, by the models and docstrings in the code."""

import inspect
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from chaos_harness.harness.catalogue import CatalogueEntry, PartKind, entries, watch_groups
from chaos_harness.harness.causes import CAUSES
from chaos_harness.harness.crashtest.samples import SAMPLES
from chaos_harness.harness.faults.leaves import leaves_of
from chaos_harness.harness.incident.durations import parameters_schema, written
from chaos_harness.harness.incident.model import SECTIONS, WAIT, Incident
from chaos_harness.harness.incident.references import SYNTAX
from docs.generator.markdown import safe, table

__all__ = ["incident_page", "parts_page"]

_NESTED = {"when": "faults, when", "expect": "claims, expect"}
_MODELS: Mapping[str, type[BaseModel]] = {
    "The file": Incident,
    **{_NESTED.get(name, name): model for name, model in SECTIONS.items() if name != WAIT},
}
_VERSIONED = ("kubernetes", "gatekeeper")
"""Fields whose default is a version: the page says so, and need not change with it."""
_TITLES: Mapping[PartKind, str] = {
    "fault": "Faults",
    "check": "Checks",
    "probe": "Probes",
    "policy": "Policies",
    "preparation": "Preparations",
}
_MEANINGS: Mapping[PartKind, str] = {
    "fault": """\
A fault does harm to the cluster. Its undo is on the disk before the harm, and it must prove that it took effect; a
fault that lasts must prove that it is healed, too.""",
    "check": """\
A check reads the history of an experiment and says `holds`, `violated` or `inconclusive`;
[how a verdict comes about](../verdicts.md) explains the rule.""",
    "probe": """\
A probe asks the cluster something all the time, and writes each question and each answer to the history.""",
    "policy": "Policies of the harness's own, with questions to which the right answer is known.",
    "preparation": "A state into which the cluster is brought before the policies are applied.",
}
_MADE = "Made from the code by `nox -s docs`."
_INCIDENT = """\
# Fields of an incident file

{made} An incident is one YAML file; `nox -s new-incident -- FILE` writes one with comments, and the
[schema](../../scenarios/incidents/schema.json) lets an editor complete it.
[Write an incident](../how-to/write-an-incident.md) shows how. A duration is such as
`250ms`, `30s`, `5m`. In parameters (`with`) these words stand for things in the cluster: `{syntax}`."""
_MOST_CHOICES = 8
_WORDS = {
    "object": "a map",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "`true` or `false`",
    "string": "text",
}
"""Types of JSON schemas, in words."""
_RAISED = re.compile(r"\s*Raises \w+\.")


def incident_page() -> str:
    """Return the page of all fields of an incident file."""
    parts = [_INCIDENT.format(made=_MADE, syntax=SYNTAX)]
    for title, model in _MODELS.items():
        parts += [
            f"## {title}",
            _paragraphs(model.__doc__ or ""),
            table(("field", "what it holds", "default"), _fields(model.model_json_schema(by_alias=True))),
        ]
    watched = (
        (
            f"`{name}`{' KIND' if group.of_kind else ''}",
            ", ".join(listed.name for listed in group.lists) or "the objects of that kind",
        )
        for name, group in watch_groups().items()
    )
    parts += ["## watch", "What is written down in addition, by groups.", table(("group", "lists"), watched)]
    parts += [
        "## claims, because",
        "Causes by which a known defect is told from any other.",
        ", ".join(f"`{cause}`" for cause in CAUSES),
    ]
    return "\n\n".join(parts) + "\n"


def parts_page(*kinds: PartKind) -> str:
    """Return the page of all faults, say, by the docstrings and parameters of the functions that make them."""
    parts: list[str] = []
    for kind in kinds:
        title, meaning = _TITLES[kind], _MEANINGS[kind]
        parts += [f"{'#' if kind == kinds[0] else '##'} {title}", f"{meaning}{f' {_MADE}' if kind == kinds[0] else ''}"]
        for entry in entries(kind).values():
            parts += _entry(entry, "##" if len(kinds) == 1 else "###")
            parts += _leaves(entry) if kind == "fault" else ()
    return "\n\n".join(parts) + "\n"


def _entry(entry: CatalogueEntry, level: str) -> Iterator[str]:
    yield f"{level} {entry.name}"
    yield _without_code(_paragraphs(inspect.getdoc(entry.factory) or ""))
    rows = _fields(parameters_schema(entry))
    if rows:
        yield table(("parameter", "what it is", "default"), rows)
    source = Path(*entry.factory.__module__.split(".")[1:])
    file = (
        source / "__init__.py" if hasattr(inspect.getmodule(entry.factory), "__path__") else source.with_suffix(".py")
    )
    yield f"Source: [{file}](../../{file})"


def _leaves(entry: CatalogueEntry) -> Iterator[str]:
    """Yield a paragraph on what a fault does not give back, with the parameters of its sample."""
    values = [sample.values for sample in SAMPLES.values() if sample.fault == entry.name]
    words = dict.fromkeys(leave.words for given in values for leave in leaves_of(entry.make(given)))
    if words:
        yield f"Afterwards [not as before](../how-to/crash-test.md): {'; '.join(words)}."


def _fields(schema: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    needed = schema.get("required", [])
    rows = []
    for name, field in schema.get("properties", {}).items():
        default = "needed" if name in needed else _default(name, field)
        rows.append((f"`{name}`", safe(_kind(field, schema.get("$defs", {}))), default))
    return rows


def _default(name: str, field: Mapping[str, Any]) -> str:
    value = field.get("default")
    if isinstance(value, float) and _is_duration(field.get("anyOf", [])):
        value = written(value)
    if name in _VERSIONED and value:
        return "the [default version](versions.md)"
    if value is None or value in ("", [], {}) or isinstance(value, list | dict):
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _kind(field: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    """Return what a field holds, as words, by its JSON schema."""
    if "$ref" in field:
        name = field["$ref"].rpartition("/")[2]
        return next((f"see {title}" for title, model in _MODELS.items() if model.__name__ == name), "a map")
    if options := field.get("anyOf") or field.get("oneOf"):
        kinds = [_kind(option, definitions) for option in options if option.get("type") != "null"]
        return "a duration" if _is_duration(options) else " or ".join(dict.fromkeys(kinds))
    if choices := field.get("enum", [field["const"]] if "const" in field else []):
        shown = ", ".join(f"`{choice}`" for choice in choices)
        return (
            shown
            if len(choices) == 1
            else f"one of {shown}"
            if len(choices) <= _MOST_CHOICES
            else "see claims, because"
        )
    if field.get("type") == "array":
        return "a list: " + _kind(field.get("items", {}), definitions)
    return _WORDS.get(field.get("type", ""), "anything") + _limits(field)


def _is_duration(options: list[Mapping[str, Any]]) -> bool:
    return any("(ms|s|m|h)" in option.get("pattern", "") for option in options)


def _limits(field: Mapping[str, Any]) -> str:
    least = field.get("minimum", field.get("exclusiveMinimum"))
    most = field.get("maximum", field.get("exclusiveMaximum"))
    if least is not None and most is not None:
        return f", {least:,} to {most:,}"
    return "" if least is None else f", at least {least:,}" if "minimum" in field else f", above {least:,}"


def _without_code(paragraphs: str) -> str:
    """Return the docstring of a function as the description of what the function returns."""
    words = _RAISED.sub("", paragraphs).strip().removeprefix("Return ")
    return words[:1].upper() + words[1:]


def _paragraphs(docstring: str) -> str:
    """Return a docstring as Markdown: one line for each paragraph."""
    paragraphs = [" ".join(paragraph.split()) for paragraph in inspect.cleandoc(docstring).split("\n\n")]
    return "\n\n".join(paragraphs).replace("<", "&lt;")
