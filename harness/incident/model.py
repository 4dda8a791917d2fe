"""Model: the fields of an incident file."""

import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from chaos_harness.clusters.shape import Shape
from chaos_harness.clusters.terminal.escape import escape_controls
from chaos_harness.harness.causes import Cause
from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.verdict import Expected
from chaos_harness.harness.versions import Versions

__all__ = [
    "FORMS",
    "SCHEMA",
    "SECTIONS",
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

SCHEMA = 1

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_LONGEST = 6 * 3600.0


def seconds(value: object) -> object:
    """Convert "90s", "1.5m" and the like to seconds; a number is in seconds already."""
    if isinstance(value, str):
        match = _DURATION.fullmatch(value.strip())
        if not match:
            raise ValueError(f"expected a duration such as 30s, 5m or 250ms, found {value[:20]!r}")
        return float(match[1]) * _UNITS[match[2]]
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


def _visible(value: str) -> str:
    """Refuse invisible characters and those that move the cursor: texts are shown on terminals."""
    if escape_controls(value) != value:
        raise ValueError(f"expected visible characters, found {escape_controls(value, most=80)!r}")
    return value


def _address(value: str) -> str:
    if not re.fullmatch(r"https?://[^\s<>\"]+", value):
        raise ValueError(f"expected an address that begins with https://, found {value[:80]!r}")
    return _visible(value)


_Duration = WithJsonSchema(
    {"anyOf": [{"type": "number", "minimum": 0}, {"type": "string", "pattern": r"^\d+(\.\d+)?(ms|s|m|h)$"}]}
)
Seconds = Annotated[float, BeforeValidator(seconds), Field(ge=0, le=_LONGEST), _Duration]
Positive = Annotated[float, BeforeValidator(seconds), Field(gt=0, le=_LONGEST), _Duration]
Turns = Annotated[int, Field(ge=1, le=20)]
_NAME, _IDENTITY = r"^[a-z][a-z0-9_]{0,63}$", r"^[a-z][a-z0-9-]{0,39}$"
_WATCH = r"^[a-z]+( [a-z]+)*( [A-Za-z][A-Za-z0-9]*)?$"
_ISSUE = r"^([\w.-]+/)?[\w.-]+#\d+$"
FORMS = {
    _NAME: "a name such as cut_registry",
    _IDENTITY: "an id of small letters, digits and -, such as cut",
    _WATCH: "the name of a watch, such as generated or constraints MyKind",
    _ISSUE: "an issue such as open-policy-agent/gatekeeper#3839",
}
"""What texts look like, in words, by their patterns."""

Name = Annotated[str, Field(pattern=_NAME)]
Identity = Annotated[str, Field(pattern=_IDENTITY)]
Range = Annotated[str, AfterValidator(_range), Field(max_length=100)]
Words = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_visible)]
WatchName = Annotated[str, Field(pattern=_WATCH, max_length=100)]


class _Part(BaseModel):
    """A part of the file: unknown fields are refused, nothing is converted."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, populate_by_name=True)


class TriggerSpec(_Part):
    """The change of an object that a step waits for.

    `name` and `namespace` are patterns ("gatekeeper-*"); `count` is which of these changes it is, from 1; `within` is
    how long it may take.
    """

    kind: Words
    event: Literal["ADDED", "MODIFIED", "DELETED"] = "ADDED"
    name: Words = "*"
    namespace: Words = "*"
    count: Annotated[int, Field(ge=1, le=10_000)] = 1
    within: Positive = 120.0


class Step(_Part):
    """One fault: its name and parameters, when it begins, and for how long it lasts.

    It begins `at` a moment of the timeline, `when` an object changes, or `after` the proof of another step, named by
    its `id`; `delay` is added. A step that `lasts` must prove itself again at its end and is healed then; any other
    step is one-shot, and what it leaves to heal is healed at the end of the incident. A step that lasts is claimed to
    heal within `heals_within` after its undo (see the check `heals`); without it, within the fault's own time.
    """

    fault: Name
    with_: Annotated[dict[str, Any], Field(alias="with", max_length=20)] = {}
    id: Identity | None = None
    at: Seconds | None = None
    when: TriggerSpec | None = None
    after: Identity | None = None
    delay: Seconds = 0.0
    lasts: Positive | None = None
    heals_within: Positive | None = None


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
        """Whether the versions of a shape match."""
        fits = shape.gatekeeper is None or shape.gatekeeper in Versions(self.gatekeeper)
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


class PolicySpec(Item):
    """A policy to put in force: objects, or one of the harness's own, or tests of a suite of gator's.

    The canary asks about the harness's own, and each case of a suite that can be asked; `tests` are the names of the
    suite's tests, by default all that are not skipped.
    """

    policy: Name | None = None
    with_: Annotated[dict[str, Any], Field(alias="with", max_length=20)] = {}
    suite: Words | None = None
    tests: Annotated[list[Words], Field(max_length=200)] = []


class Incident(_Part):
    """One incident: on which cluster, with which policies and workload, what is done when, and what is claimed.

    Policies and workload are applied before the timeline starts, and deleted at the end. `watch` names groups of lists
    that are watched in addition to Gatekeeper and the nodes (see harness.incident.watches). `lasts` is the length of
    the timeline; by default it ends with the last step. The timeline is run `repeat` times, for races that are not
    always lost; then Gatekeeper has `recovery` to serve again, and the claims are judged. `budget` is the most time
    that all of this may take. An `extended` incident is a test of `nox -s chaos` only if it is selected.
    """

    schema_: Annotated[Literal[1], BeforeValidator(_whole), Field(alias="schema")]
    title: Words
    story: Annotated[str, Field(max_length=10_000)] = ""
    links: Annotated[list[Annotated[str, AfterValidator(_address), Field(max_length=500)]], Field(max_length=20)] = []
    seed: Annotated[int, Field(ge=0, lt=2**32)] | None = None
    budget: Positive = 900.0
    shape: Shape = Shape()
    extended: bool = False
    preparations: Annotated[list[PreparationSpec], Field(max_length=20)] = []
    policies: Annotated[list[PolicySpec], Field(max_length=200)] = []
    workload: Annotated[list[Item], Field(max_length=200)] = []
    watch: Annotated[list[WatchName], Field(max_length=20)] = []
    probes: Annotated[list[ProbeSpec], Field(max_length=20)] = []
    faults: Annotated[list[Step], Field(min_length=1, max_length=50)]
    lasts: Seconds | None = None
    repeat: Turns = 1
    recovery: Seconds = 300.0
    claims: Annotated[list[ClaimSpec], Field(min_length=1, max_length=50)]


SECTIONS: dict[str, type[BaseModel]] = {
    "shape": Shape,
    "preparations": PreparationSpec,
    "policies": PolicySpec,
    "workload": Item,
    "probes": ProbeSpec,
    "faults": Step,
    "when": TriggerSpec,
    "claims": ClaimSpec,
    "expect": ExpectationSpec,
}
"""The parts of an incident file, by the field that holds them."""


def fields_at(place: Sequence[str | int]) -> list[str]:
    """Return the fields that the part of a file at `place` may have: ("faults", 0) is a step."""
    names = [name for name in place if isinstance(name, str)]
    model = SECTIONS.get(names[-1], Incident) if names else Incident
    return [field.alias or name for name, field in model.model_fields.items()]
