"""Upgrades: which version of Gatekeeper the steps of an incident bring, in the order of the file."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from chaos_harness.clusters.shape import Shape
from chaos_harness.harness.catalogue import entries
from chaos_harness.harness.history.faults import listed
from chaos_harness.harness.incident.contents import listed_parts
from chaos_harness.harness.incident.model import ClaimSpec, Incident, Step
from chaos_harness.harness.incident.notation import FAULT_PARAMETERS
from chaos_harness.harness.incident.yaml_source import Problem

__all__ = ["problems_of_upgrades", "shape_of_claim", "with_releases"]

_UPGRADE, _ROLLBACK = "upgrade_gatekeeper", "rollback_gatekeeper"
_FAULT = "fault "


class _Change(NamedTuple):
    """A step that changes the version: where it stands among the steps, and its parameters."""

    step: int
    fault: str
    to: str
    by: str | None


def with_releases(data: Mapping[str, Any], shape: Shape) -> Shape:
    """Return the shape with the versions that its steps bring, so that their images are there beforehand."""
    brought = (change.to for change in _changes(data))
    more = dict.fromkeys(version for version in (*shape.releases, *brought) if version != shape.gatekeeper)
    return shape.model_copy(update={"releases": tuple(more)})


def problems_of_upgrades(data: Mapping[str, Any], shape: Shape) -> Iterator[Problem]:
    """Yield steps that bring the version that is there, one that never was, or by a way it was not installed."""
    version, ran = shape.gatekeeper, [shape.gatekeeper]
    for change in _changes(data):
        place = ("faults", change.step)
        if shape.gatekeeper is None:
            yield (*place, "fault"), f"{change.fault} needs Gatekeeper, and the shape has none"
            continue
        if shape.own:
            words = "brings a release as it is; leave out what is different from one in the shape's `gatekeeper`"
            yield (*place, "fault"), f"{change.fault} {words}"
            continue
        if change.to == version:
            yield (*place, "with", "to"), f"Gatekeeper is {change.to} already when this step begins"
        elif change.fault == _ROLLBACK and change.to not in ran:
            there = ", ".join(str(one) for one in dict.fromkeys(ran) if one != version)
            yield (*place, "with", "to"), f"{change.to} did not run before; there ran {there or 'no other version'}"
        if change.by and change.by != shape.install:
            words = f"Gatekeeper is installed by its {shape.install}, so it cannot be changed by its {change.by}"
            yield (*place, "with", "by"), f"{words}; say `install: {change.by}` in the shape, or leave `by` out"
        version = change.to
        ran.append(change.to)
    if len(ran) > 1 and data.get("repeat", 1) != 1:
        yield ("repeat",), "a step changes the version, so that a repetition would begin with another one"


def shape_of_claim(incident: Incident, claimed: ClaimSpec, shape: Shape) -> Shape:
    """Return the shape whose versions decide what is expected of a claim.

    For a claim that names steps it has the version that the last of them brings, or meets; else the version at the
    start.
    """
    version = shape.gatekeeper
    steps = incident.faults
    names = [_name_of(step) for step in steps] if _any_change(incident) else []
    wanted = [word for naming in FAULT_PARAMETERS for word in listed(claimed.with_.get(naming, ()))]
    last = max((index for index, name in enumerate(names) if {name, f"{_FAULT}{index + 1}"} & set(wanted)), default=-1)
    for step in steps[: last + 1]:
        if step.fault in (_UPGRADE, _ROLLBACK):
            version = entries("fault")[step.fault].settings(step.with_)["to"]
    return shape.model_copy(update={"gatekeeper": version})


def _name_of(step: Step) -> str:
    name: str = entries("fault")[step.fault].make(step.with_).name if step.fault else ""
    return name


def _any_change(incident: Incident) -> bool:
    return any(step.fault in (_UPGRADE, _ROLLBACK) for step in incident.faults)


def _changes(data: Mapping[str, Any]) -> Iterator[_Change]:
    """Yield the steps that change the version and are right by themselves."""
    for index, step in enumerate(listed_parts(data, "faults")):
        name = str(step.get("fault")) if isinstance(step, dict) else ""
        values = step.get("with", {}) if name in (_UPGRADE, _ROLLBACK) else None
        if isinstance(values, dict) and not (entry := entries("fault")[name]).problems(values):
            settings = entry.settings(values)
            yield _Change(index, name, settings["to"], settings["by"])
