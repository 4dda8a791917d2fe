"""Plan: what a replay of an incident would do, need and cost, without touching anything."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from chaos_harness.clusters import images
from chaos_harness.clusters.images.pull_rules import PullRules
from chaos_harness.harness.catalogue import entries
from chaos_harness.harness.incident.charts import SetupChart
from chaos_harness.harness.incident.load import LoadedIncident
from chaos_harness.harness.incident.model import Step, TriggerSpec
from chaos_harness.harness.incident.needs import source_of, streams_of
from chaos_harness.harness.incident.timeline import begins_at, length, longest
from chaos_harness.harness.incident.upgrades import shape_of_claim

__all__ = ["Plan", "PlannedStep", "plan_of"]

_CLUSTER_SECONDS = {1: 75.0, 3: 150.0}
"""How long a cluster takes from images that are there, on two idle cores, by its control planes."""

_STEADY_SECONDS, _POLICY_SECONDS, _PREPARATION_SECONDS, _HEAL_SECONDS, _END_SECONDS = 10.0, 15.0, 20.0, 15.0, 20.0


@dataclass(frozen=True)
class PlannedStep:
    """One step: from when to when it lasts, at the earliest, in seconds of the timeline.

    `lasts` is None if its harm does not last by itself. `begins` says in words what it waits for, "" if nothing;
    `triggered`: for a change of an object, which may come later.
    """

    number: int
    fault: str
    parameters: str
    begin: float
    lasts: float | None
    begins: str = ""
    triggered: bool = False


@dataclass(frozen=True)
class PlannedClaim:
    """One claim: its id, what is expected on this version, and what it reads, by what brings that."""

    id: str
    expected: str
    needs: Mapping[str, str]


@dataclass(frozen=True)
class Plan:
    """A plan; times are seconds, `images` the images by where they would come from."""

    title: str
    shape: Mapping[str, Any]
    gatekeeper: str
    memory_mib: int
    images: Mapping[str, str]
    before: tuple[str, ...]
    steps: tuple[PlannedStep, ...]
    turns: int
    least: float
    most: float
    budget: float
    recovery: float
    seconds: float
    claims: tuple[PlannedClaim, ...]


def plan_of(loaded: LoadedIncident, rules: PullRules) -> Plan:
    """Return the plan of an incident."""
    incident, shape = loaded.incident, loaded.shape
    least = length(incident)
    before = list(_before(loaded))
    whole = _CLUSTER_SECONDS[shape.control_planes] + _STEADY_SECONDS + _PREPARATION_SECONDS * len(incident.preparations)
    whole += _POLICY_SECONDS * (bool(loaded.policies or loaded.workload) + len(loaded.setup))
    whole += incident.repeat * (least + _HEAL_SECONDS * any(step.lasts for step in incident.faults)) + _END_SECONDS
    return Plan(
        title=incident.title,
        shape=shape.model_dump(),
        gatekeeper=shape.gatekeeper_words,
        memory_mib=shape.memory_mib,
        images={
            **{entry.lock: _source(entry.lock, entry.published, rules) for entry in images.entries(shape).values()},
            **dict.fromkeys(shape.images, "the engine must hold it"),
        },
        before=tuple(before),
        steps=tuple(_step(index, step, incident.faults) for index, step in enumerate(incident.faults)),
        turns=incident.repeat,
        least=least,
        most=longest(incident.faults, incident.lasts),
        budget=incident.budget,
        recovery=incident.recovery,
        seconds=whole,
        claims=tuple(_claims(loaded)),
    )


def _before(loaded: LoadedIncident) -> Iterator[str]:
    """Yield what is done before the timeline begins."""
    incident = loaded.incident
    for item, brought in zip(incident.setup, loaded.setup, strict=True):
        if isinstance(brought, SetupChart):
            yield f"set up chart {brought.folder.name} as release {brought.release} in {brought.namespace}"
        else:
            yield f"set up {_objects(item.file, len(brought))}"
    for prepared in incident.preparations:
        yield f"prepare {prepared.preparation}{_parameters(prepared.with_)}"
    for policy, objects in zip(incident.policies, loaded.policies, strict=True):
        yield f"apply policy {policy.policy}" if policy.policy else f"apply {_objects(policy.file, len(objects))}"
    for work, objects in zip(incident.workload, loaded.workload, strict=True):
        yield f"apply workload: {_objects(work.file, len(objects))}"
    yield from (f"watch {words}" for words in incident.watch)
    yield from (f"start probe {probed.probe}{_parameters(probed.with_)}" for probed in incident.probes)


def _objects(file: str | None, count: int) -> str:
    return f"{count} object{'s' if count > 1 else ''}{f' of {file}' if file else ''}"


def _step(index: int, step: Step, steps: list[Step]) -> PlannedStep:
    waits = f"when {_words(step.when)}" if step.when else ""
    waits = f"after {step.after}" if step.after else waits
    later = f" + {step.delay:g} s" if step.delay and waits else ""
    later += f" + up to {step.jitter:g} s" if step.jitter else ""
    return PlannedStep(
        index + 1,
        step.name,
        _parameters(step.with_).strip() or (_words(step.wait) if isinstance(step.wait, TriggerSpec) else ""),
        begins_at(step, steps),
        step.wait if isinstance(step.wait, float) else step.lasts,
        f"{waits}{later}".removeprefix(" + "),
        triggered=step.when is not None,
    )


def _words(wanted: TriggerSpec) -> str:
    """Return what a step waits for, in words."""
    value = "" if wanted.value is None else f" {wanted.value}"
    return f"{wanted.kind} {wanted.name} {f'{wanted.field}{value}' if wanted.field else wanted.event}"


def _parameters(values: Mapping[str, object]) -> str:
    return "".join(f" {name}={'…' if isinstance(value, dict) else value}" for name, value in values.items())


def _claims(loaded: LoadedIncident) -> Iterator[PlannedClaim]:
    for claimed in loaded.incident.claims:
        check = entries("check")[claimed.check].make(claimed.with_)
        expected = claimed.expected(shape_of_claim(loaded.incident, claimed, loaded.shape)) or "nothing on this version"
        streams = streams_of(claimed.check, claimed.with_)
        needs = {stream.strip(): _brings(*source_of(stream)) for stream in streams}
        yield PlannedClaim(check.id, f"{expected}{f' ({claimed.issue})' if claimed.issue else ''}", needs)


def _brings(field_name: str, value: str) -> str:
    """Return what brings a stream, in words."""
    match field_name:
        case "":
            return "every experiment"
        case "registry":
            return "the shape's registry"
        case "policies":
            return "policies, and the canary's own question"
        case "field":
            return f"probes: {value}"
    return f"{field_name}: {value}"


def _source(lock: str, published: str, rules: PullRules) -> str:
    """Return where an image comes from that the engine does not hold; the engine is not asked."""
    known = rules.known(lock)
    if known or not rules.only_locked:
        return f"pulled from {rules.asked(known or published)}, or built from source"
    return "built from source: it is not in the lock"
