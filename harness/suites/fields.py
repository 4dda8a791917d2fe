"""Fields: what may stand in the file of a suite, of the form test.gatekeeper.sh/v1alpha1."""

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from chaos_harness.clusters.terminal.escape import escape_controls

__all__ = ["API_VERSION", "KIND", "PARTS", "CaseFields", "SuiteFields", "TestFields"]

API_VERSION = "test.gatekeeper.sh/v1alpha1"
KIND = "Suite"

_SHORT = 60


def _count(value: object) -> object:
    if value in ("yes", "no") or (type(value) is int and value >= 0):
        return value
    raise ValueError(f"expected yes, no, or how many violations there must be, found {str(value)[:_SHORT]!r}")


def _expression(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"expected a regular expression, found {value[:_SHORT]!r}: {error}") from error
    return value


def _visible(value: str) -> str:
    if escape_controls(value) != value:
        raise ValueError(f"expected visible characters, found {escape_controls(value, most=_SHORT)!r}")
    return value


Name = Annotated[str, AfterValidator(_visible), Field(max_length=200)]
File = Annotated[str, AfterValidator(_visible), Field(min_length=1, max_length=500)]


class _Part(BaseModel):
    """A part of the file: unknown fields are refused, nothing is converted."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class AssertionFields(_Part):
    """One assertion of a case."""

    violations: Annotated[Literal["yes", "no"] | int, BeforeValidator(_count)] = "yes"
    message: Annotated[str, AfterValidator(_expression), Field(max_length=2000)] = ""


class CaseFields(_Part):
    """One case; the files are named relative to the suite's."""

    name: Name = ""
    object: File | None = None
    inventory: list[File] = []
    assertions: list[AssertionFields] = []
    skip: bool = False

    @model_validator(mode="after")
    def _needs(self) -> "CaseFields":
        if not self.skip and not (self.object and self.assertions):
            raise ValueError(f"a case needs {'assertions' if self.object else 'an object'}")
        return self


class TestFields(_Part):
    """One test; the files are named relative to the suite's."""

    __test__ = False  # for pytest, which would collect it

    name: Name = ""
    template: File | None = None
    constraint: File | None = None
    expansion: File | None = None
    cases: list[CaseFields] = []
    invalid: bool = False
    skip: bool = False

    @model_validator(mode="after")
    def _needs(self) -> "TestFields":
        if not self.skip and not (self.template and self.constraint):
            raise ValueError(f"a test needs a {'constraint' if self.template else 'template'}")
        if self.invalid and self.cases:
            raise ValueError("a test whose constraint is invalid has no cases")
        return self


class SuiteFields(_Part):
    """The file."""

    apiVersion: Literal["test.gatekeeper.sh/v1alpha1"]  # noqa: N815 - as Kubernetes spells it
    kind: Literal["Suite"]
    metadata: dict[str, Any] = {}
    tests: Annotated[list[TestFields], Field(min_length=1)]
    skip: bool = False


PARTS: dict[str, type[BaseModel]] = {"tests": TestFields, "cases": CaseFields, "assertions": AssertionFields}
"""The parts of the file, by the field that holds them."""
