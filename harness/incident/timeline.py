"""Timeline: when the steps of an incident begin and end, and which of these times contradict each other."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import permutations
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from chaos_harness.clusters.suggest import did_you_mean
from chaos_harness.harness.incident.model import Incident, Positive, Seconds, Step, TriggerSpec, Turns
from chaos_harness.harness.incident.yaml_source import Problem

__all__ = ["beginning_order", "begins_at", "length", "longest", "problems_of_time", "remove_step", "step_names"]

_MOST_STEPS = 50
"""The model refuses more; comparing times takes the square of their number."""

_BEGINNINGS = ("at", "when", "after")

_LOSING = ("kill_node", "stop_node", "pause_node", "reboot_node", "cut_off_node", "remove_node", "stop_kubelet")
"""Faults that take a node away, and are healed when it is back."""

_CUTTING, _PULLED = "cut_registry", "remove_image"


class _Times(BaseModel):
    """The durations of an incident, each of which can be read even if other fields are wrong."""

    model_config = ConfigDict(strict=True)

    lasts: Seconds = 0.0
    repeat: Turns = 1
    budget: Positive = Incident.model_fields["budget"].default


def problems_of_time(data: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield the problems of the times of a file's steps, even if other parts of the file are wrong."""
    given = data.get("faults")
    steps: dict[int, Step] = {}
    for index, fault in enumerate(given[:_MOST_STEPS] if isinstance(given, list) else ()):
        try:
            steps[index] = Step.model_validate_json(json.dumps(fault))
        except ValidationError:
            continue  # the model reports it
        begins = [name for name in _BEGINNINGS if getattr(steps[index], name) is not None]
        if len(begins) != 1:
            words = f"found {' and '.join(begins)}" if begins else "found none of them"
            yield ("faults", index), f"expected one of at, when and after, {words}"
    identities = {step.id: index for index, step in reversed(steps.items()) if step.id}
    names = step_names(steps)
    for index, step in steps.items():
        if step.id and identities[step.id] != index:
            yield ("faults", index, "id"), f"{step.id!r} is the id of step {identities[step.id] + 1}, too"
        if step.after is not None and step.after not in names:
            yield ("faults", index, "after"), _unknown(step.after, steps, names)
        elif step.after is not None and (circle := _circle(steps, names, index)):
            yield ("faults", index, "after"), f"the steps wait for each other: {' after '.join(circle)}"
            return
    yield from _contradictions(steps)
    yield from _problems_of_budget(data, list(steps.values()))


def step_names(steps: Mapping[int, Step]) -> dict[str, int]:
    """Return by which words `after` may name each step: by its id, and by its fault if no other step does that."""
    faults = Counter(step.fault for step in steps.values())
    alone = {step.fault: index for index, step in steps.items() if step.fault and faults[step.fault] == 1}
    identities = {step.id: index for index, step in sorted(steps.items(), reverse=True) if step.id}
    return alone | identities


def length(incident: Incident) -> float:
    """Return the least length of the timeline, in seconds; triggers may make it longer."""
    return max(incident.lasts or 0.0, *(_end(step, incident.faults, waiting=False) for step in incident.faults))


def longest(steps: Sequence[Step], lasts: float | None) -> float:
    """Return the greatest length of the timeline, in seconds: if every trigger comes at the last moment."""
    return max([lasts or 0.0, *(_end(step, steps, waiting=True) for step in steps)])


def begins_at(step: Step, steps: Sequence[Step]) -> float:
    """Return when a step begins at the earliest, in seconds of the timeline."""
    return _begin(step, steps, waiting=False)


def beginning_order(faults: Sequence[Any]) -> list[int]:
    """Return the steps of a valid file in the order in which they begin; none if an object decides it."""
    steps = [Step.model_validate_json(json.dumps(fault)) for fault in faults]
    if any(step.when is not None for step in steps):
        return []
    return sorted(range(len(steps)), key=lambda index: begins_at(steps[index], steps))


def remove_step(steps: Sequence[Step], removed: int) -> list[Step]:
    """Return the steps without one of them; steps that came after it begin when it would have begun."""
    gone, names = steps[removed], step_names(dict(enumerate(steps)))
    kept = []
    for index, step in enumerate(steps):
        if index == removed:
            continue
        if step.after is not None and names[step.after] == removed:
            begin = {"at": gone.at, "when": gone.when, "after": gone.after, "delay": gone.delay + step.delay}
            begin["jitter"] = max(gone.jitter, step.jitter)
            step = step.model_copy(update=begin)  # noqa: PLW2901 - the same step, earlier
        kept.append(step)
    return kept


def _unknown(word: str, steps: Mapping[int, Step], names: Mapping[str, int]) -> str:
    same = [str(index + 1) for index, step in steps.items() if step.fault == word]
    if same:
        return f"steps {' and '.join(same)} do {word}: give the one that is meant an id, `id: …`"
    return (
        f"no step has the id, or the fault, {word!r}; {did_you_mean(word, names)}there is {', '.join(names) or 'none'}"
    )


def _problems_of_budget(data: Mapping[str, Any], steps: Sequence[Step]) -> Iterator[Problem]:
    try:
        given = {name: data[name] for name in _Times.model_fields if name in data}
        times = _Times.model_validate_json(json.dumps(given))
    except ValidationError:
        return  # the model reports it
    needs = longest(steps, times.lasts) * times.repeat
    if needs > times.budget:
        words = f"the timeline, {times.repeat} times," if times.repeat > 1 else "the timeline"
        yield ("budget",), f"{words} may take {needs:g} s, which is more than the budget of {times.budget:g} s"


def _contradictions(steps: Mapping[int, Step]) -> Iterator[Problem]:
    """Yield each step that would have to be healed while another step makes that impossible.

    Only steps that certainly overlap are reported: both begin at a moment of the timeline, and last.
    """
    known = {index: step for index, step in steps.items() if step.at is not None and step.lasts is not None}
    times = {index: (_begin(step, (), waiting=False), _end(step, (), waiting=False)) for index, step in known.items()}
    for (index, step), (other, harm) in permutations(known.items(), 2):
        (_, healed), (begin, end) = times[index], times[other]
        together = healed == end and step.fault != _PULLED and other < index
        if begin < healed and (healed < end or together) and (why := _impossible(step, harm)) is not None:
            during = f"while step {other + 1} ({harm.name}) lasts, from {begin:g} to {end:g} s"
            yield ("faults", index), f"it cannot be healed at {healed:g} s, {during}: {why}"


def _impossible(step: Step, harm: Step) -> str | None:
    """Return why a step cannot be healed during the harm of another one, or None."""
    if step.fault in _LOSING and harm.fault in _LOSING and (both := sorted(_nodes(step) & _nodes(harm))):
        return f"{', '.join(both)} is back for both or for none"
    if step.fault == _CUTTING and harm.fault == _CUTTING and not _apart(step, harm):
        return "the registry answers again for both or for none"
    if step.fault == _PULLED and harm.fault == _CUTTING and not _apart(step, harm):
        return "the image is pulled again from that registry"
    return None


def _nodes(step: Step) -> set[str]:
    """Return the nodes that a step names, without those that are only known at run time."""
    given = step.with_.get("node", "")
    names = [str(name) for name in (given if isinstance(given, list) else [given])]
    known = [name for name in names if name.startswith(("$worker", "$control-plane"))]
    return {name if name[-1].isdigit() else f"{name}1" for name in known}


def _apart(step: Step, harm: Step) -> bool:
    """Whether two steps have no node in common, as far as is known."""
    given = [fault.with_.get("nodes") for fault in (step, harm)]
    nodes = [set(map(str, names)) if isinstance(names, list) else set() for names in given]
    whole = harm.with_.get("how", "stop") != "drop" or step.with_.get("how", "drop") != "drop"
    return not whole and all(nodes) and nodes[0].isdisjoint(nodes[1])


def _circle(steps: Mapping[int, Step], names: Mapping[str, int], begin: int) -> list[str]:
    """Return the names of the circle of `after` that the step is in, or nothing."""
    seen: list[int] = []
    index: int | None = begin
    while index is not None:
        if index in seen:
            return [steps[position].id or steps[position].name for position in (*seen[seen.index(index) :], index)]
        seen.append(index)
        after = steps[index].after
        index = names.get(after) if after is not None else None
    return []


def _end(step: Step, steps: Sequence[Step], *, waiting: bool) -> float:
    return _begin(step, steps, waiting=waiting) + (step.lasts or _waits(step, waiting=waiting))


def _begin(step: Step, steps: Sequence[Step], *, waiting: bool) -> float:
    begin = step.at or 0.0
    if step.when is not None:
        begin = step.when.within if waiting else 0.0
    if step.after is not None:
        found = step_names(dict(enumerate(steps))).get(step.after)
        before = None if found is None else steps[found]
        begin = _begin(before, steps, waiting=waiting) + _waits(before, waiting=waiting) if before else 0.0
    return begin + step.delay + (step.jitter if waiting else 0.0)


def _waits(step: Step, *, waiting: bool) -> float:
    """Return for how long a step waits, if it is one that does; for an object at most, or at least."""
    if isinstance(step.wait, TriggerSpec):
        return step.wait.within if waiting else 0.0
    return step.wait or 0.0
