"""Parts: what can be left out of an incident, each with a name, and the incident that is left then."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import yaml

from clusters.shown import shown
from harness.incident.load import Loaded
from harness.incident.model import Incident, Step
from harness.incident.timeline import rewired

__all__ = ["durations", "structure", "text", "without"]

_LISTS = {"preparations": "preparation", "policies": "policy", "workload": "object", "probes": "probe"}
_HALVINGS = ("half", "half again")
_SHORTEST = 4.0


def structure(loaded: Loaded) -> list[str]:
    """Return the names of what an incident is made of: steps, policies, objects, probes, turns and workers but one."""
    incident = loaded.incident
    steps = [_step(index, step) for index, step in enumerate(incident.faults)]
    lists = [f"{word} {index + 1}" for name, word in _LISTS.items() for index in range(len(getattr(incident, name)))]
    turns = [f"turn {number}" for number in range(incident.repeat, 1, -1)]
    workers = [f"worker {number}" for number in range(loaded.shape.workers, 1, -1)]
    return [*steps, *lists, *turns, *workers]


def durations(loaded: Loaded) -> list[str]:
    """Return the names of the times that can be halved, twice each; short ones are not worth a run."""
    long = [name for name, seconds in _times(loaded.incident) if seconds > _SHORTEST]
    return [f"{word} of {name}" for name in long for word in _HALVINGS]


def without(loaded: Loaded, left_out: frozenset[str]) -> Loaded | None:
    """Return the incident without these parts, or None if none would be left.

    Steps that came after one that is left out begin when that would have begun.
    """
    incident = loaded.incident
    steps = _shortened(incident, left_out)
    for index in reversed(range(len(incident.faults))):
        if _step(index, incident.faults[index]) in left_out:
            steps = rewired(steps, index)
    if not steps:
        return None
    lists = {
        name: [each for index, each in enumerate(getattr(incident, name)) if f"{word} {index + 1}" not in left_out]
        for name, word in _LISTS.items()
    }
    lasts = _halved(incident.lasts, "the timeline", left_out)
    repeat = 1 + sum(f"turn {number}" not in left_out for number in range(2, incident.repeat + 1))
    changed = incident.model_copy(update={**lists, "faults": steps, "lasts": lasts, "repeat": repeat})
    workers = sum(f"worker {number}" not in left_out for number in range(2, loaded.shape.workers + 1))
    shape = loaded.shape.model_copy(update={"workers": min(loaded.shape.workers, 1) + workers})
    policies, workload = (
        tuple(each for index, each in enumerate(found) if f"{word} {index + 1}" not in left_out)
        for word, found in (("policy", loaded.policies), ("object", loaded.workload))
    )
    return replace(loaded, incident=changed, shape=shape, policies=policies, workload=workload)


def text(loaded: Loaded, comments: list[str]) -> str:
    """Return the incident as a file, with the versions that it was lived on, behind comments."""
    data = loaded.incident.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    data["shape"] = loaded.shape.model_dump(mode="json")
    Incident.model_validate_json(json.dumps(data))
    head = "".join(f"# {shown(line)}\n" for comment in comments for line in comment.splitlines())
    return head + yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=110)


def _step(index: int, step: Step) -> str:
    return f"step {index + 1} ({step.fault})"


def _times(incident: Incident) -> Iterator[tuple[str, float]]:
    """Yield the times of an incident that can be shorter, in seconds."""
    for index, step in enumerate(incident.faults):
        for name, seconds in (("length", step.lasts), ("beginning", step.at), ("delay", step.delay)):
            if seconds is not None:
                yield f"the {name} of {_step(index, step)}", seconds
    if incident.lasts is not None:
        yield "the timeline", incident.lasts


def _halved(seconds: Any, name: str, left_out: frozenset[str]) -> Any:
    return seconds and seconds / 2 ** sum(f"{word} of {name}" in left_out for word in _HALVINGS)


def _shortened(incident: Incident, left_out: frozenset[str]) -> list[Step]:
    fields = {"length": "lasts", "beginning": "at", "delay": "delay"}
    return [
        step.model_copy(
            update={
                field: _halved(getattr(step, field), f"the {name} of {_step(index, step)}", left_out)
                for name, field in fields.items()
            }
        )
        for index, step in enumerate(incident.faults)
    ]
