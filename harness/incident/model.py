"""Model: what an incident file may say, field by field."""

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from chaos_harness.clusters.shape import Shape
from chaos_harness.clusters.terminal.escape import escape_controls
from chaos_harness.harness.causes import Cause
from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.versions import Versions

__all__ = [
    "SCHEMA",
    "ClaimSpec",
    "Expectation",
    "Incident",
    "Item",
    "PolicySpec",
    "PreparationSpec",
    "ProbeSpec",
    "Step",
    "TriggerSpec",
    "Turns",
    "seconds",
]

SCHEMA = 1

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_LONGEST = 6 * 3600.0


def seconds(value: object) -> object:
    """Turn "90s", "1.5m" and the like into seconds; a bare number is seconds already."""
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
    """Turn a verdict without a range into one that is expected on all versions."""
    return [{"verdict": value}] if isinstance(value, str) else value


def _whole(value: object) -> object:
    """Refuse what only equals a number: true is 1 and 1.0 is 1 for Python."""
    if type(value) is not int:
        raise ValueError(f"expected a whole number, found {str(value)[:20]!r}")
    return value


def _visible(value: str) -> str:
    """Refuse words in which something is not seen, or moves what is seen: they are shown on terminals."""
    if escape_controls(value) != value:
        raise ValueError(f"expected signs that can be seen, found {escape_controls(value, most=80)!r}")
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
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
Identity = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,39}$")]
Range = Annotated[str, AfterValidator(_range), Field(max_length=100)]
Words = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_visible)]
Watch = Annotated[str, Field(pattern=r"^[a-z]+( [a-z]+)*( [A-Za-z][A-Za-z0-9]*)?$", max_length=100)]
Verdict = Literal["holds", "violated"]


class _Part(BaseModel):
    """A part of the file: unknown fields are refused, nothing is converted."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, populate_by_name=True)


class TriggerSpec(_Part):
    """The change of an object that a step waits for.

    `name` and `namespace` are patterns ("gatekeeper-*"); `count` is which such change it is; `within` is how long
    it may take.
    """

    kind: Words
    event: Literal["ADDED", "MODIFIED", "DELETED"] = "ADDED"
    name: Words = "*"
    namespace: Words = "*"
    count: Annotated[int, Field(ge=1, le=10_000)] = 1
    within: Positive = 120.0


class Step(_Part):
    """One fault: which, with what parameters, when, and for how long.

    It begins `at` a moment of the timeline, `when` something happens, or `after` another step, named by its
    `id`, has proved itself; `delay` comes on top. One that `lasts` must still prove itself at its end and is healed
    then; one that does not is a blow, and what it leaves to heal is healed when the incident is over. It is claimed to
    heal (see the check `heals`) `heals_within` so many seconds after it is undone; else in its own time.
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
    """A state into which the cluster is brought before policies are applied, until the incident is over."""

    preparation: Name
    with_: Annotated[dict[str, Any], Field(alias="with", max_length=20)] = {}


class ProbeSpec(_Part):
    """One more probe, beside those of every experiment."""

    probe: Name
    with_: Annotated[dict[str, Any], Field(alias="with", max_length=20)] = {}


class Expectation(_Part):
    """The verdict that is expected on versions such as ">=3.18,<3.22.1" ("" is all); the first that fits counts."""

    verdict: Verdict
    gatekeeper: Range = ""
    kubernetes: Range = ""

    def meant_for(self, shape: Shape) -> bool:
        """Whether the versions of a cluster are among these."""
        fits = shape.gatekeeper is None or shape.gatekeeper in Versions(self.gatekeeper)
        return fits and shape.kubernetes in Versions(self.kubernetes)


_VERDICTS = WithJsonSchema(
    {
        "anyOf": [
            {"enum": ["holds", "violated"]},
            {"type": "array", "minItems": 1, "maxItems": 20, "items": Expectation.model_json_schema()},
        ],
        "default": "holds",
    }
)


class ClaimSpec(_Part):
    """A claim: a check, and what is expected of it, on all versions or by version range.

    One that is expected `violated` somewhere is a symptom: the incident is reproduced when all symptoms are seen.
    `because` are the causes that tell the known defect from any other one; at least one of them must have been seen.
    """

    check: Name
    with_: Annotated[dict[str, Any], Field(alias="with", max_length=20)] = {}
    expect: Annotated[
        list[Expectation], BeforeValidator(_everywhere), _VERDICTS, Field(min_length=1, max_length=20)
    ] = [Expectation(verdict="holds")]
    issue: Annotated[str, Field(pattern=r"^([\w.-]+/)?[\w.-]+#\d+$", max_length=100)] | None = None
    because: Annotated[list[Cause], Field(max_length=20)] = []

    @property
    def symptom(self) -> bool:
        """Whether it is what went wrong: expected to be violated on some versions."""
        return any(expectation.verdict == "violated" for expectation in self.expect)

    @property
    def known(self) -> Literal["version"] | None:
        """How it is known that what is expected is true: others have found the defect, and in which versions it is."""
        return "version" if self.issue and any(expectation.gatekeeper for expectation in self.expect) else None

    def expected(self, shape: Shape) -> Verdict | None:
        """Return the verdict that is expected on a cluster of this shape, or None if nothing is said of it."""
        return next((expectation.verdict for expectation in self.expect if expectation.meant_for(shape)), None)


class Item(_Part):
    """Objects to apply: one written out here, or those of a file beside the incident."""

    object: dict[str, Any] | None = None
    file: Words | None = None


class PolicySpec(Item):
    """A policy to put in force: objects, or one of the harness's own, which the canary asks about."""

    policy: Name | None = None
    with_: Annotated[dict[str, Any], Field(alias="with", max_length=20)] = {}


class Incident(_Part):
    """One incident, to be lived again: on what, with what, what is done when, and what is claimed of it.

    Policies and workload are applied before the timeline begins, and taken away at the end. What it is to `watch`,
    beside Gatekeeper itself and nodes, are groups of lists by their names (see harness.incident.watches). `lasts` is
    the length of the timeline (by default until the last step is over). It is gone through `repeat` times, for a race
    that is not always lost; then Gatekeeper has `recovery` to serve again, and the claims are judged. `budget` is the
    most that all of it may take. One that is `extended` is a test of `nox -s chaos` only when it is
    selected.
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
    watch: Annotated[list[Watch], Field(max_length=20)] = []
    probes: Annotated[list[ProbeSpec], Field(max_length=20)] = []
    faults: Annotated[list[Step], Field(min_length=1, max_length=50)]
    lasts: Seconds | None = None
    repeat: Turns = 1
    recovery: Seconds = 300.0
    claims: Annotated[list[ClaimSpec], Field(min_length=1, max_length=50)]
