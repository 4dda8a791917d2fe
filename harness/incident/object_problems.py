"""Object problems: what a file's own objects, and questions about them, need of a cluster that it does not have."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from chaos_harness.clusters.api.objects import Object, metadata
from chaos_harness.clusters.problem_words import shorten
from chaos_harness.clusters.shape import Shape
from chaos_harness.clusters.suggest import did_you_mean
from chaos_harness.harness.incident.charts import SetupChart
from chaos_harness.harness.incident.contents import Contents, kinds_of_templates, listed_parts
from chaos_harness.harness.incident.kinds import KINDS, groups_of
from chaos_harness.harness.incident.yaml_source import Location, Problem
from chaos_harness.harness.policies import CANARIES, Question

__all__ = ["brings_more", "known_kinds", "namespace_problem", "problems_of_objects"]

_TEMPLATE = "ConstraintTemplate"
_CONSTRAINTS = "constraints.gatekeeper.sh/"
_NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system", CANARIES)
_BRINGING = (
    *("APIService", "CronJob", "DaemonSet", "Deployment", "Job"),
    *("Pod", "ReplicaSet", "ReplicationController", "StatefulSet"),
)
"""Kinds that run programs, which may make objects of whatever kind, or that serve kinds of their own."""


def brings_more(setup: Sequence[Sequence[Object]], shape: Shape | None, *, charts: bool) -> bool:
    """Whether objects of a `setup`, its `charts`, or the shape's own manifest may bring kinds and namespaces."""
    own = shape is not None and shape.own is not None and shape.own.manifest is not None
    return charts or own or any(manifest["kind"] in _BRINGING for item in setup for manifest in item)


def known_kinds(contents: Contents) -> list[str]:
    """Return the kinds that a cluster has, with what the file defines."""
    return [*KINDS, *contents.constraint_kinds, *contents.defined_kinds]


def namespace_problem(namespace: object, contents: Contents, shape: Shape | None) -> str:
    """Return that no cluster has a namespace, and that the file does not bring it, or ""."""
    there = [*_NAMESPACES, *([shape.namespace] if shape else []), *contents.named("Namespace")]
    if not isinstance(namespace, str) or not namespace or namespace in there:
        return ""
    meant = f"{did_you_mean(namespace, there)}there is {', '.join(there)}"
    return f"no cluster has the namespace {namespace[:80]!r}, and this file brings none of that name; {meant}"


def problems_of_objects(
    data: Mapping[str, Any],
    brought: Mapping[str, Sequence[Sequence[Object]]],
    asks: Sequence[Sequence[Question]],
    contents: Contents,
    shape: Shape | None,
    charts: Mapping[int, SetupChart],
) -> Iterator[Problem]:
    """Yield objects and questions whose kind or namespace no cluster has, and constraints without their template.

    `brought` are the objects of each item of the file's lists, `asks` the questions of each item of `policies`,
    `charts` those of a `setup`, by their items, whose namespace must be there, too.
    """
    placed = [
        ((name, index) if len(items) == len(listed_parts(data, name)) else (name,), manifest)
        for name, items in brought.items()
        for index, item in enumerate(items)
        for manifest in item
    ]
    yield from _constraints_before_templates(placed)
    yield from _problems_of_charts(charts, brought.get("setup", ()), contents, shape)
    if not contents.known:
        return
    for place, manifest in placed:
        named = f"{manifest['kind']} {metadata(manifest)['name']}"
        yield from ((place, f"{named}: {words}") for words in _unmet(manifest, contents, shape))
    for index, questions in enumerate(asks):
        for question in questions:
            at = _place_of(data, index, question.policy)
            yield from ((at, f"{question.kind}: {words}") for words in _unmet(question.body, contents, shape))


def _problems_of_charts(
    charts: Mapping[int, SetupChart], setup: Sequence[Sequence[Object]], contents: Contents, shape: Shape | None
) -> Iterator[Problem]:
    """Yield the namespace of the first chart of a `setup` if surely nobody brings it; other charts may bring more."""
    first = min(charts, default=None)
    if first is not None and contents.whole and not brings_more(setup[:first], shape, charts=False):
        chart = charts[first]
        if problem := namespace_problem(chart.namespace, contents, shape):
            yield ("setup", first, "namespace"), f"release {chart.release}: {problem}"


def _constraints_before_templates(placed: Sequence[tuple[Location, Object]]) -> Iterator[Problem]:
    later: set[str] = set()
    for place, manifest in reversed(placed):
        if manifest["kind"] == _TEMPLATE:
            later.update(kinds_of_templates([manifest]))
        elif manifest["kind"] in later:
            named = f"{manifest['kind']} {metadata(manifest)['name']}"
            yield place, f"{named} comes before the ConstraintTemplate of its kind: put it behind"


def _unmet(manifest: Object, contents: Contents, shape: Shape | None) -> Iterator[str]:
    """Yield why no cluster takes an object: its kind, or its namespace, is not there."""
    kind = str(manifest["kind"])
    if str(manifest["apiVersion"]).startswith(_CONSTRAINTS):
        there = contents.constraint_kinds
        if kind not in there:
            add = f"{did_you_mean(kind, there)}add it to `policies`, before what needs it"
            yield f"no ConstraintTemplate of this file defines the kind; {add}"
    elif kind not in (known := known_kinds(contents)):
        meant = did_you_mean(kind, known).strip() or "see `kubectl api-resources`"
        yield f"no cluster has the kind, and no object here defines it; {meant}"
    elif kind not in contents.defined_kinds:
        yield from _other_group(kind, str(manifest["apiVersion"]))
    if problem := namespace_problem(metadata(manifest).get("namespace"), contents, shape):
        yield problem


def _other_group(kind: str, version: str) -> Iterator[str]:
    """Yield that a kind is one of another API group, and how that is written."""
    group, _, number = version.rpartition("/")
    there = groups_of(kind)
    if there and group not in there:
        meant = " or ".join(f"{other}/{number}".strip("/") for other in there)
        yield f"apiVersion {shorten(version)} has no such kind; did you mean {meant}?"


def _place_of(data: Mapping[str, Any], index: int, name: str) -> Location:
    """Return where a question of an item of `policies` stands."""
    asks = listed_parts(listed_parts(data, "policies")[index], "asks")
    number = next(number for number, ask in enumerate(asks) if isinstance(ask, dict) and ask.get("ask") == name)
    return "policies", index, "asks", number
