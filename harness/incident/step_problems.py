"""Step problems: what steps and preparations ask of a cluster that its shape, or the file, does not have."""

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from chaos_harness.clusters.shape import Shape
from chaos_harness.clusters.suggest import did_you_mean
from chaos_harness.harness.incident.contents import Contents, fields_watched, listed_parts
from chaos_harness.harness.incident.object_problems import known_kinds, namespace_problem
from chaos_harness.harness.incident.references import NOTHING_ELSEWHERE, find_references
from chaos_harness.harness.incident.yaml_source import Location, Problem

__all__ = ["problems_of_replicas", "problems_of_shape", "problems_of_steps"]

_REGISTRY_FAULTS = ("cut_registry", "remove_image")
_LOSING_FAULTS = ("kill_node", "stop_node", "pause_node", "reboot_node", "cut_off_node", "drain_node", "remove_node")
_ON_PLANES = {"restart_api_server": "API server", "pause_etcd": "etcd"}
"""Faults of what runs on control planes alone."""

_OBJECT_FAULTS = (
    "delete_object",
    "edit_object",
    "flip_field",
    "hold_deletion",
    "recreate_object",
    "strip_finalizers",
)
_TEMPLATE = "ConstraintTemplate"
_CROWD = "crowd templates"
_PLACED = "place_gatekeeper"
_RELEASED_REPLICAS = 3
"""Webhook pods of a release, by its manifest and by its chart."""

_MOST_REPLICAS = 10
_WITHOUT_REFERENCES = ("policies", "probes", "claims")


def problems_of_steps(data: Mapping[str, Any], contents: Contents, shape: Shape | None) -> Iterator[Problem]:
    """Yield what steps, preparations and watches name that is not in the file, and what the shape cannot do."""
    for name, kind in (("faults", "fault"), ("preparations", "preparation")):
        for index, values in _values(data, name):
            if shape:
                entry = str(listed_parts(data, name)[index].get(kind))
                yield from (((name, index, *at), words) for at, words in problems_of_shape(entry, values, shape))
    for index, step in enumerate(listed_parts(data, "faults")):
        if isinstance(step, dict) and contents.known:
            of_step = [*_problems_of_kinds(step, contents), *_problems_of_namespace(step.get("with"), contents, shape)]
            yield from ((("faults", index, *at), words) for at, words in of_step)
    yield from _problems_of_fields(data, contents, shape)
    yield from _problems_of_watches(contents)
    for name in _WITHOUT_REFERENCES:
        for index, values in _values(data, name):
            for at, reference in find_references(values, (name, index, "with")):
                yield at, f"{reference[0]} {NOTHING_ELSEWHERE}"


def _values(data: Mapping[str, Any], name: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Yield the parameters of each part of a list, with its index."""
    for index, part in enumerate(listed_parts(data, name)):
        if isinstance(part, dict) and isinstance(values := part.get("with", {}), dict):
            yield index, values


def _problems_of_fields(data: Mapping[str, Any], contents: Contents, shape: Shape | None) -> Iterator[Problem]:
    """Yield probes of fields whose names are not their own, or whose objects no cluster has."""
    for number, (index, values) in enumerate(fields_watched(data)):
        field = str(values.get("field"))
        if field in contents.fields[:number]:
            words = f"{field!r} is the name of another field; claims could not tell them apart"
            yield ("probes", index, "with", "field"), words
        if contents.known:
            problems = [*_unknown_kind(values, ("with",), contents), *_problems_of_namespace(values, contents, shape)]
            yield from ((("probes", index, *at), words) for at, words in problems)


def _problems_of_watches(contents: Contents) -> Iterator[Problem]:
    """Yield kinds of constraints that are watched, and that no template of the file defines."""
    for index, words in enumerate(contents.watches):
        name, _, kind = words.rpartition(" ")
        there = contents.constraint_kinds
        if name == "constraints" and kind.isalnum() and contents.known and kind not in there:
            meant = f"{did_you_mean(kind, there)}there is {', '.join(there) or 'none'}"
            yield ("watch", index), f"no template of this file defines the kind {kind!r}; {meant}"


def problems_of_shape(name: str, values: Mapping[str, Any], shape: Shape) -> Iterator[Problem]:
    """Yield what a fault or a preparation with these parameters needs that clusters of the shape do not have."""
    if name in _REGISTRY_FAULTS and not shape.registry:
        yield ("with",) if values else (), f"{name} needs a registry, and the shape has none: `registry: false`"
    for place, reference in find_references(values, ("with",)):
        if problem := _beyond(reference["role"], reference["number"], reference["any"], shape):
            yield place, f"{reference[0]}: {problem}"
    given = values.get("node", "")
    nodes = [str(node) for node in given] if isinstance(given, list) else [str(given)]
    alone = len(nodes) == 1 and nodes[0].startswith("$control-plane")
    if name in _LOSING_FAULTS and alone and shape.control_planes == 1:
        words = "it is the only control plane: no API server would be left to observe its loss"
        yield ("with", "node"), f"{words}; say `control_planes: 3` in the shape, or harm a worker"
    if name in _ON_PLANES and any(node.startswith(("$worker", "$any-worker")) for node in nodes):
        yield ("with", "node"), f"no {_ON_PLANES[name]} runs on {values['node']}; say $control-plane"
    if name == _PLACED:
        yield from _problems_of_placement(values, shape)


def _problems_of_placement(values: Mapping[str, Any], shape: Shape) -> Iterator[Problem]:
    if shape.workers < 2:  # noqa: PLR2004 - the pods that are not wanted there need another one
        yield ("preparation",), f"{_PLACED} needs two workers or more, and the shape has {shape.workers}"
    if str(values.get("on", "")).startswith("$control-plane"):
        yield ("with", "on"), f"{_PLACED} places pods on a worker, found {values['on']}"


def _replicas(shape: Shape) -> int | None:
    """Return how many webhook pods Gatekeeper has; None if files of the user's say it."""
    own = shape.own
    if own and (own.replicas or own.manifest or own.values):
        return own.replicas
    return _RELEASED_REPLICAS if shape.gatekeeper else None


def problems_of_replicas(data: Mapping[str, Any], shape: Shape) -> Iterator[Problem]:
    """Yield preparations that place more webhook pods than Gatekeeper has on a cluster of the harness's own."""
    replicas = _replicas(shape)
    for index, values in _values(data, "preparations"):
        name, wanted = listed_parts(data, "preparations")[index].get("preparation"), values.get("webhooks")
        if name == _PLACED and replicas is not None and type(wanted) is int and replicas < wanted <= _MOST_REPLICAS:
            words = f"Gatekeeper has {replicas} webhook pod{'s' if replicas > 1 else ''} to place, found {wanted}"
            more = f"say `gatekeeper: {{version: {shape.gatekeeper}, replicas: {wanted}}}` in the shape, or fewer here"
            yield ("preparations", index, "with", "webhooks"), f"{words}; {more}"


def _beyond(role: str | None, number: str | None, any_: str | None, shape: Shape) -> str:
    """Return why a cluster of this shape has no such node, or ""."""
    if not role and not any_:
        return ""
    there = shape.control_planes if role == "control-plane" else shape.workers
    if int(number or 1) <= there:
        return ""
    what = "control plane" if role == "control-plane" else "worker"
    return f"the shape has {there or 'no'} {what}{'s' if there > 1 else ''}"


def _problems_of_kinds(step: Mapping[str, Any], contents: Contents) -> Iterator[Problem]:
    """Yield kinds and names, in triggers and faults, of objects that no cluster has unless this file brings them."""
    places: list[tuple[Location, Any]] = [((name,), step.get(name)) for name in ("when", "wait")]
    places += [(("with",), step.get("with"))] if step.get("fault") in _OBJECT_FAULTS else []
    for place, named in places:
        if isinstance(named, dict):
            yield from _unknown_kind(named, place, contents)


def _unknown_kind(named: Mapping[str, Any], place: Location, contents: Contents) -> Iterator[Problem]:
    """Yield the kind, or the name, of an object that no cluster has unless this file brings it."""
    kind = named.get("kind")
    known = known_kinds(contents)
    if not isinstance(kind, str):
        return
    if kind not in known:
        meant = did_you_mean(kind, known).strip() or "`kubectl api-resources` lists what a cluster has"
        yield (*place, "kind"), f"no cluster has the kind {kind!r}, and this file does not bring it; {meant}"
    elif kind in contents.constraint_kinds or (kind == _TEMPLATE and _CROWD not in contents.fault_names):
        yield from (((*place, "name"), words) for words in _missing_name(kind, named.get("name"), contents))


def _problems_of_namespace(values: Any, contents: Contents, shape: Shape | None) -> Iterator[Problem]:
    """Yield a namespace among parameters that no cluster has, and that this file does not bring."""
    namespace = values.get("namespace") if isinstance(values, dict) else None
    if problem := namespace_problem(namespace, contents, shape):
        yield ("with", "namespace"), problem


def _missing_name(kind: str, name: Any, contents: Contents) -> Iterator[str]:
    """Yield that the file has no such object, if it should; a trigger's name is a pattern."""
    names = contents.named(kind)
    if isinstance(name, str) and not name.startswith("$") and not any(fnmatchcase(one, name) for one in names):
        yield f"this file has no {kind} {name!r}; {did_you_mean(name, names)}there is {', '.join(names) or 'none'}"
