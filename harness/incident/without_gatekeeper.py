"""Without Gatekeeper: what a baseline's incident asks of Gatekeeper, and its cluster does not have."""

from collections.abc import Iterator, Mapping
from typing import Any

from chaos_harness.clusters.api.objects import Object
from chaos_harness.clusters.shape import Shape
from chaos_harness.harness.catalogue import entries
from chaos_harness.harness.history.vocabulary import (
    CONSTRAINTS,
    WATCH_BINDINGS,
    WATCH_EVENTS,
    WATCH_PODS,
    WATCH_SLICES,
    WATCH_TEMPLATES,
)
from chaos_harness.harness.incident.contents import listed_parts
from chaos_harness.harness.incident.needs import ASKED, REPLICAS_ANSWER, needs_of
from chaos_harness.harness.incident.references import find_references
from chaos_harness.harness.incident.yaml_source import Location, Problem

__all__ = ["problems_without_gatekeeper"]

NONE = "and the shape has no Gatekeeper: `gatekeeper: null`"

_STREAMS = {
    *(ASKED, REPLICAS_ANSWER),
    *(WATCH_PODS, WATCH_EVENTS, WATCH_SLICES),
    *(WATCH_TEMPLATES, WATCH_BINDINGS, CONSTRAINTS),
}
"""Streams that only Gatekeeper, its pods, or the questions of its policies bring."""

_FAULTS = (
    "blank_certificate",
    "crowd_templates",
    "cut_webhook",
    "delete_replicas",
    "evict_replicas",
    "flap_webhook",
    "restart_rollout",
    "scale_to_zero",
)
_PROBES = ("admission_canary", "ask_replicas")
_WATCHES = ("generated", "constraints")
_WORDS = {
    ("policies", "policy"): "is enforced by Gatekeeper",
    ("preparations", "preparation"): "sets Gatekeeper up",
    ("faults", "fault"): "harms Gatekeeper",
    ("probes", "probe"): "asks Gatekeeper",
    ("claims", "check"): "judges Gatekeeper",
}
"""What a part of a file, by its list and the field that names it, has to do with Gatekeeper."""

_GROUP = ".gatekeeper.sh"
_OWN = "of its own"


def problems_without_gatekeeper(
    data: Mapping[str, Any], own: Mapping[str, list[tuple[Object, ...]]], shape: Shape | None
) -> Iterator[Problem]:
    """Yield what a file on a cluster without Gatekeeper asks of it; `own` are the objects by the field of their items.

    A file on any other cluster has no such problem.
    """
    if shape is None or shape.gatekeeper:
        return
    for name, items in own.items():
        yield from (((name, index), words) for index, item in enumerate(items) for words in _of_objects(item))
    for (name, kind), words in _WORDS.items():
        for index, part in enumerate(listed_parts(data, name)):
            given = part.get(kind) if isinstance(part, dict) else None
            if isinstance(given, str) and _needs_gatekeeper(kind, given):
                yield (name, index, kind), f"{given} {words}, {NONE}"
    for index, words in enumerate(listed_parts(data, "watch")):
        if isinstance(words, str) and words.partition(" ")[0] in _WATCHES:
            yield ("watch", index), f"{words} are Gatekeeper's, {NONE}"
    yield from _of_steps(data, shape)


def _needs_gatekeeper(kind: str, name: str) -> bool:
    if kind == "check":
        return not _STREAMS.isdisjoint(needs_of(name).streams)
    return name in {"fault": _FAULTS, "probe": _PROBES}.get(kind, [name])


def _of_objects(item: tuple[Object, ...]) -> Iterator[str]:
    for manifest in item:
        if str(manifest["apiVersion"]).partition("/")[0].endswith(_GROUP):
            yield f"{manifest['kind']} {manifest['metadata']['name']} is Gatekeeper's, {NONE}"


def _of_steps(data: Mapping[str, Any], shape: Shape) -> Iterator[Problem]:
    for index, step in enumerate(listed_parts(data, "faults")):
        name = step.get("fault") if isinstance(step, dict) else None
        values = step.get("with", {}) if isinstance(step, dict) else None
        if not isinstance(name, str) or not isinstance(values, dict):
            continue
        entry = entries("fault").get(name)
        settings = {} if entry is None or entry.problems(values) else entry.settings(values)
        if settings.get("namespace", _OWN) in ("", shape.namespace):
            words = f"{name} is done to pods of {shape.namespace}, {NONE}; say another `namespace`"
            yield ("faults", index, "fault"), words
        yield from (((*at,), words) for at, words in _of_references(values, ("faults", index, "with")))


def _of_references(values: Mapping[str, Any], place: Location) -> Iterator[Problem]:
    for at, reference in find_references(values, place):
        if reference["image"] or reference["of"]:
            yield at, f"{reference[0]} stands for something of Gatekeeper's, {NONE}"
