"""Model: the fields of an incident file."""

import re
from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Discriminator,
    Field,
    Tag,
    WithJsonSchema,
    model_validator,
)

from chaos_harness.clusters.problem_words import shorten
from chaos_harness.clusters.shape import Shape, fields_of
from chaos_harness.harness import jsonpath
from chaos_harness.harness.causes import Cause
from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.incident.ask_model import AnswerSpec, AskSpec, AsSpec, DeniedSpec
from chaos_harness.harness.incident.parts import STRICT, Words, visible
from chaos_harness.harness.verdict import Expected
from chaos_harness.harness.versions import Versions

__all__ = [
    "CONDITION_TAG",
    "DURATION_SCHEMA",
    "DURATION_TAG",
    "FORMS",
    "SCHEMA",
    "SECTIONS",
    "WAIT",
    "ClaimSpec",
    "ExpectationSpec",
    "Incident",
    "Positive",
    "Seconds",
    "Step",
    "TriggerSpec",
    "Turns",
    "fields_at",
    "seconds",
]

SCHEMA = 2
"""The schema in which files are written; those of schema 1 are read, too."""

_WRITTEN = r"^\d+(\.\d+)?(ms|s|m|h)$"
WAIT = "wait"
"""What a step that waits is called, as faults are by their names."""

DURATION_SCHEMA: Mapping[str, Any] = {"anyOf": [{"const": 0}, {"type": "string", "pattern": _WRITTEN}]}
"""What schema 2 takes for a time: 0 needs no unit."""

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_LONGEST = 6 * 3600.0


def seconds(value: object) -> object:
    """Convert "90s", "1.5m" and the like to seconds; a number is in seconds already. Raises ValueError."""
    if isinstance(value, str):
        match = _DURATION.fullmatch(value.strip())
        if not match:
            raise ValueError(f"expected a duration such as 30s, 5m or 250ms, found {value[:20]!r}")
        number = float(match[1]) * _UNITS[match[2]]
        if not isfinite(number):
            raise ValueError(f"expected a duration of at most {_LONGEST / 3600:g}h, found {shorten(value)}")
        return number
    return value


def _range(value: str) -> str:
    try:
        Versions(value)
    except BadScenario as error:
        raise ValueError(str(error)) from error
    return value


def _everywhere(value: object) -> object:
    """Turn a bare verdict into one that is expected on all versions."""
    return [{"verdict": value}] if isinstance(value, str) else value


def _whole(value: object) -> object:
    """Refuse what Python only considers equal to an integer: true (1) and 1.0."""
    if type(value) is not int:
        raise ValueError(f"expected a whole number, found {str(value)[:20]!r}")
    return value


def _address(value: str) -> str:
    if not re.fullmatch(r"https?://[^\s<>\"]+", value):
        raise ValueError(f"expected an address that begins with https://, found {value[:80]!r}")
    return visible(value)


_Duration = WithJsonSchema(dict(DURATION_SCHEMA))
_Schema = WithJsonSchema({"const": SCHEMA})
Seconds = Annotated[float, BeforeValidator(seconds), Field(ge=0, le=_LONGEST), _Duration]
Positive = Annotated[float, BeforeValidator(seconds), Field(gt=0, le=_LONGEST), _Duration]
Turns = Annotated[int, Field(ge=1, le=20)]
_NAME, _IDENTITY = r"^[a-z][a-z0-9_]{0,63}$", r"^[a-z][a-z0-9-]{0,39}$"
_STEP = r"^[a-z]([a-z0-9-]{0,39}|[a-z0-9_]{0,63})$"
_WATCH = r"^[a-z]+( [a-z]+)*( [A-Za-z][A-Za-z0-9]*)?$"
_ISSUE = r"^([\w.-]+/)?[\w.-]+#\d+$"
_LABEL = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
FORMS = {
    _NAME: "a name such as cut_registry",
    _IDENTITY: "an id of small letters, digits and -, such as cut",
    _STEP: "the id of a step, or the fault that no other step does",
    _WATCH: "the name of a watch, such as generated or constraints MyKind",
    _ISSUE: "an issue such as open-policy-agent/gatekeeper#3839",
    _LABEL: "a name of small letters, digits and -",
}
"""What texts look like, in words, by their patterns."""

Name = Annotated[str, Field(pattern=_NAME)]
Identity = Annotated[str, Field(pattern=_IDENTITY)]
StepWord = Annotated[str, Field(pattern=_STEP)]
Range = Annotated[str, AfterValidator(_range), Field(max_length=100)]
Label = Annotated[str, Field(pattern=_LABEL, max_length=53)]
WatchName = Annotated[str, Field(pattern=_WATCH, max_length=100)]


def _path(value: str) -> str:
    jsonpath.parse(value)
    return value


JsonPath = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(visible), AfterValidator(_path)]
Scalar = Annotated[str, Field(max_length=200), AfterValidator(visible)] | bool | int | float


class _Part(BaseModel):
    """A part of the file."""

    model_config = STRICT


class TriggerSpec(_Part):
    """The change of an object that a step waits for, or the condition of one.

    `name` and `namespace` are patterns ("gatekeeper-*"); `count` is which of these changes it is, from 1; `within` is
    how long it may take. With a `field`, a JSONPath as kubectl has it ("{.status.phase}"), it waits until an object has
    the `value` there, or any value: that may be so from the beginning. Values are compared as texts.
    """

    kind: Words
    event: Literal["ADDED", "MODIFIED", "DELETED"] = "ADDED"
    name: Words = "*"
    namespace: Words = "*"
    field: JsonPath | None = None
    value: Scalar | None = None
    count: Annotated[int, Field(ge=1, le=10_000)] = 1
    within: Positive = 120.0

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if self.field is None and self.value is not None:
            raise ValueError("a value stands in a field: say which, such as field: '{.status.phase}'")
        if self.field is not None and (given := {"event", "count"} & self.model_fields_set):
            raise ValueError(f"with a field, {' and '.join(sorted(given))} say nothing: leave them out")
        return self


DURATION_TAG, CONDITION_TAG = "a duration", "a condition"
"""How pydantic tells one kind of wait from the other, in places of problems."""

Wait = Annotated[
    Annotated[Positive, Tag(DURATION_TAG)] | Annotated[TriggerSpec, Tag(CONDITION_TAG)],
    Discriminator(lambda value: CONDITION_TAG if isinstance(value, dict | TriggerSpec) else DURATION_TAG),
]


class Step(_Part):
    """One fault: its name and parameters, when it begins, and for how long it lasts; or a `wait`.

    It begins `at` a moment of the timeline, `when` an object changes or fulfils a condition, or `after` the proof of
    another step, named by its `id`, or by its fault if no other step does it; `delay` is added, and up to `jitter`,
    drawn from the seed anew in each turn. A step that waits, for a time or for an object, proves itself when that is
    over. A step that `lasts` must prove itself again at its end and is healed then; any other step is one-shot, and
    what it leaves to heal is healed at the end of the incident. A step that lasts is claimed to heal within
    `heals_within` after its undo (see the check `heals`); without it, within the fault's own time.
    """

    fault: Name | None = None
    wait: Wait | None = None
    with_: Annotated[dict[str, Any], Field(alias="with", max_length=20)] = {}
    id: Identity | None = None
    at: Seconds | None = None
    when: TriggerSpec | None = None
    after: StepWord | None = None
    delay: Seconds = 0.0
    jitter: Seconds = 0.0
    lasts: Positive | None = None
    heals_within: Positive | None = None

    @model_validator(mode="after")
    def _fault_or_wait(self) -> Self:
        if (self.fault is None) == (self.wait is None):
            found = "none of them" if self.fault is None else "both"
            raise ValueError(f"a step is a fault or a wait; found {found}")
        given = self.model_fields_set & {"with_", "lasts", "heals_within"}
        if self.wait is not None and given:
            raise ValueError(f"a wait has no {' and no '.join(sorted(name.rstrip('_') for name in given))}")
        return self

    @property
    def name(self) -> str:
        """What it does, in a word."""
        return self.fault or WAIT


class PreparationSpec(_Part):
    """A state into which the cluster is brought before policies are applied, until the end of the incident."""

    preparation: Name
    with_: Annotated[dict[str, Any], Field(alias="with", max_length=20)] = {}


class ProbeSpec(_Part):
    """One more probe, in addition to those of every experiment."""

    probe: Name
    with_: Annotated[dict[str, Any], Field(alias="with", max_length=20)] = {}


class ExpectationSpec(_Part):
    """The verdict that is expected on versions such as ">=3.18,<3.22.1" ("" is all); the first that matches counts."""

    verdict: Expected
    gatekeeper: Range = ""
    kubernetes: Range = ""

    def meant_for(self, shape: Shape) -> bool:
        """Whether the versions of a shape match; without Gatekeeper, no range of its versions does."""
        fits = shape.gatekeeper in Versions(self.gatekeeper) if shape.gatekeeper else not self.gatekeeper
        return fits and shape.kubernetes in Versions(self.kubernetes)


_VERDICTS = WithJsonSchema(
    {
        "anyOf": [
            {"enum": ["holds", "violated"]},
            {"type": "array", "minItems": 1, "maxItems": 20, "items": ExpectationSpec.model_json_schema()},
        ],
        "default": "holds",
    }
)


class ClaimSpec(_Part):
    """A claim: a check, and the verdict that is expected, on all versions or by version range.

    A claim that is expected `violated` on some version is a symptom: the incident is reproduced if all symptoms are
    violated. `because` are the causes that identify the known defect; at least one of them must have been seen.
    `race`: the defect does not show in every run, so that the version alone does not say what is true of one.
    """

    check: Name
    with_: Annotated[dict[str, Any], Field(alias="with", max_length=20)] = {}
    expect: Annotated[
        list[ExpectationSpec], BeforeValidator(_everywhere), _VERDICTS, Field(min_length=1, max_length=20)
    ] = [ExpectationSpec(verdict="holds")]
    issue: Annotated[str, Field(pattern=_ISSUE, max_length=100)] | None = None
    because: Annotated[list[Cause], Field(max_length=20)] = []
    race: bool = False

    @property
    def symptom(self) -> bool:
        """Whether it is a symptom: expected to be violated on some versions."""
        return any(expectation.verdict == "violated" for expectation in self.expect)

    def known(self, expected: Expected) -> Literal["version"] | None:
        """Return how this expectation is known to be true: an issue names the defect's versions; None: a prediction."""
        if self.race and expected == "violated":
            return None
        return "version" if self.issue and any(expectation.gatekeeper for expectation in self.expect) else None

    def expected(self, shape: Shape) -> Expected | None:
        """Return the verdict that is expected on a cluster of this shape, or None if nothing is."""
        return next((expectation.verdict for expectation in self.expect if expectation.meant_for(shape)), None)


class Item(_Part):
    """Objects to apply: one in this file, or those in a file beside it."""

    object: dict[str, Any] | None = None
    file: Words | None = None


class SetupSpec(Item):
    """What to bring before any policy, such as operators: an object, those in a file, or a Helm chart.

    A `chart` is a folder beside this file, with the charts that it needs; it is installed with the `values` of a file,
    as `release` (by default, its folder's name) into `namespace` ("default"), which must be there, and waited for.
    """

    chart: Words | None = None
    values: Words | None = None
    release: Label | None = None
    namespace: Label | None = None


class PolicySpec(Item):
    """A policy to put in force: objects of yours, and what is asked about them, or one of the harness's own."""

    policy: Name | None = None
    with_: Annotated[dict[str, Any], Field(alias="with", max_length=20)] = {}
    asks: Annotated[list[AskSpec], Field(max_length=200)] = []


class Incident(_Part):
    """One incident: on which cluster, with which policies and workload, what is done when, and what is claimed.

    What is in `setup` is applied first, in its order, and waited for, item by item. Policies and workload are applied
    before the timeline starts; all of it is deleted at the end. `watch` names groups of lists
    that are watched in addition to Gatekeeper and the nodes (see harness.incident.watches). `lasts` is the length of
    the timeline; by default it ends with the last step. The timeline is run `repeat` times, for races that are not
    always lost, or once `for_each` value, for which `$each` stands in the parameters of steps; then Gatekeeper has
    `recovery` to serve again, and the claims are judged. `budget` is the most time that all of this may take. An
    `extended` incident is a test of `nox -s chaos` only if it is selected.
    """

    schema_: Annotated[Literal[1, 2], BeforeValidator(_whole), _Schema, Field(alias="schema")]
    title: Words
    story: Annotated[str, Field(max_length=10_000)] = ""
    links: Annotated[list[Annotated[str, AfterValidator(_address), Field(max_length=500)]], Field(max_length=20)] = []
    seed: Annotated[int, Field(ge=0, lt=2**32)] | None = None
    budget: Positive = 900.0
    shape: Shape = Shape()
    extended: bool = False
    setup: Annotated[list[SetupSpec], Field(max_length=50)] = []
    preparations: Annotated[list[PreparationSpec], Field(max_length=20)] = []
    policies: Annotated[list[PolicySpec], Field(max_length=200)] = []
    workload: Annotated[list[Item], Field(max_length=200)] = []
    watch: Annotated[list[WatchName], Field(max_length=20)] = []
    probes: Annotated[list[ProbeSpec], Field(max_length=20)] = []
    faults: Annotated[list[Step], Field(min_length=1, max_length=50)]
    lasts: Seconds | None = None
    repeat: Turns = 1
    for_each: Annotated[list[Scalar], Field(max_length=20)] = []
    recovery: Seconds = 300.0
    claims: Annotated[list[ClaimSpec], Field(min_length=1, max_length=50)]


SECTIONS: dict[str, type[BaseModel]] = {
    "shape": Shape,
    "setup": SetupSpec,
    "preparations": PreparationSpec,
    "policies": PolicySpec,
    "asks": AskSpec,
    "as": AsSpec,
    "answer": AnswerSpec,
    "denied": DeniedSpec,
    "workload": Item,
    "probes": ProbeSpec,
    "faults": Step,
    "when": TriggerSpec,
    "wait": TriggerSpec,
    "claims": ClaimSpec,
    "expect": ExpectationSpec,
}
"""The parts of an incident file, by the field that holds them."""


def fields_at(place: Sequence[str | int]) -> list[str]:
    """Return the fields that the part of a file at `place` may have: ("faults", 0) is a step."""
    names = [name for name in place if isinstance(name, str)]
    if names[:1] == ["shape"]:
        return fields_of(names[1:])
    model = SECTIONS.get(names[-1], Incident) if names else Incident
    return [field.alias or name for name, field in model.model_fields.items()]
