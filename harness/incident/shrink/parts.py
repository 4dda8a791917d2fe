"""Parts: what can be left out of an incident, by ids, and the incident without some of them."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any, Literal

import yaml

from chaos_harness.clusters.terminal.escape import escape_controls
from chaos_harness.harness.incident.claim_problems import problems_of_claims
from chaos_harness.harness.incident.contents import Contents
from chaos_harness.harness.incident.convert import convert
from chaos_harness.harness.incident.load import LoadedIncident
from chaos_harness.harness.incident.model import SCHEMA, ClaimSpec, Incident, Step
from chaos_harness.harness.incident.notation import FAULT_PARAMETERS
from chaos_harness.harness.incident.object_problems import problems_of_objects
from chaos_harness.harness.incident.step_problems import problems_of_steps
from chaos_harness.harness.incident.timeline import remove_step

__all__ = ["Part", "durations", "format_incident", "remove_parts", "structure"]

Piece = Literal["step", "preparation", "policy", "object", "probe", "turn", "worker", "timeline"]
Time = Literal["lasts", "at", "delay"]
"""The fields of the model that hold a time."""

_LISTS: dict[str, Piece] = {
    "preparations": "preparation",
    "policies": "policy",
    "workload": "object",
    "probes": "probe",
}
_TIMES: dict[Time, str] = {"lasts": "length", "at": "beginning", "delay": "delay"}
_HALVINGS = {1: "half", 2: "half again"}
_SHORTEST = 4.0


@dataclass(frozen=True)
class Part:
    """Something that a shrink may leave out: the piece `number`, from 1, or one of the two `halving`s of its `time`.

    The timeline has only one time, which has no name. `fault` is for texts: it is not in the id.
    """

    piece: Piece
    number: int = 1
    time: Time | None = None
    halving: int = 0
    fault: str = field(default="", compare=False)

    @property
    def id(self) -> str:
        """The same for the same part of the same incident, whatever its wording: "step/1/lasts/half/2"."""
        halved = ("half", str(self.halving)) if self.halving else ()
        return "/".join([self.piece, str(self.number), *([self.time] if self.time else []), *halved])

    @property
    def whole(self) -> "Part":
        """The piece that the time belongs to; itself if it is a piece."""
        return replace(self, time=None, halving=0)

    def __str__(self) -> str:
        """Return a text for reports."""
        if self.piece == "timeline":
            return f"{_HALVINGS[self.halving]} of the timeline"
        piece = f"{self.piece} {self.number}" + (f" ({self.fault})" if self.fault else "")
        return f"{_HALVINGS[self.halving]} of the {_TIMES[self.time]} of {piece}" if self.time else piece


def structure(loaded: LoadedIncident) -> list[Part]:
    """Return the pieces of an incident: steps, policies, objects, probes, turns, and all workers but one.

    A kind configuration names its workers: of those none is left out.
    """
    incident = loaded.incident
    steps = [_step(index, step) for index, step in enumerate(incident.faults)]
    lists = [Part(piece, index + 1) for name, piece in _LISTS.items() for index in range(len(getattr(incident, name)))]
    turns = [Part("turn", number) for number in range(incident.repeat, 1, -1)]
    workers = [Part("worker", number) for number in range(0 if loaded.shape.kind else loaded.shape.workers, 1, -1)]
    return [*steps, *lists, *turns, *workers]


def durations(loaded: LoadedIncident) -> list[Part]:
    """Return the times that can be halved, twice each; short ones are not worth a run."""
    long = [part for part, seconds in _times(loaded.incident) if seconds > _SHORTEST]
    return [replace(part, halving=halving) for part in long for halving in _HALVINGS]


def remove_parts(loaded: LoadedIncident, left_out: frozenset[Part]) -> LoadedIncident | None:
    """Return the incident without these parts, or None if no step would be left, or a symptom could not be decided.

    Steps that came after a removed one begin when that would have begun. Other claims about what was removed go, too.
    """
    incident = loaded.incident
    steps = _shorten_steps(incident, left_out)
    for index in reversed(range(len(incident.faults))):
        if _step(index, incident.faults[index]) in left_out:
            steps = remove_step(steps, index)
    if not steps:
        return None
    lists = {
        name: [part for index, part in enumerate(getattr(incident, name)) if Part(piece, index + 1) not in left_out]
        for name, piece in _LISTS.items()
    }
    lasts = _halve(incident.lasts, Part("timeline"), left_out)
    repeat = 1 + sum(Part("turn", number) not in left_out for number in range(2, incident.repeat + 1))
    kept = [index for index, step in enumerate(incident.faults) if _step(index, step) not in left_out]
    claims = _renumbered(incident, kept, repeat)
    turns = [number for number in range(1, incident.repeat + 1) if Part("turn", number) not in left_out]
    changed = incident.model_copy(
        update={
            **lists,
            "faults": steps,
            "lasts": lasts,
            "repeat": repeat,
            "for_each": [incident.for_each[number - 1] for number in turns] if incident.for_each else [],
            "claims": claims,
        }
    )
    workers = sum(Part("worker", number) not in left_out for number in range(2, loaded.shape.workers + 1))
    shape = loaded.shape.model_copy(update={"workers": min(loaded.shape.workers, 1) + workers})
    policies = tuple(left for index, left in enumerate(loaded.policies) if Part("policy", index + 1) not in left_out)
    workload = tuple(left for index, left in enumerate(loaded.workload) if Part("object", index + 1) not in left_out)
    asks = tuple(left for index, left in enumerate(loaded.asks) if Part("policy", index + 1) not in left_out)
    left = replace(loaded, incident=changed, shape=shape, policies=policies, workload=workload, asks=asks)
    return _decidable(left)


def _renumbered(incident: Incident, kept: list[int], turns: int) -> list[ClaimSpec]:
    """Return the claims with the numbers that the kept steps have now: 0 stands for one that is left out."""
    numbers = {
        f"fault {turn * len(incident.faults) + index + 1}": (
            f"fault {turn * len(kept) + kept.index(index) + 1}" if index in kept and turn < turns else "fault 0"
        )
        for turn in range(incident.repeat)
        for index in range(len(incident.faults))
        if incident.schema_ == SCHEMA
    }

    def changed(value: Any) -> Any:
        if not isinstance(value, list):
            return numbers.get(value, value) if isinstance(value, str) else value
        left = [numbers.get(word, word) for word in value]
        return [word for word in left if word != "fault 0"] or left

    return [
        claimed.model_copy(
            update={
                "with_": {
                    name: changed(value) if name in FAULT_PARAMETERS else value for name, value in claimed.with_.items()
                }
            }
        )
        for claimed in incident.claims
    ]


def _decidable(loaded: LoadedIncident) -> LoadedIncident | None:
    """Return the incident without claims that could never be decided; None if that is a symptom, or a step is wrong."""
    data = _dump(loaded)
    contents = Contents.of(data, loaded.objects, right=True, more=loaded.more)
    objects = {"policies": loaded.policies, "workload": loaded.workload}
    problems = problems_of_objects(data, objects, loaded.asks, contents, loaded.shape, {})
    if any(chain(problems_of_steps(data, contents, loaded.shape), problems)):
        return None
    undecided = {place[1] for place, _ in problems_of_claims(data, contents, loaded.shape)}
    claims = loaded.incident.claims
    if any(claims[index].symptom for index in undecided if isinstance(index, int)) or len(undecided) == len(claims):
        return None
    kept = [claimed for index, claimed in enumerate(claims) if index not in undecided]
    return replace(loaded, incident=loaded.incident.model_copy(update={"claims": kept}))


def format_incident(loaded: LoadedIncident, comments: list[str]) -> str:
    """Return the text of an incident file, with the versions that it was run on, after comments."""
    data = {**_dump(loaded), "schema": 1}
    Incident.model_validate_json(json.dumps(data))
    text = yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=110)
    if loaded.incident.schema_ == SCHEMA:  # in memory it has the words of schema 1
        text = convert(text, loaded.path, by_place=True)
    head = "".join(f"# {escape_controls(line)}\n" for comment in comments for line in comment.splitlines())
    return head + text


def _dump(loaded: LoadedIncident) -> dict[str, Any]:
    data: dict[str, Any] = loaded.incident.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    if loaded.incident.for_each:
        del data["repeat"]
    return {**data, "shape": loaded.shape.fields(loaded.path.parent)}


def _step(index: int, step: Step) -> Part:
    return Part("step", index + 1, fault=step.name)


def _times(incident: Incident) -> Iterator[tuple[Part, float]]:
    """Yield the times of an incident that can be shortened, in seconds."""
    for index, step in enumerate(incident.faults):
        for time in _TIMES:
            seconds: float | None = getattr(step, time)
            if seconds is not None:
                yield replace(_step(index, step), time=time), seconds
    if incident.lasts is not None:
        yield Part("timeline"), incident.lasts


def _halve(seconds: Any, part: Part, left_out: frozenset[Part]) -> Any:
    return seconds and seconds / 2 ** sum(replace(part, halving=halving) in left_out for halving in _HALVINGS)


def _shorten_steps(incident: Incident, left_out: frozenset[Part]) -> list[Step]:
    return [
        step.model_copy(
            update={
                time: _halve(getattr(step, time), replace(_step(index, step), time=time), left_out) for time in _TIMES
            }
        )
        for index, step in enumerate(incident.faults)
    ]
